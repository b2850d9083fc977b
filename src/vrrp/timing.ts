// The arithmetic of VRRP's time, and of the lease that a master has by its own adverts.
//
// A backup starts its master-down timer when it receives an advert, and that is later than the moment before the advert was
// sent. So a master knows that no backup gives up on it before three intervals have passed since that moment, by the backup's
// clock. Both clocks' rates may be off by DRIFT; the skew, which is never negative, is additional safety and left out.

import { type Instant, later } from "../base/time.ts";
import { VRRP_PRIORITY_OWNER, type VrrpVersion } from "../base/vrrp.ts";
import type { VrrpRouter } from "./router.ts";

/** Bound on the rate error of any clock, as in the lease election: NTP slewing (500 ppm) plus a poor crystal. */
const DRIFT = 1e-3;

/** Intervals that a backup waits for (RFC 3768, section 6.1: Master_Down_Interval). */
const DOWN_INTERVALS = 3;

/** Answers that have left but not arrived when the lease ends, in milliseconds. */
const IN_FLIGHT_MS = 2;

/** Version 2's skew is a part of this, whatever the interval is (RFC 3768, section 6.1). */
const V2_SKEW_SPAN_MS = 1000;

/** The skew in milliseconds: the higher the priority, the sooner a backup takes over (RFC 3768 and RFC 9568, section 6.1). */
export function skewMs(version: VrrpVersion, priority: number, masterIntervalMs: number): number {
  const span = version === 2 ? V2_SKEW_SPAN_MS : masterIntervalMs;
  return ((VRRP_PRIORITY_OWNER + 1 - priority) / (VRRP_PRIORITY_OWNER + 1)) * span;
}

/** How long a backup of this priority waits for a master that advertises every `masterIntervalMs`. */
export function masterDownMs(router: VrrpRouter, priority: number, masterIntervalMs: number): number {
  return DOWN_INTERVALS * masterIntervalMs + routerSkewMs(router, priority, masterIntervalMs);
}

/** The skew by the router's rules. */
export function routerSkewMs(router: VrrpRouter, priority: number, masterIntervalMs: number): number {
  const span = router.rules.skewFollowsMaster ? masterIntervalMs : router.intervalMs;
  return skewMs(router.version, priority, span);
}

/** How long a backup waits after a master's farewell. */
export function farewellMs(router: VrrpRouter, priority: number, masterIntervalMs: number): number {
  const skew = routerSkewMs(router, priority, masterIntervalMs);
  if (router.farewellWaitMs === null) return skew;
  const part = (VRRP_PRIORITY_OWNER + 1 - priority) / (VRRP_PRIORITY_OWNER + 1);
  return Math.min(skew, part * router.farewellWaitMs);
}

/** Until when an advert that was handed to the socket after `sentAt` lets its master hold the addresses. */
export function validUntil(sentAt: Instant, intervalMs: number): Instant {
  return later(sentAt, (DOWN_INTERVALS * intervalMs * (1 - DRIFT)) / (1 + DRIFT) - IN_FLIGHT_MS);
}

/** When the daemon itself lets go; the kernel's fence closes at the end and needs no margin. */
export function giveUpAt(until: Instant, intervalMs: number): Instant {
  return later(until, -Math.min(250, Math.max(10, (DOWN_INTERVALS * intervalMs) / 20)));
}
