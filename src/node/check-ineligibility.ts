// Why the checks of this node, and its start, speak against a VIP: a check that fails or has not looked yet, a sickness that
// has come again and again while this node held the VIP, and the first moments of a host that has just booted. Where checks
// only lower the priority, a node that lost a VIP for that does not take it back as soon as they are well: what fails only
// where the VIP is would make it go to and fro.

import { type Reason, type ReasonCode, reason } from "../base/reasons.ts";
import { type Instant, later, NEVER } from "../base/time.ts";
import type { VipConfig } from "../config/types.ts";
import { afterFailure, type Flapping, type FlappingPolicy, flappingPolicy, STEADY } from "../health/flapping.ts";
import type { PriorityStanding } from "../health/priority.ts";
import type { Clock } from "../ports/clock.ts";
import type { Eligibility } from "./eligibility.ts";
import { checkIneligibility, type Health } from "./health.ts";

/** Why a VIP is lost to a node of higher priority. */
const OUTWEIGHED: ReadonlySet<string> = new Set<ReasonCode>(["preempted", "higher-master"]);

/** The effective priority of a node that holds a VIP. */
interface Weight {
  readonly now: number;
  /** The greatest while it has held it. */
  readonly best: number;
}

/** What it works with. */
export interface CheckIneligibilityDeps {
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly eligibility: Eligibility;
  readonly health: Health;
  readonly holds: (vip: string) => boolean;
  /** Whether a former process of this node may hold it still. */
  readonly mayBeHeld: (vip: string) => boolean;
}

/** What checks have against holding VIPs. */
export class CheckIneligibility {
  private readonly deps: CheckIneligibilityDeps;
  private readonly policy: FlappingPolicy;
  /** By VIP: how often this node fell sick while it held it. */
  private readonly sicknesses = new Map<string, Flapping>();
  /** By VIP: how often it lost it because its checks had lowered its priority. */
  private readonly outweighed = new Map<string, Flapping>();
  private readonly weights = new Map<string, Weight>();

  constructor(deps: CheckIneligibilityDeps) {
    this.deps = deps;
    this.policy = flappingPolicy(deps.ttlMs);
  }

  /** A host that has just booted may not be what its checks say yet. */
  begin(vips: readonly VipConfig[], startupDelayMs: number): void {
    if (startupDelayMs === 0) return;
    const now = this.deps.clock.now();
    const ineligibleReason = { reason: reason("starting"), until: later(now, startupDelayMs) };
    for (const { name } of vips) this.deps.eligibility.set(name, "startup", ineligibleReason, now);
  }

  /** What the checks say of these VIPs now. */
  update(standings: ReadonlyMap<string, PriorityStanding>): void {
    const { clock, eligibility, holds, mayBeHeld } = this.deps;
    const now = clock.now();
    for (const [vip, standing] of standings) {
      const isHeld = holds(vip);
      if (isHeld) this.weigh(vip, standing.priority);
      const sick = checkIneligibility(standing, isHeld || mayBeHeld(vip));
      const wasFit = eligibility.of(vip).every(({ source }) => source !== "check");
      eligibility.set(vip, "check", sick === null ? null : { reason: sick, until: NEVER }, now);
      if (sick?.code === "check-failed" && wasFit && isHeld) this.holdBack(vip);
    }
  }

  /** This node holds these VIPs now. */
  gained(vips: readonly VipConfig[]): void {
    for (const [vip, { priority }] of this.deps.health.standings(vips)) this.weigh(vip, priority);
  }

  /** This node has lost a VIP that it held. */
  lost(vip: string, { code }: Reason): void {
    const weight = this.weights.get(vip);
    this.weights.delete(vip);
    if (weight === undefined || weight.now >= weight.best || !OUTWEIGHED.has(code)) return;
    const { until, times } = this.countedIn(this.outweighed, vip);
    const why = reason("outweighed", times);
    this.deps.eligibility.set(vip, "preempt-backoff", { reason: why, until }, this.deps.clock.now());
  }

  /** Forgets VIPs that are not configured any more. */
  keepOnly(vips: ReadonlySet<string>): void {
    for (const byVip of [this.sicknesses, this.outweighed, this.weights])
      for (const vip of [...byVip.keys()]) if (!vips.has(vip)) byVip.delete(vip);
  }

  /** A node that gains a VIP and then falls sick, again and again, costs its clients two moves each time. */
  private holdBack(vip: string): void {
    const { until, times } = this.countedIn(this.sicknesses, vip);
    const why = reason("check-failed", `${times} while this node held the VIP: it is left to others for a while`);
    this.deps.eligibility.set(vip, "flapping", { reason: why, until }, this.deps.clock.now());
  }

  private weigh(vip: string, priority: number): void {
    const best = Math.max(priority, this.weights.get(vip)?.best ?? 0);
    this.weights.set(vip, { now: priority, best });
  }

  private countedIn(failures: Map<string, Flapping>, vip: string): { readonly until: Instant; readonly times: string } {
    const next = afterFailure(failures.get(vip) ?? STEADY, this.policy, this.deps.clock.now());
    failures.set(vip, next);
    return { until: next.until, times: next.failures === 1 ? "once" : `${next.failures} times` };
  }
}
