// Holds back a node that gains a VIP and fails with it again and again: each failure doubles the pause (or what the factor
// says) up to a cap, and a quiet time makes all forgotten.

import { elapsedMs, type Instant, later, LONG_AGO } from "../base/time.ts";

/** How a node is held back. */
export interface FlappingPolicy {
  /** The pause after the first failure, in milliseconds. */
  readonly baseMs: number;
  /** Each further pause is this many times as long; at least 1. */
  readonly factor: number;
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

/** Nothing has happened. */
export const STEADY: Flapping = { failures: 0, until: LONG_AGO };

/** The node held the VIP and lost it by a failure of its own. */
export function afterFailure(state: Flapping, policy: FlappingPolicy, at: Instant): Flapping {
  const failures = isForgotten(state, policy, at) ? 1 : state.failures + 1;
  const pauseMs = Math.min(policy.capMs, policy.baseMs * policy.factor ** (failures - 1));
  return { failures, until: later(at, pauseMs) };
}

/** Until when the node is held back; undefined when it is not. */
export function heldBackUntil(state: Flapping, at: Instant): Instant | undefined {
  return state.until > at ? state.until : undefined;
}

/** The failures that count still, for status. */
export function failuresRemembered(state: Flapping, policy: FlappingPolicy, at: Instant): number {
  return isForgotten(state, policy, at) ? 0 : state.failures;
}

function isForgotten({ until }: Flapping, { quietMs }: FlappingPolicy, at: Instant): boolean {
  return elapsedMs(until, at) >= quietMs;
}
