// rtnetlink: rules that choose the routing table of a packet (linux/fib_rules.h).

import type { VipRule } from "../base/routing.ts";
import { cString, concatBytes, needBytes, readCString } from "./bytes.ts";
import { formatIp, IPV4_BYTES, IPV6_BYTES, parseCidr } from "./ip.ts";
import { attributeMap, encodeAttribute, host32, readHost32 } from "./netlink.ts";
import { AF_INET, AF_INET6 } from "./rtnetlink.ts";

/** Message types. */
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;

const HEADER_BYTES = 12;

const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_PROTOCOL = 21;

const FR_ACT_TO_TBL = 1;
const ALL_BITS = 0xffffffff;

/** Table ids above 255 stand in FRA_TABLE alone. */
const RT_TABLE_COMPAT = 252;

/** A rule as the kernel tells it. */
export interface RuleRecord {
  readonly rule: VipRule;
  /** Who set it (RTPROT_*). */
  readonly protocol: number;
}

// struct fib_rule_hdr: u8 family @0, u8 destination's length @1, u8 source's length @2, u8 tos @3, u8 table @4, u8, u8,
// u8 action @7, u32 flags @8; attributes follow.

/** Payload of RTM_NEWRULE, and of RTM_DELRULE for the very same rule. */
export function encodeRule({ rule, protocol }: RuleRecord): Uint8Array {
  const { family, priority, table, fwmark, fwmask, iif } = rule;
  const [from, to] = [cidrOf(rule.from), cidrOf(rule.to)];
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = family === 4 ? AF_INET : AF_INET6;
  header[1] = to?.prefix ?? 0;
  header[2] = from?.prefix ?? 0;
  header[4] = table < 256 ? table : RT_TABLE_COMPAT;
  header[7] = FR_ACT_TO_TBL;
  return concatBytes(
    header,
    encodeAttribute(FRA_PRIORITY, host32(priority)),
    ...(from === undefined ? [] : [encodeAttribute(FRA_SRC, from.bytes)]),
    ...(to === undefined ? [] : [encodeAttribute(FRA_DST, to.bytes)]),
    ...(iif === undefined ? [] : [encodeAttribute(FRA_IIFNAME, cString(iif))]),
    ...(fwmark === undefined
      ? []
      : [encodeAttribute(FRA_FWMARK, host32(fwmark)), encodeAttribute(FRA_FWMASK, host32(fwmask ?? ALL_BITS))]),
    encodeAttribute(FRA_TABLE, host32(table)),
    encodeAttribute(FRA_PROTOCOL, Uint8Array.of(protocol)),
  );
}

/** Payload of RTM_GETRULE for a dump of a family's rules. */
export function encodeRuleDump(family: 4 | 6): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES);
  out[0] = family === 4 ? AF_INET : AF_INET6;
  return out;
}

/** Reads RTM_NEWRULE or RTM_DELRULE; undefined for a kind of rule that vipd does not set. */
export function decodeRule(payload: Uint8Array): RuleRecord | undefined {
  needBytes(payload, HEADER_BYTES, "fib_rule_hdr");
  const family = payload[0] === AF_INET ? 4 : payload[0] === AF_INET6 ? 6 : undefined;
  if (family === undefined || payload[7] !== FR_ACT_TO_TBL) return undefined;
  const attributes = attributeMap(payload.subarray(HEADER_BYTES));
  const numberOf = (attribute: number): number | undefined => {
    const data = attributes.get(attribute);
    return data === undefined ? undefined : readHost32(data, "fib_rule attribute");
  };
  const networkOf = (attribute: number, prefix: number | undefined): string | undefined => {
    const data = attributes.get(attribute);
    if (data === undefined) return undefined;
    if (data.length !== (family === 4 ? IPV4_BYTES : IPV6_BYTES))
      throw new RangeError("fib_rule_hdr: an address of another family");
    return `${formatIp(data)}/${prefix ?? 0}`;
  };
  const [from, to] = [networkOf(FRA_SRC, payload[2]), networkOf(FRA_DST, payload[1])];
  const [fwmark, fwmask] = [numberOf(FRA_FWMARK), numberOf(FRA_FWMASK)];
  const iif = attributes.get(FRA_IIFNAME);
  const rule: VipRule = {
    kind: "rule",
    family,
    priority: numberOf(FRA_PRIORITY) ?? 0,
    table: numberOf(FRA_TABLE) ?? payload[4] ?? 0,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(fwmark === undefined ? {} : { fwmark }),
    ...(fwmark === undefined || fwmask === undefined || fwmask === ALL_BITS ? {} : { fwmask }),
    ...(iif === undefined ? {} : { iif: readCString(iif) }),
  };
  return { rule, protocol: attributes.get(FRA_PROTOCOL)?.[0] ?? 0 };
}

function cidrOf(network: string | undefined): ReturnType<typeof parseCidr> {
  return network === undefined ? undefined : parseCidr(network);
}
