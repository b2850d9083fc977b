// The few nftables expressions that the fence is made of (linux/netfilter/nf_tables.h). A rule is a list of them;
// a comparison or lookup that fails ends the rule. All numbers in attributes are big-endian; register 1 holds up to 16 bytes.

import { be32, cString, concatBytes } from "./bytes.ts";
import { encodeAttribute, encodeNested, host32 } from "./netlink.ts";

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;

const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
const NFT_CMP_EQ = 0;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_META_PROTOCOL = 1;
const NFT_META_NFPROTO = 15;
const NFT_LOOKUP_F_INV = 1;
const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_SADDR = 1;
const NFTA_FIB_F_DADDR = 2;
const NF_DROP = 0;
const RTN_LOCAL = 2;

/** One encoded expression. */
export type Expression = Uint8Array;

function expression(name: string, ...data: readonly Uint8Array[]): Expression {
  const body = [encodeAttribute(NFTA_EXPR_NAME, cString(name)), encodeNested(NFTA_EXPR_DATA, ...data)];
  return encodeNested(NFTA_LIST_ELEM, ...body);
}

// cmp: SREG 1, OP 2, DATA 3 (nested: VALUE 1).

function equals(value: Uint8Array): Expression {
  const data = encodeNested(3, encodeAttribute(NFTA_DATA_VALUE, value));
  return expression("cmp", encodeAttribute(1, be32(NFT_REG_1)), encodeAttribute(2, be32(NFT_CMP_EQ)), data);
}

// meta: DREG 1, KEY 2.

function meta(key: number): Expression {
  return expression("meta", encodeAttribute(2, be32(key)), encodeAttribute(1, be32(NFT_REG_1)));
}

/** Goes on only for packets of this EtherType. */
export function etherTypeIs(type: number): Expression[] {
  return [meta(NFT_META_PROTOCOL), equals(Uint8Array.of(type >> 8, type & 0xff))];
}

/** Goes on only in this netfilter protocol family (for `inet` tables). */
export function netfilterFamilyIs(family: number): Expression[] {
  return [meta(NFT_META_NFPROTO), equals(Uint8Array.of(family))];
}

// payload: DREG 1, BASE 2, OFFSET 3, LEN 4.

function loadNetworkHeader(offset: number, length: number): Expression {
  return expression(
    "payload",
    encodeAttribute(1, be32(NFT_REG_1)),
    encodeAttribute(2, be32(NFT_PAYLOAD_NETWORK_HEADER)),
    encodeAttribute(3, be32(offset)),
    encodeAttribute(4, be32(length)),
  );
}

/** Goes on only when these bytes stand at this offset of the network header. */
export function networkHeaderIs(offset: number, value: Uint8Array): Expression[] {
  return [loadNetworkHeader(offset, value.length), equals(value)];
}

// lookup: SET 1, SREG 2, FLAGS 5.

function lookup(set: string, inverted: boolean): Expression {
  const flags = inverted ? [encodeAttribute(5, be32(NFT_LOOKUP_F_INV))] : [];
  return expression("lookup", encodeAttribute(2, be32(NFT_REG_1)), encodeAttribute(1, cString(set)), ...flags);
}

/** Goes on only when the bytes at this offset are an element of one set and none of the other. */
export function inSetButNotIn(offset: number, length: number, set: string, other: string): Expression[] {
  return [loadNetworkHeader(offset, length), lookup(set, false), lookup(other, true)];
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

// immediate: DREG 1, DATA 2 (nested: VERDICT 2, nested: CODE 1).

/** Drops the packet. */
export function drop(): Expression {
  const verdict = encodeNested(NFTA_DATA_VERDICT, encodeAttribute(NFTA_VERDICT_CODE, be32(NF_DROP)));
  return expression("immediate", encodeAttribute(1, be32(NFT_REG_VERDICT)), encodeNested(2, verdict));
}

/** All expressions of a rule in one piece. */
export function joinExpressions(expressions: readonly Expression[]): Uint8Array {
  return concatBytes(...expressions);
}
