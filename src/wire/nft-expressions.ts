// The few nftables expressions that the fence is made of (linux/netfilter/nf_tables.h). A rule is a list of them;
// a comparison or lookup that fails ends the rule. All numbers in attributes are big-endian; register 1 holds up to 16 bytes.

import { be32, cString, concatBytes, readCString } from "./bytes.ts";
import { attributeMap, encodeAttribute, encodeNested, host32 } from "./netlink.ts";

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;
const NFT_PAYLOAD_LINK_HEADER = 0;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_META_PROTOCOL = 1;
const NFT_META_IIF = 4;
const NFT_META_OIF = 5;
const NFT_META_IIFNAME = 6;
const NFT_META_OIFNAME = 7;
const NFT_META_NFPROTO = 15;
const NFT_CT_STATUS = 2;
const NFT_CT_DST_IP = 20;
const NFT_CT_DST_IP6 = 22;
const IP_CT_DIR_ORIGINAL = 0;
const IPS_DST_NAT = 0x20;
const IFNAMSIZ = 16;
const NFT_LOOKUP_F_INV = 1;
const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_SADDR = 1;
const NFTA_FIB_F_DADDR = 2;
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NFT_JUMP = -3;
const NFT_RETURN = -5;
const RTN_LOCAL = 2;

/** One encoded expression. */
export type Expression = Uint8Array;

function expression(name: string, ...data: readonly Uint8Array[]): Expression {
  const body = [encodeAttribute(NFTA_EXPR_NAME, cString(name)), encodeNested(NFTA_EXPR_DATA, ...data)];
  return encodeNested(NFTA_LIST_ELEM, ...body);
}

// cmp: SREG 1, OP 2, DATA 3 (nested: VALUE 1).

function compare(operation: number, value: Uint8Array): Expression {
  const data = encodeNested(3, encodeAttribute(NFTA_DATA_VALUE, value));
  return expression("cmp", encodeAttribute(1, be32(NFT_REG_1)), encodeAttribute(2, be32(operation)), data);
}

function equals(value: Uint8Array): Expression {
  return compare(NFT_CMP_EQ, value);
}

// meta: DREG 1, KEY 2.

function meta(key: number): Expression {
  return expression("meta", encodeAttribute(2, be32(key)), encodeAttribute(1, be32(NFT_REG_1)));
}

/** Goes on only for packets of this EtherType. */
export function etherTypeIs(type: number): Expression[] {
  return [meta(NFT_META_PROTOCOL), equals(Uint8Array.of(type >> 8, type & 0xff))];
}

/** Goes on only for packets whose EtherType is an element of the set. */
export function etherTypeIsIn(set: string): Expression[] {
  return [meta(NFT_META_PROTOCOL), lookup(set)];
}

/** Goes on only in this netfilter protocol family (for `inet` tables). */
export function netfilterFamilyIs(family: number): Expression[] {
  return [meta(NFT_META_NFPROTO), equals(Uint8Array.of(family))];
}

/** Goes on only for packets that came in, or go out, through this interface. */
export function interfaceIs(which: "in" | "out", name: string): Expression[] {
  const padded = new Uint8Array(IFNAMSIZ);
  padded.set(cString(name).subarray(0, IFNAMSIZ));
  return [meta(which === "in" ? NFT_META_IIFNAME : NFT_META_OIFNAME), equals(padded)];
}

/** Goes on only for packets that came in, or go out, through the interface of this index, whatever its name is by then. */
export function interfaceIndexIs(which: "in" | "out", index: number): Expression[] {
  return [meta(which === "in" ? NFT_META_IIF : NFT_META_OIF), equals(host32(index))];
}

// ct: DREG 1, KEY 2, DIRECTION 3 (u8). bitwise: SREG 1, DREG 2, LEN 3, MASK 4, XOR 5 (nested: VALUE 1).

/** Goes on only for packets of a connection whose destination this host translates (DNAT, redirect). */
export function isDestinationTranslated(): Expression[] {
  const status = expression("ct", encodeAttribute(2, be32(NFT_CT_STATUS)), encodeAttribute(1, be32(NFT_REG_1)));
  const mask = expression(
    "bitwise",
    encodeAttribute(1, be32(NFT_REG_1)),
    encodeAttribute(2, be32(NFT_REG_1)),
    encodeAttribute(3, be32(4)),
    encodeNested(4, encodeAttribute(NFTA_DATA_VALUE, host32(IPS_DST_NAT))),
    encodeNested(5, encodeAttribute(NFTA_DATA_VALUE, host32(0))),
  );
  return [status, mask, compare(NFT_CMP_NEQ, host32(0))];
}

/** Loads the address that the first packet of the connection was sent to. */
export function loadOriginalDestination(family: 4 | 6): Expression {
  return expression(
    "ct",
    encodeAttribute(2, be32(family === 4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6)),
    encodeAttribute(1, be32(NFT_REG_1)),
    encodeAttribute(3, Uint8Array.of(IP_CT_DIR_ORIGINAL)),
  );
}

// payload: DREG 1, BASE 2, OFFSET 3, LEN 4.

/** Loads bytes of the IP or ARP header. */
export function loadNetworkHeader(offset: number, length: number): Expression {
  return load(NFT_PAYLOAD_NETWORK_HEADER, offset, length);
}

/** Loads bytes of the Ethernet header. */
export function loadLinkHeader(offset: number, length: number): Expression {
  return load(NFT_PAYLOAD_LINK_HEADER, offset, length);
}

function load(base: number, offset: number, length: number): Expression {
  return expression(
    "payload",
    encodeAttribute(1, be32(NFT_REG_1)),
    encodeAttribute(2, be32(base)),
    encodeAttribute(3, be32(offset)),
    encodeAttribute(4, be32(length)),
  );
}

/** Goes on only when these bytes stand at this offset of the network header. */
export function networkHeaderIs(offset: number, value: Uint8Array): Expression[] {
  return [loadNetworkHeader(offset, value.length), equals(value)];
}

// lookup: SET 1, SREG 2, DREG 3 (maps), FLAGS 5.

function lookup(set: string, ...more: readonly Uint8Array[]): Expression {
  return expression("lookup", encodeAttribute(2, be32(NFT_REG_1)), encodeAttribute(1, cString(set)), ...more);
}

/** Goes on only when what was loaded is no element of the set. */
export function isNotIn(set: string): Expression {
  return lookup(set, encodeAttribute(5, be32(NFT_LOOKUP_F_INV)));
}

/** Goes on only when what was loaded is an element of the set. */
export function isIn(set: string): Expression {
  return lookup(set);
}

/** Does what the map says of what was loaded; goes on when it says nothing. */
export function verdictOf(map: string): Expression {
  return lookup(map, encodeAttribute(3, be32(NFT_REG_VERDICT)));
}

// fib: DREG 1, RESULT 2, FLAGS 3.

/** Goes on only when the packet's source or destination is an address of this host. */
export function isLocal(which: "source" | "destination"): Expression[] {
  const flags = which === "source" ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR;
  const fib = expression(
    "fib",
    encodeAttribute(3, be32(flags)),
    encodeAttribute(2, be32(NFT_FIB_RESULT_ADDRTYPE)),
    encodeAttribute(1, be32(NFT_REG_1)),
  );
  // The kernel leaves the address type in the register in host order.
  return [fib, equals(host32(RTN_LOCAL))];
}

// immediate: DREG 1, DATA 2 (a verdict: nested VERDICT 2, nested CODE 1, CHAIN 2).

function verdict(code: number, chain?: string): Expression {
  const data = encodeNested(2, encodeVerdict(code, chain));
  return expression("immediate", encodeAttribute(1, be32(NFT_REG_VERDICT)), data);
}

function encodeVerdict(code: number, chain?: string): Uint8Array {
  const target = chain === undefined ? [] : [encodeAttribute(NFTA_VERDICT_CHAIN, cString(chain))];
  return encodeNested(NFTA_DATA_VERDICT, encodeAttribute(NFTA_VERDICT_CODE, be32(code >>> 0)), ...target);
}

/** What an element of a verdict map has as its data: go on in this chain, and then behind the lookup. */
export function jumpData(chain: string): Uint8Array {
  return encodeVerdict(NFT_JUMP, chain);
}

/** The chain to which an element of a verdict map jumps; undefined when it does something else. */
export function jumpTarget(data: Uint8Array): string | undefined {
  const verdict = attributeMap(data).get(NFTA_DATA_VERDICT);
  const chain = verdict === undefined ? undefined : attributeMap(verdict).get(NFTA_VERDICT_CHAIN);
  return chain === undefined ? undefined : readCString(chain);
}

/** Drops the packet. */
export function drop(): Expression {
  return verdict(NF_DROP);
}

/** Lets the packet pass this base chain; others see it still. */
export function accept(): Expression {
  return verdict(NF_ACCEPT);
}

/** Goes on in another chain of the table, and then behind this rule. */
export function jumpTo(chain: string): Expression {
  return verdict(NFT_JUMP, chain);
}

/** Ends this chain: goes on behind the jump that led here. */
export function returnBack(): Expression {
  return verdict(NFT_RETURN);
}

/** All expressions of a rule in one piece. */
export function joinExpressions(expressions: readonly Expression[]): Uint8Array {
  return concatBytes(...expressions);
}
