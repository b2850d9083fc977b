// A host that could not hold a VIP leaves it to others for a while: longer after each further failure, until it has held
// it for some time.

import { elapsedMs, type Instant } from "../base/time.ts";
import { afterFailure, type Flapping, type FlappingPolicy, flappingPolicy, STEADY } from "../health/flapping.ts";

/** Who has held a VIP for so many leases has recovered. */
const RECOVERED_LEASES = 10;

/** Counts failures by VIP. */
export class HoldBackoff {
  private readonly policy: FlappingPolicy;
  private readonly recoveredMs: number;
  private readonly failures = new Map<string, Flapping>();
  private readonly heldSince = new Map<string, Instant>();

  constructor(ttlMs: number) {
    this.policy = flappingPolicy(ttlMs);
    this.recoveredMs = RECOVERED_LEASES * ttlMs;
  }

  held(vip: string, now: Instant): void {
    this.heldSince.set(vip, now);
  }

  /** Notes a failure; the result: until when the host leaves the VIP to others. */
  failed(vip: string, now: Instant): Instant {
    const held = this.heldSince.get(vip);
    this.heldSince.delete(vip);
    const hasRecovered = held !== undefined && elapsedMs(held, now) > this.recoveredMs;
    const before = hasRecovered ? STEADY : (this.failures.get(vip) ?? STEADY);
    const next = afterFailure(before, this.policy, now);
    this.failures.set(vip, next);
    return next.until;
  }
}
