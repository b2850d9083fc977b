// The own session: what the store's copy of it says about the lease, and about attempts whose outcome was
// unknown.

import { LONG_AGO } from "../base/time.ts";
import type { Revision } from "../ports/store.ts";
import { validUntil } from "./lease.ts";
import { type Seen, withWrites } from "./mirror.ts";
import type { SessionRecord } from "./records.ts";
import { breakableAt } from "./standing.ts";
import type { Attempt, Effect, Moment, State } from "./state.ts";

/** The store's record under this node's name, when it is of the incarnation at hand. */
export function ownSession(state: State): Seen<SessionRecord> | undefined {
  const seen = state.mirror.sessions.get(state.self.node);
  if (seen?.value == null || state.identity.kind !== "ready") return undefined;
  return seen.value.incarnation === state.identity.incarnation ? seen : undefined;
}

/** The version that the next attempt must insist on: of whatever stands under this node's name. */
export function sessionVersion(state: State): Revision | null {
  const seen = state.mirror.sessions.get(state.self.node);
  return seen === undefined || seen.value === null ? null : seen.version;
}

/** When this node may put its session in the store: at once, or when what stands there has run out. */
export function joinableAt(state: State): State["validUntil"] {
  const seen = state.mirror.sessions.get(state.self.node);
  if (seen === undefined || seen.value === null || ownSession(state) !== undefined) return LONG_AGO;
  return breakableAt(seen, state.self.ttlMs);
}

/**
 * Settles attempts of unknown outcome by what the own session record says in a read: the attempt that wrote it was
 * applied, and the lease runs from ITS send; an attempt that insists on another version can no longer be.
 */
export function settle(state: State, at: Moment): State {
  const own = ownSession(state);
  const applied =
    own?.value && state.inDoubtAttempts.find((attempt) => wrote(state, attempt, own.value as SessionRecord));
  let next = state;
  if (own !== undefined && applied) next = credited(state, applied, own.version, at);
  const current = sessionVersion(next);
  const inDoubtAttempts = next.inDoubtAttempts.filter(
    (attempt) => attempt !== applied && attempt.sessionVersion === current,
  );
  return inDoubtAttempts.length === next.inDoubtAttempts.length ? next : { ...next, inDoubtAttempts };
}

/** Credits an attempt that was surely applied at `revision`. */
export function credited(state: State, attempt: Attempt, revision: Revision, at: Moment): State {
  const { identity } = state;
  if (identity.kind !== "ready" || identity.incarnation !== attempt.incarnation) return { ...state, readWanted: true };
  const mirror = withWrites(state.mirror, state.keys, attempt.txn.writes, revision, at.now);
  if (attempt.endsSession) return { ...state, mirror };
  const until = validUntil(attempt.sentAt, state.timings);
  return {
    ...state,
    mirror,
    identity: { ...identity, joined: true },
    validUntil: until > state.validUntil ? until : state.validUntil,
    heartbeatSentAt: attempt.sentAt > state.heartbeatSentAt ? attempt.sentAt : state.heartbeatSentAt,
  };
}

/** Notices that the session was broken, replaced or lost with the store's data: then everything is given up. */
export function noticeLoss(state: State): readonly [State, readonly Effect[]] {
  const { identity } = state;
  if (identity.kind !== "ready" || !state.synced) return [state, []];
  const own = ownSession(state);
  // After its first heartbeat a session is this process' alone. One that heartbeats it all the same has a copy of the claim.
  if (
    own?.value &&
    own.value.processId !== state.self.processId &&
    identity.joined &&
    state.heartbeatSentAt !== LONG_AGO
  )
    return lost(state, "another process has taken it up");
  if (own !== undefined) return [identity.joined ? state : { ...state, identity: { ...identity, joined: true } }, []];
  return identity.joined ? lost(state, "the session was taken away") : [state, []];
}

/** Gives up the session for good and asks for a new incarnation. */
export function lost(state: State, why: string): readonly [State, readonly Effect[]] {
  const next: State = {
    ...state,
    identity: { kind: "spent" },
    validUntil: LONG_AGO,
    inDoubtAttempts: [],
    readWanted: true,
  };
  if (state.stopping) return [next, []];
  return [next, [{ type: "note", level: "warning", text: `session lost: ${why}` }, { type: "renew-incarnation" }]];
}

function wrote(state: State, attempt: Attempt, record: SessionRecord): boolean {
  return record.processId === state.self.processId && record.heartbeat === attempt.number;
}
