// Takes an event into the state: what is now known, not yet what to do about it.

import { assert, unreachable } from "../base/assert.ts";
import { clip } from "../base/text.ts";
import { type Instant, later } from "../base/time.ts";
import { isStillOwn } from "./address-claims.ts";
import { claimsOf } from "./claims.ts";
import { countDuplicateNode } from "./conditions.ts";
import { handoverTarget } from "./ranking.ts";
import { adoptSession, credit, keepInDoubt, loseSession, noticeLoss, ownSession, settle } from "./session.ts";
import { ownToken } from "./questions.ts";
import type { Attempt, Effect, Event, Moment, State } from "./state.ts";

/** More attempts of unknown outcome than this, and the session counts as lost. */
const MAX_IN_DOUBT = 32;

/** Longest text of a store's error that is kept, in UTF-16 code units. */
const MAX_ERROR = 1_000;

/** From so many conflicts in a row on, everything is read before the next try. */
const READ_ALL_CONFLICTS = 2;

/** Takes in `event`; the result: effects that do not depend on what is decided afterwards. */
export function absorb(state: State, event: Event, at: Moment): readonly Effect[] {
  switch (event.type) {
    case "tick":
      return [];
    case "read":
      return onSnapshot(state, event, at);
    case "read-failed":
      state.readWanted = state.reading === "all" ? "all" : (state.readWanted ?? state.reading);
      state.reading = null;
      state.readBackoffUntil = later(at.now, state.timings.retryEveryMs);
      storeFailed(state, event.message, at);
      return [];
    case "changes":
      return onChanges(state, event, at);
    case "gap":
      state.readWanted = "all";
      return [];
    case "committed":
    case "conflict":
    case "refused":
    case "unknown":
      return onCommitSettled(state, event, at);
    case "incarnation":
      assert(state.identity.kind === "spent", "an incarnation is made only when the last is spent");
      state.identity = { kind: "ready", incarnation: event.incarnation, joined: false };
      state.mirror.touched.everything = true;
      return [];
    case "candidacies":
      return onCandidacies(state, event);
    case "released":
      for (const election of event.elections) {
        state.tenures.delete(election);
        state.dirty.add(election);
      }
      return [];
    case "step-down":
      return onStepDown(state, event, at);
    case "abandon":
      return state.identity.kind === "spent" ? [] : loseSession(state, event.reason.text, at);
    case "stop":
      state.stopping = true;
      state.mirror.touched.everything = true;
      return [];
    default:
      return unreachable(event);
  }
}

type Read = Extract<Event, { type: "read" }>;

/** A read shows the store's epoch too: what was unknown is settled by it. */
function onSnapshot(state: State, { snapshot, scope }: Read, at: Moment): readonly Effect[] {
  const { mirror } = state;
  state.reading = null;
  state.lastReadAt = at.now;
  storeAnswered(state);
  const anotherEpoch = snapshot.epoch !== mirror.epoch;
  if (anotherEpoch && scope !== "all") {
    // Only a read of everything tells what another epoch holds; until then what is known is not to be relied on.
    mirror.distrust();
    state.readWanted = "all";
    state.readBeforeCommit = true;
    return [];
  }
  const isNews = mirror.applySnapshot(snapshot, scope, at.now);
  if (scope === "all") state.lastFullReadAt = at.now;
  if (anotherEpoch || snapshot.revision > state.confirmedRevision) state.confirmedRevision = snapshot.revision;
  if (state.readWanted === null) state.readBeforeCommit = false;
  const effects = scope === "fleet" ? noticeLag(state, isNews) : noticeSilence(state, isNews, at.now);
  const adopted = state.synced ? [] : adopt(state);
  if (!state.synced) state.syncedAt = at.now;
  state.synced = true;
  settle(state, at);
  return [...effects, ...adopted, ...reviewSession(state, at)];
}

/**
 * A watch that falls silent does not say so. It is suspected when a read shows what it has not brought: it may be on its
 * way, so a second read in a row must show the same.
 */
function noticeLag(state: State, isNews: boolean): readonly Effect[] {
  const { mirror } = state;
  const heard = hasHeard(state);
  if (heard) state.silentSince = null;
  const suspect = mirror.lags || (isNews && !heard);
  const confirmed = suspect && state.lagging;
  state.lagging = suspect && !confirmed;
  if (confirmed) state.readWanted = "all";
  else if (suspect && mirror.lags) state.readWanted ??= "fleet";
  return confirmed ? [{ type: "rewatch" }] : [];
}

/**
 * Who loses commits against others reads everything again and again, and no short read is due: a node of a long lease, whose
 * watch is silent, takes those of short leases for dead each time. News for a heartbeat's time, and none of it by the watch,
 * says the same.
 */
function noticeSilence(state: State, isNews: boolean, now: Instant): readonly Effect[] {
  const { silentSince } = state;
  const silent = !hasHeard(state) && isNews;
  state.lagging = false;
  const confirmed = silent && silentSince !== null && now >= later(silentSince, state.timings.heartbeatEveryMs);
  state.silentSince = silent && !confirmed ? (silentSince ?? now) : null;
  if (confirmed) state.readWanted = "all";
  return confirmed ? [{ type: "rewatch" }] : [];
}

/** Whether the watch has brought anything since the read before. */
function hasHeard(state: State): boolean {
  const { newestChange } = state.mirror;
  const heard = newestChange !== state.newestChangeAtRead;
  state.newestChangeAtRead = newestChange;
  return heard;
}

/**
 * Elections that the store assigns to this incarnation at the start were held by the previous process, with the addresses
 * that its candidacies have there. The configuration may have others now: before any commit, what is answered for must be
 * what the store says.
 */
function adopt(state: State): readonly Effect[] {
  if (ownSession(state) === undefined) return [];
  adoptSession(state);
  const { mirror, self } = state;
  const addresses = new Map<string, readonly string[]>();
  for (const election of mirror.heldBy.get(self.node) ?? []) {
    if (ownToken(state, election) === undefined) continue;
    state.adopted.add(election);
    const published = mirror.candidates.get(election)?.get(self.node)?.value;
    const claims = published == null ? [] : claimsOf(published);
    const own = claims.filter((address) => isStillOwn(state, election, address));
    addresses.set(election, own);
  }
  return [{ type: "adopted", addresses }];
}

/** A watch does not say of which epoch its changes are: nothing is settled, or gained, on its word alone. */
function onChanges(state: State, { changes }: Extract<Event, { type: "changes" }>, at: Moment): readonly Effect[] {
  if (!state.synced) return [];
  state.mirror.applyChanges(changes, at.now);
  for (const election of state.mirror.touched.elections) {
    const token = ownToken(state, election);
    if (token !== undefined && token > state.confirmedRevision && state.candidacies.has(election))
      state.readWanted ??= "fleet";
  }
  return reviewSession(state, at);
}

/** After any news of the records: see whether the session still stands. */
function reviewSession(state: State, at: Moment): readonly Effect[] {
  const effects = noticeLoss(state, at);
  countDuplicateNode(state);
  return effects;
}

function onCandidacies(state: State, { changes }: Extract<Event, { type: "candidacies" }>): readonly Effect[] {
  for (const [election, candidacy] of changes) {
    if (candidacy === null) state.candidacies.delete(election);
    else state.candidacies.set(election, candidacy);
    if (candidacy?.spread != null && !state.spreads) {
      state.spreads = true;
      state.mirror.touched.contenders = true;
    }
    state.dirty.add(election);
  }
  return [];
}

type Settled = Extract<Event, { attempt: number }>;

function onCommitSettled(state: State, event: Settled, at: Moment): readonly Effect[] {
  const attempt = state.inFlight;
  assert(attempt !== null && attempt.number === event.attempt, "an answer belongs to the attempt in flight");
  state.inFlight = null;
  for (const election of attempt.releases) state.dirty.add(election);
  switch (event.type) {
    case "committed":
      return onCommitted(state, attempt, event, at);
    case "conflict":
      storeAnswered(state);
      return onConflict(state, attempt, at);
    case "refused":
      state.commitBackoffUntil = later(at.now, state.timings.retryEveryMs);
      storeFailed(state, event.message, at);
      return [];
    case "unknown":
      return onCommitUnknown(state, attempt, event.message, at);
    default:
      return unreachable(event);
  }
}

function onCommitted(
  state: State,
  attempt: Attempt,
  event: Extract<Event, { type: "committed" }>,
  at: Moment,
): readonly Effect[] {
  state.conflicts = 0;
  storeAnswered(state);
  if (attempt.endsSession) {
    credit(state, attempt, event.revision, at);
    state.stopped = true;
    return [{ type: "stopped" }];
  }
  if (event.epoch !== state.mirror.epoch) {
    // In another epoch the elections may be another's, who waits for the leases of the former one only: this
    // heartbeat extends nothing, and what is known of others counts no more.
    keepInDoubt(state, [attempt]);
    state.readWanted = "all";
    state.readBeforeCommit = true;
    state.mirror.distrust();
    return [];
  }
  keepInDoubt(state, []);
  credit(state, attempt, event.revision, at);
  if (event.revision > state.confirmedRevision) state.confirmedRevision = event.revision;
  return [];
}

/** A heartbeat conflict means the session is lost, unless one of our own earlier attempts was applied. */
function onConflict(state: State, attempt: Attempt, at: Moment): readonly Effect[] {
  const own = ownSession(state);
  if (
    attempt.heartbeatOnly &&
    state.inDoubtAttempts.length === 0 &&
    own?.value?.processId === state.self.processId &&
    own.version === attempt.sessionVersion
  )
    return loseSession(state, "the store refused a heartbeat: another node has ended it", at);
  backOff(state, at);
  return [];
}

function onCommitUnknown(state: State, attempt: Attempt, message: string, at: Moment): readonly Effect[] {
  backOff(state, at);
  storeFailed(state, message, at);
  state.inDoubtAttempts = [...state.inDoubtAttempts, attempt];
  return state.inDoubtAttempts.length > MAX_IN_DOUBT
    ? loseSession(state, "too many requests of unknown outcome", at)
    : [];
}

/** Read before the next attempt; after several in a row that came to nothing, pause as well. */
function backOff(state: State, at: Moment): void {
  state.conflicts += 1;
  const pauseMs = state.conflicts < 3 ? 0 : Math.min(state.conflicts * 2, state.timings.retryEveryMs);
  state.readWanted = state.conflicts >= READ_ALL_CONFLICTS ? "all" : (state.readWanted ?? "fleet");
  state.readBeforeCommit = true;
  state.readBackoffUntil = later(at.now, pauseMs);
  state.commitBackoffUntil = later(at.now, pauseMs);
}

function storeFailed(state: State, message: string, at: Moment): void {
  const { outage } = state;
  const lastError = clip(message, MAX_ERROR);
  state.outage = { since: outage?.since ?? at.now, failures: (outage?.failures ?? 0) + 1, lastError };
}

function storeAnswered(state: State): void {
  state.outage = null;
}

function onStepDown(
  state: State,
  { election, to, reason }: Extract<Event, { type: "step-down" }>,
  at: Moment,
): readonly Effect[] {
  if (state.tenures.get(election)?.phase !== "on") return [];
  if (handoverTarget(state.mirror, election, state.self.node, to, at.now) === undefined)
    return [{ type: "note", level: "warning", election, text: "no eligible candidate to hand over to" }];
  state.stepDowns.set(election, { to, reason });
  state.preemptSuppressed.add(election);
  state.dirty.add(election);
  return [];
}
