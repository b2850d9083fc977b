import { describe, expect, test } from "vitest";
import { instant, later } from "../../../src/base/time.ts";
import { afterFailure, flappingPolicy, STEADY } from "../../../src/health/flapping.ts";

const POLICY = { baseMs: 1_000, capMs: 10_000, quietMs: 60_000 };
const START = instant(1_000_000);

/** The pauses of a node that gains again as soon as it may, holds for a second, and fails. */
function pauses(policy: typeof POLICY, count: number): readonly number[] {
  let [state, now] = [STEADY, START];
  return Array.from({ length: count }, () => {
    state = afterFailure(state, policy, now);
    const pause = state.until - now;
    now = later(state.until, 1_000);
    return pause;
  });
}

test("each failure doubles the pause, up to the cap", () => {
  expect(pauses(POLICY, 7)).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
});

test("a quiet time makes all forgotten; the pause itself is not quiet", () => {
  const policy = { ...POLICY, capMs: 120_000, baseMs: 120_000 };
  const first = afterFailure(STEADY, policy, START);
  expect(afterFailure(first, policy, later(START, 121_000)).failures).toBe(2);
  expect(afterFailure(first, policy, later(START, 180_000)).failures).toBe(1);
});

test("a thousand failures make no pause longer than the cap", () => {
  let state = STEADY;
  for (let failure = 0; failure < 1_000; failure += 1) state = afterFailure(state, POLICY, START);
  expect(state.until).toBe(later(START, 10_000));
});

describe("a node of a lease", () => {
  test("pauses for two of them, then twice as long each time, up to five minutes", () => {
    const expected = [6_000, 12_000, 24_000, 48_000, 96_000, 192_000, 300_000, 300_000];
    expect(pauses(flappingPolicy(3_000), 8)).toEqual(expected);
  });

  test("pauses for two of them always when those are longer than five minutes", () => {
    expect(pauses(flappingPolicy(600_000), 3)).toEqual([1_200_000, 1_200_000, 1_200_000]);
  });
});
