// Who should acquire first, and who should be handed an election: by priority, then by name. It decides the
// order only; a mistake here costs a detour, never a second holder.

import { type Instant, later, NEVER } from "../base/time.ts";
import type { Mirror, Seen } from "./mirror.ts";
import type { CandidateRecord } from "./records.ts";
import { breakableAt, isAlive } from "./standing.ts";

/** A candidate that could hold now. */
export interface Contender {
  readonly node: string;
  readonly incarnation: string;
  readonly priority: number;
  readonly preempt: boolean;
  readonly preemptDelayMs: number;
  /** Since when it has been like this, as seen here. */
  readonly since: Instant;
}

/** The candidates of an election that are eligible and are alive, best first. */
export function contenders(mirror: Mirror, election: string, now: Instant): readonly Contender[] {
  const found: Contender[] = [];
  for (const [node, seen] of mirror.candidates.get(election) ?? []) {
    const value = fit(mirror, node, seen, now);
    if (value !== undefined) found.push({ ...value, node, since: seen.seenAt });
  }
  return found.sort((a, b) => b.priority - a.priority || (a.node < b.node ? -1 : 1));
}

/** How many contenders come before one of this priority and name. */
export function rankOf(mirror: Mirror, election: string, node: string, priority: number, now: Instant): number {
  return contenders(mirror, election, now).filter(
    (other) => other.node !== node && (other.priority > priority || (other.priority === priority && other.node < node)),
  ).length;
}

/** The best contender other than `node` of which a heartbeat has been seen; `wanted` names one, and then only that one. */
export function successor(
  mirror: Mirror,
  election: string,
  node: string,
  wanted: string | null,
  now: Instant,
): Contender | undefined {
  return contenders(mirror, election, now).find(
    (other) => other.node !== node && hasSentHeartbeat(mirror, other) && (wanted === null || other.node === wanted),
  );
}

/** The contender that a holder of `priority` since `heldSince` should yield to, and when. */
export function preemption(
  mirror: Mirror,
  election: string,
  node: string,
  priority: number,
  heldSince: Instant,
  now: Instant,
): { readonly to: string; readonly at: Instant } | undefined {
  const better = contenders(mirror, election, now).find((other) => other.node !== node);
  if (better === undefined || !better.preempt || better.priority <= priority || !hasSentHeartbeat(mirror, better))
    return undefined;
  const steadySince = better.since > heldSince ? better.since : heldSince;
  return { to: better.node, at: later(steadySince, better.preemptDelayMs) };
}

/** When the ranking of an election may change by itself: the next session to go silent. */
export function rankingChangesAt(mirror: Mirror, election: string, now: Instant): Instant {
  let next = NEVER;
  for (const node of mirror.candidates.get(election)?.keys() ?? []) {
    const session = mirror.sessions.get(node);
    if (session?.value == null) continue;
    const at = breakableAt(session, session.value.ttlMs);
    if (at > now && at < next) next = at;
  }
  return next;
}

/** A first read cannot tell the living from those that died within the last lease: nothing is given to a node before its next heartbeat. */
function hasSentHeartbeat(mirror: Mirror, { node }: Contender): boolean {
  return mirror.sessions.get(node)?.fresh === true;
}

function fit(mirror: Mirror, node: string, seen: Seen<CandidateRecord>, now: Instant): CandidateRecord | undefined {
  const { value } = seen;
  if (value == null || !value.eligible || !isAlive(mirror, node, now)) return undefined;
  return mirror.sessions.get(node)?.value?.incarnation === value.incarnation ? value : undefined;
}
