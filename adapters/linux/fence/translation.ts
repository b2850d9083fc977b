// Whether this host translates addresses: then it may answer for a VIP that it does not have, under rules of others.

import { readFileSync } from "node:fs";
import type { Nftables } from "./nftables.ts";

/** The tables of iptables before nftables, of the network namespace that the thread is in. */
const LEGACY_TABLES = ["/proc/thread-self/net/ip_tables_names", "/proc/thread-self/net/ip6_tables_names"];

/** Whether nftables has a chain of type nat, whoever made it; iptables-nft's are such chains too. */
export function hasNatChain(nft: Nftables): boolean {
  return nft.allChains().some(({ type }) => type === "nat");
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
