// Time from outside: the monotonic clock, the wall clock (for people only), and one-shot timers.

import type { Instant } from "../base/time.ts";

/** Reads time. */
export interface Clock {
  /** CLOCK_BOOTTIME now. */
  now(): Instant;
  /** Milliseconds since 1970, for people; nothing is decided by it. */
  wallMs(): number;
}

/** A clock that can also call back. */
export interface Timers extends Clock {
  /** Calls `run` once, at `when` or as soon after as it can; the result cancels it. */
  at(when: Instant, run: () => void): () => void;
}

/** Unique names from outside. */
export interface Entropy {
  /** 128 random bits as 32 hex digits. */
  uniqueId(): string;
}
