// The VRRP machine of one virtual router: events and time in, effects out. No clock, no I/O, no random number.
//
// It differs from the RFCs' machine in what it makes of a mastership. A master's own adverts are its lease: after an advert
// left at t, no backup takes over before t + 3 intervals, so until then this host may hold the addresses ("gain", "extend").
// An advert that did not leave extends nothing. A master whose program is frozen or killed thus falls silent, by the kernel's
// fence, before a backup's master-down timer can fire. VRRP promises this among those that hear each other; when the network
// is divided, each part has its master, and the machine can only tell when it sees one ("conflict-begins").
//
// Pre-emption waits for an advert of the lower master, so that it is known to live and to hear the claim (listening.ts); and
// behind the claim it waits until nobody answers any more, or may (preempting.ts), so that not both answer.
//
//   initialize --started--> backup --silence--> claiming --an advert left, and nobody else answers--> master
//   claiming, master --outranked--> backup;  master --> releasing --released--> backup, fault or stopped
//
// What the integrator owes:
// - `at` never falls, and is CLOCK_BOOTTIME read when the event is handed in, as `at` of "sent" is;
// - one "tick" at the start; then "tick" at `nextVrrpWakeup` or earlier, or more often: that does no harm;
// - effects are done in order, and before the next event; "lose" at once and synchronously as far as the fence goes;
// - "speak" goes to a sender that a busy program does not delay, and that falls silent by itself, for good, when the program
//   gave no sign of life; it then reports "silenced", and may be told to "speak" again. It reports "sent" with the time before
//   the send, for each advert that left, "say" excepted. A report that comes late does no harm, a false one does;
// - before the first tick after a pause of the program, what the sender has sent meanwhile is handed in as "sent";
// - "drain": hand in everything that the sockets have received, as "advert" and "refused", and then "drained". Who was not
//   scheduled shall not believe the silence that it slept through;
// - "ask" is answered by "answered", soon: true only if all were asked behind "ask" and none answered. Without an answer, or where
//   nobody knows, the machine asks again, and holds nothing before the former master's right to hold has ended;
// - "lose" is answered by "released" when the fence is closed and the addresses are gone, never before: only then the farewell
//   (priority 0) is said, so that a successor cannot answer beside this host. It comes also when nothing was held;
// - after "gain" the addresses are held until the last "until" that was given, or "unable" or "too-slow" tells why not;
// - adverts are handed in only if they are of this router id and authentic (src/wire/vrrp-auth.ts);
// - "stopped": what was said before is let out, then the sender and the sockets may be closed.

import { unreachable } from "../base/assert.ts";
import { reason } from "../base/reasons.ts";
import { earliest, type Instant, NEVER } from "../base/time.ts";
import { VRRP_PRIORITY_OWNER, VRRP_PRIORITY_STOP } from "../base/vrrp.ts";
import { describeVrrpFault } from "../wire/vrrp-fault.ts";
import { describeMisfit, type HeardAdvert, type Misfit, misfitOf } from "./judge.ts";
import { hear, isStale, listen, listenOnce, obey, wakeAt, watch } from "./listening.ts";
import { chain, depart, departure, giveUp, note, toBackup, toClaiming, toFault, toMaster } from "./moves.ts";
import { nextNoteAt, tellNotes } from "./notes.ts";
import {
  becomeUnable,
  configured,
  fallBehind,
  fitted,
  giveWay,
  prioritized,
  speakAnew,
  stepDown,
  stop,
} from "./requests.ts";
import { afterClaim, claimAnew, formerOf, hearAnswer, hearFormer, proceed, type Turn, turnAt } from "./preempting.ts";
import { answer, extend, forgetRival, judgeRival, lapseAt, seeRival } from "./speaking.ts";
import type { Claiming, Listening, Phase, VrrpEvent, VrrpState, VrrpStep } from "./state.ts";
import { giveUpAt, validUntil } from "./timing.ts";

/** A holding that lasted this long, in milliseconds, makes good for failures before it. */
const SOUND_HOLDING_MS = 60_000;

/** Moves the machine by one event. */
export function stepVrrp(state: VrrpState, event: VrrpEvent, at: Instant): VrrpStep {
  if (state.phase.kind === "stopped") return [state, []];
  switch (event.type) {
    case "tick":
      return ticked(state, at);
    case "advert":
      return heardAdvert(state, event, at);
    case "refused":
      return dropped(state, event.fault.reason, event.source, describeVrrpFault(event.fault), at);
    case "drained":
      return drained(state, at);
    case "answered":
      return onAnswered(state, event, at);
    case "sent":
      return sent(state, event.at, at);
    case "send-failed":
      return note(
        state,
        { level: "warning", code: "send-failed", text: `an advert did not leave: ${event.message}` },
        at,
      );
    case "silenced":
      return silenced(state, at);
    case "priority":
      return prioritized(state, event.priority, at);
    case "fitness":
      return fitted(state, event.ineligible, at);
    case "released":
      return state.phase.kind === "releasing" ? depart(state, state.phase, at) : [state, []];
    case "unable":
      return becomeUnable(state, at);
    case "too-slow":
      return fallBehind(state, at);
    case "given-way":
      return giveWay(state, at);
    case "step-down":
      return stepDown(state, event.reason, at);
    case "stop":
      return stop(state, event.reason, at);
    case "configure":
      return configured(state, event.router, at);
    default:
      return unreachable(event);
  }
}

/** The timers of a virtual router, by name. */
export type VrrpTimer = "startup" | "master-down" | "settling" | "lease" | "conflict" | "back-off" | "notes";

/** When each timer fires; `NEVER` for those that do not run. */
export function vrrpTimers({ router, phase, notes, ineligible }: VrrpState): Readonly<Record<VrrpTimer, Instant>> {
  return {
    startup: phase.kind === "initialize" ? phase.startAt : NEVER,
    "master-down": phase.kind === "backup" ? wakeAt(phase.listening) : NEVER,
    settling: phase.kind === "claiming" ? settlingAt(phase) : NEVER,
    lease: phase.kind === "master" ? lapseAt(router, phase.holding) : NEVER,
    conflict: phase.kind === "master" ? phase.holding.rivalGoneAt : NEVER,
    "back-off": phase.kind === "fault" && ineligible === null ? phase.until : NEVER,
    notes: phase.kind === "stopped" ? NEVER : nextNoteAt(notes),
  };
}

/** When the machine wants a "tick" at the latest; `NEVER` when only an event can move it. */
export function nextVrrpWakeup(state: VrrpState): Instant {
  return earliest(...Object.values(vrrpTimers(state)));
}

function ticked(state: VrrpState, at: Instant): VrrpStep {
  const [notes, told] = tellNotes(state.notes, at);
  return chain([{ ...state, notes }, told], (next) => tickedPhase(next, at));
}

function tickedPhase(state: VrrpState, at: Instant): VrrpStep {
  const { router, priority, phase, ineligible } = state;
  if (phase.kind === "initialize" && at >= phase.startAt) return begun(state, at);
  if (phase.kind === "backup") return listened(state, phase.listening, at);
  if (phase.kind === "fault" && ineligible === null && at >= phase.until)
    return toBackup(state, listen(router, priority, at), reason("fit-again"), at);
  if (phase.kind === "claiming" && phase.former !== null && at >= settlingAt(phase))
    return settle(state, phase, proceed(phase.former, at));
  if (phase.kind !== "master") return [state, []];
  if (at >= lapseAt(router, phase.holding)) return lapsed(state, at);
  const [holding, effects] = forgetRival(phase.holding, at);
  return [{ ...state, phase: { ...phase, holding } }, effects];
}

/** The owner of the addresses does not ask who else has them (RFC 9568, section 6.4.1). */
function begun(state: VrrpState, at: Instant): VrrpStep {
  if (state.ineligible !== null) return toFault(state, at, state.ineligible, at);
  if (state.priority === VRRP_PRIORITY_OWNER) return toClaiming(state, null, reason("address-owner"), at);
  return toBackup(state, listen(state.router, state.priority, at), reason("started"), at);
}

function listened(state: VrrpState, listening: Listening, at: Instant): VrrpStep {
  const seen = watch(listening, at);
  if (seen.kind === "wait") return [state, []];
  if (seen.kind === "take-over") return askToDrain(state, { ...listening, takeover: seen.takeover });
  const late = Math.round(seen.lateMs);
  const text = `this host was not scheduled for ${late} ms when it was to take over: it listens once more`;
  const again = withListening(state, listenOnce(listening, state.router, state.priority, at));
  return note(again, { level: "warning", code: "overslept", text }, at);
}

function withListening(state: VrrpState, listening: Listening): VrrpState {
  return { ...state, phase: { kind: "backup", listening } };
}

function askToDrain(state: VrrpState, listening: Listening): VrrpStep {
  return [withListening(state, listening), [{ type: "drain" }]];
}

/** Nothing came that speaks against the takeover, and this host was awake to hear it. */
function drained(state: VrrpState, at: Instant): VrrpStep {
  const { phase } = state;
  if (phase.kind === "claiming") return drainedBehindClaim(state, phase, at);
  if (phase.kind !== "backup") return [state, []];
  const { listening } = phase;
  const { takeover } = listening;
  if (takeover === null) return [state, []];
  if (isStale(takeover, listening, at))
    return askToDrain(state, { ...listening, takeover: { ...takeover, askedAt: at } });
  const former = takeover.why === "lower-master" ? formerOf(listening, at) : null;
  return toClaiming(state, former, reason(takeover.why, listening.master?.source), at);
}

/** When a claim that has left is to be looked at. */
function settlingAt({ sentAt, former }: Claiming): Instant {
  return sentAt === null || former === null ? NEVER : turnAt(former);
}

function settle(state: VrrpState, phase: Claiming, { kind, former }: Turn): VrrpStep {
  const next: VrrpState = { ...state, phase: { ...phase, former } };
  if (kind === "ask") return [next, [{ type: "ask", askedAt: former.inquiry.at }]];
  return [next, kind === "drain" ? [{ type: "drain" }] : []];
}

function onAnswered(
  state: VrrpState,
  { askedAt, isSilent }: Extract<VrrpEvent, { type: "answered" }>,
  at: Instant,
): VrrpStep {
  const { phase } = state;
  if (phase.kind !== "claiming" || phase.former === null) return [state, []];
  return settle(state, phase, hearAnswer(phase.former, askedAt, isSilent, at));
}

/** Nobody has spoken against the claim behind which the former master let go. */
function drainedBehindClaim(state: VrrpState, phase: Claiming, at: Instant): VrrpStep {
  const { former, sentAt } = phase;
  if (former?.inquiry.kind !== "over" || sentAt === null) return [state, []];
  if (at - former.inquiry.at > state.router.intervalMs / 2)
    return settle(state, phase, { kind: "drain", former: { ...former, inquiry: { ...former.inquiry, at } } });
  return claimed(state, sentAt, at);
}

function heardAdvert(state: VrrpState, heard: HeardAdvert, at: Instant): VrrpStep {
  const { router, phase } = state;
  if (phase.kind === "initialize" || phase.kind === "fault") return [state, []];
  const misfit = misfitOf(router, heard);
  if (misfit === undefined) return believed(state, heard, at);
  const tolerated = misfit.reason === "addresses-differ" && router.rules.foreignAddresses === "accept";
  if (!tolerated) return dropped(state, misfit.reason, heard.source, describeMisfit(misfit), at);
  return chain(toleratedNote(state, misfit, heard, at), (next) => believed(next, heard, at));
}

function dropped(state: VrrpState, code: string, source: string, why: string, at: Instant): VrrpStep {
  return note(state, { level: "warning", code, text: `a packet of ${source} was dropped: ${why}` }, at);
}

function toleratedNote(state: VrrpState, misfit: Misfit, { source }: HeardAdvert, at: Instant): VrrpStep {
  const text = `an advert of ${source} does not fit: ${describeMisfit(misfit)}`;
  return note(state, { level: "warning", code: misfit.reason, text }, at);
}

function believed(state: VrrpState, heard: HeardAdvert, at: Instant): VrrpStep {
  const { router, priority, phase } = state;
  if (priority === VRRP_PRIORITY_OWNER && !router.rules.ownerListens) return [state, []];
  if (phase.kind === "claiming" || phase.kind === "master") return contested(state, phase, heard, at);
  if (phase.kind !== "backup" && phase.kind !== "releasing") return [state, []];
  const listening = hear(phase.listening, router, priority, heard, at);
  if (phase.kind === "backup") {
    const asks = listening.takeover !== null && phase.listening.takeover === null;
    return asks ? askToDrain(state, listening) : [withListening(state, listening), []];
  }
  // Somebody else is the master by now: a farewell would have that one's backups start.
  const farewell = phase.farewell && heard.advert.priority === VRRP_PRIORITY_STOP;
  return [{ ...state, phase: { ...phase, listening, farewell } }, []];
}

/** Another router speaks while this one does. */
function contested(
  state: VrrpState,
  phase: Extract<Phase, { kind: "claiming" | "master" }>,
  heard: HeardAdvert,
  at: Instant,
): VrrpStep {
  const { router, priority } = state;
  const verdict = judgeRival(state, heard);
  if (verdict === "yield") {
    const listening = obey(listen(router, priority, at), router, priority, heard, at);
    const change = reason("higher-master", heard.source);
    return giveUp(state, departure(state, at, { next: "backup", change, farewell: false, listening }), at);
  }
  const [speaking, answers] =
    verdict === "ignore" ? ([phase.speaking, []] as const) : answer(state, phase.speaking, heard, at);
  if (phase.kind === "claiming") {
    const isGone = heard.advert.priority === VRRP_PRIORITY_STOP;
    const former = isGone ? phase.former : hearFormer(phase.former, router, priority, heard, at);
    return [{ ...state, phase: { ...phase, speaking, former } }, answers];
  }
  const [holding, conflict] = seeRival(router, speaking, phase.holding, heard, at);
  return [{ ...state, phase: { ...phase, speaking, holding } }, [...answers, ...conflict]];
}

function sent(state: VrrpState, sentAt: Instant, at: Instant): VrrpStep {
  const { router, phase } = state;
  if ((phase.kind !== "claiming" && phase.kind !== "master") || sentAt < phase.speaking.spokeAt) return [state, []];
  if (phase.kind === "claiming") {
    if (phase.former === null) return claimed(state, sentAt, at);
    return [{ ...state, phase: { ...phase, sentAt, former: afterClaim(phase.former, sentAt) } }, []];
  }
  const holding = extend(router, phase.holding, sentAt);
  if (holding.validUntil === phase.holding.validUntil) return [state, []];
  const failures = sentAt - holding.since > SOUND_HOLDING_MS ? 0 : state.failures;
  return [{ ...state, failures, phase: { ...phase, holding } }, [{ type: "extend", until: holding.validUntil }]];
}

/** A claim that nobody stands in the way of, by an advert that left at `sentAt`. */
function claimed(state: VrrpState, sentAt: Instant, at: Instant): VrrpStep {
  const { intervalMs } = state.router;
  if (at < giveUpAt(validUntil(sentAt, intervalMs), intervalMs)) return toMaster(state, sentAt, at);
  // Too late to hold by that advert: the next one is a claim of its own.
  return state.phase.kind === "claiming"
    ? [{ ...state, phase: { ...state.phase, sentAt: null, former: claimAnew(state.phase.former) } }, []]
    : [state, []];
}

/** The sender was not sure that this program lives. It does: the lease decides whether it goes on. */
function silenced(state: VrrpState, at: Instant): VrrpStep {
  const { router, phase } = state;
  if (phase.kind === "claiming") return speakAnew(state, at);
  if (phase.kind !== "master") return [state, []];
  return at >= lapseAt(router, phase.holding) ? lapsed(state, at) : speakAnew(state, at);
}

function lapsed(state: VrrpState, at: Instant): VrrpStep {
  const change = reason("adverts-late");
  return giveUp(state, departure(state, at, { next: "backup", change, farewell: false }), at);
}
