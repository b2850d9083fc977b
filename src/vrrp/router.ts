// What a virtual router is on this host: its configuration, and the rules on which the RFCs and keepalived differ.

import type { VrrpReach, VrrpVersion } from "../base/vrrp.ts";

/** Points on which the documents and keepalived differ. */
export interface VrrpRules {
  /** A master answers an advert of lower priority with one of its own, at once: RFC 9568 (6.4.3) and keepalived; the others discard it. */
  readonly answerLower: boolean;
  /** It announces the addresses anew then: keepalived, for switches that have learned the other's port meanwhile. */
  readonly announceAfterLower: boolean;
  /** Version 3: the skew follows the interval that was learned from the master: RFC 9568 (6.4.2) and keepalived. */
  readonly skewFollowsMaster: boolean;
  /** The owner of the addresses (priority 255) hears other masters: keepalived. The RFCs (7.1) have it drop all adverts. */
  readonly ownerListens: boolean;
  /** An advert whose addresses are others than the configured ones: keepalived 2.2.7 drops it, 2.3.3 and the RFCs accept it. */
  readonly foreignAddresses: "drop" | "accept";
}

/** keepalived 2.2.7, the default: whatever it drops and we do not, or the other way round, ends in two masters. */
export const KEEPALIVED_2_2: VrrpRules = {
  answerLower: true,
  announceAfterLower: true,
  skewFollowsMaster: true,
  ownerListens: true,
  foreignAddresses: "drop",
};

/** RFC 3768, version 2. */
export const RFC_3768: VrrpRules = {
  answerLower: false,
  announceAfterLower: false,
  skewFollowsMaster: false,
  ownerListens: false,
  foreignAddresses: "accept",
};

/** RFC 5798, the first of version 3. */
export const RFC_5798: VrrpRules = { ...RFC_3768 };

/** RFC 9568, the present version 3. */
export const RFC_9568: VrrpRules = { ...RFC_3768, answerLower: true, skewFollowsMaster: true };

/** One virtual router on this host. */
export interface VrrpRouter {
  readonly version: VrrpVersion;
  /** 1 to 255. */
  readonly vrid: number;
  /** 1 to 254, or 255 for the owner of the addresses, whose priority nothing alters. */
  readonly priority: number;
  /** What the version can carry: whole seconds in version 2, centiseconds in version 3. */
  readonly intervalMs: number;
  /** Canonical text, all of one family; they are advertised in this order. */
  readonly addresses: readonly string[];
  /** The address that adverts are sent from: it decides between masters of equal priority. */
  readonly source: string;
  readonly reach: VrrpReach;
  /** Whether a master of lower priority is replaced. */
  readonly preempt: boolean;
  /** How long after hearing such a master for the first time it is left alone, in milliseconds. */
  readonly preemptDelayMs: number;
  /** How long after its start the router takes no part, in milliseconds. */
  readonly startupDelayMs: number;
  /**
   * The wait of a backup of priority 0 after the master's farewell (its priority 0 advert); others wait in proportion. `null`
   * is the RFCs' skew, up to a second or an interval. Less is for routers whose peers are all vipd: the order of priorities
   * then holds among them only.
   */
  readonly farewellWaitMs: number | null;
  /**
   * How long after a step-down this router leaves a master of lower priority alone. Infinity: until that master has gone.
   * When no other router takes over, this one does after twice the time in which a backup notices a silent master.
   */
  readonly preemptPauseMs: number;
  readonly rules: VrrpRules;
}

/** A router with keepalived's defaults for all that is not given. */
export function vrrpRouter(given: Pick<VrrpRouter, "vrid" | "addresses" | "source"> & Partial<VrrpRouter>): VrrpRouter {
  return {
    version: 2,
    priority: 100,
    intervalMs: 1000,
    reach: { kind: "multicast" },
    preempt: true,
    preemptDelayMs: 0,
    startupDelayMs: 0,
    farewellWaitMs: null,
    preemptPauseMs: Number.POSITIVE_INFINITY,
    rules: KEEPALIVED_2_2,
    ...given,
  };
}
