import { expect, test } from "vitest";
import { instant, later } from "../../../src/base/time.ts";
import { afterFailure, failuresRemembered, heldBackUntil, STEADY } from "../../../src/health/flapping.ts";

const POLICY = { baseMs: 1_000, factor: 2, capMs: 10_000, quietMs: 60_000 };
const START = instant(1_000_000);

test("each failure doubles the pause, up to the cap", () => {
  let state = STEADY;
  let now = START;
  const pauses: number[] = [];
  for (let failure = 0; failure < 7; failure += 1) {
    state = afterFailure(state, POLICY, now);
    const until = heldBackUntil(state, now) ?? now;
    pauses.push(until - now);
    // It gains again at once, holds it for a second, and fails again.
    now = later(until, 1_000);
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
});

test("a node that never failed is not held back, and one whose pause is over neither", () => {
  expect(heldBackUntil(STEADY, START)).toBeUndefined();
  const state = afterFailure(STEADY, POLICY, START);
  expect(heldBackUntil(state, later(START, 999))).toBe(later(START, 1_000));
  expect(heldBackUntil(state, later(START, 1_000))).toBeUndefined();
});

test("a quiet time makes all forgotten; the pause itself is not quiet", () => {
  const policy = { ...POLICY, capMs: 120_000, baseMs: 120_000 };
  const first = afterFailure(STEADY, policy, START);
  const justAfterThePause = later(START, 121_000);
  expect(failuresRemembered(first, policy, justAfterThePause)).toBe(1);
  expect(afterFailure(first, policy, justAfterThePause).failures).toBe(2);
  const muchLater = later(START, 180_000);
  expect(failuresRemembered(first, policy, muchLater)).toBe(0);
  expect(afterFailure(first, policy, muchLater).failures).toBe(1);
});

test("a thousand failures make no pause longer than the cap", () => {
  let state = STEADY;
  for (let failure = 0; failure < 1_000; failure += 1) state = afterFailure(state, POLICY, START);
  expect(heldBackUntil(state, START)).toBe(later(START, 10_000));
});
