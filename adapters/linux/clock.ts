// The host's monotonic clock, suspend included.

import { instant } from "../../src/base/time.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { bootTimeMs } from "./native.ts";

/** How long the machine has slept since it booted: CLOCK_BOOTTIME counts that, CLOCK_MONOTONIC does not. */
export function machineSleptMs(): number {
  return bootTimeMs() - Number(process.hrtime.bigint()) / 1e6;
}

/** A clock on CLOCK_BOOTTIME; `wallMs` is Date.now(). */
export function bootClock(): Clock {
  return { now: () => instant(bootTimeMs()), wallMs: () => Date.now() };
}
