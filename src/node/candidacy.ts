// What this host brings to the election of a VIP.

import type { Candidacy } from "../base/candidacy.ts";
import { macsOf, wireInterface } from "../base/virtual-mac.ts";
import type { VipAddress } from "../base/vip.ts";
import type { VipConfig } from "../config/types.ts";

/** How fit this host is for a VIP. */
export interface Fitness extends Pick<Candidacy, "priority" | "ineligible" | "lastResort"> {
  /** Whether it may take it from a holder of lower priority, where the configuration wants that. */
  readonly mayPreempt: boolean;
}

/** `left`: addresses that are not configured any more, or not with this virtual MAC, and still on the host. */
export function candidacyOf(
  vip: VipConfig,
  { mayPreempt, ...fitness }: Fitness,
  left: readonly VipAddress[],
): Candidacy {
  const [first] = vip.addresses;
  const cidrs = [...vip.addresses, ...left].map(({ ip, prefix }) => `${ip}/${prefix}`);
  return {
    ...fitness,
    preempt: vip.preempt && mayPreempt,
    preemptDelayMs: vip.preemptDelayMs,
    minHoldMs: vip.minHoldMs,
    spread: vip.spread,
    addresses: [...new Set(cidrs)],
    macs: macsOf([...vip.addresses, ...left]),
    interface: first === undefined ? null : wireInterface(first),
  };
}
