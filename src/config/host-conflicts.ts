// VIPs that the host has already. Its own address must never be one: a host that stands back from a VIP removes it and
// fences it, and would cut itself off. What another program has left beside the host's own address, keepalived above all,
// is something else: it is taken over.

import type { Family } from "../base/vip.ts";
import type { BoundAddress } from "../ports/host.ts";
import { contains, parseCidr, parseIp } from "../wire/ip.ts";

/** An address of a VIP. */
interface Wanted {
  readonly family: Family;
  readonly ip: string;
}

/** An address of the host that is to be a VIP. */
export interface HostConflict {
  readonly bound: BoundAddress;
  /** own: the sole or the primary address of its network; leftover: one beside it, which another program has bound. */
  readonly kind: "own" | "leftover";
}

/** For those of `wanted` that the host has, by address in canonical text; what vipd bound is no conflict. */
export function hostConflicts(
  wanted: readonly Wanted[],
  bound: readonly BoundAddress[],
): ReadonlyMap<string, HostConflict> {
  const ips = new Set(wanted.map(({ ip }) => ip));
  const foreign = bound.filter((address) => address.permanent && !address.ours && address.interface !== "lo");
  const found = new Map<string, HostConflict>();
  for (const address of foreign) {
    if (!ips.has(address.ip)) continue;
    const others = foreign.filter((other) => other.interface === address.interface && !ips.has(other.ip));
    const kind = isLeftover(address, others) ? "leftover" : "own";
    if (kind === "own" || !found.has(address.ip)) found.set(address.ip, { bound: address, kind });
  }
  return found;
}

/** `others`: the addresses of that interface that are no VIPs. */
function isLeftover(address: BoundAddress, others: readonly BoundAddress[]): boolean {
  if (address.keepalived || address.secondary) return true;
  const ip = parseIp(address.ip);
  const inside = others.filter(({ family, ip: other, prefix }) => {
    const network = family === address.family ? parseCidr(`${other}/${prefix}`) : undefined;
    return network !== undefined && ip !== undefined && contains(network, ip);
  });
  // IPv6 knows no primary address: any other one keeps the host in the network. keepalived binds IPv4 addresses as /32.
  return address.family === 6 ? inside.length > 0 : inside.some(({ prefix }) => prefix < address.prefix);
}

/** What is wrong with a VIP that is the host's own address, and what would be right. */
export function ownAddressMistake({ ip, prefix, interface: name }: BoundAddress): { problem: string; fix: string } {
  return {
    problem: `${ip} is this host's own address (${ip}/${prefix} on ${name}), and no VIP`,
    fix: `use an address that no host has as its own; if keepalived left it behind, stop keepalived and run: ip address delete ${ip}/${prefix} dev ${name}`,
  };
}

/** What becomes of an address that another program has left; `isElsewhere`: on another interface than the VIP's. */
export function leftoverRemark(
  { ip, prefix, interface: name, keepalived }: BoundAddress,
  isElsewhere: boolean,
): { text: string; fix: string } {
  const who = keepalived ? "keepalived" : "another program, such as keepalived,";
  const found = `${ip}/${prefix} is on ${name} already: ${who} has bound it`;
  if (isElsewhere) {
    const fix = `stop keepalived and run: ip address delete ${ip}/${prefix} dev ${name}`;
    return { text: `${found}, and vipd leaves alone what is on another interface than the VIP's`, fix };
  }
  return {
    text: `${found}; vipd removes it at its start, and binds it again when it holds the VIP`,
    fix: "stop keepalived, or whatever has bound it, before vipd starts",
  };
}
