// Real time: one-shot timers over a clock of the boot.

import { type Instant, instant, later } from "../base/time.ts";
import type { Clock, Entropy, Timers } from "../ports/clock.ts";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

/** The longest delay that setTimeout takes, in milliseconds. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Timers over `clock`. A timer never calls back before its instant on that clock. */
export function systemTimers(clock: Clock): Timers {
  const at = (when: Instant, run: () => void): (() => void) => {
    let handle: NodeJS.Timeout | undefined;
    const arm = (): void => {
      const restMs = when - clock.now();
      if (restMs <= 0 && handle !== undefined) return run();
      handle = setTimeout(arm, Math.min(LONGEST_DELAY_MS, Math.max(0, Math.ceil(restMs))));
    };
    arm();
    return () => clearTimeout(handle);
  };
  return { now: () => clock.now(), wallMs: () => clock.wallMs(), at };
}

/** A lead of /proc/uptime over the monotonic clock that can only come from a suspend: it is told in hundredths of a second. */
const SUSPENDED_MS = 50;

/**
 * CLOCK_BOOTTIME without a system call of our own: the monotonic clock, moved forward whenever /proc/uptime,
 * which counts suspend, has got ahead of it. Where there is no /proc/uptime it is the monotonic clock
 * alone, which stands still in suspend.
 *
 * A process may be stopped between its two readings. That must not pass for a suspend, or an observer would see a living
 * lease run out: so the lead is never taken for more than it is, but at the start, where more does no harm.
 */
export function procClock(read: () => string = readUptime): Clock {
  const startMs = monotonicMs();
  let aheadMs = uptimeMs(read, startMs) - startMs;
  const now = (): Instant => {
    const uptime = uptimeMs(read, Number.NEGATIVE_INFINITY);
    const afterwards = monotonicMs();
    if (uptime - afterwards > aheadMs + SUSPENDED_MS) aheadMs = uptime - afterwards;
    return instant(afterwards + aheadMs);
  };
  return { now, wallMs: () => Date.now() };
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function uptimeMs(read: () => string, otherwise: number): number {
  const ms = Number.parseFloat(read()) * 1000;
  return Number.isFinite(ms) ? ms : otherwise;
}

/** Unique names from the system's random source. */
export const systemEntropy: Entropy = { uniqueId: () => randomBytes(16).toString("hex") };

/** Resolves after `ms` by `timers`, or rejects with the signal's reason when it aborts first. */
export function sleep(timers: Timers, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = timers.at(later(timers.now(), ms), () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    if (signal?.aborted === true) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

function readUptime(): string {
  try {
    return readFileSync("/proc/uptime", "latin1");
  } catch {
    return "";
  }
}
