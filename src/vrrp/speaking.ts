// A router that speaks as the master: what it answers to others, and how its own adverts are its lease.

import { type Instant, instant, later, LONG_AGO, NEVER } from "../base/time.ts";
import { VRRP_PRIORITY_STOP, type VrrpAdvert } from "../base/vrrp.ts";
import { type HeardAdvert, outranks } from "./judge.ts";
import type { VrrpRouter } from "./router.ts";
import type { Holding, Rival, Speaking, VrrpEffect, VrrpState } from "./state.ts";
import { giveUpAt, validUntil } from "./timing.ts";

/** A rival that is not heard for so many of its intervals has gone. */
const RIVAL_GONE_INTERVALS = 3.5;

/** Answers to other masters are not closer than a quarter of the interval, and this is the most that they wait, in milliseconds. */
const MOST_QUIET_MS = 100;

/** The advert of this router with this priority. */
export function advertOf(router: VrrpRouter, priority: number): VrrpAdvert {
  const { version, vrid, intervalMs, addresses } = router;
  return { version, vrid, priority, intervalMs, addresses };
}

/** "From now on": the periodic advert of this router. */
export function speak(router: VrrpRouter, priority: number): VrrpEffect {
  return { type: "speak", advert: advertOf(router, priority) };
}

/** The farewell. */
export function sayFarewell(router: VrrpRouter): VrrpEffect {
  return { type: "say", advert: advertOf(router, VRRP_PRIORITY_STOP) };
}

/** A router that begins to speak. */
export function beginSpeaking(at: Instant): Speaking {
  return { claimedAt: at, spokeAt: at, silentUntil: LONG_AGO };
}

/** A holding that begins with an advert that left at `sentAt`. */
export function beginHolding(router: VrrpRouter, sentAt: Instant): Holding {
  const until = validUntil(sentAt, router.intervalMs);
  return { since: sentAt, validUntil: until, rival: null, rivalGoneAt: NEVER };
}

/** When the daemon lets go of a holding that no further advert extends. */
export function lapseAt(router: VrrpRouter, holding: Holding): Instant {
  return giveUpAt(holding.validUntil, router.intervalMs);
}

/** What another master's advert means to one that speaks. */
export type Verdict = "yield" | "answer" | "ignore";

/** Judges an advert that fits the router. */
export function judgeRival({ router, priority }: VrrpState, heard: HeardAdvert): Verdict {
  if (heard.advert.priority === VRRP_PRIORITY_STOP) return "answer";
  if (outranks(heard, priority, router.source)) return "yield";
  return router.rules.answerLower ? "answer" : "ignore";
}

/** An answer to another master: an advert, and for a living rival the announcement, unless both were given a moment ago. */
export function answer(
  { router, priority }: VrrpState,
  speaking: Speaking,
  heard: HeardAdvert,
  at: Instant,
): readonly [Speaking, readonly VrrpEffect[]] {
  if (at < speaking.silentUntil) return [speaking, []];
  const announce = router.rules.announceAfterLower && heard.advert.priority !== VRRP_PRIORITY_STOP;
  const effects: readonly VrrpEffect[] = [
    { type: "say", advert: advertOf(router, priority) },
    ...(announce ? [{ type: "announce" } as const] : []),
  ];
  const quietMs = Math.min(MOST_QUIET_MS, router.intervalMs / 4);
  return [{ ...speaking, silentUntil: later(at, quietMs) }, effects];
}

/**
 * Takes note of a master that goes on beside this one. An advert that crossed with this router's first ones is none: its
 * sender had not heard them.
 */
export function seeRival(
  router: VrrpRouter,
  speaking: Speaking,
  holding: Holding,
  heard: HeardAdvert,
  at: Instant,
): readonly [Holding, readonly VrrpEffect[]] {
  const crossing = at < later(speaking.claimedAt, router.intervalMs / 2);
  if (heard.advert.priority === VRRP_PRIORITY_STOP || crossing) return [holding, []];
  const rival: Rival = { source: heard.source, priority: heard.advert.priority, heardAt: at };
  const rivalGoneAt = later(at, RIVAL_GONE_INTERVALS * Math.max(heard.advert.intervalMs, router.intervalMs));
  const next = { ...holding, rival, rivalGoneAt };
  return [next, holding.rival === null ? [{ type: "conflict-begins", rival }] : []];
}

/** Ends a conflict whose rival has not been heard for long. */
export function forgetRival(holding: Holding, at: Instant): readonly [Holding, readonly VrrpEffect[]] {
  if (holding.rival === null || at < holding.rivalGoneAt) return [holding, []];
  return [{ ...holding, rival: null, rivalGoneAt: NEVER }, endConflict(holding)];
}

/** What the end of a holding means for a conflict. */
export function endConflict({ rival }: Holding): readonly VrrpEffect[] {
  return rival === null ? [] : [{ type: "conflict-ends", rival }];
}

/**
 * A holding under another configuration. Once an advert with a shorter interval has left, backups wait for three of those only:
 * so the holding is cut down before it leaves.
 */
export function cutShort(router: VrrpRouter, holding: Holding, at: Instant): readonly [Holding, readonly VrrpEffect[]] {
  const until = validUntil(at, router.intervalMs);
  if (until >= holding.validUntil) return [holding, []];
  return [{ ...holding, validUntil: until }, [{ type: "extend", until }]];
}

/** A holding after an advert that left at `sentAt`. */
export function extend(router: VrrpRouter, holding: Holding, sentAt: Instant): Holding {
  const until = validUntil(sentAt, router.intervalMs);
  return { ...holding, validUntil: instant(Math.max(holding.validUntil, until)) };
}
