// Timers that count suspend: one timerfd on CLOCK_BOOTTIME. The event loop's own timers stand still while the machine
// sleeps, so that a holder which wakes behind the end of its lease would do nothing for up to a third of the next one.

import { type Instant, instant, NEVER } from "../../src/base/time.ts";
import { Wakeups } from "../../src/base/wakeups.ts";
import type { Timers } from "../../src/ports/clock.ts";
import { armTimer, bootTimeMs, closeFd, openTimer, readTimer, watchReadable } from "./native.ts";

/** Timers with a descriptor behind them, until closed. */
export interface BootTimers extends Timers {
  /** How many wait. */
  readonly waiting: number;
  /** Nothing is called back any more. */
  close(): void;
}

/** Opens timers on CLOCK_BOOTTIME. */
export function bootTimers(): BootTimers {
  const fd = openTimer();
  const wakeups = new Wakeups();
  const waiting = new Map<string, () => void>();
  let nextId = 0;
  let armedFor: Instant = NEVER;
  let open = true;
  const now = (): Instant => instant(bootTimeMs());

  const arm = (): void => {
    const next = wakeups.next();
    if (!open || next === armedFor) return;
    armedFor = next;
    armTimer(fd, next === NEVER ? null : Math.max(0, next));
  };

  const runDue = (): void => {
    readTimer(fd);
    armedFor = NEVER;
    try {
      for (const id of wakeups.takeDue(now())) {
        const run = waiting.get(id);
        waiting.delete(id);
        run?.();
      }
    } finally {
      arm();
    }
  };

  const watch = watchReadable(fd, runDue);
  return {
    now,
    wallMs: () => Date.now(),
    at: (when, run) => {
      const id = String(nextId++);
      waiting.set(id, run);
      wakeups.set(id, when);
      arm();
      return () => {
        waiting.delete(id);
        wakeups.set(id, NEVER);
      };
    },
    get waiting() {
      return waiting.size;
    },
    close: () => {
      if (!open) return;
      open = false;
      watch.close();
      closeFd(fd);
    },
  };
}
