// What the fence looks like in nftables: tables, sets, chains and rules, as plain data.
//
// Every rule says: an address that is guarded, and is not open, is neither spoken to nor spoken for by this host.
// Only traffic of the host itself counts (`fib ... type local`): a standby that routes, or that runs containers, still
// carries its neighbours' traffic to and from the real holder. An address on a VRF is in no common local table, so there
// the question is left out. Neighbour discovery has no such question: nobody forwards it.
//
// Bridge, bond and team ports are not fenced themselves, their master is: what a bridge carries between its ports is
// not this host speaking.

import type { Family, VipAddress } from "../../src/base/vip.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../src/wire/ethernet.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import type { Hook, SetShape, TableName } from "../../src/wire/nftables.ts";
import {
  KEY_IPV4,
  KEY_IPV6,
  KEY_MARK,
  NF_ARP_OUT,
  NF_INET_LOCAL_OUT,
  NF_INET_PRE_ROUTING,
  NF_NETDEV_EGRESS,
  NF_NETDEV_INGRESS,
  NFPROTO_ARP,
  NFPROTO_INET,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFPROTO_NETDEV,
} from "../../src/wire/nftables.ts";
import type { Expression } from "../../src/wire/nft-expressions.ts";
import {
  drop,
  etherTypeIs,
  inSetButNotIn,
  isLocal,
  netfilterFamilyIs,
  networkHeaderIs,
} from "../../src/wire/nft-expressions.ts";

/** Before connection tracking, address translation and everyone else's filters. */
const PRIORITY = -500;

/** Stands in every rule's comment; rules of another version are replaced. */
const VERSION = "vipd/1";

/** Sets that hold the guarded addresses and, with timeouts, those open now. */
export const GUARDED: Readonly<Record<Family, string>> = { 4: "guarded4", 6: "guarded6" };
export const OPEN: Readonly<Record<Family, string>> = { 4: "open4", 6: "open6" };

/** The set whose elements prove that a hold was not frozen on its way. */
export const ARMED: SetShape = { name: "armed", key: KEY_MARK, timeouts: true };

/** One rule; the comment tells it apart from others. */
export interface RulePlan {
  readonly comment: string;
  readonly expressions: readonly Expression[];
}

/** One base chain. */
export interface ChainPlan {
  readonly name: string;
  readonly hook: Hook;
  readonly rules: readonly RulePlan[];
}

/** One table of the fence. */
export interface Part {
  readonly name: TableName;
  readonly families: readonly Family[];
  readonly sets: readonly SetShape[];
  /** The chains for these links, which are those to be fenced. */
  readonly chains: (links: readonly LinkRecord[]) => readonly ChainPlan[];
}

/** The tables of a fence of this kind. The first one has the `armed` set. */
export function fenceParts(kind: "netdev" | "inet", table: string): readonly [Part, ...Part[]] {
  if (kind === "netdev") return [netdevPart(table)];
  return [inetPart(table), arpPart(table)];
}

/** Which links are fenced: those of Ethernet that stand for themselves, and whichever carries a guarded address. */
export function linksToFence(links: readonly LinkRecord[], guarded: readonly VipAddress[]): readonly LinkRecord[] {
  const named = new Set(guarded.map((address) => address.interface));
  return links.filter((link) => !link.loopback && (named.has(link.name) || (link.ethernet && !isPort(link))));
}

function isPort({ slaveKind }: LinkRecord): boolean {
  return slaveKind === "bridge" || slaveKind === "bond" || slaveKind === "team";
}

function setsFor(families: readonly Family[]): SetShape[] {
  return families.flatMap((family) => {
    const key = family === 4 ? KEY_IPV4 : KEY_IPV6;
    return [
      { name: GUARDED[family], key, timeouts: false },
      { name: OPEN[family], key, timeouts: true },
    ];
  });
}

function netdevPart(table: string): Part {
  return {
    name: { family: NFPROTO_NETDEV, table },
    families: [4, 6],
    sets: [...setsFor([4, 6]), ARMED],
    chains: (links) => links.flatMap(chainsOfLink),
  };
}

function chainsOfLink(link: LinkRecord): ChainPlan[] {
  const place = { priority: PRIORITY, device: link.name };
  const anywhere = link.slaveKind === "vrf";
  return [
    {
      name: `in-${link.name}`,
      hook: { ...place, number: NF_NETDEV_INGRESS },
      rules: [
        packets(etherTypeIs(ETHERTYPE_IPV4), 4, "destination", anywhere),
        packets(etherTypeIs(ETHERTYPE_IPV6), 6, "destination", anywhere),
      ],
    },
    {
      name: `out-${link.name}`,
      hook: { ...place, number: NF_NETDEV_EGRESS },
      rules: [
        packets(etherTypeIs(ETHERTYPE_IPV4), 4, "source", anywhere),
        packets(etherTypeIs(ETHERTYPE_IPV6), 6, "source", anywhere),
        arpClaims(etherTypeIs(ETHERTYPE_ARP)),
        advertisements(etherTypeIs(ETHERTYPE_IPV6)),
      ],
    },
  ];
}

function inetPart(table: string): Part {
  const ipv4 = netfilterFamilyIs(NFPROTO_IPV4);
  const ipv6 = netfilterFamilyIs(NFPROTO_IPV6);
  const chains = [
    {
      name: "in",
      hook: { number: NF_INET_PRE_ROUTING, priority: PRIORITY },
      rules: [packets(ipv4, 4, "destination", false), packets(ipv6, 6, "destination", false)],
    },
    {
      name: "out",
      hook: { number: NF_INET_LOCAL_OUT, priority: PRIORITY },
      rules: [packets(ipv4, 4, "source", true), packets(ipv6, 6, "source", true), advertisements(ipv6)],
    },
  ];
  const sets = [...setsFor([4, 6]), ARMED];
  return { name: { family: NFPROTO_INET, table }, families: [4, 6], sets, chains: () => chains };
}

function arpPart(table: string): Part {
  const hook = { number: NF_ARP_OUT, priority: PRIORITY };
  const chains = [{ name: "out", hook, rules: [arpClaims([])] }];
  return { name: { family: NFPROTO_ARP, table }, families: [4], sets: setsFor([4]), chains: () => chains };
}

// Offsets in the IPv4 header (RFC 791) and the IPv6 header (RFC 8200).
const ADDRESS_AT = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } } as const;
const ADDRESS_BYTES = { 4: 4, 6: 16 } as const;

/** Drops IP packets to or from a closed address; of this host only, unless `anywhere`. */
function packets(
  first: readonly Expression[],
  family: Family,
  which: "source" | "destination",
  anywhere: boolean,
): RulePlan {
  const at = ADDRESS_AT[family][which];
  return {
    comment: `${VERSION} ipv${family} ${which}${anywhere ? "" : " local"}`,
    expressions: [
      ...first,
      ...inSetButNotIn(at, ADDRESS_BYTES[family], GUARDED[family], OPEN[family]),
      ...(anywhere ? [] : isLocal(which)),
      drop(),
    ],
  };
}

/** Drops ARP messages, of any operation, that claim a closed address. A probe claims nothing and passes. */
function arpClaims(first: readonly Expression[]): RulePlan {
  const ipOverEthernet = networkHeaderIs(0, Uint8Array.of(0, 1, 8, 0, 6, 4));
  const senderIp = inSetButNotIn(14, ADDRESS_BYTES[4], GUARDED[4], OPEN[4]);
  return { comment: `${VERSION} arp sender`, expressions: [...first, ...ipOverEthernet, ...senderIp, drop()] };
}

/** Drops neighbour advertisements (ICMPv6 type 136) for a closed address, whatever address sends them. */
function advertisements(first: readonly Expression[]): RulePlan {
  const neighbourAdvertisement = [...networkHeaderIs(6, Uint8Array.of(58)), ...networkHeaderIs(40, Uint8Array.of(136))];
  const target = inSetButNotIn(48, ADDRESS_BYTES[6], GUARDED[6], OPEN[6]);
  return {
    comment: `${VERSION} advertisement target`,
    expressions: [...first, ...neighbourAdvertisement, ...target, drop()],
  };
}
