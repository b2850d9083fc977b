// What the fence looks like in nftables: tables, sets, chains and rules, as plain data.
//
//   guarded4/6   addresses that this host answers for only while they are open
//   open4/6      verdict maps: address -> jump to the chain of the deadline under which it is open
//   deadline-N   a chain, which accepts what is in the set of the same name, whose elements have timeouts: it accepts
//                everything until the deadline, and nothing afterwards
//   armed        elements that prove that an opening was not frozen on its way (fence.ts)
//
// All that this host opens under one lease hangs on one deadline: extending it costs the same for one address and for
// thousands. The rules stand once, in chains of their own (`to4`, `from4`, ...), to which each interface's chains jump;
// every one of them says: an address that is guarded, and is not open, is neither spoken to nor spoken for by this host.
//
// A lookup of what another lookup gave, without verdicts, would be shorter; `nft list ruleset` (1.0.6) aborts on it.
//
// Only traffic of the host itself counts (`fib ... type local`): a standby that routes, or that runs containers, still
// carries its neighbours' traffic to and from the real holder. An address on a VRF is in no common local table, so there
// the question is left out. Neighbour discovery has no such question: nobody forwards it.
//
// Bridge, bond and team ports are not fenced themselves, their master is: what a bridge carries between its ports is
// not this host speaking.
//
// The hooks of a netdev table belong to device names: an interface that is renamed, plugged in, or taken out of its bridge
// while vipd is dead or frozen has none. So that table never stands alone. The tables of the inet kind, which no device
// matters to, hold what the kernel itself answers (ARP, neighbour discovery, traffic) on whatever interface; the netdev
// table adds what passes those by: frames from packet sockets, and packets on their way in before anything else sees them.

import type { Family } from "../../../src/base/vip.ts";
import type { AddressPlace } from "../../../src/ports/host.ts";
import { be16 } from "../../../src/wire/bytes.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../../src/wire/ethernet.ts";
import type { Expression } from "../../../src/wire/nft-expressions.ts";
import {
  accept,
  drop,
  etherTypeIs,
  etherTypeIsIn,
  interfaceIndexIs,
  interfaceIs,
  isDestinationTranslated,
  isLocal,
  isNotIn,
  jumpTo,
  loadNetworkHeader,
  loadOriginalDestination,
  netfilterFamilyIs,
  networkHeaderIs,
  returnBack,
  verdictOf,
} from "../../../src/wire/nft-expressions.ts";
import type { Hook, SetShape, TableName } from "../../../src/wire/nftables.ts";
import {
  KEY_ETHERTYPE,
  KEY_IPV4,
  KEY_IPV6,
  KEY_MAC,
  KEY_MARK,
  NF_ARP_OUT,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
  NF_NETDEV_EGRESS,
  NF_NETDEV_INGRESS,
  NFPROTO_ARP,
  NFPROTO_INET,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFPROTO_NETDEV,
} from "../../../src/wire/nftables.ts";
import type { LinkRecord } from "../../../src/wire/rtnetlink.ts";
import { isDevice } from "../virtual-devices.ts";

/** Before connection tracking, address translation and everyone else's filters. */
export const PRIORITY = -500;

/** Stands in every rule's comment; rules of another version are replaced. */
export const VERSION = "vipd/2";

/** What is guarded: addresses of a family, or virtual MACs. */
export type Guarded = Family | "mac";

/** Sets of what is guarded, and maps of what of it is open. */
export const GUARDED: Readonly<Record<Guarded, string>> = { 4: "guarded4", 6: "guarded6", mac: "guarded-mac" };
export const OPEN: Readonly<Record<Guarded, string>> = { 4: "open4", 6: "open6", mac: "open-mac" };

const KEYS: Readonly<Record<Guarded, SetShape["key"]>> = { 4: KEY_IPV4, 6: KEY_IPV6, mac: KEY_MAC };

/** The set whose elements prove that an opening was not frozen on its way. */
export const ARMED: SetShape = { name: "armed", key: KEY_MARK, kind: "timeouts" };

/** One rule; the comment tells it apart from others. */
export interface RulePlan {
  readonly comment: string;
  readonly expressions: readonly Expression[];
}

/** One chain; without a hook it is only jumped to. */
export interface ChainPlan {
  readonly name: string;
  readonly hook?: Hook;
  readonly rules: readonly RulePlan[];
}

/** One table of the fence. */
export interface FenceTable {
  readonly name: TableName;
  readonly families: readonly Guarded[];
  readonly sets: readonly SetShape[];
  /** The chains that do not depend on links, in an order in which they can be made. */
  readonly common: readonly ChainPlan[];
  /** The other chains; `links` are those to be fenced. */
  readonly chains: (links: readonly LinkRecord[], guarded: readonly AddressPlace[]) => readonly ChainPlan[];
}

/** A deadline: its set, and the chain to which addresses that are open under it jump. */
export interface DeadlinePlan {
  readonly set: SetShape;
  readonly chain: ChainPlan;
}

const DEADLINE_PREFIX = "deadline-";

/** What makes up the deadline of this number. */
export function deadlinePlan(name: string): DeadlinePlan {
  return {
    set: { name, key: KEY_ETHERTYPE, kind: "timeouts" },
    chain: { name, rules: [{ comment: `${VERSION} open`, expressions: [...etherTypeIsIn(name), accept()] }] },
  };
}

/** The name of a deadline's chain and set. */
export function deadlineName(deadline: number): string {
  return `${DEADLINE_PREFIX}${deadline}`;
}

/** Whether a chain is that of a deadline. */
export function isDeadline(chain: string): boolean {
  return chain.startsWith(DEADLINE_PREFIX);
}

/** What a deadline has until it has passed: everything that carries an address. */
export const DEADLINE_KEYS: readonly Uint8Array[] = [ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP].map(be16);

/** The tables of a fence of this kind. The first one has the `armed` set. */
export function fenceTables(kind: "netdev" | "inet", table: string): readonly [FenceTable, ...FenceTable[]] {
  const everywhere = [inetTable(table), arpTable(table)] as const;
  return kind === "netdev" ? [...everywhere, netdevTable(table)] : everywhere;
}

/** Which links are fenced: those of Ethernet that stand for themselves, and whichever carries a guarded address. */
export function linksToFence(links: readonly LinkRecord[], guarded: readonly AddressPlace[]): readonly LinkRecord[] {
  const named = new Set(guarded.map((address) => address.interface));
  return links.filter((link) => !link.loopback && (named.has(link.name) || (link.ethernet && !isPort(link))));
}

function isPort({ slaveKind }: LinkRecord): boolean {
  return slaveKind === "bridge" || slaveKind === "bond" || slaveKind === "team";
}

/** The sets of a table that guards these. */
export function setsFor(families: readonly Guarded[]): readonly SetShape[] {
  return families.flatMap((family): readonly SetShape[] => {
    const key = KEYS[family];
    return [
      { name: GUARDED[family], key, kind: "keys" },
      { name: OPEN[family], key, kind: "verdicts" },
    ];
  });
}

// That a packet is of its kind is asked before the jump, so that others go no further, and in each rule again, so that
// nft can name what the rule looks at.

/** How the tables of one family tell what a packet is. */
interface Kinds {
  readonly ipv4: readonly Expression[];
  readonly ipv6: readonly Expression[];
  readonly arp: readonly Expression[];
}

const NETDEV: Kinds = {
  ipv4: etherTypeIs(ETHERTYPE_IPV4),
  ipv6: etherTypeIs(ETHERTYPE_IPV6),
  arp: etherTypeIs(ETHERTYPE_ARP),
};
const INET: Kinds = { ipv4: netfilterFamilyIs(NFPROTO_IPV4), ipv6: netfilterFamilyIs(NFPROTO_IPV6), arp: [] };

/** The table of the hooks at each interface. */
export function netdevTable(table: string): FenceTable {
  return {
    name: { family: NFPROTO_NETDEV, table },
    families: [4, 6],
    sets: setsFor([4, 6]),
    common: [
      packets(NETDEV, "to4", false),
      packets(NETDEV, "to6", false),
      packets(NETDEV, "to4-vrf", true),
      packets(NETDEV, "to6-vrf", true),
      packets(NETDEV, "from4", false),
      packets(NETDEV, "from6", false),
      packets(NETDEV, "from4-vrf", true),
      packets(NETDEV, "from6-vrf", true),
      arpClaims(NETDEV),
      advertisements(NETDEV),
    ],
    // What a device with a virtual MAC sends and gets passes the interface below: of hundreds each chain costs the kernel time.
    chains: (links) => links.filter((link) => !isDevice(link)).flatMap(chainsOfLink),
  };
}

function chainsOfLink(link: LinkRecord): ChainPlan[] {
  const place = { priority: PRIORITY, device: link.name };
  const end = link.slaveKind === "vrf" ? "-vrf" : "";
  const { ipv4, ipv6, arp } = NETDEV;
  return [
    {
      name: `in-${link.name}`,
      hook: { ...place, number: NF_NETDEV_INGRESS },
      rules: [jump(ipv4, `to4${end}`), jump(ipv6, `to6${end}`)],
    },
    {
      name: `out-${link.name}`,
      hook: { ...place, number: NF_NETDEV_EGRESS },
      rules: [jump(ipv4, `from4${end}`), jump(ipv6, `from6${end}`), jump(arp, "arp")],
    },
    // By itself, because an open source is accepted there, and says nothing of what is advertised.
    {
      name: `na-${link.name}`,
      hook: { ...place, number: NF_NETDEV_EGRESS },
      rules: [jump(ipv6, "advertised")],
    },
  ];
}

function inetTable(table: string): FenceTable {
  const { ipv4, ipv6 } = INET;
  const incoming: Hook = { number: NF_INET_PRE_ROUTING, priority: PRIORITY };
  const outgoing: Hook = { number: NF_INET_LOCAL_OUT, priority: PRIORITY };
  const chains: readonly ChainPlan[] = [
    { name: "in", hook: incoming, rules: [jump(ipv4, "to4"), jump(ipv6, "to6")] },
    { name: "out", hook: outgoing, rules: [jump(ipv4, "from4"), jump(ipv6, "from6")] },
    { name: "na", hook: outgoing, rules: [jump(ipv6, "advertised")] },
  ];
  return {
    name: { family: NFPROTO_INET, table },
    families: [4, 6],
    sets: [...setsFor([4, 6]), ARMED],
    common: [
      packets(INET, "to4", false),
      packets(INET, "to6", false),
      packets(INET, "from4", true),
      packets(INET, "from6", true),
      advertisements(INET),
    ],
    chains: () => chains,
  };
}

function arpTable(table: string): FenceTable {
  const chains: readonly ChainPlan[] = [
    { name: "out", hook: { number: NF_ARP_OUT, priority: PRIORITY }, rules: [jump([], "arp")] },
  ];
  const name = { family: NFPROTO_ARP, table };
  return { name, families: [4], sets: setsFor([4]), common: [arpClaims(INET)], chains: () => chains };
}

/** A rule that goes on in another chain for packets of a kind. */
export function jump(condition: readonly Expression[], chain: string): RulePlan {
  return { comment: `${VERSION} ${chain}`, expressions: [...condition, jumpTo(chain)] };
}

// Offsets in the IPv4 header (RFC 791) and the IPv6 header (RFC 8200).
const ADDRESS_AT = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } } as const;
const ADDRESS_BYTES = { 4: 4, 6: 16 } as const;

/** A chain that leaves alone what it is not about, and accepts what is open; the rest meets the last rule. */
export function unlessOpen(
  name: string,
  kind: readonly Expression[],
  family: Guarded,
  loadAddress: Expression,
  last: readonly Expression[],
): ChainPlan {
  const rule = (what: string, ...expressions: readonly Expression[]): RulePlan => ({
    comment: `${VERSION} ${name} ${what}`,
    expressions: [...kind, ...expressions],
  });
  return {
    name,
    rules: [
      rule("not guarded", loadAddress, isNotIn(GUARDED[family]), returnBack()),
      rule("open", loadAddress, verdictOf(OPEN[family])),
      rule("closed", ...last),
    ],
  };
}

type PacketChain = `${"to" | "from"}${Family}${"" | "-vrf"}`;

/** Drops IP packets to or from a closed address; of this host only, unless `anywhere`. */
function packets(kinds: Kinds, name: PacketChain, anywhere: boolean): ChainPlan {
  const family = name.includes("4") ? 4 : 6;
  const which = name.startsWith("to") ? "destination" : "source";
  const kind = family === 4 ? kinds.ipv4 : kinds.ipv6;
  const address = loadNetworkHeader(ADDRESS_AT[family][which], ADDRESS_BYTES[family]);
  return unlessOpen(name, kind, family, address, [...(anywhere ? [] : isLocal(which)), drop()]);
}

/** Drops ARP messages, of any operation, that claim a closed address. A probe claims nothing and passes. */
function arpClaims({ arp }: Kinds): ChainPlan {
  const ipOverEthernet = networkHeaderIs(0, Uint8Array.of(0, 1, 8, 0, 6, 4));
  return unlessOpen("arp", arp, 4, loadNetworkHeader(14, 4), [...ipOverEthernet, drop()]);
}

/** Drops neighbour advertisements (ICMPv6 type 136) for a closed address, whatever address sends them. */
function advertisements({ ipv6 }: Kinds): ChainPlan {
  const neighbourAdvertisement = [...networkHeaderIs(6, Uint8Array.of(58)), ...networkHeaderIs(40, Uint8Array.of(136))];
  return unlessOpen("advertised", ipv6, 6, loadNetworkHeader(48, 16), [...neighbourAdvertisement, drop()]);
}

// Translated traffic: what the host passes on to a container under the name of a VIP (DNAT, redirect) is answered by this
// host as well, and needs no local address for it. It is told from what the host merely routes by connection tracking,
// which sees it only behind the translation.

/** Behind the translation of destinations (NF_IP_PRI_NAT_DST), and of sources (NF_IP_PRI_NAT_SRC). */
const BEHIND_DSTNAT = -90;
const BEHIND_SRCNAT = 110;

/**
 * The table for hosts that translate addresses. It stands only there, because its rules have the kernel track all
 * connections. What the host's own containers ask of a VIP is their own business: only the VIPs' interfaces count, by
 * their names, and by their numbers, which stay when an interface is renamed.
 */
export function translationTable(table: string): FenceTable {
  const { ipv4, ipv6 } = INET;
  const incoming: Hook = { number: NF_INET_PRE_ROUTING, priority: BEHIND_DSTNAT };
  const outgoing: Hook = { number: NF_INET_POST_ROUTING, priority: BEHIND_SRCNAT };
  return {
    name: { family: NFPROTO_INET, table: `${table}-nat` },
    families: [4, 6],
    sets: setsFor([4, 6]),
    common: [
      unlessOpen("translated4", ipv4, 4, loadOriginalDestination(4), [drop()]),
      unlessOpen("translated6", ipv6, 6, loadOriginalDestination(6), [drop()]),
    ],
    chains: (links, guarded) => [
      { name: "in", hook: incoming, rules: translatedAt("in", links, guarded) },
      { name: "out", hook: outgoing, rules: translatedAt("out", links, guarded) },
    ],
  };
}

function translatedAt(
  which: "in" | "out",
  links: readonly LinkRecord[],
  guarded: readonly AddressPlace[],
): readonly RulePlan[] {
  const names = new Set(guarded.map((address) => address.interface));
  const byName = [...names].toSorted().map((name) => ({ text: name, condition: interfaceIs(which, name) }));
  const byIndex = links
    .filter(({ name }) => names.has(name))
    .map(({ index }) => ({ text: `number ${index}`, condition: interfaceIndexIs(which, index) }));
  return [...byName, ...byIndex].flatMap(({ text, condition }) =>
    ([4, 6] as const).map((family): RulePlan => {
      const kind = family === 4 ? INET.ipv4 : INET.ipv6;
      const { comment, expressions } = jump(
        [...condition, ...isDestinationTranslated(), ...kind],
        `translated${family}`,
      );
      return { comment: `${comment} ${text}`, expressions };
    }),
  );
}
