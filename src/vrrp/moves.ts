// The changes of phase: one function each, with the effects that belong to it.

import { assert } from "../base/assert.ts";
import type { Reason } from "../base/reasons.ts";
import type { Instant } from "../base/time.ts";
import { listen } from "./listening.ts";
import { type Note, noted } from "./notes.ts";
import { beginHolding, beginSpeaking, endConflict, sayFarewell, speak } from "./speaking.ts";
import type { Former, Listening, Phase, VrrpEffect, VrrpState, VrrpStep } from "./state.ts";

/** Goes to a phase. */
function moveTo(state: VrrpState, phase: Phase, change: Reason, at: Instant): VrrpStep {
  const moved: VrrpEffect = { type: "moved", from: state.phase.kind, to: phase.kind, change };
  return [{ ...state, phase, change, changedAt: at }, [moved]];
}

/** Becomes a backup that listens so; a fault, where the host may not hold the addresses. */
export function toBackup(state: VrrpState, listening: Listening, change: Reason, at: Instant): VrrpStep {
  if (state.ineligible !== null) return toFault(state, at, state.ineligible, at);
  return moveTo(state, { kind: "backup", listening }, change, at);
}

/** Takes no part before `until`, and as long as something speaks against it. */
export function toFault(state: VrrpState, until: Instant, change: Reason, at: Instant): VrrpStep {
  return moveTo(state, { kind: "fault", until }, change, at);
}

/** Speaks as the master from now on, and holds the addresses when the one that it replaces has let go. */
export function toClaiming(state: VrrpState, former: Former | null, change: Reason, at: Instant): VrrpStep {
  const step = moveTo(state, { kind: "claiming", speaking: beginSpeaking(at), sentAt: null, former }, change, at);
  return followedBy(step, [speak(state.router, state.priority)]);
}

/** Holds the addresses, since an advert left at `sentAt`. */
export function toMaster(state: VrrpState, sentAt: Instant, at: Instant): VrrpStep {
  assert(state.phase.kind === "claiming", "only a claim becomes a mastership");
  const holding = beginHolding(state.router, sentAt);
  const step = moveTo(state, { kind: "master", speaking: state.phase.speaking, holding }, state.change, at);
  return followedBy(step, [{ type: "gain", until: holding.validUntil }]);
}

/** Has left the wire. */
export function toStopped(state: VrrpState, change: Reason, at: Instant): VrrpStep {
  return followedBy(moveTo(state, { kind: "stopped" }, change, at), [{ type: "stopped" }]);
}

/** Where a router goes that speaks no more, and how. */
export interface Departure {
  readonly next: "backup" | "fault" | "stopped";
  readonly change: Reason;
  readonly farewell: boolean;
  readonly listening: Listening;
  /** The end of the back-off, for "fault". */
  readonly until: Instant;
}

/** A departure with what is usual. */
export function departure(
  { router, priority }: VrrpState,
  at: Instant,
  given: Pick<Departure, "next" | "change" | "farewell"> & Partial<Departure>,
): Departure {
  return { listening: listen(router, priority, at), until: at, ...given };
}

/** Gives up what was claimed or held: a claim at once, a holding when the host has confirmed. */
export function giveUp(state: VrrpState, going: Departure, at: Instant): VrrpStep {
  const { phase } = state;
  if (phase.kind === "claiming") return followedBefore([{ type: "hush" }], depart(state, going, at));
  assert(phase.kind === "master", "only a speaker gives up");
  const step = moveTo(state, { kind: "releasing", ...going }, going.change, at);
  return followedBy(step, [{ type: "hush" }, { type: "lose", change: going.change }, ...endConflict(phase.holding)]);
}

/** The host has let go, or had nothing: says the farewell, and goes on. */
export function depart(state: VrrpState, going: Departure, at: Instant): VrrpStep {
  const farewell = going.farewell ? [sayFarewell(state.router)] : [];
  return followedBefore(farewell, arrive(state, going, at));
}

function arrive(state: VrrpState, { next, change, listening, until }: Departure, at: Instant): VrrpStep {
  if (next === "stopped") return toStopped(state, change, at);
  if (next === "fault") return toFault(state, until, change, at);
  return toBackup(state, listening, change, at);
}

/** Takes a note for people down. */
export function note(state: VrrpState, given: Omit<Note, "type" | "count">, at: Instant): VrrpStep {
  const [notes, told] = noted(state.notes, { type: "note", ...given }, at);
  return [{ ...state, notes }, told];
}

/** One step after the other. */
export function chain([state, effects]: VrrpStep, then: (state: VrrpState) => VrrpStep): VrrpStep {
  const [next, more] = then(state);
  return [next, [...effects, ...more]];
}

function followedBy([state, effects]: VrrpStep, more: readonly VrrpEffect[]): VrrpStep {
  return [state, [...effects, ...more]];
}

function followedBefore(first: readonly VrrpEffect[], [state, effects]: VrrpStep): VrrpStep {
  return [state, [...first, ...effects]];
}
