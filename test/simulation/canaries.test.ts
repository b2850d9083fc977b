// The simulation is worth what it can notice: each broken variant must be caught, and within few seeds.

import { describe, expect, it } from "vitest";
import { CANARIES, type Canary } from "./canaries.ts";
import { run } from "./run.ts";

/** Within so many seeds each canary must be caught. */
const MOST_SEEDS = 2_000;

describe("the simulation notices", () => {
  it.each(CANARIES)("$name", { timeout: 300_000 }, (canary) => {
    const caught = firstCatch(canary);
    expect(caught, `not caught within ${MOST_SEEDS} seeds`).toBeDefined();
    expect(canary.breaks).toContain(caught);
  });
});

/** The invariant that the first failing seed broke. */
function firstCatch(canary: Canary): number | undefined {
  for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
    const [violation] = run(seed, { canary }).violations;
    if (violation !== undefined) return violation.invariant;
  }
  return undefined;
}
