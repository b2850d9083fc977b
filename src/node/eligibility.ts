// Whether this host could hold a VIP now, by what it knows of itself.

import type { Candidacy } from "../election/state.ts";
import type { VipConfig } from "../config/types.ts";
import type { Link } from "../ports/host.ts";

/** What this node brings to the election of a VIP, given its links. */
export function candidacyOf(vip: VipConfig, links: readonly Link[]): Candidacy {
  const reason = linkTrouble(vip, links);
  return {
    priority: vip.priority,
    eligible: reason === "",
    reason,
    preempt: vip.preempt,
    preemptDelayMs: vip.preemptDelayMs,
    addresses: vip.addresses.map((address) => `${address.ip}/${address.prefix}`),
    interface: vip.addresses[0]?.interface ?? null,
  };
}

function linkTrouble(vip: VipConfig, links: readonly Link[]): string {
  for (const { interface: name } of vip.addresses) {
    const link = links.find((other) => other.name === name);
    if (link === undefined) return `${name} is missing`;
    if (!link.up) return `${name} is down`;
  }
  return "";
}
