// What this host brings to the election of a VIP.

import type { Candidacy } from "../base/candidacy.ts";
import type { Reason } from "../base/reasons.ts";
import type { VipAddress } from "../base/vip.ts";
import type { VipConfig } from "../config/types.ts";

/** `left`: addresses that are not configured any more, and still on the host. */
export function candidacyOf(vip: VipConfig, ineligible: Reason | null, left: readonly VipAddress[]): Candidacy {
  const cidrs = [...vip.addresses, ...left].map(({ ip, prefix }) => `${ip}/${prefix}`);
  return {
    priority: vip.priority,
    ineligible,
    preempt: vip.preempt,
    preemptDelayMs: vip.preemptDelayMs,
    addresses: [...new Set(cidrs)],
    interface: vip.addresses[0]?.interface ?? null,
  };
}
