// Runs the checks of a node, as the configuration has them, until the daemon stops.

import { isDeepStrictEqual } from "node:util";
import { later } from "../base/time.ts";
import type { CheckState } from "../health/check.ts";
import { initialCheck } from "../health/machine.ts";
import { staggeredStart } from "../health/stagger.ts";
import type { Timers } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { CheckOptions, CheckPlan, RecoverOptions } from "../config/check-options.ts";
import type { Performer } from "./performer.ts";
import { Recoveries } from "./recoveries.ts";
import { type CheckNews, CheckTask } from "./task.ts";

/** Checks that run no program begin at multiples of this, in milliseconds. */
const SLOT_MS = 100;

/** What the runner needs. */
export interface CheckRunnerDeps {
  readonly timers: Timers;
  readonly log: Logger;
  /** Makes what performs a check; what it throws is thrown by `plan`. */
  readonly performer: (options: CheckOptions) => Performer;
  readonly recovery: (options: RecoverOptions) => Performer;
  /** Called from the event loop, never within a call of the runner's but `plan` and `nudge`. */
  readonly onChange: (news: CheckNews) => void;
}

/** All checks of a node. */
export class CheckRunner {
  private readonly deps: CheckRunnerDeps;
  private readonly recoveries = new Recoveries();
  private readonly tasks = new Map<string, CheckTask>();
  /** Of all tasks, also of those that are not planned any more: what has not ended. */
  private readonly pending = new Map<Promise<void>, string>();
  private made = 0;
  private isStopped = false;

  constructor(deps: CheckRunnerDeps) {
    this.deps = deps;
  }

  /** The checks as they are now. */
  states(): ReadonlyMap<string, CheckState> {
    return new Map([...this.tasks].map(([name, task]) => [name, task.state]));
  }

  /**
   * Runs exactly these checks from now on. One that has not changed goes on as if nothing had happened; one that has changed
   * begins anew, with the verdict that it had. Throws "config" before anything is changed.
   */
  plan(plans: readonly CheckPlan[]): void {
    if (this.isStopped) return;
    const changed = plans.filter((plan) => !isDeepStrictEqual(this.tasks.get(plan.name)?.plan, plan));
    const ready = changed.map((plan) => ({ plan, performer: this.deps.performer(plan.options) }));
    const wanted = new Set(plans.map(({ name }) => name));
    for (const name of [...this.tasks.keys()]) if (!wanted.has(name)) this.end(name);
    for (const { plan, performer } of ready) this.begin(plan, performer);
  }

  /** Runs a check now; of an unknown name it does nothing. */
  nudge(name: string): void {
    this.tasks.get(name)?.post({ type: "nudge" });
  }

  /**
   * Stops all checks and recoveries, and waits until their processes have ended, at most `withinMs`. The answer names the
   * checks of which something has not.
   */
  async stop(withinMs: number): Promise<readonly string[]> {
    this.isStopped = true;
    for (const name of [...this.tasks.keys()]) this.end(name);
    const { timers } = this.deps;
    let cancel = (): void => {};
    const limit = new Promise<void>((resolve) => {
      cancel = timers.at(later(timers.now(), withinMs), resolve);
    });
    await Promise.race([Promise.all(this.pending.keys()), limit]);
    cancel();
    return [...new Set(this.pending.values())];
  }

  private begin(plan: CheckPlan, performer: Performer): void {
    const { timers } = this.deps;
    const before = this.tasks.get(plan.name)?.state;
    this.end(plan.name);
    const start = staggeredStart(this.made, plan.policy.intervalMs, slotOf(plan), timers.now());
    this.made += 1;
    const fresh = initialCheck(plan.policy, start);
    const initial = before === undefined ? fresh : { ...fresh, ...verdictOf(before) };
    const recovery = plan.recover === null ? undefined : this.deps.recovery(plan.recover);
    const { deps, recoveries } = this;
    const follow = (work: Promise<void>): void => this.follow(plan.name, work);
    const task = new CheckTask(plan, initial, { ...deps, performer, recovery, recoveries, follow });
    this.tasks.set(plan.name, task);
    task.begin();
  }

  private end(name: string): void {
    this.tasks.get(name)?.end();
    this.tasks.delete(name);
  }

  private follow(name: string, work: Promise<void>): void {
    this.pending.set(work, name);
    void work.then(() => this.pending.delete(work));
  }
}

/** A program holds the thread for as long as it takes to fork, so each begins at an instant of its own. */
function slotOf({ options, policy }: CheckPlan): number {
  return options.kind === "script" ? 0 : Math.min(SLOT_MS, policy.intervalMs / 4);
}

function verdictOf({ verdict, reason, since, value }: CheckState): Partial<CheckState> {
  return { verdict, reason, since, value };
}
