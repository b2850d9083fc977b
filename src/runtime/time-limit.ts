// The time limit of one piece of work, as the signal that ends it.

import { VipdError } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";

/** A limit that is running. */
export interface TimeLimit {
  /** Aborts with a VipdError "timeout" when the time is over, or with the parent's reason when that aborts first. */
  readonly signal: AbortSignal;
  /** Ends the limit: to be called when the work is done, however it ended. */
  clear(): void;
}

/** Limits `what` (for the message) to `ms` milliseconds, and to the life of `parent`. */
export function timeLimit(timers: Timers, ms: number, what: string, parent?: AbortSignal): TimeLimit {
  const controller = new AbortController();
  const follow = (): void => controller.abort(parent?.reason);
  const cancel = timers.at(later(timers.now(), ms), () =>
    controller.abort(new VipdError("timeout", `${what}: not done within ${ms} ms`, { ms })),
  );
  if (parent?.aborted === true) follow();
  parent?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    clear: () => {
      cancel();
      parent?.removeEventListener("abort", follow);
    },
  };
}
