// Thousands of runs, each wholly determined by its seed. When one fails, its number is all that is needed:
//
//   VIPD_SIM_SEED=4711 npx vitest run test/simulation/simulation    replays it and prints what happened
//   VIPD_SIM_SEEDS=100000 VIPD_SIM_FIRST=1 ...           looks further
//   VIPD_SIM_TROUBLE=restore ...                         looks closer at one kind of trouble (it belongs to the replay too)

import { describe, expect, it } from "vitest";
import { run, type RunResult } from "./run.ts";
import { TROUBLE_KINDS } from "./scenario.ts";

const SEEDS = numberFrom("VIPD_SIM_SEEDS", 3_000);
const FIRST = numberFrom("VIPD_SIM_FIRST", 1);
const ONLY = process.env["VIPD_SIM_SEED"];
const TROUBLE = TROUBLE_KINDS.find((kind) => kind === process.env["VIPD_SIM_TROUBLE"]) ?? null;

/** A run takes about 25 ms; a slow machine may need many times as long. */
const LIMIT_MS = 60_000 + SEEDS * 250;

/** After so many failing seeds it stops looking. */
const ENOUGH = 5;

describe("the simulated fleet", () => {
  if (ONLY !== undefined)
    it(`replays seed ${ONLY}`, { timeout: LIMIT_MS }, () => {
      const result = run(Number(ONLY), { trouble: TROUBLE, verbose: true });
      process.stdout.write(`${JSON.stringify(result.scenario, null, 2)}\n${result.transcript.join("\n")}\n`);
      expect(reportOf(result)).toBe("");
    });
  else
    it(`keeps its promises from seed ${FIRST} on, ${SEEDS} times`, { timeout: LIMIT_MS }, () => {
      const failed: string[] = [];
      let ownershipChanges = 0;
      for (let seed = FIRST; seed < FIRST + SEEDS && failed.length < ENOUGH; seed += 1) {
        const result = run(seed, { trouble: TROUBLE });
        ownershipChanges += result.ownershipChanges;
        if (result.violations.length > 0) failed.push(reportOf(result));
      }
      expect(failed.join("\n")).toBe("");
      expect(ownershipChanges, "a simulation in which nothing moves shows nothing").toBeGreaterThan(SEEDS);
    });

  it("gives the same run for the same seed", () => {
    const [one, other] = [run(FIRST, { verbose: true }), run(FIRST, { verbose: true })];
    expect(one.transcript.length).toBeGreaterThan(100);
    expect(other.transcript).toEqual(one.transcript);
  });
});

function reportOf({ scenario, violations }: RunResult): string {
  const [first] = violations;
  if (first === undefined) return "";
  const { invariant, at, text } = first;
  const favoured = TROUBLE === null ? "" : `VIPD_SIM_TROUBLE=${TROUBLE} `;
  return `seed ${scenario.seed}, at ${at.toFixed(2)} ms: invariant ${invariant}: ${text} (and ${violations.length - 1} more)\n  replay: ${favoured}VIPD_SIM_SEED=${scenario.seed} npx vitest run test/simulation/simulation`;
}

function numberFrom(name: string, otherwise: number): number {
  const text = process.env[name];
  const value = text === undefined || text === "" ? otherwise : Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is no whole number: ${text}`);
  return value;
}
