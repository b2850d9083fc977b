// A router that does not speak: how it takes adverts, and when it becomes the next master.
//
// Pre-emption differs from the RFCs' in one thing. There a backup that does not obey a lower master's adverts replaces it when
// its timer runs out, at any moment between two of them. If that master is frozen just then, its host still answers, by the
// lease of its last advert. Here the master is replaced when the timer has run out AND it is heard: so it lives, hears the
// claim and lets go. It costs an interval at most. A master that is not heard is waited for as any other.

import { type Instant, later, latest, LONG_AGO } from "../base/time.ts";
import { VRRP_PRIORITY_STOP } from "../base/vrrp.ts";
import type { HeardAdvert } from "./judge.ts";
import type { VrrpRouter } from "./router.ts";
import type { Listening, Rival, Takeover } from "./state.ts";
import { farewellMs, masterDownMs, routerSkewMs } from "./timing.ts";

/** Draining is asked for again after this, in milliseconds. */
const DRAIN_RETRY_MS = 100;

/** Begins to listen, with the full time of a master that would advertise as often as this router, or as is given. */
export function listen(
  router: VrrpRouter,
  priority: number,
  at: Instant,
  masterIntervalMs: number = router.intervalMs,
): Listening {
  const masterDownAt = later(at, masterDownMs(router, priority, masterIntervalMs));
  return {
    masterDownAt,
    preemptFrom: masterDownAt,
    masterIntervalMs,
    master: null,
    preemptDelayUntil: null,
    preemptSuppressedUntil: LONG_AGO,
    takeover: null,
    overslept: false,
  };
}

/** Listens after a step-down: twice the usual time, and masters of lower priority are left alone. */
export function listenModestly(router: VrrpRouter, priority: number, at: Instant): Listening {
  const wait = 2 * masterDownMs(router, priority, router.intervalMs);
  const preemptSuppressedUntil = later(at, router.preemptPauseMs);
  return { ...listen(router, priority, at), masterDownAt: later(at, wait), preemptSuppressedUntil };
}

/**
 * Listens on with another interval of its own. In version 3 the master goes on with the one that it has advertised: who forgot
 * it would take over between two adverts.
 */
export function listenAnew(
  { master, masterIntervalMs, preemptSuppressedUntil }: Listening,
  router: VrrpRouter,
  at: Instant,
): Listening {
  const intervalMs = router.version === 3 && master !== null ? masterIntervalMs : router.intervalMs;
  return { ...listen(router, router.priority, at, intervalMs), master, preemptSuppressedUntil };
}

/** Takes an advert that fits the router. */
export function hear(
  listening: Listening,
  router: VrrpRouter,
  priority: number,
  heard: HeardAdvert,
  at: Instant,
): Listening {
  const master: Rival = { source: heard.source, priority: heard.advert.priority, heardAt: at };
  if (master.priority === VRRP_PRIORITY_STOP) {
    // Of one who is not the master any more, or never was: the way is not free.
    if (listening.master !== null && isLiving(listening.master) && listening.master.source !== master.source)
      return listening;
    const masterDownAt = later(at, farewellMs(router, priority, listening.masterIntervalMs));
    return { ...listening, masterDownAt, master, takeover: null, overslept: false };
  }
  const preemptDelayUntil = delayUntil(listening, router, priority, master.priority, at);
  if (preemptDelayUntil === null || at < preemptDelayUntil)
    return { ...obey(listening, router, priority, heard, at), preemptDelayUntil };
  const { masterDownAt, masterIntervalMs } = obey(listening, router, priority, heard, at);
  const { preemptFrom } = listening;
  const known: Listening = {
    ...listening,
    masterDownAt,
    masterIntervalMs,
    master,
    preemptDelayUntil,
    overslept: false,
  };
  const preempts = at >= preemptFrom && isFresh(listening, at);
  return { ...known, takeover: preempts ? (listening.takeover ?? preemption(at)) : null };
}

function isLiving({ priority }: Rival): boolean {
  return priority !== VRRP_PRIORITY_STOP;
}

/**
 * Whether an advert that is handed in now came now. When the time had run out before, this host may not have been scheduled, and
 * the advert is as old as that: the next one shows whether its sender lives.
 */
function isFresh({ masterDownAt, takeover }: Listening, at: Instant): boolean {
  return takeover === null ? at < masterDownAt : takeover.why === "lower-master";
}

/** Takes an advert as the master's, whatever its priority is. */
export function obey(
  listening: Listening,
  router: VrrpRouter,
  priority: number,
  { advert, source }: HeardAdvert,
  at: Instant,
): Listening {
  const masterIntervalMs = router.version === 3 ? advert.intervalMs : router.intervalMs;
  const downAt = later(at, masterDownMs(router, priority, masterIntervalMs));
  const master: Rival = { source, priority: advert.priority, heardAt: at };
  // What a master has advertised holds for as long as it said, though it, or another one, is in more of a hurry now.
  const masterDownAt =
    listening.master !== null && isLiving(listening.master) ? latest(listening.masterDownAt, downAt) : downAt;
  const preemptFrom = masterDownAt;
  return { ...listening, masterDownAt, preemptFrom, masterIntervalMs, master, takeover: null, overslept: false };
}

function preemption(at: Instant): Takeover {
  return { askedAt: at, why: "lower-master" };
}

/** Until when a master of priority `other` is obeyed by delay; `null`: for ever. */
function delayUntil(
  { preemptDelayUntil, preemptSuppressedUntil }: Listening,
  router: VrrpRouter,
  priority: number,
  other: number,
  at: Instant,
): Instant | null {
  if (!router.preempt || other >= priority || at < preemptSuppressedUntil) return null;
  // As keepalived: the delay begins with the first advert of a lower master, and every better one ends it.
  return preemptDelayUntil ?? later(at, router.preemptDelayMs);
}

/** The change of the effective priority moves the deadlines by the difference of the skews. */
export function reprioritize(listening: Listening, router: VrrpRouter, before: number, after: number): Listening {
  const skew = (priority: number): number => routerSkewMs(router, priority, listening.masterIntervalMs);
  const byMs = skew(after) - skew(before);
  const { masterDownAt, preemptFrom } = listening;
  return { ...listening, masterDownAt: later(masterDownAt, byMs), preemptFrom: later(preemptFrom, byMs) };
}

/** What a listener does when a tick comes. */
export type Watch =
  | { readonly kind: "wait" }
  | { readonly kind: "take-over"; readonly takeover: Takeover }
  | { readonly kind: "overslept"; readonly lateMs: number };

/** Whether silence has lasted long enough at `at`, and whether this host was awake enough to say so. */
export function watch(listening: Listening, at: Instant): Watch {
  if (at < wakeAt(listening)) return { kind: "wait" };
  if (listening.takeover !== null) return { kind: "take-over", takeover: { ...listening.takeover, askedAt: at } };
  const lateMs = at - listening.masterDownAt;
  if (lateMs > listening.masterIntervalMs / 2 && !listening.overslept) return { kind: "overslept", lateMs };
  const why = listening.master?.priority === VRRP_PRIORITY_STOP ? "master-left" : "master-down";
  return { kind: "take-over", takeover: { askedAt: at, why } };
}

/** When a listener wants a tick. */
export function wakeAt({ masterDownAt, takeover }: Listening): Instant {
  return takeover === null ? masterDownAt : later(takeover.askedAt, DRAIN_RETRY_MS);
}

/** Whether the answer of the sockets came so late that it may be as stale as the question's occasion. */
export function isStale({ askedAt }: Takeover, { masterIntervalMs }: Listening, at: Instant): boolean {
  return at - askedAt > masterIntervalMs / 2;
}

/** The time again that it takes to hear a living master: an interval, and the skew so that the best backup is first. */
export function listenOnce(listening: Listening, router: VrrpRouter, priority: number, at: Instant): Listening {
  const wait = listening.masterIntervalMs + routerSkewMs(router, priority, listening.masterIntervalMs);
  return { ...listening, masterDownAt: later(at, wait), overslept: true };
}
