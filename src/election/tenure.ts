// What the host shall hold, and when each wish is due. Pure questions to the state; nothing is changed here.

import { type Instant, later, LONG_AGO, NEVER } from "../base/time.ts";
import type { Revision } from "../ports/store.ts";
import { giveUpAt, observerWaitMs } from "./lease.ts";
import { preemption, rankOf, rankingChangesAt } from "./ranking.ts";
import type { CandidateRecord } from "./records.ts";
import { ownSession } from "./session.ts";
import { type Standing, standingOf } from "./standing.ts";
import type { Candidacy, State } from "./state.ts";

/** Where an election stands, as this node knows it. */
export function standing(state: State, election: string): Standing {
  return standingOf(state.mirror, state.keys, election, state.self.ttlMs);
}

/** The token under which the store says that this node holds the election; `undefined` when it does not. */
export function ownToken(state: State, election: string): Revision | undefined {
  if (ownSession(state) === undefined) return undefined;
  const found = standing(state, election);
  return found.kind === "held" && found.holder === state.self.node ? found.token : undefined;
}

/**
 * Whether a token is older than the epoch that the fleet has settled on: the store was put back, and may have
 * given out greater ones. It serves to hold on, not to begin; whoever is named by it takes the election anew.
 */
export function outdated(state: State, token: Revision): boolean {
  const { fleet } = state.mirror;
  return fleet?.value != null && token < fleet.version;
}

/** Whether an attempt that may yet be applied releases the election away. */
export function inDoubt(state: State, election: string): boolean {
  return (
    (state.inFlight?.releases.has(election) ?? false) ||
    state.inDoubtAttempts.some((attempt) => attempt.releases.has(election))
  );
}

/** Whether the lease still covers holding anything, by the daemon's own margin. */
export function leaseCovers(state: State, now: Instant): boolean {
  return now < giveUpAt(state.validUntil, state.timings);
}

/** When an epoch of the store that the fleet has not settled on may be trusted: a full lease after its first sight. */
export function trustedAt(state: State): Instant {
  if (state.mirror.epoch === null) return NEVER;
  if (state.mirror.fleet?.value?.epoch === state.mirror.epoch) return LONG_AGO;
  return later(state.mirror.epochSeenAt, observerWaitMs(state.self.ttlMs));
}

/** Whether the fleet has settled on the store's epoch; until then nobody gains what he does not hold already. */
export function trusted(state: State): boolean {
  return trustedAt(state) === LONG_AGO;
}

/** The candidacy with what the machine itself knows taken in: failures of the host, modesty, stopping. */
export function effectiveCandidacy(state: State, election: string, now: Instant): Candidacy | undefined {
  const candidacy = state.candidacies.get(election);
  if (candidacy === undefined || state.stopping) return undefined;
  const unfit = state.unfit.get(election);
  const failing = unfit !== undefined && now < unfit.until;
  return {
    ...candidacy,
    eligible: candidacy.eligible && !failing,
    reason: candidacy.eligible && failing ? unfit.reason : candidacy.reason,
    preempt: candidacy.preempt && !state.preemptSuppressed.has(election),
  };
}

/** Why this node must not, or shall not, hold the election now; `undefined`: it shall. */
export function ineligibleReason(state: State, election: string, now: Instant): string | undefined {
  if (state.stopping) return "shutting down";
  const candidacy = effectiveCandidacy(state, election, now);
  if (candidacy === undefined) return "no longer configured";
  if (!candidacy.eligible) return candidacy.reason;
  const stepDown = state.stepDowns.get(election);
  if (stepDown !== undefined) return stepDown.reason;
  return undefined;
}

/** When a better candidate is due to be handed an election that this node holds. */
export function preemptDue(
  state: State,
  election: string,
  now: Instant,
): { readonly to: string; readonly at: Instant } | undefined {
  const tenure = state.tenures.get(election);
  const candidacy = effectiveCandidacy(state, election, now);
  if (tenure?.phase !== "on" || candidacy === undefined || state.stepDowns.has(election)) return undefined;
  return preemption(state.mirror, election, state.self.node, candidacy.priority, tenure.since, now);
}

/** When this node shall try to take an election that it does not hold; `NEVER` while it shall not. */
export function takeDueAt(state: State, election: string, now: Instant): Instant {
  const candidacy = effectiveCandidacy(state, election, now);
  if (candidacy === undefined || !candidacy.eligible || !trusted(state)) return NEVER;
  const found = standing(state, election);
  if (found.kind === "unreadable" || state.tenures.has(election)) return NEVER;
  if (found.kind === "held" && found.holder === state.self.node && ownSession(state) !== undefined)
    return outdated(state, found.token) && ineligibleReason(state, election, now) === undefined ? now : NEVER;
  const openAt = laterOf(
    found.kind === "held" ? found.breakableAt : found.since,
    state.mirror.fleet?.seenAt ?? LONG_AGO,
  );
  if (now < openAt) return openAt;
  const rank = rankOf(state.mirror, election, state.self.node, candidacy.priority, now);
  const dueAt = later(openAt, rank * state.timings.staggerMs);
  const next = rankingChangesAt(state.mirror, election, now);
  return now < dueAt && next < dueAt ? next : dueAt;
}

/** The candidate record that the store should have of this node; `null`: none. */
export function wantedCandidate(state: State, election: string, now: Instant): Omit<CandidateRecord, "format"> | null {
  const candidacy = effectiveCandidacy(state, election, now);
  if (candidacy === undefined || state.identity.kind !== "ready") return null;
  return { ...candidacy, addresses: [...candidacy.addresses], incarnation: state.identity.incarnation };
}

/** When the next election that the host could not hold may be tried again. */
export function fitAgainAt(state: State, now: Instant): Instant {
  let next = NEVER;
  for (const { until } of state.unfit.values()) if (until > now && until < next) next = until;
  return next;
}

function laterOf(a: Instant, b: Instant): Instant {
  return a > b ? a : b;
}
