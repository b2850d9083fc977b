// Takes an event into the state: what is now known, not yet what to do about it.

import { elapsedMs, later } from "../base/time.ts";
import type { Change, Snapshot } from "../ports/store.ts";
import { assert, unreachable } from "../base/assert.ts";
import { withChanges, withSnapshot } from "./mirror.ts";
import { successor } from "./ranking.ts";
import { credited, lost, noticeLoss, ownSession, settle } from "./session.ts";
import { ownToken } from "./tenure.ts";
import { type Attempt, type Candidacy, type Effect, type Event, type Moment, type State, withEntry } from "./state.ts";

/** More attempts of unknown outcome than this, and the session counts as lost. */
const MAX_IN_DOUBT = 32;

type Absorbed = readonly [State, readonly Effect[]];

/** The state after `event`, with effects that do not depend on a plan. */
export function absorb(state: State, event: Event, at: Moment): Absorbed {
  switch (event.type) {
    case "tick":
      return [state, []];
    case "read":
      return onSnapshot(state, event.snapshot, at);
    case "read-failed":
      return [withStoreError({ ...state, reading: false, readWanted: true }, event.message, at), []];
    case "changes":
      if (!state.synced) return [state, []];
      return onChanges(state, event.changes, at);
    case "gap":
      return [{ ...state, readWanted: true }, []];
    case "committed":
    case "conflict":
    case "refused":
    case "unknown":
      return onCommitSettled(state, event, at);
    case "incarnation":
      assert(state.identity.kind === "spent", "an incarnation is made only when the last is spent");
      return [{ ...state, identity: { kind: "ready", incarnation: event.incarnation, joined: false } }, []];
    case "candidacy":
      return [withCandidacy(state, event.election, event.candidacy), []];
    case "let-go":
      return [{ ...state, tenures: withEntry(state.tenures, event.election, undefined) }, []];
    case "unfit":
      return [unfit(state, event, at), []];
    case "step-down":
      return stepDown(state, event.election, event.to, at);
    case "stop":
      return [{ ...state, stopping: true }, []];
    default:
      return unreachable(event);
  }
}

/** A read shows the store's epoch too: what was unknown is settled by it. */
function onSnapshot(state: State, snapshot: Snapshot, at: Moment): Absorbed {
  const fresh = snapshot.epoch !== state.mirror.epoch;
  const read: State = {
    ...state,
    reading: false,
    readWanted: false,
    lastReadAt: at.now,
    storeError: null,
    synced: true,
    confirmedRevision:
      fresh || snapshot.revision > state.confirmedRevision ? snapshot.revision : state.confirmedRevision,
    mirror: withSnapshot(state.mirror, state.keys, snapshot, at.now),
  };
  return synced(settle(state.synced ? read : withAdopted(read), at), state);
}

/** A watch does not say of which epoch its news are: nothing is settled, or gained, on its word alone. */
function onChanges(state: State, changes: readonly Change[], at: Moment): Absorbed {
  const next: State = { ...state, mirror: withChanges(state.mirror, state.keys, changes, at.now) };
  const named = [...state.candidacies.keys()].some(
    (election) => (ownToken(next, election) ?? -1n) > state.confirmedRevision,
  );
  return synced(named ? { ...next, readWanted: true } : next, state);
}

/** After any news of the records: see whether the session still stands. */
function synced(state: State, before: State): Absorbed {
  const [next, effects] = noticeLoss(state);
  return [countDuplicateNode(next, before), effects];
}

/** What the store says that this claim holds before this process has done anything, an earlier process held. */
function withAdopted(state: State): State {
  const adopted = [...state.mirror.elections.keys()].filter((election) => ownToken(state, election) !== undefined);
  return { ...state, adopted: new Set(adopted) };
}

/** A foreign session under this node's name that heartbeats is another daemon with the same id. */
function countDuplicateNode(state: State, before: State): State {
  const now = state.mirror.sessions.get(state.self.node);
  const then = before.mirror.sessions.get(state.self.node);
  if (ownSession(state) !== undefined || now?.value == null)
    return state.duplicateNodeHeartbeats === 0 ? state : { ...state, duplicateNodeHeartbeats: 0 };
  const heartbeat =
    then?.value != null && then.version !== now.version && then.value.incarnation === now.value.incarnation;
  return heartbeat ? { ...state, duplicateNodeHeartbeats: state.duplicateNodeHeartbeats + 1 } : state;
}

type Answer = Extract<Event, { attempt: number }>;

function onCommitSettled(state: State, event: Answer, at: Moment): Absorbed {
  const attempt = state.inFlight;
  assert(attempt !== null && attempt.number === event.attempt, "an answer belongs to the attempt in flight");
  const landed: State = { ...state, inFlight: null };
  switch (event.type) {
    case "committed":
      return committed(landed, attempt, event, at);
    case "conflict":
      return conflicted(landed, attempt, at);
    case "refused":
      return [withStoreError(landed, event.message, at), []];
    case "unknown":
      return onCommitUnknown(landed, attempt, event.message, at);
    default:
      return unreachable(event);
  }
}

function committed(state: State, attempt: Attempt, event: Extract<Event, { type: "committed" }>, at: Moment): Absorbed {
  const settled: State = { ...state, inDoubtAttempts: [], conflicts: 0, storeError: null };
  if (attempt.endsSession)
    return [{ ...credited(settled, attempt, event.revision, at), stopped: true }, [{ type: "stopped" }]];
  if (event.epoch !== state.mirror.epoch) return [withEpochLost(state, attempt), []];
  return [{ ...credited(settled, attempt, event.revision, at), confirmedRevision: event.revision }, []];
}

/**
 * The store began a new epoch: what was known of others counts no more, until it is read anew. Nor does the heartbeat:
 * in that epoch the elections may be another's, who waits out the leases of the old one only.
 */
function withEpochLost(state: State, attempt: Attempt): State {
  return {
    ...state,
    inDoubtAttempts: [...state.inDoubtAttempts, attempt],
    readWanted: true,
    mirror: { ...state.mirror, epoch: null },
  };
}

/** A refused heartbeat means that the session is lost, unless an earlier one, of this process or the last, came between. */
function conflicted(state: State, attempt: Attempt, at: Moment): Absorbed {
  const own = ownSession(state);
  if (
    attempt.heartbeatOnly &&
    state.inDoubtAttempts.length === 0 &&
    own?.value?.processId === state.self.processId &&
    own.version === attempt.sessionVersion
  )
    return lost(state, "the store refused the heartbeat");
  return [withBackoff(state, at), []];
}

function onCommitUnknown(state: State, attempt: Attempt, message: string, at: Moment): Absorbed {
  const next = { ...withBackoff(state, at), storeError: message, inDoubtAttempts: [...state.inDoubtAttempts, attempt] };
  return next.inDoubtAttempts.length > MAX_IN_DOUBT ? lost(next, "too many requests of unknown outcome") : [next, []];
}

/** Read before the next attempt; after several in a row that came to nothing, pause as well. */
function withBackoff(state: State, at: Moment): State {
  const conflicts = state.conflicts + 1;
  const pauseMs = conflicts < 3 ? 0 : Math.min(conflicts * 2, state.timings.retryEveryMs);
  return { ...state, conflicts, readWanted: true, backoffUntil: later(at.now, pauseMs) };
}

function withStoreError(state: State, message: string, at: Moment): State {
  return { ...state, storeError: message, backoffUntil: later(at.now, state.timings.retryEveryMs) };
}

function withCandidacy(state: State, election: string, candidacy: Candidacy | null): State {
  return { ...state, candidacies: withEntry(state.candidacies, election, candidacy ?? undefined) };
}

function unfit(state: State, event: Extract<Event, { type: "unfit" }>, at: Moment): State {
  const known = state.unfit.get(event.election);
  const until = later(at.now, event.forMs);
  if (known !== undefined && elapsedMs(known.until, until) <= 0) return state;
  return { ...state, unfit: withEntry(state.unfit, event.election, { until, reason: event.reason }) };
}

function stepDown(state: State, election: string, to: string | null, at: Moment): Absorbed {
  if (state.tenures.get(election)?.phase !== "on") return [state, []];
  if (successor(state.mirror, election, state.self.node, to, at.now) === undefined)
    return [state, [{ type: "note", level: "warning", election, text: "no eligible candidate to hand over to" }]];
  return [
    {
      ...state,
      stepDowns: withEntry(state.stepDowns, election, { to, reason: "stepped down" }),
      preemptSuppressed: new Set(state.preemptSuppressed).add(election),
    },
    [],
  ];
}
