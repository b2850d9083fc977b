// A node that gains a VIP and then falls sick, again and again, is held back longer each time: each of its turns cost the
// clients two moves.

import type { Instant } from "../base/time.ts";
import { afterFailure, type Flapping, type FlappingPolicy, STEADY } from "../health/flapping.ts";

/** The first pause, in leases. */
const FIRST_LEASES = 2;

/** The longest pause, and how long after one a failure is the first again; in milliseconds. */
const LONGEST_MS = 300_000;
const QUIET_MS = 600_000;

/** Counts by VIP how often this node fell sick while it held it. */
export class FlappingGuard {
  private readonly policy: FlappingPolicy;
  private readonly states = new Map<string, Flapping>();

  constructor(ttlMs: number) {
    const baseMs = FIRST_LEASES * ttlMs;
    this.policy = { baseMs, factor: 2, capMs: Math.max(baseMs, LONGEST_MS), quietMs: QUIET_MS };
  }

  /** Notes a failure; the result: how many there were, and until when this node leaves the VIP to others. */
  failed(vip: string, now: Instant): Flapping {
    const next = afterFailure(this.states.get(vip) ?? STEADY, this.policy, now);
    this.states.set(vip, next);
    return next;
  }

  /** Forgets VIPs that are not configured any more. */
  keepOnly(vips: ReadonlySet<string>): void {
    for (const vip of [...this.states.keys()]) if (!vips.has(vip)) this.states.delete(vip);
  }
}
