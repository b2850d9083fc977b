// The own session: what the store's copy of it says about the lease, and about attempts whose outcome was unknown.

import { type Reason, reason } from "../base/reasons.ts";
import { elapsedMs, type Instant, later, LONG_AGO } from "../base/time.ts";
import type { Revision } from "../ports/store.ts";
import { validUntil } from "./lease.ts";
import type { Observed } from "./mirror.ts";
import { breakableAt } from "./ownership.ts";
import type { SessionRecord } from "./records.ts";
import type { Attempt, Effect, Interruptions, LossReport, Moment, OpenLoss, State } from "./state.ts";

/** The store's record under this node's name, when it is of the incarnation at hand. */
export function ownSession(state: State): Observed<SessionRecord> | undefined {
  const observed = state.mirror.sessions.get(state.self.node);
  if (observed?.value == null || state.identity.kind !== "ready") return undefined;
  return observed.value.incarnation === state.identity.incarnation ? observed : undefined;
}

/** The version that the next attempt must insist on: of whatever stands under this node's name. */
export function sessionVersion(state: State): Revision | null {
  const observed = state.mirror.sessions.get(state.self.node);
  return observed === undefined || observed.value === null ? null : observed.version;
}

/** When this node may put its session in the store: at once, or when what stands there has run out. */
export function joinableAt(state: State): Instant {
  const observed = state.mirror.sessions.get(state.self.node);
  if (observed === undefined || observed.value === null || ownSession(state) !== undefined) return LONG_AGO;
  return breakableAt(observed, state.longestTtlMs);
}

/**
 * The lease that the session record publishes, in milliseconds. While the fence of the previous process may still be
 * open, it is the one that this process published: others shall wait for that.
 */
export function publishedTtlMs(state: State, now: Instant): number {
  return now < state.predecessorUntil ? Math.max(state.self.ttlMs, state.predecessorTtlMs) : state.self.ttlMs;
}

/** Takes up the session of the previous process, as the first read shows it. */
export function adoptSession(state: State): void {
  const ttlMs = ownSession(state)?.value?.ttlMs ?? 0;
  state.predecessorTtlMs = ttlMs;
  state.predecessorUntil = later(state.startedAt, ttlMs);
}

/**
 * Settles attempts of unknown outcome by what the own session record says in a read: the attempt that wrote it was
 * applied, and the lease runs from ITS send; an attempt that insists on another version can no longer be.
 */
export function settle(state: State, at: Moment): void {
  const own = ownSession(state);
  const record = own?.value;
  const applied = record && state.inDoubtAttempts.find((attempt) => wrote(state, attempt, record));
  if (own !== undefined && applied) credit(state, applied, own.version, at);
  const current = sessionVersion(state);
  const inDoubt = state.inDoubtAttempts.filter((attempt) => attempt !== applied && attempt.sessionVersion === current);
  keepInDoubt(state, inDoubt);
}

/** Only these attempts are of unknown outcome from now on; what the others might have released is judged anew. */
export function keepInDoubt(state: State, inDoubt: readonly Attempt[]): void {
  for (const attempt of state.inDoubtAttempts)
    if (!inDoubt.includes(attempt)) for (const election of attempt.releases) state.dirty.add(election);
  state.inDoubtAttempts = inDoubt;
}

/** Credits an attempt that was surely applied at `revision`. */
export function credit(state: State, attempt: Attempt, revision: Revision, at: Moment): void {
  const { identity } = state;
  if (identity.kind !== "ready" || identity.incarnation !== attempt.incarnation) {
    state.readWanted = "all";
    return;
  }
  state.mirror.applyWrites(attempt.txn.writes, revision, at.now);
  for (const election of attempt.releases) {
    state.dirty.add(election);
    state.openLosses.delete(election);
  }
  for (const election of attempt.reports) state.lossReports.delete(election);
  if (attempt.endsSession) return;
  const until = validUntil(attempt.sentAt, state.timings);
  state.identity = { ...identity, joined: true };
  if (until > state.validUntil) state.validUntil = until;
  if (attempt.sentAt > state.heartbeatSentAt) state.heartbeatSentAt = attempt.sentAt;
  if (attempt.number > state.credited.number) state.credited = { number: attempt.number, epoch: state.mirror.epoch };
}

/** Notices that the session was broken, replaced or lost with the store's data: then everything is given up. */
export function noticeLoss(state: State, at: Moment): readonly Effect[] {
  const { identity } = state;
  if (identity.kind !== "ready" || !state.synced) return [];
  const own = ownSession(state);
  // After its first heartbeat a session is this process' alone. Another process that renews it has a copy of the claim.
  if (
    own?.value &&
    own.value.processId !== state.self.processId &&
    identity.joined &&
    state.heartbeatSentAt !== LONG_AGO
  )
    return loseSession(state, "another process renews it with a copy of this node's state directory", at);
  if (own?.value && isPutBack(state, own.value))
    return loseSession(state, "it was ended by another node, and a delayed request of this one has put it back", at);
  if (own === undefined) return identity.joined ? sessionGone(state, at) : [];
  if (!identity.joined) state.identity = { ...identity, joined: true };
  return [];
}

/**
 * Whether the session was ended meanwhile, and a request from before there was one, which insists on there being none,
 * was applied afterwards. In another epoch older data are the store's doing, and counting begins anew.
 */
function isPutBack(state: State, { processId, heartbeat }: SessionRecord): boolean {
  const { credited, mirror, self } = state;
  if (processId !== self.processId || heartbeat >= credited.number) return false;
  if (credited.epoch === mirror.epoch) return true;
  state.credited = { number: heartbeat, epoch: mirror.epoch };
  return false;
}

function sessionGone(state: State, at: Moment): readonly Effect[] {
  if (state.heartbeatSentAt !== LONG_AGO)
    return loseSession(state, "it was ended by another node, or lost with the store's data", at);
  const effects = loseSession(state, "", at).filter(({ type }) => type !== "note");
  return [{ type: "note", level: "info", text: "the lease of the previous process has ended" }, ...effects];
}

/** Gives up the session for good and asks for a new incarnation. */
export function loseSession(state: State, why: string, at: Moment): readonly Effect[] {
  // What was given up before, and could not be released in the store, others have seen as silence.
  for (const [election, { seq, at: then, reason: cause }] of state.openLosses)
    report(state, election, { seq, wallMs: then.wallMs, reason: cause });
  state.openLosses.clear();
  reportLosses(state, reason("session-lost", why), at);
  state.identity = { kind: "spent" };
  state.validUntil = LONG_AGO;
  keepInDoubt(state, []);
  state.readWanted = "all";
  state.readBeforeCommit = true;
  if (state.stopping) return [];
  const level = state.holding > 0 ? "warning" : "info";
  return [{ type: "note", level, text: `session lost: ${why}` }, { type: "renew-incarnation" }];
}

/** Remembers what is held now as lost unwillingly, to be told in the history once the store can be reached. */
export function reportLosses(state: State, why: Reason, at: Moment): void {
  for (const [election, tenure] of state.tenures) if (tenure.phase === "on") reportLoss(state, election, why, at);
}

/** Remembers one election as lost unwillingly. */
export function reportLoss(state: State, election: string, why: Reason, at: Moment): void {
  const seq = state.mirror.elections.get(election)?.value?.seq;
  if (seq !== undefined) report(state, election, { seq, wallMs: at.wallMs, reason: why });
}

function report(state: State, election: string, loss: Pick<LossReport, "seq" | "wallMs" | "reason">): void {
  if (state.lossReports.has(election)) return;
  state.lossReports.set(election, { ...loss, heldAgainAfterMs: null, ...interruptionsOf(state, election, loss.seq) });
}

function interruptionsOf(state: State, election: string, seq: number): Interruptions {
  const known = state.interruptions.get(election);
  const { interruptions, interruptedMs } = known?.seq === seq ? known : { interruptions: 0, interruptedMs: 0 };
  return { interruptions, interruptedMs };
}

/** Ends a loss with the same token that it began with: nobody held the election meanwhile. Answers for how long. */
export function endInterruption(
  state: State,
  election: string,
  { seq, at: then, reason: why }: OpenLoss,
  now: Instant,
): number {
  const ms = Math.round(elapsedMs(then.now, now));
  const before = interruptionsOf(state, election, seq);
  const all = { interruptions: before.interruptions + 1, interruptedMs: before.interruptedMs + ms };
  state.interruptions.set(election, { seq, ...all });
  state.lossReports.set(election, { seq, wallMs: then.wallMs, reason: why, heldAgainAfterMs: ms, ...all });
  return ms;
}

function wrote(state: State, attempt: Attempt, record: SessionRecord): boolean {
  return record.processId === state.self.processId && record.heartbeat === attempt.number;
}
