// Recoveries by service: never two of one service at once, whichever checks ask for them.

import { messageOf } from "../base/errors.ts";
import { type CheckResult, checkResult } from "../health/result.ts";
import type { Performer } from "./performer.ts";

interface Running {
  readonly controller: AbortController;
  readonly result: Promise<CheckResult>;
  /** Checks that wait for it; when all have stopped waiting it is stopped. */
  waiting: number;
}

/** All recoveries that are under way. */
export class Recoveries {
  private readonly running = new Map<string, Running>();

  /**
   * Runs the recovery of a service, or joins the one that is under way. Settles when the command has ended, also after an
   * abort. Never rejects.
   */
  async run(service: string, performer: Performer, signal: AbortSignal): Promise<CheckResult> {
    const recovery = this.running.get(service) ?? this.start(service, performer);
    if (recovery.controller.signal.aborted)
      return checkResult(
        "could-not-run",
        `the recovery of ${service} before this one was stopped and has not ended yet`,
      );
    recovery.waiting += 1;
    const leave = (): void => {
      recovery.waiting -= 1;
      if (recovery.waiting === 0) recovery.controller.abort(signal.reason);
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    try {
      return await recovery.result;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  private start(service: string, performer: Performer): Running {
    const controller = new AbortController();
    const recovery = { controller, result: this.perform(service, performer, controller.signal), waiting: 0 };
    this.running.set(service, recovery);
    return recovery;
  }

  private async perform(service: string, performer: Performer, signal: AbortSignal): Promise<CheckResult> {
    // Not before it is in the list.
    await Promise.resolve();
    try {
      return await performer.run(signal);
    } catch (error) {
      return checkResult("could-not-run", messageOf(error));
    } finally {
      this.running.delete(service);
    }
  }
}
