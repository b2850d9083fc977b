// The virtual router of a VIP, made of what is configured and of what the host brings.

import type { Candidacy } from "../base/candidacy.ts";
import type { Reason } from "../base/reasons.ts";
import type { VipConfig, VrrpConfig } from "../config/types.ts";
import { type VrrpRouter, vrrpRouter } from "../vrrp/router.ts";
import type { VirtualRouterOptions } from "./virtual-router.ts";
import { advertised } from "./vrrp-place.ts";

/** Priorities that tracking may lead to. */
const LEAST_PRIORITY = 1;
const GREATEST_PRIORITY = 254;

/** Of a mixed fleet's nodes one at a time speaks, by their lease: who has given it away need not wait to pre-empt when it comes back. */
const MIXED = { preemptPauseMs: 0 };

/** A host that was too slow leaves the VIP to others where there are any. Whether there are, the virtual router finds out by listening. */
export function isSlow(candidacy: Candidacy | null): boolean {
  return candidacy?.ineligible?.code === "too-slow";
}

/** What keeps a host from taking part; `null`: nothing does. */
export function obstacleOf(candidacy: Candidacy): Reason | null {
  return isSlow(candidacy) ? null : candidacy.ineligible;
}

/** What is configured, moved by what tracking has moved the VIP's own priority by. */
export function priorityOf(vip: VipConfig, vrrp: VrrpConfig, candidacy: Candidacy): number {
  const priority = (vrrp.priority ?? vip.priority) + candidacy.priority - vip.priority;
  return Math.min(GREATEST_PRIORITY, Math.max(LEAST_PRIORITY, Math.round(priority)));
}

/** The virtual router of a VIP on this host, and where it speaks. */
export function optionsOf(
  vip: VipConfig,
  vrrp: VrrpConfig,
  candidacy: Candidacy,
  source: string,
): VirtualRouterOptions {
  const { vrid, version, intervalMs, unicastPeers, authentication, farewellWaitMs } = vrrp;
  const router = vrrpRouter({
    vrid,
    version,
    intervalMs,
    source,
    addresses: advertised(vip),
    priority: vrrp.priority ?? vip.priority,
    reach: unicastPeers.length === 0 ? { kind: "multicast" } : { kind: "unicast", peers: unicastPeers },
    farewellWaitMs,
    preempt: candidacy.preempt && !isSlow(candidacy),
    preemptDelayMs: candidacy.preemptDelayMs,
    ...(vrrp.kind === "vrrp" ? {} : MIXED),
  });
  const options = { router, interface: vrrp.interface, authentication };
  const sourceMac = sourceMacOf(vip, vrrp);
  return sourceMac === undefined ? options : { ...options, sourceMac };
}

/** Unicast is for networks that take from a host what has that host's own MAC: keepalived refuses the virtual one there. */
function sourceMacOf({ addresses: [first] }: VipConfig, { unicastPeers }: VrrpConfig): string | undefined {
  return unicastPeers.length === 0 ? first?.virtualMac?.mac : undefined;
}

/** Whether nothing but a new machine will do. */
export function isAnother(a: VirtualRouterOptions, b: VirtualRouterOptions): boolean {
  const essence = ({ router, interface: link }: VirtualRouterOptions): string =>
    JSON.stringify([link, router.vrid, router.version, router.source, router.reach]);
  return essence(a) !== essence(b);
}

/** Infinity has no JSON; it is the same in all. */
export function plain(router: VrrpRouter): Omit<VrrpRouter, "preemptPauseMs"> {
  const { preemptPauseMs: _, ...others } = router;
  return others;
}
