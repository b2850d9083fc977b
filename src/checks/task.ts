// One check that runs: the machine of src/health says when, a performer looks, and what comes of it is told and logged.

import { messageOf, VipdError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { CheckPlan } from "../config/check-options.ts";
import type { CheckEffect, CheckEvent, CheckState } from "../health/check.ts";
import { nextCheckWakeup, stepCheck } from "../health/machine.ts";
import { type CheckResult, checkResult } from "../health/result.ts";
import type { Timers } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import { Driver } from "../runtime/driver.ts";
import type { Performer } from "./performer.ts";
import type { Recoveries } from "./recoveries.ts";

/** What has changed of a check: its verdict, its number, or whether a recovery is under way. */
export interface CheckNews {
  readonly check: string;
  readonly what: "verdict" | "value" | "recovery";
  readonly state: CheckState;
}

/** What a check needs. */
export interface CheckTaskDeps {
  readonly timers: Timers;
  readonly log: Logger;
  readonly onChange: (news: CheckNews) => void;
  readonly performer: Performer;
  readonly recovery: Performer | undefined;
  readonly recoveries: Recoveries;
  /** Takes note of work that must have ended before the runner has. It never rejects. */
  readonly follow: (work: Promise<void>) => void;
}

/** One check that runs. */
export class CheckTask {
  readonly plan: CheckPlan;
  private readonly deps: CheckTaskDeps;
  private readonly driver: Driver<CheckEvent, CheckEffect>;
  private current: CheckState;
  /** Of the run and of the recovery that are under way. */
  private run = new AbortController();
  private recovery = new AbortController();
  private unwatch: () => void = () => {};

  constructor(plan: CheckPlan, initial: CheckState, deps: CheckTaskDeps) {
    this.plan = plan;
    this.deps = deps;
    this.current = initial;
    const machine = {
      step: (event: CheckEvent, now: Instant): readonly CheckEffect[] => {
        const [next, effects] = stepCheck(this.current, event, now);
        this.current = next;
        return effects;
      },
      nextWakeup: (): Instant => nextCheckWakeup(this.current),
      tick: { type: "tick" } as const,
    };
    this.driver = new Driver<CheckEvent, CheckEffect>(machine, {
      timers: deps.timers,
      perform: (effect) => this.perform(effect),
    });
  }

  get state(): CheckState {
    return this.current;
  }

  post(event: CheckEvent): void {
    this.driver.post(event);
  }

  begin(): void {
    this.unwatch = this.deps.performer.watch?.(() => this.post({ type: "nudge" })) ?? this.unwatch;
    // Sets the timer of the first run.
    this.post({ type: "tick" });
  }

  end(): void {
    this.unwatch();
    this.post({ type: "stop" });
    this.driver.close();
  }

  private perform(effect: CheckEffect): void {
    switch (effect.type) {
      case "run":
        this.run = new AbortController();
        return this.deps.follow(this.performRun(effect.run, this.run.signal));
      case "abandon-run":
        return this.run.abort(abandonment(this.plan.name, effect.why));
      case "recover":
        this.recovery = new AbortController();
        return this.deps.follow(this.performRecovery(effect.attempt, this.recovery.signal));
      case "abandon-recovery":
        return this.recovery.abort(abandonment(this.plan.name, effect.why));
      case "changed":
        this.tell(effect.what, effect.reason);
        return this.deps.onChange({ check: this.plan.name, what: effect.what, state: this.state });
    }
  }

  private async performRun(run: number, signal: AbortSignal): Promise<void> {
    let result: CheckResult;
    try {
      result = await this.deps.performer.run(signal);
    } catch (error) {
      const { log } = this.deps;
      log.error(
        { check: this.plan.name, error: messageOf(error) },
        `check ${this.plan.name} broke: please report this`,
      );
      result = checkResult("could-not-run", messageOf(error));
    }
    this.post({ type: "ran", run, result });
  }

  private async performRecovery(attempt: number, signal: AbortSignal): Promise<void> {
    const { recoveries, recovery } = this.deps;
    const { recover, name } = this.plan;
    const result =
      recover === null || recovery === undefined
        ? checkResult("could-not-run", `check ${name} has no recovery`)
        : await recoveries.run(recover.service, recovery, signal);
    this.deps.log.info(
      { check: name, attempt, outcome: result.outcome, lastLine: result.lastLine },
      `check ${name}: recovery ${attempt}: ${result.reason}`,
    );
    this.post({ type: "recovered", attempt, result });
  }

  private tell(what: CheckNews["what"], reason: string): void {
    const { name, policy } = this.plan;
    const { verdict, recovery, last, value } = this.state;
    const { log } = this.deps;
    const fields = { check: name, verdict, reason, lastLine: last?.result.lastLine ?? "", value };
    if (what === "value") return log.info(fields, `check ${name}: ${reason}`);
    if (what === "verdict")
      return verdict === "ok"
        ? log.info(fields, `check ${name} is ok: ${reason}`)
        : log.warn(fields, `check ${name} has failed: ${reason}`);
    if (recovery.phase === "none")
      return log.info(fields, `check ${name} is ok again, its recovery has helped: ${reason}`);
    return log.warn(
      fields,
      `check ${name} fails: ${reason}; recovery ${recovery.attempt} of ${policy.recover?.tries ?? 0} begins`,
    );
  }
}

function abandonment(check: string, why: "timeout" | "stop"): VipdError {
  return why === "timeout"
    ? new VipdError("timeout", `check ${check}: its time is over`)
    : new VipdError("aborted", `check ${check} was stopped`);
}
