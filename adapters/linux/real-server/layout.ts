// What keeps a real server silent, in nftables: two tables whose rules drop what the kernel itself would say of the VIPs on
// lo, on whatever interface. Packets of the VIPs' traffic pass.
//
//   arp  vipd-real   ARP of any operation whose sender is a silent address: answers, and requests in the VIP's name
//   inet vipd-real   neighbour advertisements for a silent address, and solicitations from one
//
// The tables stand apart from the daemon's fence: they are there without a daemon, and nobody owns them, since vipctl ends
// at once. A flush of the whole ruleset takes them away; then the interfaces' ARP settings still hold for IPv4, and the kernel
// answers no solicitation for an IPv6 address of lo.

import { ICMPV6, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from "../../../src/wire/ndp.ts";
import type { Expression } from "../../../src/wire/nft-expressions.ts";
import {
  drop,
  isIn,
  loadNetworkHeader,
  netfilterFamilyIs,
  networkHeaderIs,
} from "../../../src/wire/nft-expressions.ts";
import type { SetShape, TableName } from "../../../src/wire/nftables.ts";
import {
  KEY_IPV4,
  KEY_IPV6,
  NF_ARP_OUT,
  NF_INET_LOCAL_OUT,
  NFPROTO_ARP,
  NFPROTO_INET,
  NFPROTO_IPV6,
} from "../../../src/wire/nftables.ts";
import type { Family } from "../../../src/base/vip.ts";
import type { ChainPlan } from "../fence/layout.ts";

/** One of the two tables. */
export interface SilenceTable {
  readonly name: TableName;
  readonly family: Family;
  readonly set: SetShape;
  readonly chain: ChainPlan;
}

const TABLE = "vipd-real";

/** As early as the fence. */
const PRIORITY = -500;

/** Stands in every rule's comment; rules of another version are replaced. */
const VERSION = "vipd/1";

// ARP (RFC 826): operation @6, sender's protocol address @14. ICMPv6 (RFC 4861): type @40 of the IPv6 packet, target @48.

const IP_OVER_ETHERNET = Uint8Array.of(0, 1, 8, 0, 6, 4);

const arp: SilenceTable = {
  name: { family: NFPROTO_ARP, table: TABLE },
  family: 4,
  set: { name: "silent4", key: KEY_IPV4, kind: "keys" },
  chain: {
    name: "out",
    hook: { number: NF_ARP_OUT, priority: PRIORITY },
    rules: [
      {
        comment: `${VERSION} arp`,
        expressions: [...networkHeaderIs(0, IP_OVER_ETHERNET), loadNetworkHeader(14, 4), isIn("silent4"), drop()],
      },
    ],
  },
};

const neighbours: SilenceTable = {
  name: { family: NFPROTO_INET, table: TABLE },
  family: 6,
  set: { name: "silent6", key: KEY_IPV6, kind: "keys" },
  chain: {
    name: "out",
    hook: { number: NF_INET_LOCAL_OUT, priority: PRIORITY },
    rules: [
      { comment: `${VERSION} advertised`, expressions: [...neighbourMessage(NEIGHBOR_ADVERTISEMENT, 48), drop()] },
      { comment: `${VERSION} soliciting`, expressions: [...neighbourMessage(NEIGHBOR_SOLICITATION, 8), drop()] },
    ],
  },
};

/** Goes on only for ICMPv6 of this type that has a silent address at this offset. */
function neighbourMessage(type: number, addressAt: number): Expression[] {
  return [
    ...netfilterFamilyIs(NFPROTO_IPV6),
    ...networkHeaderIs(6, Uint8Array.of(ICMPV6)),
    ...networkHeaderIs(40, Uint8Array.of(type)),
    loadNetworkHeader(addressAt, 16),
    isIn("silent6"),
  ];
}

/** Both tables. */
export const SILENCE: readonly SilenceTable[] = [arp, neighbours];
