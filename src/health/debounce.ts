// Takes a value for true only when it has stayed the same for a while: a link that goes down and comes back within the
// time has not been down.

import { elapsedMs, type Instant, later, NEVER } from "../base/time.ts";

/** A value that is believed, and one that may follow it. Immutable. */
export interface Debounced<T> {
  /** What is believed. */
  readonly settled: T;
  /** What was seen last, and since when; the same as `settled` when nothing is about to change. */
  readonly seen: T;
  readonly seenSince: Instant;
}

/** Begins with a value that is believed at once. */
export function debounced<T>(value: T, at: Instant): Debounced<T> {
  return { settled: value, seen: value, seenSince: at };
}

/** Takes in what is seen now; it is believed when it has been seen for `holdMs`. */
export function observe<T>(state: Debounced<T>, value: T, holdMs: number, at: Instant): Debounced<T> {
  if (value !== state.seen) {
    const next = { settled: state.settled, seen: value, seenSince: at };
    return holdMs > 0 ? next : { ...next, settled: value };
  }
  return value !== state.settled && elapsedMs(state.seenSince, at) >= holdMs ? { ...state, settled: value } : state;
}

/** When the value that was seen last will be believed; `NEVER` when it is already. */
export function settlesAt<T>({ settled, seen, seenSince }: Debounced<T>, holdMs: number): Instant {
  return settled === seen ? NEVER : later(seenSince, holdMs);
}
