// Holds back a node that gains a VIP and fails with it again and again: each failure doubles the pause up to a cap, and a
// quiet time makes all forgotten.

import { elapsedMs, type Instant, later, LONG_AGO } from "../base/time.ts";

/** How a node is held back. */
export interface FlappingPolicy {
  /** The pause after the first failure, in milliseconds. */
  readonly baseMs: number;
  /** The longest pause, in milliseconds. */
  readonly capMs: number;
  /** After this long without a failure, counted from the end of the pause, the next one is the first again; in milliseconds. */
  readonly quietMs: number;
}

/** What is remembered of a node and one VIP. Immutable. */
export interface Flapping {
  /** Failures that are not forgotten. */
  readonly failures: number;
  /** The node is held back until then. */
  readonly until: Instant;
}

/** The first pause, in leases. */
const FIRST_LEASES = 2;

/** The longest pause, where the first is shorter, and how long after one a failure is the first again; in milliseconds. */
const LONGEST_MS = 300_000;
const QUIET_MS = 600_000;

/** How a node of this lease is held back, in milliseconds. */
export function flappingPolicy(ttlMs: number): FlappingPolicy {
  const baseMs = FIRST_LEASES * ttlMs;
  return { baseMs, capMs: Math.max(baseMs, LONGEST_MS), quietMs: QUIET_MS };
}

/** Nothing has happened. */
export const STEADY: Flapping = { failures: 0, until: LONG_AGO };

/** The node held the VIP and lost it by a failure of its own. */
export function afterFailure(state: Flapping, policy: FlappingPolicy, at: Instant): Flapping {
  const failures = isForgotten(state, policy, at) ? 1 : state.failures + 1;
  const pauseMs = Math.min(policy.capMs, policy.baseMs * 2 ** (failures - 1));
  return { failures, until: later(at, pauseMs) };
}

function isForgotten({ until }: Flapping, { quietMs }: FlappingPolicy, at: Instant): boolean {
  return elapsedMs(until, at) >= quietMs;
}
