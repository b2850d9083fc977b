// What the checks of this node, and its start, object to: a check that fails or has not looked yet, a sickness that has come
// again and again while this node held the VIP, and the first moments of a host that has just booted.

import { reason } from "../base/reasons.ts";
import { later, NEVER } from "../base/time.ts";
import type { VipConfig } from "../config/types.ts";
import { afterFailure, type Flapping, type FlappingPolicy, STEADY } from "../health/flapping.ts";
import type { Clock } from "../ports/clock.ts";
import type { Eligibility } from "./eligibility.ts";
import { checkObjection, type Health } from "./health.ts";

/** The first pause of a node that fell sick while it held a VIP, in leases. */
const FIRST_LEASES = 2;

/** The longest pause, and how long after one a sickness is the first again; in milliseconds. */
const LONGEST_MS = 300_000;
const QUIET_MS = 600_000;

/** What objecting needs. */
export interface CheckObjectionsDeps {
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly eligibility: Eligibility;
  readonly health: Health;
  readonly holds: (vip: string) => boolean;
  /** Whether a former process of this node may hold it still. */
  readonly mayBeHeld: (vip: string) => boolean;
}

/** The objections of checks. */
export class CheckObjections {
  private readonly deps: CheckObjectionsDeps;
  private readonly policy: FlappingPolicy;
  /** By VIP: how often this node fell sick while it held it. */
  private readonly sicknesses = new Map<string, Flapping>();

  constructor(deps: CheckObjectionsDeps) {
    this.deps = deps;
    const baseMs = FIRST_LEASES * deps.ttlMs;
    this.policy = { baseMs, factor: 2, capMs: Math.max(baseMs, LONGEST_MS), quietMs: QUIET_MS };
  }

  /** A host that has just booted may not be what its checks say yet. */
  begin(vips: readonly VipConfig[], startupDelayMs: number): void {
    if (startupDelayMs === 0) return;
    const now = this.deps.clock.now();
    const objection = { reason: reason("starting"), until: later(now, startupDelayMs) };
    for (const { name } of vips) this.deps.eligibility.set(name, "startup", objection, now);
  }

  /** Asks the checks of these VIPs again. */
  update(vips: readonly VipConfig[]): void {
    const { clock, eligibility, health, holds, mayBeHeld } = this.deps;
    const now = clock.now();
    for (const [vip, standing] of health.standings(vips)) {
      const isHeld = holds(vip);
      const sick = checkObjection(standing, isHeld || mayBeHeld(vip));
      const wasFit = eligibility.of(vip).every(({ source }) => source !== "check");
      eligibility.set(vip, "check", sick === null ? null : { reason: sick, until: NEVER }, now);
      if (sick?.code === "check-failed" && wasFit && isHeld) this.holdBack(vip);
    }
  }

  /** Forgets VIPs that are not configured any more. */
  keepOnly(vips: ReadonlySet<string>): void {
    for (const vip of [...this.sicknesses.keys()]) if (!vips.has(vip)) this.sicknesses.delete(vip);
  }

  /** A node that gains a VIP and then falls sick, again and again, costs its clients two moves each time. */
  private holdBack(vip: string): void {
    const now = this.deps.clock.now();
    const next = afterFailure(this.sicknesses.get(vip) ?? STEADY, this.policy, now);
    this.sicknesses.set(vip, next);
    const times = next.failures === 1 ? "once" : `${next.failures} times`;
    const why = reason("check-failed", `${times} while this node held the VIP: it is left to others for a while`);
    this.deps.eligibility.set(vip, "flapping", { reason: why, until: next.until }, now);
  }
}
