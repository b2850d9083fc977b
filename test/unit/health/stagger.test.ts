import { expect, test } from "vitest";
import { instant, later } from "../../../src/base/time.ts";
import { staggeredStart } from "../../../src/health/stagger.ts";

const START = instant(1_000_000);

/** The distances between neighbours, the last one and the first of the next round included. */
function gaps(phases: readonly number[], round: number): readonly number[] {
  const sorted = [...phases].sort((a, b) => a - b);
  return sorted.map((phase, i) => (sorted[i + 1] ?? (sorted[0] ?? 0) + round) - phase);
}

test.each([2, 3, 10, 100, 1_000])(
  "%i checks of one interval stand at phases of their own, none far from the even share",
  (count) => {
    const starts = Array.from({ length: count }, (_, index) => staggeredStart(index, 1_000, 0, START));
    const apart = gaps(
      starts.map(({ grid }) => grid - START),
      1_000,
    );
    expect(Math.min(...apart)).toBeGreaterThan(1_000 / count / 3);
    expect(Math.max(...apart)).toBeLessThan((1_000 / count) * 2.7);
  },
);

test("the first runs come within a quarter of a second, or within the interval when that is shorter", () => {
  for (let index = 0; index < 500; index += 1) {
    expect(staggeredStart(index, 60_000, 0, START).firstAt - START).toBeLessThan(250);
    expect(staggeredStart(index, 100, 0, START).firstAt - START).toBeLessThan(100);
    expect(staggeredStart(index, 60_000, 0, START).firstAt).toBeGreaterThanOrEqual(START);
  }
});

test("with slots, starts share instants of the clock whenever the checks were made, and are shared out evenly", () => {
  const counts = new Map<number, number>();
  for (let index = 0; index < 100; index += 1) {
    const { firstAt, grid } = staggeredStart(index, 1_000, 100, later(START, index / 7));
    expect([firstAt % 100, grid % 100]).toEqual([0, 0]);
    counts.set(grid % 1_000, (counts.get(grid % 1_000) ?? 0) + 1);
  }
  expect(counts.size).toBe(10);
  expect(Math.max(...counts.values())).toBeLessThanOrEqual(13);
});
