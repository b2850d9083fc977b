// Who should acquire first, and who should be handed an election: by priority, then by name. It decides the order
// only; a mistake here costs a detour, never a second holder.

import { type Instant, later } from "../base/time.ts";
import { answeringNode } from "./answering.ts";
import type { Claimed } from "./claims.ts";
import { isAnswerable } from "./address-claims.ts";
import type { Mirror, Observed } from "./mirror.ts";
import { isAlive } from "./ownership.ts";
import type { CandidateRecord } from "./records.ts";

/** A candidate that could hold now. */
export interface Contender extends Claimed {
  readonly node: string;
  readonly incarnation: string;
  readonly priority: number;
  readonly preempt: boolean;
  readonly preemptDelayMs: number;
  /** Since when it has been like this, as seen here. */
  readonly since: Instant;
}

/** Who counts as a candidate: those that are eligible; or, where none is, those that would hold it as a last resort too. */
type Among = "eligible" | "last-resort";

/** The candidates of an election that are eligible and alive, best first. */
export function contenders(
  mirror: Mirror,
  election: string,
  now: Instant,
  among: Among = "eligible",
): readonly Contender[] {
  const found: Contender[] = [];
  for (const [node, observed] of mirror.candidates.get(election) ?? []) {
    const value = contending(mirror, node, observed, now, among);
    if (value !== undefined) found.push({ ...value, node, since: observed.seenAt });
  }
  const assigned = mirror.assigned.get(election);
  const isElsewhere = ({ node }: Contender): number => (node === assigned ? 0 : 1);
  return found.sort((a, b) => isElsewhere(a) - isElsewhere(b) || b.priority - a.priority || (a.node < b.node ? -1 : 1));
}

/** The contenders that come before a candidate of this priority and name. */
export function betterThan(
  mirror: Mirror,
  election: string,
  node: string,
  priority: number,
  now: Instant,
  among: Among = "eligible",
): readonly Contender[] {
  const assigned = mirror.assigned.get(election);
  const isBetter = (other: Contender): boolean =>
    other.priority > priority || (other.priority === priority && other.node < node);
  return contenders(mirror, election, now, among).filter(
    (other) => other.node !== node && (other.node === assigned || (node !== assigned && isBetter(other))),
  );
}

/** To whom `node` may hand an election over: the best other contender that has sent a heartbeat; `wanted` names one, and then only that one. */
export function handoverTarget(
  mirror: Mirror,
  election: string,
  node: string,
  wanted: string | null,
  now: Instant,
): Contender | undefined {
  if (answeringNode(mirror, election, now) !== undefined) return undefined;
  return contenders(mirror, election, now).find(
    (other) => other.node !== node && mayBeGiven(mirror, election, other) && (wanted === null || other.node === wanted),
  );
}

/**
 * The contender that a holder of `priority` since `heldSince` should yield to, and when: the one that its spread group puts the
 * election on; of an election without group, the one of greatest priority.
 */
export function preemption(
  mirror: Mirror,
  election: string,
  node: string,
  priority: number,
  heldSince: Instant,
  now: Instant,
): { readonly to: string; readonly at: Instant } | undefined {
  const assigned = mirror.assigned.get(election);
  if (assigned === node) return undefined;
  const better = contenders(mirror, election, now).find(
    (other) =>
      other.node !== node &&
      other.preempt &&
      (assigned === undefined ? other.priority > priority : other.node === assigned) &&
      mayBeGiven(mirror, election, other),
  );
  if (better === undefined) return undefined;
  const steadySince = better.since > heldSince ? better.since : heldSince;
  return { to: better.node, at: later(steadySince, better.preemptDelayMs) };
}

/**
 * A first read cannot tell the living from those that died within the last lease: nothing is given to a node before its
 * next heartbeat. Nor to one that could answer for none of its addresses, which are another election's: it would have to give the election back.
 */
function mayBeGiven(mirror: Mirror, election: string, { node, ...claimed }: Contender): boolean {
  if (mirror.sessions.get(node)?.fresh !== true) return false;
  const isNobodyElses = (address: string): boolean =>
    (mirror.addresses.get(address)?.value?.election ?? election) === election;
  return claimed.addresses.length === 0 || isAnswerable(claimed, isNobodyElses);
}

/** The record of a candidate that could hold now; `undefined`: it could not. */
export function contending(
  mirror: Mirror,
  node: string,
  { value }: Observed<CandidateRecord>,
  now: Instant,
  among: Among,
): CandidateRecord | undefined {
  if (value == null || !(value.eligible || (among === "last-resort" && value.lastResort))) return undefined;
  if (!isAlive(mirror, node, now)) return undefined;
  return mirror.sessions.get(node)?.value?.incarnation === value.incarnation ? value : undefined;
}
