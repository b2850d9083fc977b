// One check on a virtual clock, and what it asked for, as a transcript: a line for each effect, with the milliseconds since the
// start. Wake-ups come by themselves; runs and recoveries end when the test says so.

import { type Instant, instant, later } from "../../../src/base/time.ts";
import type { CheckEffect, CheckEvent, CheckPolicy, CheckState } from "../../../src/health/check.ts";
import { initialCheck, nextCheckWakeup, stepCheck } from "../../../src/health/machine.ts";
import { type CheckResult, checkResult } from "../../../src/health/result.ts";

const START = instant(1_000_000);

/** Every second, two failures make one, two successes end it. */
export const POLICY: CheckPolicy = {
  intervalMs: 1_000,
  timeoutMs: 500,
  rise: 2,
  fall: 2,
  initial: "pending",
  recover: null,
};

export const OK = checkResult("ok", "exit status 0");
export const BAD = checkResult("failed", "exit status 1");

/** A check under test. */
export class Bench {
  now: Instant = START;
  state: CheckState;
  readonly transcript: string[] = [];
  /** What each run brings by itself, at once; undefined: the test ends it. */
  answer: (run: number) => CheckResult | undefined = () => undefined;
  /** The same for recoveries. */
  answerRecovery: (attempt: number) => CheckResult | undefined = () => undefined;

  constructor(policy: Partial<CheckPolicy> = {}) {
    const start = { at: START, firstAt: START, grid: START };
    this.state = initialCheck({ ...POLICY, ...policy }, start);
  }

  post(event: CheckEvent): void {
    const [state, effects] = stepCheck(this.state, event, this.now);
    this.state = state;
    for (const effect of effects) this.write(effect);
    for (const effect of effects) this.reply(effect);
  }

  /** Lets time pass; wake-ups come at their instants. */
  advance(ms: number): void {
    const end = later(this.now, ms);
    for (let wakes = 0; nextCheckWakeup(this.state) <= end; wakes += 1) {
      if (wakes > 10_000) throw new Error("the check never sleeps");
      this.now = later(nextCheckWakeup(this.state), 0);
      this.post({ type: "tick" });
    }
    this.now = end;
  }

  /** Ends the run that is under way. */
  ran(result: CheckResult, run = this.state.runs): void {
    this.post({ type: "ran", run, result });
  }

  /** What has been written since the last call. */
  take(): readonly string[] {
    return this.transcript.splice(0);
  }

  private reply(effect: CheckEffect): void {
    if (effect.type === "run") {
      const result = this.answer(effect.run);
      if (result !== undefined) this.ran(result, effect.run);
    }
    if (effect.type === "recover") {
      const result = this.answerRecovery(effect.attempt);
      if (result !== undefined) this.post({ type: "recovered", attempt: effect.attempt, result });
    }
  }

  private write(effect: CheckEffect): void {
    this.transcript.push(`+${Math.round(this.now - START)} ${this.inWords(effect)}`);
  }

  private inWords(effect: CheckEffect): string {
    switch (effect.type) {
      case "run":
        return `run ${effect.run}`;
      case "abandon-run":
        return `abandon run ${effect.run} (${effect.why})`;
      case "recover":
        return `recover ${effect.attempt}`;
      case "abandon-recovery":
        return `abandon recovery ${effect.attempt} (${effect.why})`;
      case "changed":
        return `${effect.what}: ${this.state.verdict}, recovery ${this.state.recovery.phase} (${effect.reason})`;
    }
  }
}
