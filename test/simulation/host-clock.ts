// A host's CLOCK_BOOTTIME: begins anywhere at each boot, and runs a little too fast or too slow.

import { type Instant, instant } from "../../src/base/time.ts";
import type { TrueTime } from "./world.ts";

/** One boot of a host's clock. */
export class HostClock {
  private readonly bootedAt: TrueTime;
  private readonly offsetMs: number;
  private readonly rate: number;

  constructor(bootedAt: TrueTime, offsetMs: number, rate: number) {
    this.bootedAt = bootedAt;
    this.offsetMs = offsetMs;
    this.rate = rate;
  }

  read(at: TrueTime): Instant {
    return instant(this.offsetMs + (at - this.bootedAt) * this.rate);
  }

  /** The true time at which this clock shows `when`. */
  trueTimeOf(when: Instant): TrueTime {
    return this.bootedAt + (when - this.offsetMs) / this.rate;
  }

  /** How long `ms` on this clock last in truth. */
  stretch(ms: number): number {
    return ms / this.rate;
  }
}
