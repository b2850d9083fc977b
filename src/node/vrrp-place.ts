// Where a virtual router stands on this host: the address that it sends from, and what speaks against its interface.

import type { VipAddress } from "../base/vip.ts";
import { wireInterface } from "../base/virtual-mac.ts";
import type { VipConfig, VrrpConfig } from "../config/types.ts";
import type { BoundAddress, Link } from "../ports/host.ts";
import { contains, ipBytes, isLinkLocal } from "../wire/ip.ts";

/** What of the host bears on a virtual router. */
export interface HostInterfaces {
  readonly links: readonly Link[];
  readonly addresses: readonly BoundAddress[];
}

/** The address to send from, or why there is none. */
export type SourceAddress = { readonly source: string } | { readonly trouble: string };

/** The family of a VIP's adverts: that of its first address. The others are held with it, and not advertised. */
export function advertFamily({ addresses }: Pick<VipConfig, "addresses">): 4 | 6 {
  return addresses[0]?.family ?? 4;
}

/** The addresses that a VIP's adverts name, in the order of the file. */
export function advertised(vip: Pick<VipConfig, "addresses">): readonly string[] {
  const family = advertFamily(vip);
  return vip.addresses.filter((address) => address.family === family).map(({ ip }) => ip);
}

/** Those of a VIP's addresses about which the wire can be asked: their interface has ARP, or neighbour discovery. */
export function askableOn(links: readonly Link[], addresses: readonly VipAddress[]): readonly VipAddress[] {
  const askable = new Set(links.filter(({ ethernet }) => ethernet).map(({ name }) => name));
  return addresses.filter((address) => askable.has(wireInterface(address)));
}

/** Finds the address of this host that a VIP's adverts leave from. `vips`: all that are configured: their addresses are not the host's own. */
export function findSource(
  vip: VipConfig,
  vrrp: VrrpConfig,
  vips: readonly VipConfig[],
  host: HostInterfaces,
): SourceAddress {
  const link = host.links.find(({ name }) => name === vrrp.interface);
  if (link === undefined) return { trouble: `this host has no interface ${vrrp.interface}` };
  if (!link.ethernet) return { trouble: `${vrrp.interface} is not an Ethernet interface, which VRRP needs` };
  const own = host.addresses.filter(({ ours, ip }) => !ours && !isVip(ip, vips));
  const peer = vrrp.unicastPeers.find((ip) => own.some((address) => address.ip === ip));
  if (peer !== undefined) return { trouble: `unicastPeers names ${peer}, which is this host itself` };
  const family = advertFamily(vip);
  const here = own.filter((address) => address.interface === vrrp.interface && address.family === family);
  if (vrrp.source !== null) {
    const isThere = here.some(({ ip }) => ip === vrrp.source);
    return isThere
      ? { source: vrrp.source }
      : { trouble: `the source ${vrrp.source} is not an address of ${vrrp.interface}` };
  }
  const [best] = candidates(here, family, vrrp.unicastPeers[0]);
  if (best !== undefined) return { source: best.ip };
  const what =
    family === 4 ? "IPv4 address" : vrrp.unicastPeers.length === 0 ? "link-local IPv6 address" : "IPv6 address";
  return { trouble: `${vrrp.interface} has no ${what} of its own to send adverts from` };
}

function candidates(here: readonly BoundAddress[], family: 4 | 6, peer: string | undefined): readonly BoundAddress[] {
  const local = ({ ip }: BoundAddress): boolean => isLinkLocal({ bytes: ipBytes(ip) });
  const near = ({ ip, prefix }: BoundAddress): boolean =>
    peer !== undefined && contains({ bytes: ipBytes(ip), prefix }, { bytes: ipBytes(peer) });
  if (family === 6 && peer === undefined) return here.filter(local);
  const others = here.filter((address) => (family === 4 ? !address.secondary : !local(address)));
  return [...here.filter(near), ...others, ...(family === 4 ? here : [])];
}

function isVip(ip: string, vips: readonly VipConfig[]): boolean {
  return vips.some(({ addresses }) => addresses.some((address) => address.ip === ip));
}
