// Whether this host translates addresses: then it may answer for a VIP that it does not have, under rules of others.

import { readFileSync } from "node:fs";
import { NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 } from "../../../src/wire/nftables.ts";
import type { Nftables } from "./nftables.ts";

/** The tables of iptables before nftables, of the network namespace that the thread is in. */
const LEGACY_TABLES = ["/proc/thread-self/net/ip_tables_names", "/proc/thread-self/net/ip6_tables_names"];

/** The families that can have such a chain: not that of interfaces, where the fence has hundreds of chains. */
const TRANSLATING = [NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6];

/** Whether nftables has a chain of type nat, whoever made it; iptables-nft's are such chains too. */
export function hasNatChain(nft: Nftables): boolean {
  return TRANSLATING.some((family) => nft.chainsOfFamily(family).some(({ type }) => type === "nat"));
}

/** Whether the iptables from before nftables have their nat table, of which nftables knows nothing. */
export function hasLegacyNat(): boolean {
  return LEGACY_TABLES.some((path) => {
    try {
      return readFileSync(path, "latin1").split("\n").includes("nat");
    } catch {
      // The kernel has no such iptables.
      return false;
    }
  });
}
