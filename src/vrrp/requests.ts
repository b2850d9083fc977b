// What the host and people ask of a virtual router: fitness, priority, step-down, stop, another configuration.

import { assert } from "../base/assert.ts";
import { type Reason, reason } from "../base/reasons.ts";
import { type Instant, later, LONG_AGO } from "../base/time.ts";
import { VRRP_PRIORITY_OWNER } from "../base/vrrp.ts";
import { listen, listenAnew, listenModestly, reprioritize } from "./listening.ts";
import { chain, type Departure, departure, giveUp, toBackup, toClaiming, toFault, toStopped } from "./moves.ts";
import { claimAnew, formerOf } from "./preempting.ts";
import type { VrrpRouter } from "./router.ts";
import { cutShort, speak } from "./speaking.ts";
import type { Listening, Takeover, VrrpState, VrrpStep } from "./state.ts";

/** Shortest and longest back-off after the host could not hold the addresses, in milliseconds; it doubles in between. */
const LEAST_BACK_OFF_MS = 1_000;
const MOST_BACK_OFF_MS = 60_000;

/** The effective priority changed. */
export function prioritized(state: VrrpState, priority: number, at: Instant): VrrpStep {
  // An owner's priority is not altered by tracking.
  if (state.router.priority === VRRP_PRIORITY_OWNER || priority === state.priority) return [state, []];
  assert(Number.isInteger(priority) && priority >= 1 && priority <= 254, "an effective priority is 1 to 254");
  const { phase, router } = state;
  const next = { ...state, priority };
  if (phase.kind === "claiming" || phase.kind === "master") return speakAnew(next, at);
  if (phase.kind !== "backup" && phase.kind !== "releasing") return [next, []];
  const listening = reprioritize(phase.listening, router, state.priority, priority);
  return [{ ...next, phase: { ...phase, listening } }, []];
}

/** The advert changed, or the sender needs to be told again. */
export function speakAnew(state: VrrpState, at: Instant): VrrpStep {
  const { phase } = state;
  assert(phase.kind === "claiming" || phase.kind === "master", "only a speaker speaks anew");
  const speaking = { ...phase.speaking, spokeAt: at };
  const next =
    phase.kind === "claiming"
      ? { ...phase, speaking, sentAt: null, former: claimAnew(phase.former) }
      : { ...phase, speaking };
  return [{ ...state, phase: next }, [speak(state.router, state.priority)]];
}

/** Whether the host may hold the addresses. */
export function fitted(state: VrrpState, ineligible: Reason | null, at: Instant): VrrpStep {
  const next = { ...state, ineligible };
  const { phase } = state;
  if (ineligible === null) {
    const free = phase.kind === "fault" && at >= phase.until && state.ineligible !== null;
    return free ? toBackup(next, listen(state.router, state.priority, at), reason("fit-again"), at) : [next, []];
  }
  if (phase.kind === "backup") return toFault(next, at, ineligible, at);
  return leave(next, { next: "fault", change: ineligible, farewell: true }, at);
}

/** The host could not hold the addresses: others shall, and this one tries again later. */
export function becomeUnable(state: VrrpState, at: Instant): VrrpStep {
  const failures = state.failures + 1;
  const least = Math.max(LEAST_BACK_OFF_MS, 3 * state.router.intervalMs);
  const until = later(at, Math.min(MOST_BACK_OFF_MS, least * 2 ** Math.min(failures - 1, 10)));
  const going = { next: "fault", change: reason("host-released"), farewell: true, until } as const;
  return leave({ ...state, failures }, going, at);
}

/**
 * The host was not scheduled in time to hold the addresses. Others shall, if there are any: that shows by listening, twice as
 * long as they do. A pause would leave the addresses to nobody where all hosts are busy.
 */
export function fallBehind(state: VrrpState, at: Instant): VrrpStep {
  return giveToAnother(state, reason("too-slow"), { preemptSuppressedUntil: LONG_AGO }, at);
}

/** Gives the addresses to another router, and does not take them back from it. Who holds nothing has nothing to give. */
export function stepDown(state: VrrpState, why: Reason, at: Instant): VrrpStep {
  return giveToAnother(state, why, {}, at);
}

/** Says farewell, and then listens for longer than whoever is to follow. */
function giveToAnother(state: VrrpState, change: Reason, more: Partial<Listening>, at: Instant): VrrpStep {
  const { phase, router, priority } = state;
  if (phase.kind !== "claiming" && phase.kind !== "master") return [state, []];
  const listening = { ...listenModestly(router, priority, at), ...more };
  return giveUp(state, departure(state, at, { next: "backup", change, farewell: true, listening }), at);
}

/** Leaves the wire. */
export function stop(state: VrrpState, change: Reason, at: Instant): VrrpStep {
  const { phase } = state;
  if (phase.kind === "initialize" || phase.kind === "backup" || phase.kind === "fault")
    return toStopped(state, change, at);
  return leave(state, { next: "stopped", change, farewell: true }, at);
}

/** Gives up, or redirects a departure that has begun: a stop is the last word, and an unsaid farewell stays unsaid. */
function leave(
  state: VrrpState,
  going: Pick<Departure, "next" | "change" | "farewell"> & Partial<Departure>,
  at: Instant,
): VrrpStep {
  const { phase } = state;
  if (phase.kind === "claiming" || phase.kind === "master") return giveUp(state, departure(state, at, going), at);
  if (phase.kind !== "releasing" || phase.next === "stopped") return [state, []];
  const { next, change, until = at } = going;
  return [{ ...state, phase: { ...phase, next, change, until: until > phase.until ? until : phase.until } }, []];
}

/** The former master has given way: the time of silence is over, once the sockets have nothing to say against it. */
export function giveWay(state: VrrpState, at: Instant): VrrpStep {
  const { phase } = state;
  if (phase.kind !== "backup") return [state, []];
  const takeover: Takeover = { askedAt: at, why: "master-left" };
  const listening: Listening = { ...phase.listening, takeover };
  return [{ ...state, phase: { ...phase, listening } }, [{ type: "drain" }]];
}

/** Goes on with another configuration. */
export function configured(state: VrrpState, router: VrrpRouter, at: Instant): VrrpStep {
  const { phase } = state;
  const before = state.router;
  assert(
    router.vrid === before.vrid && router.version === before.version,
    "another router id or version is another router",
  );
  const next = { ...state, router, priority: router.priority };
  if (phase.kind === "claiming") return speakAnew(next, at);
  if (phase.kind === "master") {
    const [holding, cut] = cutShort(router, phase.holding, at);
    return chain([{ ...next, phase: { ...phase, holding } }, cut], (held) => speakAnew(held, at));
  }
  if (phase.kind !== "backup" && phase.kind !== "releasing") return [next, []];
  if (phase.kind === "backup" && router.priority === VRRP_PRIORITY_OWNER)
    return toClaiming(next, formerOf(phase.listening, at), reason("address-owner"), at);
  const listening =
    router.intervalMs === before.intervalMs
      ? reprioritize(phase.listening, router, state.priority, router.priority)
      : listenAnew(phase.listening, router, at);
  return [{ ...next, phase: { ...phase, listening } }, []];
}
