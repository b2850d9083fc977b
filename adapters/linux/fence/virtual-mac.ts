// The table of the fence for virtual MACs: a frame from one leaves, and a frame to one is taken in, only while the VIP is
// held. It stands only where a VIP has one, and only at the hooks of interfaces (kernel 5.16 and newer): the others see no
// Ethernet header.
//
// A switch learns a MAC from whatever carries it as its source, so that one frame of a host that does not hold the VIP
// turns the VIP's traffic away from its holder. The kernel sends much from an interface by itself: multicast reports,
// solicitations, answers for the host's other addresses. And a router that does not hold the VIP would forward what a switch
// floods for its MAC, a second time. So nothing passes, whatever it carries.
//
// A held VIP's MAC speaks for that VIP only: not by proxy_arp for the rest of the LAN.
//
// VRRP's adverts are no exception: those that it keeps in, the first one and the farewell, leave with the MAC of the interface.

import type { AddressPlace } from "../../../src/ports/host.ts";
import { virtualRouterMac } from "../../../src/base/virtual-mac.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, MAC_BYTES } from "../../../src/wire/ethernet.ts";
import type { Expression } from "../../../src/wire/nft-expressions.ts";
import {
  drop,
  etherTypeIs,
  isNotIn,
  loadLinkHeader,
  loadNetworkHeader,
  networkHeaderIs,
  returnBack,
  verdictOf,
} from "../../../src/wire/nft-expressions.ts";
import { NF_NETDEV_EGRESS, NF_NETDEV_INGRESS, NFPROTO_NETDEV } from "../../../src/wire/nftables.ts";
import type { LinkRecord } from "../../../src/wire/rtnetlink.ts";
import { isDevice } from "../virtual-devices.ts";
import {
  type ChainPlan,
  type FenceTable,
  GUARDED,
  jump,
  OPEN,
  PRIORITY,
  type RulePlan,
  setsFor,
  unlessOpen,
  VERSION,
} from "./layout.ts";

// Ethernet header: destination @0, source @6, EtherType @12.
const DESTINATION_AT = 0;
const SOURCE_AT = MAC_BYTES;

// Where the IPv6 header names its payload (RFC 8200), and ICMPv6 its type (RFC 4443).
const IPV6_NEXT_HEADER_AT = 6;
const ICMPV6_TYPE_AT = 40;
const ICMPV6 = 58;
const ROUTER_ADVERTISEMENT = 134;
const NEIGHBOUR_ADVERTISEMENT = 136;

/** IPv4 over Ethernet (RFC 826): what is none claims no address. */
const IS_ARP_OF_IPV4: readonly Expression[] = [
  ...etherTypeIs(ETHERTYPE_ARP),
  ...networkHeaderIs(0, Uint8Array.of(0, 1, 8, 0, 6, 4)),
];

const IS_NEIGHBOUR_ADVERTISEMENT: readonly Expression[] = [
  ...etherTypeIs(ETHERTYPE_IPV6),
  ...networkHeaderIs(IPV6_NEXT_HEADER_AT, Uint8Array.of(ICMPV6)),
  ...networkHeaderIs(ICMPV6_TYPE_AT, Uint8Array.of(NEIGHBOUR_ADVERTISEMENT)),
];

/** The table of virtual MACs. */
export function virtualMacTable(table: string): FenceTable {
  return {
    name: { family: NFPROTO_NETDEV, table: `${table}-mac` },
    families: ["mac", 4, 6],
    sets: setsFor(["mac", 4, 6]),
    common: [
      unlessOpen("to", [], "mac", loadLinkHeader(DESTINATION_AT, MAC_BYTES), [drop()]),
      unlessOpen("from", [], "mac", loadLinkHeader(SOURCE_AT, MAC_BYTES), [drop()]),
      claims("claims4", IS_ARP_OF_IPV4, loadNetworkHeader(14, 4), OPEN[4]),
      claims("claims6", IS_NEIGHBOUR_ADVERTISEMENT, loadNetworkHeader(48, 16), OPEN[6]),
    ],
    chains: (links, guarded) => concerned(links, guarded).flatMap(chainsOfLink),
  };
}

/** The interfaces below virtual MACs, and vipd's devices that have one. */
function concerned(links: readonly LinkRecord[], guarded: readonly AddressPlace[]): readonly LinkRecord[] {
  const parents = new Set(guarded.flatMap(({ virtualMac }) => virtualMac?.parent ?? []));
  return links.filter((link) => parents.has(link.name) || isDevice(link));
}

function chainsOfLink(link: LinkRecord): readonly ChainPlan[] {
  const place = { priority: PRIORITY, device: link.name };
  const unwanted = isDevice(link) ? unwantedOn(link) : [];
  return [
    {
      name: `in-${link.name}`,
      hook: { ...place, number: NF_NETDEV_INGRESS },
      rules: [...unwanted, jump([], "to")],
    },
    {
      name: `out-${link.name}`,
      hook: { ...place, number: NF_NETDEV_EGRESS },
      rules: [...unwanted, jump([], "from")],
    },
    ...(isDevice(link) ? [] : [claimsBelow(link)]),
  ];
}

/**
 * By itself, because an open address is accepted there, and says nothing of the MAC. Only below the devices, whose frames come by
 * there, too: of hundreds of devices each chain costs the kernel time.
 */
function claimsBelow({ name }: LinkRecord): ChainPlan {
  return {
    name: `claims-${name}`,
    hook: { priority: PRIORITY, device: name, number: NF_NETDEV_EGRESS },
    rules: [jump(etherTypeIs(ETHERTYPE_ARP), "claims4"), jump(etherTypeIs(ETHERTYPE_IPV6), "claims6")],
  };
}

/**
 * Drops what says with a virtual MAC that it has another address than an open one: a host with proxy_arp would draw the
 * LAN's traffic for its neighbours to the MAC, and nobody would answer for them where the MAC moves to.
 */
function claims(name: string, kind: readonly Expression[], loadClaimed: Expression, open: string): ChainPlan {
  const isOtherMac = [loadLinkHeader(SOURCE_AT, MAC_BYTES), isNotIn(GUARDED.mac)];
  return {
    name,
    rules: [
      rule(`${name} other MAC`, ...isOtherMac, returnBack()),
      rule(`${name} open`, ...kind, loadClaimed, verdictOf(open)),
      rule(`${name} closed`, ...kind, drop()),
    ],
  };
}

/**
 * A device speaks the family of its MAC only. And it learns no addresses and routes from routers: those are the business of
 * the interface below, and all of the host's traffic would leave with the virtual MAC.
 */
function unwantedOn({ mac }: LinkRecord): readonly RulePlan[] {
  if (mac.startsWith(IPV4_PREFIX)) return [rule("not IPv6", ...etherTypeIs(ETHERTYPE_IPV6), drop())];
  const isAdvertisement = [
    ...networkHeaderIs(IPV6_NEXT_HEADER_AT, Uint8Array.of(ICMPV6)),
    ...networkHeaderIs(ICMPV6_TYPE_AT, Uint8Array.of(ROUTER_ADVERTISEMENT)),
  ];
  return [
    rule("not IPv4", ...etherTypeIs(ETHERTYPE_IPV4), drop()),
    rule("not ARP", ...etherTypeIs(ETHERTYPE_ARP), drop()),
    rule("no routers", ...etherTypeIs(ETHERTYPE_IPV6), ...isAdvertisement, drop()),
  ];
}

/** Of the virtual MACs of IPv4. */
const IPV4_PREFIX = virtualRouterMac(4, 0).slice(0, -2);

function rule(what: string, ...expressions: readonly Expression[]): RulePlan {
  return { comment: `${VERSION} ${what}`, expressions };
}
