// Deliberately broken variants. Each breaks one rule that the safety or the liveness of the fleet rests on; the
// simulation must notice every one of them, or its silence about the real code means nothing.

import { type Instant, later } from "../../src/base/time.ts";
import { observerWaitMs } from "../../src/election/lease.ts";
import { emptyMirror } from "../../src/election/mirror.ts";
import type { Event, State } from "../../src/election/state.ts";
import type { FenceFlaw } from "./kernel.ts";
import type { Trouble } from "./scenario.ts";

/** A way to be wrong. */
export interface Canary {
  readonly name: string;
  /** The invariants of which one breaks first. */
  readonly breaks: readonly number[];
  /** What brings it to light: such troubles strike more often. */
  readonly trouble?: Trouble["kind"];
  /** Changes what the election machine is told, or what it believes. */
  readonly perturb?: (state: State, event: Event, now: Instant) => readonly [State, Event];
  readonly fenceFlaw?: FenceFlaw;
  /** Tells the election that the VIP is gone before it is. */
  readonly releasesFirst?: boolean;
  /** Some reads are never answered. */
  readonly forgetsReads?: boolean;
  /** Takes others' leases for this much shorter than they are. */
  readonly sight?: number;
  /** The store's logical time falls with its data. */
  readonly store?: "revisions-fall";
  /** A daemon starts, and adopts, while its frozen predecessor lives. */
  readonly ignoresLock?: boolean;
}

/** All canaries. */
export const CANARIES: readonly Canary[] = [
  { name: "validity from the answer instead of the send", breaks: [3], perturb: fromTheAnswer },
  { name: "an unknown outcome taken for success", breaks: [2, 3], perturb: unknownIsSuccess },
  { name: "a new epoch not noticed in an answer", breaks: [1, 6], trouble: "restore", perturb: epochBlind },
  { name: "a token of before the store was put back", breaks: [4], trouble: "restore", perturb: oldTokens },
  { name: "release before the address is gone", breaks: [1, 2], releasesFirst: true },
  { name: "a fence without a timeout", breaks: [3], fenceFlaw: "no-timeout" },
  {
    name: "a fence that is not armed before the clock is read",
    breaks: [1, 3],
    trouble: "freeze",
    fenceFlaw: "unarmed",
  },
  { name: "a stale read accepted over newer news", breaks: [1, 6, 7], perturb: staleReads },
  { name: "no quarantine after the store lost data", breaks: [1], trouble: "restore", perturb: trusting },
  { name: "leases of others broken after half of their length", breaks: [1], sight: 0.5 },
  { name: "a restart beside a frozen predecessor", breaks: [1, 2, 6, 7], trouble: "freeze", ignoresLock: true },
  { name: "a read that is never answered", breaks: [6, 7], forgetsReads: true },
  { name: "a store whose revisions fall", breaks: [4, 6], trouble: "restore", store: "revisions-fall" },
];

/** Session records as the canary sees them. */
export function sightOf<T extends { readonly value: string | null }>(
  canary: Canary | null,
  records: readonly T[],
): readonly T[] {
  const { sight } = canary ?? {};
  if (sight === undefined) return records;
  return records.map((record) => ({
    ...record,
    value: record.value?.replace(/"ttlMs":(\d+)/u, (_, ms: string) => `"ttlMs":${Number(ms) * sight}`) ?? null,
  }));
}

function fromTheAnswer(state: State, event: Event, now: Instant): readonly [State, Event] {
  if (event.type !== "committed" || state.inFlight === null) return [state, event];
  return [{ ...state, inFlight: { ...state.inFlight, sentAt: now } }, event];
}

function unknownIsSuccess(state: State, event: Event): readonly [State, Event] {
  if (event.type !== "unknown") return [state, event];
  const { revision, epoch } = state.mirror;
  return [state, { type: "committed", attempt: event.attempt, revision: revision + 1n, epoch: epoch ?? "" }];
}

function epochBlind(state: State, event: Event): readonly [State, Event] {
  return [
    state,
    event.type === "committed" && state.mirror.epoch !== null ? { ...event, epoch: state.mirror.epoch } : event,
  ];
}

function oldTokens(state: State, event: Event): readonly [State, Event] {
  const { fleet } = state.mirror;
  return [fleet === null ? state : { ...state, mirror: { ...state.mirror, fleet: { ...fleet, version: -1n } } }, event];
}

function staleReads(state: State, event: Event, now: Instant): readonly [State, Event] {
  if (event.type !== "read") return [state, event];
  return [
    { ...state, mirror: { ...emptyMirror(now), epoch: state.mirror.epoch, epochSeenAt: state.mirror.epochSeenAt } },
    event,
  ];
}

function trusting(state: State, event: Event): readonly [State, Event] {
  const epochSeenAt = later(state.mirror.epochSeenAt, -observerWaitMs(state.self.ttlMs));
  return event.type === "read" && event.snapshot.epoch !== state.mirror.epoch
    ? [state, event]
    : [state.mirror.epoch === null ? state : { ...state, mirror: { ...state.mirror, epochSeenAt } }, event];
}
