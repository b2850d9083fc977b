// What this node shall hold, and when each wish is due. Only questions to the state; nothing is changed here.

import type { Candidacy } from "../base/candidacy.ts";
import { type Reason, reason } from "../base/reasons.ts";
import { type Instant, later, latest, LONG_AGO, NEVER } from "../base/time.ts";
import type { Revision } from "../ports/store.ts";
import { claimAddresses } from "./address-claims.ts";
import { answeringNode } from "./answering.ts";
import { giveUpAt, observerWaitMs } from "./lease.ts";
import { type Ownership, ownershipOf } from "./ownership.ts";
import { betterThan, preemption } from "./ranking.ts";
import { ownSession } from "./session.ts";
import type { State } from "./state.ts";

/** Between two elections that a node hands over because their group puts them elsewhere, in milliseconds. */
const SPREAD_PAUSE_MS = 1_000;

/** Who owns an election, as this node knows it. */
export function ownership(state: State, election: string): Ownership {
  return ownershipOf(state.mirror, state.keys, election, state.longestTtlMs);
}

/** The token under which the store says that this node holds the election; `undefined` when it does not. */
export function ownToken(state: State, election: string): Revision | undefined {
  const record = state.mirror.elections.get(election);
  const { identity } = state;
  if (record?.value == null || identity.kind !== "ready" || record.value.holder !== state.self.node) return undefined;
  return record.value.incarnation === identity.incarnation && ownSession(state) !== undefined
    ? record.version
    : undefined;
}

/**
 * Whether a token is older than the epoch that the fleet has settled on: the store was restored, and may have given out
 * greater ones. It serves to hold on, not to begin; whoever is named by it takes the election anew.
 */
export function isOutdated(state: State, token: Revision): boolean {
  const { settledEpoch } = state.mirror;
  return settledEpoch?.value != null && token < settledEpoch.version;
}

/** Whether an attempt that may yet be applied releases the election or hands it over. */
export function isInDoubt(state: State, election: string): boolean {
  return (
    (state.inFlight?.releases.has(election) ?? false) ||
    state.inDoubtAttempts.some((attempt) => attempt.releases.has(election))
  );
}

/** Whether the lease still covers holding anything, by the daemon's own margin. */
export function leaseCovers(state: State, now: Instant): boolean {
  return now < giveUpAt(state.validUntil, state.timings);
}

/** When an epoch that the fleet has not settled on may be trusted: the fleet's longest lease after its first sight. */
export function trustedAt(state: State): Instant {
  const { mirror } = state;
  if (mirror.epoch === null || mirror.revision < 0n) return NEVER;
  if (mirror.settledEpoch?.value?.epoch === mirror.epoch) return LONG_AGO;
  return later(mirror.epochSeenAt, observerWaitMs(state.longestTtlMs));
}

/** Whether the fleet has settled on the store's epoch; until then nobody gains what he does not hold already. */
export function isTrusted(state: State): boolean {
  return trustedAt(state) === LONG_AGO;
}

/** The candidacy with what the machine itself knows taken in: suppressed pre-emption, stopping. */
export function effectiveCandidacy(state: State, election: string): Candidacy | undefined {
  const candidacy = state.candidacies.get(election);
  if (candidacy === undefined || state.stopping) return undefined;
  return candidacy.preempt && state.preemptSuppressed.has(election) ? { ...candidacy, preempt: false } : candidacy;
}

/** Why this node must not, or shall not, hold the election now; `undefined`: it shall. */
export function ineligibleReason(state: State, election: string): Reason | undefined {
  if (state.stopping) return reason("shutdown");
  const candidacy = state.candidacies.get(election);
  if (candidacy === undefined) return reason("unconfigured");
  const ineligible = state.lastResorts.has(election) ? null : candidacy.ineligible;
  return ineligible ?? state.stepDowns.get(election)?.reason ?? state.claimed.get(election);
}

/** When a better candidate is due to be handed an election that this node holds. */
export function preemptDue(
  state: State,
  election: string,
  now: Instant,
): { readonly to: string; readonly at: Instant } | undefined {
  const tenure = state.tenures.get(election);
  const candidacy = effectiveCandidacy(state, election);
  if (tenure?.phase !== "on" || candidacy === undefined || state.stepDowns.has(election)) return undefined;
  const better = preemption(state.mirror, election, state.self.node, candidacy.priority, tenure.since, now);
  if (better === undefined) return undefined;
  const rested = isAssignedTo(state, election, better.to) ? spreadDueAt(state) : LONG_AGO;
  return { to: better.to, at: latest(latest(better.at, rested), later(tenure.since, candidacy.minHoldMs)) };
}

/** When an election may be moved for its group's sake: not until all who are alive are known, and not in quick succession. */
function spreadDueAt({ syncedAt, spreadMovedAt, longestTtlMs }: State): Instant {
  return latest(later(spreadMovedAt, SPREAD_PAUSE_MS), later(syncedAt, observerWaitMs(longestTtlMs)));
}

/** Whether its spread group assigns the election to that node. */
export function isAssignedTo(state: State, election: string, node: string): boolean {
  return state.mirror.assigned.get(election) === node;
}

/** When this node shall try to take an election that it does not hold; `NEVER` while it shall not. */
export function takeDueAt(state: State, election: string, now: Instant): Instant {
  const candidacy = effectiveCandidacy(state, election);
  if (candidacy === undefined || !isTrusted(state)) return NEVER;
  if (candidacy.ineligible !== null && !state.lastResorts.has(election)) return NEVER;
  const found = ownership(state, election);
  if (found.kind === "unreadable" || state.tenures.has(election)) return NEVER;
  if (found.kind === "held" && found.holder === state.self.node && ownToken(state, election) !== undefined)
    return isOutdated(state, found.token) && ineligibleReason(state, election) === undefined ? now : NEVER;
  const openAt = latest(
    found.kind === "held" ? found.breakableAt : found.since,
    state.mirror.settledEpoch?.seenAt ?? LONG_AGO,
  );
  if (now < openAt) return openAt;
  const answering = answeringNode(state.mirror, election, now);
  if (answering !== undefined) return answering.until;
  const [taken] = claimAddresses(state, election, candidacy, now).taken;
  if (taken !== undefined) return taken.until;
  return turnAt(state, election, candidacy.priority, openAt, now);
}

/** Candidates take turns by rank. While a better one is seen to take others of the vacant elections, it has not had its turn. */
function turnAt(state: State, election: string, priority: number, openAt: Instant, now: Instant): Instant {
  const among = state.lastResorts.has(election) ? "last-resort" : "eligible";
  const better = betterThan(state.mirror, election, state.self.node, priority, now, among);
  let from = openAt;
  for (const { node } of better) from = latest(from, state.lastTakenBy.get(node) ?? LONG_AGO);
  return later(from, better.length * state.timings.staggerMs);
}
