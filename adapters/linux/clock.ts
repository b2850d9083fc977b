// The host's monotonic clock, suspend included.

import { instant } from "../../src/base/time.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { bootTimeMs } from "./native.ts";

/** A clock on CLOCK_BOOTTIME; `wallMs` is Date.now(). */
export function bootClock(): Clock {
  return { now: () => instant(bootTimeMs()), wallMs: () => Date.now() };
}
