// The election machine of one node: events and time in, effects out. No clock, no I/O, no random number.
//
// How it works: an event only changes what is known (absorb). Then the machine compares what is known with what should
// be, for those elections that the event may bear on (judge), and asks for the difference: the host to release or to
// hold, the store to be read, and at most one commit at a time. So it does not matter in which order news come,
// whether some are lost or come twice, or how long anything took: the next step starts from the facts again.
//
// What the integrator owes:
// - `at.now` never falls, and is read when the event is handed in;
// - the state that is handed in is the one that the last step worked on: it is changed in place;
// - effects are done in order, and before the next event; "lose" at once and synchronously as far as the fence goes;
// - each "read" and "commit" is answered exactly once, by its time limit at the latest;
// - a "commit" is sent no earlier than the step that asked for it (its lease counts from that step's `now`);
// - each loss is answered by "released" when the fence is closed and the addresses are gone, never before;
// - "tick" is handed in at `nextWakeup`, or earlier, or more often: that does no harm.

import { earliest, type Instant, later, latest, LONG_AGO, NEVER } from "../base/time.ts";
import { absorb } from "./absorb.ts";
import { noteConditions, noteOutage } from "./conditions.ts";
import { judge, type Verdicts } from "./judge.ts";
import { giveUpAt } from "./lease.ts";
import type { ReadScope } from "./mirror.ts";
import { breakableAt } from "./ownership.ts";
import { observeOwner } from "./observing.ts";
import { assignElections } from "./assignments.ts";
import { isTrusted, leaseCovers, trustedAt } from "./questions.ts";
import { joinableAt, ownSession } from "./session.ts";
import type { Effect, Event, Moment, State } from "./state.ts";
import { buildAttempt, epochMutation } from "./transaction.ts";

/** Moves the machine by one event. */
export function step(state: State, event: Event, at: Moment): readonly Effect[] {
  if (state.stopped) return [];
  const [formerUntil, outage] = [state.validUntil, state.outage];
  const effects: Effect[] = [...absorb(state, event, at)];
  if (state.stopped) return effects;
  effects.push(...noteOutage(outage, state, at), ...noteConditions(state, at));
  followNodes(state, effects);
  judgeAll(state, formerUntil, at, effects);
  askForRead(state, at.now, effects);
  askForCommit(state, at, effects);
  stopWhenEmpty(state, effects);
  return effects;
}

/** When the machine wants a "tick" at the latest; `NEVER` when only an event can move it. */
export function nextWakeup(state: State, now: Instant): Instant {
  if (state.stopped) return NEVER;
  return earliest(...ownDeadlines(state, now).map(([, at]) => at), state.wakeups.next());
}

/** Who wants to be woken, and when, soonest first, at most `most` of them: for status and for people who debug. */
export function deadlines(
  state: State,
  now: Instant,
  most: number,
): readonly { readonly name: string; readonly at: Instant }[] {
  const own = ownDeadlines(state, now).flatMap(([name, at]) => (at === NEVER ? [] : [{ name, at }]));
  return [...own, ...state.wakeups.list(most)].sort((a, b) => a.at - b.at).slice(0, most);
}

/** The deadlines of the node itself; those of single nodes and elections stand in `state.wakeups`. */
function ownDeadlines(state: State, now: Instant): readonly (readonly [name: string, at: Instant])[] {
  return [
    ["lease end", state.holding > 0 ? giveUpAt(state.validUntil, state.timings) : NEVER],
    ["read", readDueAt(state).at],
    ["commit", commitDueAt(state, now)],
    ["epoch", isTrusted(state) ? NEVER : afterNow(trustedAt(state), now)],
  ];
}

/** Whose lease has run out, who is alive again: what their elections are judged by. */
function followNodes(state: State, effects: Effect[]): void {
  const { mirror, silent, wakeups, lastTakenBy } = state;
  for (const node of mirror.touched.heartbeats) {
    const session = mirror.sessions.get(node);
    if (session?.value == null) continue;
    if (silent.delete(node)) {
      mirror.touched.nodes.add(node);
      mirror.touched.contenders = true;
    }
    // The deadline moves with every heartbeat: it is set anew only when it is reached.
    if (wakeups.at(`session ${node}`) === NEVER)
      wakeups.set(`session ${node}`, breakableAt(session, state.longestTtlMs));
  }
  if (mirror.touched.roster) rememberLongestTtl(state, effects);
  for (const node of mirror.touched.nodes)
    if (!mirror.sessions.has(node)) for (const part of [silent, lastTakenBy]) part.delete(node);
}

function rememberLongestTtl(state: State, effects: Effect[]): void {
  let longest = state.self.ttlMs;
  let unreadable = false;
  for (const { value } of state.mirror.sessions.values()) {
    if (value === undefined) unreadable = true;
    if (value != null && value.ttlMs > longest) longest = value.ttlMs;
  }
  // In an epoch that the fleet has not settled on, those of the former one still count. A session that cannot be read
  // may be the longest.
  if (longest < state.longestTtlMs && (unreadable || !isTrusted(state))) return;
  if (longest === state.longestTtlMs) return;
  state.longestTtlMs = longest;
  effects.push({ type: "remember-ttl", longestTtlMs: longest });
}

function judgeAll(state: State, formerUntil: Instant, at: Moment, effects: Effect[]): void {
  collectDirty(state, at.now);
  const verdicts: Verdicts = { losses: [], grants: [], confirmed: [] };
  for (const election of state.dirty) {
    judge(state, election, at, verdicts);
    const news = observeOwner(state, election);
    if (news !== undefined) effects.push(news);
  }
  state.dirty.clear();
  state.mirror.touched.clear();
  const { losses, grants, confirmed } = verdicts;
  if (losses.length > 0) effects.push({ type: "lose", losses });
  if (confirmed.length > 0) effects.push({ type: "confirm", confirmed });
  if (state.validUntil > formerUntil && state.holding > grants.length)
    effects.push({ type: "extend", until: state.validUntil });
  if (grants.length > 0) effects.push({ type: "gain", grants, until: state.validUntil });
}

/** Collects the elections that something may have changed for since the last step. */
function collectDirty(state: State, now: Instant): void {
  const { mirror, dirty } = state;
  const [covered, owned, trusted] = [leaseCovers(state, now), ownSession(state) !== undefined, isTrusted(state)];
  const all =
    mirror.touched.everything || covered !== state.covered || owned !== state.owned || trusted !== state.trusted;
  [state.covered, state.owned, state.trusted] = [covered, owned, trusted];
  takeDueWakeups(state, now);
  for (const election of state.unconfirmed) dirty.add(election);
  state.unconfirmed.clear();
  for (const election of mirror.touched.elections) dirty.add(election);
  for (const node of mirror.touched.takers) state.lastTakenBy.set(node, now);
  for (const node of mirror.touched.nodes) markNode(state, node);
  for (const address of mirror.claims.contested) markContested(state, address);
  if (all) dirtyAll(state);
  if (state.spreads && (all || mirror.touched.contenders))
    for (const election of assignElections(mirror, state.self.node, now)) dirty.add(election);
}

function dirtyAll(state: State): void {
  const { mirror, dirty } = state;
  for (const part of [state.candidacies, state.tenures, mirror.candidates])
    for (const name of part.keys()) dirty.add(name);
  for (const name of state.adopted) dirty.add(name);
  for (const name of mirror.heldBy.get(state.self.node) ?? []) dirty.add(name);
}

function takeDueWakeups(state: State, now: Instant): void {
  for (const name of state.wakeups.takeDue(now)) {
    const [what = "", whose = ""] = name.split(" ");
    if (what === "session") judgeSession(state, whose, now);
    else state.dirty.add(whose);
  }
}

function judgeSession(state: State, node: string, now: Instant): void {
  const session = state.mirror.sessions.get(node);
  if (session === undefined || session.value === null) return;
  const at = breakableAt(session, state.longestTtlMs);
  if (at > now) return state.wakeups.set(`session ${node}`, at);
  state.silent.add(node);
  state.mirror.touched.contenders = true;
  markNode(state, node);
}

function markNode(state: State, node: string): void {
  for (const election of state.mirror.heldBy.get(node) ?? []) state.dirty.add(election);
  for (const election of state.mirror.wantedBy.get(node) ?? []) state.dirty.add(election);
}

/** An address under two names: what changes for one of them bears on the other. */
function markContested(state: State, address: string): void {
  const elections = [...state.mirror.claims.electionsOf(address)];
  if (elections.some((election) => state.dirty.has(election)))
    for (const election of elections) state.dirty.add(election);
}

function askForRead(state: State, now: Instant, effects: Effect[]): void {
  const { at, scope } = readDueAt(state);
  if (now < at) return;
  effects.push({ type: "read", scope, timeoutMs: state.timings.readTimeoutMs });
  state.reading = scope;
  // What is wanted from now on, this read may be too old for.
  state.readWanted = null;
}

function askForCommit(state: State, at: Moment, effects: Effect[]): void {
  if (at.now < commitDueAt(state, at.now)) return;
  const own = ownSession(state) !== undefined;
  const late = own && !state.stopping && at.now >= later(state.heartbeatSentAt, state.timings.ttlMs / 2);
  const attempt = buildAttempt(state, at, late || state.readBeforeCommit);
  effects.push({
    type: "commit",
    attempt: attempt.number,
    txn: attempt.txn,
    timeoutMs: state.timings.requestTimeoutMs,
  });
  state.attempts = attempt.number;
  state.inFlight = attempt;
}

/** A node that has released everything, and has no session left to end, has left the fleet. */
function stopWhenEmpty(state: State, effects: Effect[]): void {
  const waiting =
    state.tenures.size > 0 || state.inFlight !== null || (state.synced && ownSession(state) !== undefined);
  if (!state.stopping || waiting) return;
  effects.push({ type: "stopped" });
  state.stopped = true;
}

function readDueAt(state: State): { readonly at: Instant; readonly scope: ReadScope } {
  const { timings, lastFullReadAt } = state;
  const full =
    !state.synced || later(lastFullReadAt, timings.fullReadEveryMs) <= later(state.lastReadAt, timings.resyncEveryMs);
  const scope = state.readWanted ?? (full ? "all" : "fleet");
  if (state.reading !== null) return { at: NEVER, scope };
  const due = state.readWanted === null ? later(state.lastReadAt, timings.resyncEveryMs) : lagPause(state);
  return { at: latest(due, state.readBackoffUntil), scope };
}

/** What the watch has not brought yet is given a moment to come. */
function lagPause(state: State): Instant {
  return state.lagging ? later(state.lastReadAt, state.timings.retryEveryMs) : LONG_AGO;
}

/**
 * When the next commit is due. A heartbeat waits for a read only when its outcome depends on it: when it is not known
 * whether an earlier attempt was applied, or which epoch the store is in.
 */
function commitDueAt(state: State, now: Instant): Instant {
  if (state.inFlight !== null || !state.synced || state.identity.kind !== "ready") return NEVER;
  const own = ownSession(state) !== undefined;
  if (state.stopping && !own) return NEVER;
  const unsure = state.mirror.epoch === null || state.inDoubtAttempts.length > 0 || !own;
  if (state.readBeforeCommit && unsure) return NEVER;
  const wish = own ? earliest(heartbeatDueAt(state), mutationsDueAt(state, now)) : joinableAt(state);
  return latest(wish, state.commitBackoffUntil);
}

function heartbeatDueAt(state: State): Instant {
  return later(state.heartbeatSentAt, state.timings.heartbeatEveryMs);
}

/** When something besides the heartbeat is due to be written. */
function mutationsDueAt(state: State, now: Instant): Instant {
  if (state.readBeforeCommit) return NEVER;
  const { release, candidate, claim, take } = state.due;
  const waiting = release.size + candidate.size + claim.size + take.size + state.lossReports.size > 0;
  const leaving = state.stopping && state.tenures.size === 0;
  return waiting || leaving || epochMutation(state, { now, wallMs: 0 }) !== undefined ? now : NEVER;
}

function afterNow(at: Instant, now: Instant): Instant {
  return at > now ? at : NEVER;
}
