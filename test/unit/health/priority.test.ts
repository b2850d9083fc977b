import { describe, expect, test } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { firstObstacle, standingOf, type TrackedCheck } from "../../../src/health/priority.ts";

const PLAIN: TrackedCheck = {
  check: "nginx",
  weight: null,
  reverse: false,
  verdict: "ok",
  numeric: false,
  value: null,
  reason: "exit status 0",
  since: instant(5_000),
};

function tracked(more: Partial<TrackedCheck>): TrackedCheck {
  return { ...PLAIN, ...more };
}

/** The priority that a check makes of 100, or "ineligible". */
function outcome(more: Partial<TrackedCheck>): number | "ineligible" {
  const { priority, eligible } = standingOf(100, [tracked(more)]);
  return eligible ? priority : "ineligible";
}

describe("a check's verdict", () => {
  test.each([
    { weight: null, reverse: false, ok: 100, failed: "ineligible" },
    { weight: 0, reverse: false, ok: 100, failed: "ineligible" },
    { weight: null, reverse: true, ok: "ineligible", failed: 100 },
    { weight: 20, reverse: false, ok: 120, failed: 100 },
    { weight: -20, reverse: false, ok: 100, failed: 80 },
    { weight: 20, reverse: true, ok: 80, failed: 100 },
    { weight: -20, reverse: true, ok: 100, failed: 120 },
    { weight: 1_000, reverse: false, ok: 254, failed: 100 },
    { weight: -1_000, reverse: false, ok: 100, failed: 1 },
  ] as const)(
    "with weight $weight (reverse: $reverse) makes 100 into $ok, or $failed",
    ({ weight, reverse, ok, failed }) => {
      expect(outcome({ weight, reverse, verdict: "ok" })).toBe(ok);
      expect(outcome({ weight, reverse, verdict: "failed" })).toBe(failed);
      expect(outcome({ weight, reverse, verdict: "pending" }), "without a verdict").toBe(100);
    },
  );
});

describe("a check's number", () => {
  test.each([
    { weight: 1, value: 10, expected: 110 },
    { weight: 1, value: -10, expected: 90 },
    { weight: 2, value: -10, expected: 80 },
    { weight: -2, value: 10, expected: 80 },
    { weight: 1, value: 0, expected: 100 },
    { weight: 1, value: -253, expected: 1 },
    { weight: 1, value: -254, expected: "ineligible" },
    { weight: 100, value: -100, expected: "ineligible" },
    { weight: 100, value: 100, expected: 254 },
    { weight: null, value: 0, expected: 100 },
    { weight: null, value: 1, expected: "ineligible" },
    { weight: 0, value: -1, expected: "ineligible" },
    { weight: 1, value: null, expected: 100 },
  ] as const)("$value with weight $weight makes 100 into $expected", ({ weight, value, expected }) => {
    expect(outcome({ numeric: true, weight, value })).toBe(expected);
  });

  test("reversed, adds the other way round, and without a weight wants anything but 0", () => {
    expect(outcome({ numeric: true, weight: 1, value: 10, reverse: true })).toBe(90);
    expect(outcome({ numeric: true, weight: null, value: 0, reverse: true })).toBe("ineligible");
    expect(outcome({ numeric: true, weight: null, value: 3, reverse: true })).toBe(100);
  });

  test.each([
    { weight: 5, expected: 100 },
    { weight: -5, expected: 100 },
    { weight: null, expected: "ineligible" },
  ] as const)("that cannot be read counts as 0 with weight $weight: $expected", ({ weight, expected }) => {
    expect(outcome({ numeric: true, weight, value: 40, verdict: "failed" })).toBe(expected);
  });
});

describe("several checks", () => {
  test("add up, and the sum stays within 1 and 254", () => {
    const up = tracked({ check: "a", weight: 30 });
    const down = tracked({ check: "b", weight: -50, verdict: "failed" });
    expect(standingOf(100, [up, down]).priority).toBe(80);
    expect(standingOf(250, [up]).priority).toBe(254);
    expect(standingOf(10, [down]).priority).toBe(1);
  });

  test("say which of them do something, and which keeps the node away for longest", () => {
    const standing = standingOf(100, [
      tracked({ check: "quiet" }),
      tracked({ check: "late", verdict: "failed", reason: "HTTP 503", since: instant(9_000) }),
      tracked({ check: "early", verdict: "failed", reason: "exit status 1", since: instant(7_000) }),
      tracked({ check: "bonus", weight: 7 }),
    ]);
    expect(standing.eligible).toBe(false);
    expect(standing.influences.map(({ check, effect }) => [check, effect])).toEqual([
      ["late", "ineligible"],
      ["early", "ineligible"],
      ["bonus", 7],
    ]);
    expect(firstObstacle(standing)).toMatchObject({ check: "early", reason: "exit status 1" });
    expect(firstObstacle(standingOf(100, []))).toBeUndefined();
  });

  test("without a verdict are named only when they may make the node ineligible", () => {
    const standing = standingOf(100, [
      tracked({ check: "plain", verdict: "pending" }),
      tracked({ check: "weighted", verdict: "pending", weight: 5 }),
      tracked({ check: "file", verdict: "pending", weight: 5, numeric: true }),
      tracked({ check: "known" }),
    ]);
    expect(standing).toMatchObject({ eligible: true, priority: 100, undecided: ["plain", "file"] });
  });
});
