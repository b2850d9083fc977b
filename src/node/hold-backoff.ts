// A host that could not hold a VIP leaves it to others for a while: twice as long after each further failure, until it
// has held it for some time.

import { elapsedMs, type Instant, later } from "../base/time.ts";

/** The first back-off, in leases; the longest, in milliseconds. */
const FIRST_LEASES = 2;
const LONGEST_MS = 300_000;

/** Who has held a VIP for so many leases has recovered. */
const RECOVERED_LEASES = 10;

interface Failures {
  readonly count: number;
  readonly at: Instant;
}

/** Counts failures by VIP. */
export class HoldBackoff {
  private readonly ttlMs: number;
  private readonly failures = new Map<string, Failures>();
  private readonly heldSince = new Map<string, Instant>();

  constructor(ttlMs: number) {
    this.ttlMs = ttlMs;
  }

  held(vip: string, now: Instant): void {
    this.heldSince.set(vip, now);
  }

  /** Notes a failure; the result: until when the host leaves the VIP to others. */
  failed(vip: string, now: Instant): Instant {
    const held = this.heldSince.get(vip);
    this.heldSince.delete(vip);
    const last = this.failures.get(vip);
    const recovered = held !== undefined && elapsedMs(held, now) > RECOVERED_LEASES * this.ttlMs;
    const isOld = last === undefined || elapsedMs(last.at, now) > 2 * LONGEST_MS;
    const count = recovered || isOld ? 1 : last.count + 1;
    this.failures.set(vip, { count, at: now });
    return later(now, holdBackoffMs(this.ttlMs, count));
  }
}

/** How long a host leaves a VIP to others after so many failures in a row, in milliseconds. */
export function holdBackoffMs(ttlMs: number, failures: number): number {
  return Math.min(FIRST_LEASES * ttlMs * 2 ** (failures - 1), Math.max(LONGEST_MS, FIRST_LEASES * ttlMs));
}
