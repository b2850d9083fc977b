// The election machine of one node: events and time in, effects out. No clock, no I/O, no random number.
//
// How it works: an event only changes what is known (absorb). Then the machine compares what is known with
// what should be, and asks for the difference: the host to let go or to hold, the store to be read, and at
// most one commit at a time (reconcile). So it does not matter in which order news come, whether some are
// lost or come twice, or how long anything took: the next step starts from the facts again.
//
// What the integrator owes:
// - `at.now` never falls, and is read when the event is handed in;
// - effects are done in order, and before the next event; "lose" at once and synchronously as far as the fence goes;
// - each "read" and "commit" is answered exactly once, by its time limit at the latest;
// - a "commit" is sent no earlier than the step that asked for it (its lease counts from that step's `now`);
// - each "lose" is answered by "let-go" when the fence is closed and the address is gone, never before;
// - "tick" is handed in at `nextWakeup`, or earlier, or more often: that does no harm.

import { earliest, type Instant, later, NEVER } from "../base/time.ts";
import { absorb } from "./absorb.ts";
import { giveUpAt } from "./lease.ts";
import { notices } from "./notices.ts";
import { hasDueMutations, propose } from "./proposal.ts";
import { successor } from "./ranking.ts";
import { joinableAt, ownSession } from "./session.ts";
import type { Effect, Event, Moment, State, StepDown, Tenure } from "./state.ts";
import {
  fitAgainAt,
  inDoubt,
  ineligibleReason,
  ownToken,
  preemptDue,
  takeDueAt,
  trusted,
  trustedAt,
} from "./tenure.ts";
import { gainOf, lossOf } from "./transitions.ts";

type Step = readonly [State, readonly Effect[]];

/** Moves the machine by one event. */
export function step(state: State, event: Event, at: Moment): Step {
  if (state.stopped) return [state, []];
  const [absorbed, effects] = absorb(state, event, at);
  if (absorbed.stopped) return [absorbed, effects];
  const [planned, plans] = reconcile(absorbed, state.validUntil, at);
  return [planned, [...effects, ...notices(state, planned), ...plans]];
}

/** When the machine wants a "tick" at the latest; `NEVER` when only an event can move it. */
export function nextWakeup(state: State, now: Instant): Instant {
  if (state.stopped) return NEVER;
  const holding = [...state.tenures.values()].some((tenure) => tenure.phase === "on");
  const lapse = holding ? giveUpAt(state.validUntil, state.timings) : NEVER;
  return earliest(lapse, readDueAt(state), commitDueAt(state, now), preemptWakeup(state, now), fitAgainAt(state, now));
}

function reconcile(state: State, formerUntil: Instant, at: Moment): Step {
  const effects: Effect[] = [];
  let next = withPreemptions(withStepDownsTidied(state, at.now), at.now);
  next = withLosses(next, at.now, effects);
  if (next.validUntil > formerUntil && holdsAny(next)) effects.push({ type: "extend", until: next.validUntil });
  next = withGains(next, at.now, effects);
  next = withAdoptedFinished(next);
  next = withRead(next, at.now, effects);
  next = withCommit(next, at, effects);
  return [withStop(next, effects), effects];
}

function holdsAny(state: State): boolean {
  return [...state.tenures.values()].some((tenure) => tenure.phase === "on");
}

/** A step-down ends when the election is another's, or when there is nobody left to take it. */
function withStepDownsTidied(state: State, now: Instant): State {
  const ended = (election: string): boolean => {
    if (inDoubt(state, election)) return false;
    if (ownToken(state, election) === undefined) return true;
    return !state.tenures.has(election) && successor(state.mirror, election, state.self.node, null, now) === undefined;
  };
  const staying = [...state.stepDowns].filter(([election]) => !ended(election));
  return staying.length === state.stepDowns.size ? state : { ...state, stepDowns: new Map(staying) };
}

function withPreemptions(state: State, now: Instant): State {
  const due: [string, StepDown][] = [];
  for (const election of state.tenures.keys()) {
    const better = preemptDue(state, election, now);
    if (better !== undefined && better.at <= now)
      due.push([election, { to: better.to, reason: `${better.to} has a higher priority` }]);
  }
  return due.length === 0 ? state : { ...state, stepDowns: new Map([...state.stepDowns, ...due]) };
}

function withLosses(state: State, now: Instant, effects: Effect[]): State {
  const closing: [string, Tenure][] = [];
  for (const [election, tenure] of state.tenures) {
    if (tenure.phase !== "on") continue;
    const reason = lossOf(state, election, tenure.token, now);
    if (reason === undefined) continue;
    closing.push([election, { phase: "closing", reason }]);
    effects.push({ type: "lose", election, reason });
  }
  for (const election of state.adopted) {
    const reason =
      ownToken(state, election) === undefined
        ? "the store names another holder"
        : ineligibleReason(state, election, now);
    if (reason === undefined || state.tenures.has(election)) continue;
    closing.push([election, { phase: "closing", reason }]);
    effects.push({ type: "lose", election, reason });
  }
  return closing.length === 0 ? state : { ...state, tenures: new Map([...state.tenures, ...closing]) };
}

function withGains(state: State, now: Instant, effects: Effect[]): State {
  const gained: [string, Tenure][] = [];
  for (const election of state.candidacies.keys()) {
    const token = gainOf(state, election, now);
    if (token === undefined) continue;
    gained.push([election, { phase: "on", token, since: now }]);
    effects.push({ type: "gain", election, token, until: state.validUntil });
  }
  if (gained.length === 0) return state;
  const preemptSuppressed = new Set(
    [...state.preemptSuppressed].filter((election) => !gained.some(([name]) => name === election)),
  );
  return { ...state, preemptSuppressed, tenures: new Map([...state.tenures, ...gained]) };
}

/** What an earlier process left is settled once this process holds it, or has told the host to let it go. */
function withAdoptedFinished(state: State): State {
  const left = [...state.adopted].filter((election) => !state.tenures.has(election));
  return left.length === state.adopted.size ? state : { ...state, adopted: new Set(left) };
}

function withRead(state: State, now: Instant, effects: Effect[]): State {
  if (now < readDueAt(state)) return state;
  effects.push({ type: "read", timeoutMs: state.timings.requestTimeoutMs });
  return { ...state, reading: true };
}

function withCommit(state: State, at: Moment, effects: Effect[]): State {
  if (at.now < commitDueAt(state, at.now)) return state;
  const late =
    ownSession(state) !== undefined &&
    !state.stopping &&
    at.now >= later(state.heartbeatSentAt, state.timings.ttlMs / 2);
  const attempt = propose(state, at, late);
  effects.push({
    type: "commit",
    attempt: attempt.number,
    txn: attempt.txn,
    timeoutMs: state.timings.requestTimeoutMs,
  });
  return { ...state, attempts: attempt.number, inFlight: attempt };
}

/** A node that has let go of everything, and has no session left to end, has left the fleet. */
function withStop(state: State, effects: Effect[]): State {
  const waiting =
    state.tenures.size > 0 || state.inFlight !== null || (state.synced && ownSession(state) !== undefined);
  if (!state.stopping || waiting) return state;
  effects.push({ type: "stopped" });
  return { ...state, stopped: true };
}

function readDueAt(state: State): Instant {
  if (state.reading) return NEVER;
  const due = state.readWanted ? state.backoffUntil : later(state.lastReadAt, state.timings.resyncEveryMs);
  return due > state.backoffUntil ? due : state.backoffUntil;
}

function commitDueAt(state: State, now: Instant): Instant {
  const busy = state.inFlight !== null || state.readWanted || !state.synced || state.identity.kind !== "ready";
  if (busy || (state.stopping && ownSession(state) === undefined)) return NEVER;
  const wish =
    ownSession(state) === undefined ? joinableAt(state) : earliest(heartbeatDueAt(state), mutationsDueAt(state, now));
  return wish > state.backoffUntil ? wish : state.backoffUntil;
}

function heartbeatDueAt(state: State): Instant {
  return later(state.heartbeatSentAt, state.timings.heartbeatEveryMs);
}

/** When something besides the heartbeat is due to be written. */
function mutationsDueAt(state: State, now: Instant): Instant {
  if (hasDueMutations(state, { now, wallMs: 0 })) return now;
  const takes = [...state.candidacies.keys()].map((election) => takeDueAt(state, election, now));
  return earliest(...takes.filter((due) => due > now), trusted(state) ? NEVER : trustedAt(state));
}

function preemptWakeup(state: State, now: Instant): Instant {
  return earliest(...[...state.tenures.keys()].map((election) => preemptDue(state, election, now)?.at ?? NEVER));
}
