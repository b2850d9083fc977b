// Fleets that speak VRRP, among themselves, beside keepalived, and in mixed fleets with the lease. Each run is wholly determined
// by its seed:
//
//   VIPD_SIM_SEED=4711 npx vitest run test/simulation/vrrp     replays it and prints what happened
//   VIPD_SIM_SEEDS=100000 VIPD_SIM_FIRST=1 ...                 looks further
//   VIPD_SIM_TROUBLE=freeze VIPD_SIM_MODE=mixed ...            looks closer (both belong to the replay too)

import { describe, expect, it } from "vitest";
import { runVrrp, type VrrpRunResult } from "./run.ts";
import { VRRP_TROUBLE_KINDS } from "./scenario.ts";

const SEEDS = numberFrom("VIPD_SIM_SEEDS", 600);
const FIRST = numberFrom("VIPD_SIM_FIRST", 1);
const ONLY = process.env["VIPD_SIM_SEED"];
const TROUBLE = VRRP_TROUBLE_KINDS.find((kind) => kind === process.env["VIPD_SIM_TROUBLE"]) ?? null;
const MODE = (["vrrp", "mixed"] as const).find((mode) => mode === process.env["VIPD_SIM_MODE"]) ?? null;

/** A run takes about 30 ms; a slow machine may need many times as long. */
const LIMIT_MS = 60_000 + SEEDS * 500;

/** After so many failing seeds it stops looking. */
const ENOUGH = 5;

describe("the simulated fleet with VRRP", () => {
  if (ONLY !== undefined)
    it(`replays seed ${ONLY}`, { timeout: LIMIT_MS }, () => {
      const result = runVrrp(Number(ONLY), { trouble: TROUBLE, mode: MODE, verbose: true });
      process.stdout.write(`${JSON.stringify(result.scenario, null, 1)}\n${result.transcript.join("\n")}\n`);
      expect(reportOf(result)).toBe("");
    });
  else
    it(`keeps its rules from seed ${FIRST} on, ${SEEDS} times`, { timeout: LIMIT_MS }, () => {
      const failed: string[] = [];
      let claims = 0;
      for (let seed = FIRST; seed < FIRST + SEEDS && failed.length < ENOUGH; seed += 1) {
        const result = runVrrp(seed, { trouble: TROUBLE, mode: MODE });
        claims += result.claims;
        if (result.violations.length > 0) failed.push(reportOf(result));
      }
      expect(failed.join("\n")).toBe("");
      expect(claims, "a simulation in which nobody claims shows nothing").toBeGreaterThan(SEEDS);
    });

  it("gives the same run for the same seed", () => {
    const [one, other] = [runVrrp(FIRST, { verbose: true }), runVrrp(FIRST, { verbose: true })];
    expect(one.transcript.length).toBeGreaterThan(50);
    expect(other.transcript).toEqual(one.transcript);
  });
});

function reportOf({ scenario, violations }: VrrpRunResult): string {
  const [first] = violations;
  if (first === undefined) return "";
  const { rule, at, text } = first;
  const favoured = `${TROUBLE === null ? "" : `VIPD_SIM_TROUBLE=${TROUBLE} `}${MODE === null ? "" : `VIPD_SIM_MODE=${MODE} `}`;
  return `seed ${scenario.seed}, at ${at.toFixed(2)} ms: ${rule}: ${text} (and ${violations.length - 1} more)\n  replay: ${favoured}VIPD_SIM_SEED=${scenario.seed} npx vitest run test/simulation/vrrp`;
}

function numberFrom(name: string, otherwise: number): number {
  const text = process.env[name];
  const value = text === undefined || text === "" ? otherwise : Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is no whole number: ${text}`);
  return value;
}
