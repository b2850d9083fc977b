// What the parts of the VIP machine do to a VIP that is held: its place in the state, its deadline, its opening.

import { elapsedMs, type Instant, NEVER } from "../base/time.ts";
import { forgetConflict } from "./conflicts.ts";
import type { Holding, VipEffect, VipState } from "./state.ts";

/** An address outlives its fence by this much at most, in milliseconds. */
export const LIFETIME_SLACK_MS = 30_000;

/** Opens these under a deadline, for as long as that lasts. */
export function open(state: VipState, vips: readonly string[], deadline: number, effects: VipEffect[]): void {
  const known = state.deadlines.get(deadline);
  if (known !== undefined) openUntil(state, vips, deadline, known.until, effects);
}

/** Opens these and extends the deadline; where its number is tainted, all that is held moves to another one. */
export function openUntil(
  state: VipState,
  vips: readonly string[],
  deadline: number,
  until: Instant,
  effects: VipEffect[],
): void {
  const known = state.deadlines.get(deadline);
  if (known === undefined) return;
  if (!known.isTainted) {
    effects.push({ type: "open", vips, deadline, number: known.number, until });
    return;
  }
  const number = takeNumber(state);
  state.deadlines.set(deadline, { ...known, number, isTainted: false });
  effects.push({ type: "open", vips: heldUnder(state, deadline), deadline, number, until });
}

/** A number for a deadline of the fence. */
export function takeNumber(state: VipState): number {
  const number = state.nextNumber;
  state.nextNumber = (number + 1) >>> 0;
  return number;
}

/** The VIPs that are held, or about to be, under a deadline. */
export function heldUnder(state: VipState, deadline: number): readonly string[] {
  return [...state.holdings].flatMap(([vip, holding]) =>
    holding.phase !== "closing" && holding.deadline === deadline ? [vip] : [],
  );
}

/** Gives a VIP its new holding, or none, and wakes for it what is to be woken. */
export function setHolding(state: VipState, vip: string, holding: Holding | undefined): void {
  if (holding !== undefined) state.holdings.set(vip, holding);
  else {
    state.holdings.delete(vip);
    state.granted.delete(vip);
  }
  if (holding?.phase !== "on") forgetConflict(state, vip);
  state.wakeups.set(`announce ${vip}`, holding?.phase === "on" ? (holding.schedule[0] ?? NEVER) : NEVER);
  state.wakeups.set(`close ${vip}`, NEVER);
  if (holding?.phase !== "on") state.wakeups.set(`route ${vip}`, NEVER);
}

/** When a deadline is over; NEVER: there is none. */
export function untilOf(state: VipState, deadline: number): Instant {
  return state.deadlines.get(deadline)?.until ?? NEVER;
}

/** How long an address under a deadline may live, in milliseconds. */
export function lifetimeMs(state: VipState, deadline: number, now: Instant): number {
  return Math.max(0, elapsedMs(now, untilOf(state, deadline))) + LIFETIME_SLACK_MS;
}
