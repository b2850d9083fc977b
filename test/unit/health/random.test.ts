// Checks whose runs and recoveries end at random, late, twice or never: what must hold at every step.

import { expect, test } from "vitest";
import { type Instant, instant, later, NEVER } from "../../../src/base/time.ts";
import { type Random, seededRandom } from "../../../src/base/random.ts";
import type { CheckEvent, CheckState } from "../../../src/health/check.ts";
import { initialCheck, nextCheckWakeup, stepCheck } from "../../../src/health/machine.ts";
import { checkResult } from "../../../src/health/result.ts";

const STEPS = 2_000;

function randomEvent(random: Random, state: CheckState): CheckEvent {
  const result = checkResult(random.pick(["ok", "failed", "failed", "could-not-run"] as const), "");
  return random.pick<CheckEvent>([
    { type: "tick" },
    { type: "tick" },
    { type: "nudge" },
    { type: "ran", run: state.runs, result },
    { type: "ran", run: random.int(0, state.runs), result },
    { type: "recovered", attempt: random.int(0, 3), result },
  ]);
}

test.each(Array.from({ length: 40 }, (_, seed) => seed))(
  "seed %i: never two runs, never two recoveries, never asleep for good",
  (seed) => {
    const random = seededRandom(seed);
    const recover = random.chance(0.5) ? { tries: random.int(1, 3), waitMs: random.int(0, 500), timeoutMs: 700 } : null;
    const policy = {
      intervalMs: 300,
      timeoutMs: 200,
      rise: random.int(1, 3),
      fall: random.int(1, 3),
      initial: "pending",
      recover,
    } as const;
    let now: Instant = instant(5_000);
    let state = initialCheck(policy, { at: now, firstAt: now, grid: now });
    const running = new Set<number>();
    const recovering = new Set<number>();
    for (let step = 0; step < STEPS; step += 1) {
      now = later(now, random.chance(0.1) ? random.int(0, 2_000) : random.int(0, 30));
      const event = randomEvent(random, state);
      const before = state;
      const [next, effects] = stepCheck(state, event, now);
      state = next;
      if (event.type === "ran") running.delete(event.run);
      if (event.type === "recovered") recovering.delete(event.attempt);
      for (const effect of effects) {
        if (effect.type === "run") {
          expect(running.size, "a run while another one has not ended").toBe(0);
          running.add(effect.run);
        }
        if (effect.type === "recover") {
          expect(recovering.size, "a recovery while another one is commanded").toBe(0);
          recovering.add(effect.attempt);
        }
        if (effect.type === "abandon-recovery") recovering.delete(effect.attempt);
        if (effect.type === "changed" && effect.what === "verdict") expect(state.verdict).not.toBe(before.verdict);
      }
      if (state.verdict !== before.verdict) expect(effects.some((effect) => effect.type === "changed")).toBe(true);
      if (state.verdict === "failed") expect(state.recovery.phase).toBe("none");
      expect(nextCheckWakeup(state)).not.toBe(NEVER);
      expect(nextCheckWakeup(state) - now).toBeLessThanOrEqual(2_000);
      expect(state.attempts).toBeLessThanOrEqual(recover?.tries ?? 0);
    }
  },
);
