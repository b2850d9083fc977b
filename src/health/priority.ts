// What the checks of a VIP make of its priority on this node (keepalived's track_script, track_process, track_file and
// track_interface):
//
//   weight          check ok    check failed
//   none, or 0      -           this node does not hold it      (reverse: it does not hold it while the check is ok)
//   w > 0           + w         -                               (reverse: - w while it is ok)
//   w < 0           -           - |w|                           (reverse: + |w| while it is failed)
//
// A check with a number adds the number times the weight; -254 or less means that this node does not hold it, and without a
// weight every number but 0 does. Where the number cannot be read it counts as 0 with a weight, and as a failure without
// one. A check that has no verdict yet adds nothing.

import type { Instant } from "../base/time.ts";
import type { Verdict } from "./check.ts";

/** The priorities that checks can make: 0 gives a VIP up and 255 is the address owner's (RFC 9568, section 5.2.4). */
export const MIN_EFFECTIVE_PRIORITY = 1;
export const MAX_EFFECTIVE_PRIORITY = 254;

/** The most that one check may add or subtract. */
export const MAX_WEIGHT = 253;

/** A check as one VIP looks at it. */
export interface TrackedCheck {
  readonly check: string;
  /** -253 to 253; `null` or 0: a failure makes the node ineligible. */
  readonly weight: number | null;
  /** Turns the direction of the adjustment round. */
  readonly reverse: boolean;
  readonly verdict: Verdict;
  /** Whether its number counts, and not only its verdict (track_file). */
  readonly numeric: boolean;
  /** The number; `null`: it has read none yet. */
  readonly value: number | null;
  readonly reason: string;
  readonly since: Instant;
}

/** What one check does to the priority, for status and logs. */
export interface Influence {
  readonly check: string;
  /** What it adds, negative when it subtracts; "ineligible": this node does not hold the VIP. */
  readonly effect: number | "ineligible";
  readonly reason: string;
  readonly since: Instant;
}

/** What all checks of a VIP make of this node. */
export interface PriorityStanding {
  /** The effective priority. */
  readonly priority: number;
  /** Whether no check keeps this node from holding it. */
  readonly eligible: boolean;
  /** Checks without a verdict that may still make it ineligible: who holds it may keep it, who does not should wait. */
  readonly undecided: readonly string[];
  /** Only checks that do something. */
  readonly influences: readonly Influence[];
}

/** What `checks` make of a node of this configured priority. */
export function standingOf(priority: number, checks: readonly TrackedCheck[]): PriorityStanding {
  const influences = checks.flatMap((tracked) => {
    const effect = effectOf(tracked);
    return effect === 0 ? [] : [{ check: tracked.check, effect, reason: tracked.reason, since: tracked.since }];
  });
  const sum = influences.reduce((total, { effect }) => total + (effect === "ineligible" ? 0 : effect), priority);
  return {
    priority: clamp(sum, MIN_EFFECTIVE_PRIORITY, MAX_EFFECTIVE_PRIORITY),
    eligible: influences.every(({ effect }) => effect !== "ineligible"),
    undecided: checks.flatMap((tracked) =>
      mayExclude(tracked) && tracked.verdict === "pending" ? [tracked.check] : [],
    ),
    influences,
  };
}

/** The check that keeps the node from the VIP for longest; undefined when none does. */
export function firstObstacle({ influences }: PriorityStanding): Influence | undefined {
  let first: Influence | undefined;
  for (const influence of influences)
    if (influence.effect === "ineligible" && influence.since < (first?.since ?? Number.POSITIVE_INFINITY))
      first = influence;
  return first;
}

function effectOf(tracked: TrackedCheck): number | "ineligible" {
  const { verdict, numeric, value, reverse } = tracked;
  const weight = tracked.weight ?? 0;
  const direction = reverse ? -1 : 1;
  if (verdict === "pending") return 0;
  if (numeric && verdict === "ok") return effectOfNumber(value ?? 0, weight, direction);
  if (weight === 0) return (verdict === "ok") === (reverse && !numeric) ? "ineligible" : 0;
  const applies = !numeric && weight > 0 === (verdict === "ok");
  return applies ? clamp(weight, -MAX_WEIGHT, MAX_WEIGHT) * direction : 0;
}

/** keepalived's track_file: the product is bounded, and -254 is a fault. */
function effectOfNumber(value: number, weight: number, direction: number): number | "ineligible" {
  if (weight === 0) return (value === 0) === (direction === 1) ? 0 : "ineligible";
  const product = value * weight * direction;
  return product < -MAX_WEIGHT ? "ineligible" : Math.min(product, MAX_WEIGHT);
}

function mayExclude({ weight, numeric }: TrackedCheck): boolean {
  return weight === null || weight === 0 || numeric;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
