// The checks of this node as its VIPs see them: who may hold what, and with which priority.

import type { CheckNews } from "../checks/task.ts";
import type { LinkNews } from "../checks/interface.ts";
import { type Reason, reason } from "../base/reasons.ts";
import type { CheckPlan } from "../config/check-options.ts";
import type { VipConfig } from "../config/types.ts";
import type { CheckState } from "../health/check.ts";
import type { Fitness } from "./candidacy.ts";
import type { Eligibility, IneligibleReason } from "./eligibility.ts";
import { firstObstacle, type PriorityStanding, standingOf, type TrackedCheck } from "../health/priority.ts";

/** What runs the checks (CheckRunner). */
export interface Checks {
  plan(plans: readonly CheckPlan[]): void;
  states(): ReadonlyMap<string, CheckState>;
}

/** Makes what runs the checks. */
export type MakeChecks = (parts: {
  readonly linkNews: LinkNews;
  readonly onChange: (news: CheckNews) => void;
}) => Checks;

/** What following checks needs. */
export interface HealthDeps {
  /** `undefined`: this node has no checks. */
  readonly makeChecks: MakeChecks | undefined;
  readonly linkNews: LinkNews;
  /** The verdict or the number of this check is another one. */
  readonly changed: (check: string) => void;
}

/** The checks of a node. */
export class Health {
  private readonly checks: Checks | undefined;

  constructor({ makeChecks, linkNews, changed }: HealthDeps) {
    this.checks = makeChecks?.({ linkNews, onChange: ({ check }) => changed(check) });
  }

  /** Runs exactly these checks from now on. Throws "config" before anything is changed. */
  plan(plans: readonly CheckPlan[]): void {
    this.checks?.plan(plans);
  }

  /** The checks as they are now. */
  states(): ReadonlyMap<string, CheckState> {
    return this.checks?.states() ?? new Map<string, CheckState>();
  }

  /** What the checks make of this node's priority for these VIPs. */
  standings(vips: readonly VipConfig[]): ReadonlyMap<string, PriorityStanding> {
    const states = this.states();
    return new Map(vips.map((vip) => [vip.name, standingOf(vip.priority, trackedBy(vip, states))]));
  }
}

/**
 * Why a node of this standing shall not hold a VIP; `null`: it may. `mayHold`: it holds it, or a former process of this
 * node may hold it still; then it is not given up for checks that have not looked yet.
 */
export function checkIneligibility(standing: PriorityStanding, mayHold: boolean): Reason | null {
  const obstacle = firstObstacle(standing);
  if (obstacle !== undefined) return reason("check-failed", `${obstacle.check}: ${obstacle.reason}`);
  if (standing.undecided.length === 0 || mayHold) return null;
  return reason("check-pending", standing.undecided.join(", "));
}

/**
 * How fit this node is for a VIP. As a last resort it may hold one only when nothing but its checks speaks against it: what is
 * not known yet, or the kernel refuses, is no sickness to hold a VIP with. A node that is well again, or was too slow a moment
 * ago, and leaves it to others for that, does so only where there are others. Of several reasons the oldest is told, and
 * slowness last: VRRP, which cannot know whether there are others, listens despite that one alone.
 */
export function fitnessOf(vip: VipConfig, standing: PriorityStanding | undefined, eligibility: Eligibility): Fitness {
  const ineligibleReasons = eligibility.of(vip.name);
  const gravest = ineligibleReasons.find(({ reason: { code } }) => code !== "too-slow") ?? ineligibleReasons[0];
  const mayDespite = ({ source, reason: { code } }: IneligibleReason): boolean =>
    source === "flapping" || code === "too-slow" || (code === "check-failed" && vip.lastResort === "keep");
  return {
    priority: standing?.priority ?? vip.priority,
    ineligible: gravest?.reason ?? null,
    mayPreempt: eligibility.mayPreempt(vip.name),
    lastResort: ineligibleReasons.length > 0 && ineligibleReasons.every(mayDespite),
  };
}

function trackedBy(vip: VipConfig, states: ReadonlyMap<string, CheckState>): readonly TrackedCheck[] {
  return vip.checks.flatMap(({ check, weight, reverse, numeric }): readonly TrackedCheck[] => {
    const state = states.get(check);
    if (state === undefined) return [];
    const { verdict, value, reason: why, since } = state;
    return [{ check, weight, reverse, numeric, verdict, value, reason: why, since }];
  });
}
