// The simulation is worth what it can notice: each broken variant must be caught, and within few seeds.

import { describe, expect, it } from "vitest";
import { VRRP_CANARIES, type VrrpCanary } from "./canaries.ts";
import { runVrrp } from "./run.ts";

/** Within so many seeds each canary must be caught. */
const MOST_SEEDS = 1_000;

describe("the simulation with VRRP notices", () => {
  it.each(VRRP_CANARIES)("$name", { timeout: 300_000 }, (canary) => {
    const caught = firstCatch(canary);
    expect(caught, `not caught within ${MOST_SEEDS} seeds`).toBeDefined();
    expect(canary.breaks).toContain(caught);
  });
});

/** The rule that the first failing seed broke. */
function firstCatch(canary: VrrpCanary): string | undefined {
  for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
    const [violation] = runVrrp(seed, { canary }).violations;
    if (violation !== undefined) return violation.rule;
  }
  return undefined;
}
