// nftables over nfnetlink: tables, chains, rules, sets and their elements (linux/netfilter/nfnetlink.h, nf_tables.h).
// Changes go between a batch's begin and end: the kernel commits all or none. Numbers in attributes are big-endian.

import { be16, be32, be64, cString, concatBytes, needBytes, readCString, viewOf } from "./bytes.ts";
import { ATTRIBUTE_HEADER_BYTES, attributeMap, encodeAttribute, encodeNested, listAttributes } from "./netlink.ts";
import { joinExpressions, jumpData, jumpTarget } from "./nft-expressions.ts";
import type { Expression } from "./nft-expressions.ts";

/** Families of tables. */
export const NFPROTO_INET = 1;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_ARP = 3;
export const NFPROTO_NETDEV = 5;
export const NFPROTO_IPV6 = 10;

const NFNL_SUBSYS_NFTABLES = 10;
const SUBSYSTEM = NFNL_SUBSYS_NFTABLES << 8;

/** Message types, as they stand in the netlink header. */
export const NFNL_MSG_BATCH_BEGIN = 16;
export const NFNL_MSG_BATCH_END = 17;
export const NFT_MSG_NEWTABLE = SUBSYSTEM | 0;
export const NFT_MSG_GETTABLE = SUBSYSTEM | 1;
export const NFT_MSG_DELTABLE = SUBSYSTEM | 2;
export const NFT_MSG_NEWCHAIN = SUBSYSTEM | 3;
export const NFT_MSG_GETCHAIN = SUBSYSTEM | 4;
export const NFT_MSG_DELCHAIN = SUBSYSTEM | 5;
export const NFT_MSG_NEWRULE = SUBSYSTEM | 6;
export const NFT_MSG_GETRULE = SUBSYSTEM | 7;
export const NFT_MSG_NEWSET = SUBSYSTEM | 9;
export const NFT_MSG_GETSET = SUBSYSTEM | 10;
export const NFT_MSG_DELSET = SUBSYSTEM | 11;
export const NFT_MSG_NEWSETELEM = SUBSYSTEM | 12;
export const NFT_MSG_GETSETELEM = SUBSYSTEM | 13;
export const NFT_MSG_DELSETELEM = SUBSYSTEM | 14;
export const NFT_MSG_NEWGEN = SUBSYSTEM | 15;
export const NFT_MSG_GETGEN = SUBSYSTEM | 16;

/** Table flags: deletable by its owner's socket only; outlives that socket. */
export const NFT_TABLE_F_OWNER = 0x2;
export const NFT_TABLE_F_PERSIST = 0x4;

/** Hook numbers: of netdev, of IPv4 and IPv6 (inet), of ARP. */
export const NF_NETDEV_INGRESS = 0;
export const NF_NETDEV_EGRESS = 1;
export const NF_INET_PRE_ROUTING = 0;
export const NF_INET_LOCAL_OUT = 3;
export const NF_INET_POST_ROUTING = 4;
export const NF_ARP_OUT = 1;

/** A table's place: family and name. */
export interface TableName {
  readonly family: number;
  readonly table: string;
}

// struct nfgenmsg: u8 family @0, u8 version 0 @1, be16 resource @2; attributes follow.

const NFGENMSG_BYTES = 4;

function nfgenmsg(family: number, resource = 0): Uint8Array {
  return concatBytes(Uint8Array.of(family, 0), be16(resource));
}

function attributesOf(payload: Uint8Array): ReadonlyMap<number, Uint8Array> {
  needBytes(payload, NFGENMSG_BYTES, "nfgenmsg");
  return attributeMap(payload.subarray(NFGENMSG_BYTES));
}

function readBe32(data: Uint8Array | undefined, what: string): number {
  if (data === undefined) throw new RangeError(`${what}: missing`);
  needBytes(data, 4, what);
  return viewOf(data).getUint32(0);
}

function readBe64(data: Uint8Array | undefined, what: string): bigint {
  if (data === undefined) throw new RangeError(`${what}: missing`);
  needBytes(data, 8, what);
  return viewOf(data).getBigUint64(0);
}

/** Payload of NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END. */
export function encodeBatchMark(): Uint8Array {
  return nfgenmsg(0, NFNL_SUBSYS_NFTABLES);
}

// Table: NAME 1, FLAGS 2 (be32), USE 3, HANDLE 4 (be64), OWNER 7 (be32 netlink port).

/** Payload of NFT_MSG_NEWTABLE (with flags), GETTABLE and DELTABLE. */
export function encodeTable({ family, table }: TableName, flags?: number): Uint8Array {
  const name = encodeAttribute(1, cString(table));
  return concatBytes(nfgenmsg(family), name, ...(flags === undefined ? [] : [encodeAttribute(2, be32(flags))]));
}

/** A table as the kernel shows it. */
export interface TableRecord {
  readonly name: string;
  readonly flags: number;
  readonly handle: bigint;
  /** Netlink port of the owning socket; undefined when nobody owns it. */
  readonly owner?: number;
}

/** Reads NFT_MSG_NEWTABLE. */
export function decodeTable(payload: Uint8Array): TableRecord {
  const attributes = attributesOf(payload);
  const owner = attributes.get(7);
  return {
    name: readCString(attributes.get(1) ?? new Uint8Array()),
    flags: readBe32(attributes.get(2), "table flags"),
    handle: readBe64(attributes.get(4), "table handle"),
    ...(owner === undefined ? {} : { owner: readBe32(owner, "table owner") }),
  };
}

// Chain: TABLE 1, HANDLE 2 (be64), NAME 3, HOOK 4 (nested: HOOKNUM 1, PRIORITY 2, DEV 3, DEVS 4 (nested: NAME 1)),
// POLICY 5, USE 6 (be32, the rules in it), TYPE 7.

/** Where a base chain is hooked in. */
export interface Hook {
  readonly number: number;
  readonly priority: number;
  /** Netdev chains only. */
  readonly device?: string;
}

/** Payload of NFT_MSG_NEWCHAIN for a base chain (type filter, policy accept), or of GETCHAIN and DELCHAIN without a hook. */
export function encodeChain({ family, table }: TableName, chain: string, hook?: Hook): Uint8Array {
  const name = [encodeAttribute(1, cString(table)), encodeAttribute(3, cString(chain))];
  return concatBytes(nfgenmsg(family), ...name, ...(hook === undefined ? [] : baseChain(hook)));
}

function baseChain(hook: Hook): Uint8Array[] {
  const place = [encodeAttribute(1, be32(hook.number)), encodeAttribute(2, be32(hook.priority >>> 0))];
  const device = hook.device === undefined ? [] : [encodeAttribute(3, cString(hook.device))];
  return [encodeNested(4, ...place, ...device), encodeAttribute(7, cString("filter"))];
}

/** A chain as the kernel shows it. */
export interface ChainRecord {
  readonly table: string;
  readonly name: string;
  readonly handle: bigint;
  /** Number of rules in it. */
  readonly use: number;
  readonly hookNumber?: number;
  /** "filter", "nat", "route"; base chains only. */
  readonly type?: string;
  readonly devices: readonly string[];
}

/** Reads NFT_MSG_NEWCHAIN. */
export function decodeChain(payload: Uint8Array): ChainRecord {
  const attributes = attributesOf(payload);
  const hook = attributes.get(4);
  const hooked = hook === undefined ? new Map<number, Uint8Array>() : attributeMap(hook);
  const number = hooked.get(1);
  const type = attributes.get(7);
  return {
    table: readCString(attributes.get(1) ?? new Uint8Array()),
    name: readCString(attributes.get(3) ?? new Uint8Array()),
    handle: readBe64(attributes.get(2), "chain handle"),
    use: readBe32(attributes.get(6), "chain use"),
    ...(number === undefined ? {} : { hookNumber: readBe32(number, "chain hook") }),
    ...(type === undefined ? {} : { type: readCString(type) }),
    devices: devicesOf(hooked),
  };
}

function devicesOf(hook: ReadonlyMap<number, Uint8Array>): string[] {
  const devices = hook.get(4);
  if (devices !== undefined) return listAttributes(devices).map(({ data }) => readCString(data));
  const device = hook.get(3);
  return device === undefined ? [] : [readCString(device)];
}

// Rule: TABLE 1, CHAIN 2, HANDLE 3 (be64), EXPRESSIONS 4 (nested list), USERDATA 7: u8 type 0 (comment) @0, u8 length @1, text @2.

/** Payload of NFT_MSG_NEWRULE; the comment (at most 127 bytes) is shown by `nft list`. */
export function encodeRule(
  { family, table }: TableName,
  chain: string,
  expressions: readonly Expression[],
  comment: string,
): Uint8Array {
  const text = cString(comment);
  return concatBytes(
    nfgenmsg(family),
    encodeAttribute(1, cString(table)),
    encodeAttribute(2, cString(chain)),
    encodeNested(4, joinExpressions(expressions)),
    encodeAttribute(7, concatBytes(Uint8Array.of(0, text.length), text)),
  );
}

/** A rule as the kernel shows it. */
export interface RuleRecord {
  readonly table: string;
  readonly chain: string;
  readonly handle: bigint;
  /** Empty when there is none. */
  readonly comment: string;
}

/** Reads NFT_MSG_NEWRULE. */
export function decodeRule(payload: Uint8Array): RuleRecord {
  const attributes = attributesOf(payload);
  return {
    table: readCString(attributes.get(1) ?? new Uint8Array()),
    chain: readCString(attributes.get(2) ?? new Uint8Array()),
    handle: readBe64(attributes.get(3), "rule handle"),
    comment: commentOf(attributes.get(7)),
  };
}

function commentOf(userdata: Uint8Array | undefined): string {
  if (userdata === undefined || userdata.length < 2 || userdata[0] !== 0) return "";
  return readCString(userdata.subarray(2, 2 + (userdata[1] ?? 0)));
}

// Generation: ID 1 (be32): one more for each transaction of anybody in the network namespace.

/** Payload of NFT_MSG_GETGEN. */
export function encodeAnyFamily(): Uint8Array {
  return nfgenmsg(0);
}

/** Payload of NFT_MSG_GETCHAIN for all chains of one family. */
export function encodeFamily(family: number): Uint8Array {
  return nfgenmsg(family);
}

/** Reads NFT_MSG_NEWGEN. */
export function decodeGeneration(payload: Uint8Array): number {
  return readBe32(attributesOf(payload).get(1), "generation");
}

// Set: TABLE 1, NAME 2, FLAGS 3 (be32), KEY_TYPE 4 (be32, for people's tools), KEY_LEN 5 (be32), DATA_TYPE 6 (be32),
// DATA_LEN 7 (be32), ID 10 (be32, within the batch).

/** Key types as nft names them: ipv4_addr, ipv6_addr, ether_addr, ether_type, mark. */
export const KEY_IPV4 = { type: 7, length: 4 } as const;
export const KEY_IPV6 = { type: 8, length: 16 } as const;
export const KEY_MAC = { type: 9, length: 6 } as const;
export const KEY_ETHERTYPE = { type: 10, length: 2 } as const;
export const KEY_MARK = { type: 19, length: 4 } as const;

/** What a set has: keys, keys that end by themselves, or a verdict for each key. */
export type SetKind = "keys" | "timeouts" | "verdicts";

const SET_FLAGS: Readonly<Record<SetKind, number>> = { keys: 0, timeouts: 0x10, verdicts: 0x8 };
const NFT_DATA_VERDICT = 0xffffff00;

/** What a new set is. */
export interface SetShape {
  readonly name: string;
  readonly key: { readonly type: number; readonly length: number };
  readonly kind: SetKind;
}

/** Payload of NFT_MSG_NEWSET; `id` differs from those of other sets of the table in the batch. */
export function encodeNewSet(table: TableName, { name, key, kind }: SetShape, id: number): Uint8Array {
  return concatBytes(
    encodeSetName(table, name),
    encodeAttribute(3, be32(SET_FLAGS[kind])),
    encodeAttribute(4, be32(key.type)),
    encodeAttribute(5, be32(key.length)),
    ...(kind === "verdicts" ? [encodeAttribute(6, be32(NFT_DATA_VERDICT))] : []),
    encodeAttribute(10, be32(id)),
  );
}

/** Payload of NFT_MSG_GETSET and DELSET. */
export function encodeSetName({ family, table }: TableName, set: string): Uint8Array {
  return concatBytes(nfgenmsg(family), encodeAttribute(1, cString(table)), encodeAttribute(2, cString(set)));
}

/** What NFT_MSG_GETSET tells of a set. */
export interface SetRecord {
  readonly name: string;
  /** Undefined when it is none of those that vipd makes. */
  readonly kind?: SetKind;
}

/** Reads NFT_MSG_NEWSET. */
export function decodeSet(payload: Uint8Array): SetRecord {
  const attributes = attributesOf(payload);
  const flags = attributes.get(3);
  const bits = flags === undefined ? 0 : readBe32(flags, "set flags");
  const kind = (["keys", "timeouts", "verdicts"] as const).find((each) => SET_FLAGS[each] === bits);
  return { name: readCString(attributes.get(2) ?? new Uint8Array()), ...(kind === undefined ? {} : { kind }) };
}

// Elements: TABLE 1, SET 2, ELEMENTS 3 (nested list of KEY 1 (nested: VALUE 1), DATA 2 (nested), TIMEOUT 4 (be64 ms),
// EXPIRATION 5 (be64 ms)).

/** What elements get besides their keys: a timeout, or, in a verdict map, a chain to jump to. */
export interface ElementExtras {
  readonly timeoutMs?: number;
  readonly chain?: string;
}

/** Payload of NFT_MSG_NEWSETELEM and DELSETELEM. The list's own length is 16 bits: see MAX_ELEMENTS. */
export function encodeElements(
  table: TableName,
  set: string,
  keys: readonly Uint8Array[],
  { timeoutMs, chain }: ElementExtras = {},
): Uint8Array {
  const extras = [
    ...(chain === undefined ? [] : [encodeNested(2, jumpData(chain))]),
    ...(timeoutMs === undefined ? [] : [encodeAttribute(4, be64(timeoutMs))]),
  ];
  const elements = keys.map((key) => encodeNested(1, encodeNested(1, encodeAttribute(1, key)), ...extras));
  return concatBytes(encodeSetName(table, set), encodeNested(3, ...elements));
}

/** Length of an element's timeout. */
const TIMEOUT_BYTES = 8;

/**
 * The elements of `encodeElements` for timeouts that change often, with keys of one length: what does not change is built once. The
 * timeout is the last field of each element.
 */
export function elementsWithTimeout(
  table: TableName,
  set: string,
  keys: readonly Uint8Array[],
): (timeoutMs: number) => Uint8Array {
  const template = encodeElements(table, set, keys, { timeoutMs: 0 });
  const listBytes = template.length - encodeSetName(table, set).length - ATTRIBUTE_HEADER_BYTES;
  const elementBytes = listBytes / keys.length;
  return (timeoutMs) => {
    const out = template.slice();
    const view = viewOf(out);
    for (let end = out.length, i = 0; i < keys.length; end -= elementBytes, i += 1)
      view.setBigUint64(end - TIMEOUT_BYTES, BigInt(timeoutMs));
    return out;
  };
}

/** Most elements of one message: each takes up to 84 bytes of 65535. */
export const MAX_ELEMENTS = 700;

/** An element as the kernel shows it. */
export interface ElementRecord {
  readonly key: Uint8Array;
  /** Milliseconds left; undefined where the set has no timeouts. */
  readonly expiresMs?: number;
  /** The chain to jump to, in a verdict map. */
  readonly chain?: string;
}

/** Reads NFT_MSG_NEWSETELEM. */
export function decodeElements(payload: Uint8Array): ElementRecord[] {
  const list = attributesOf(payload).get(3);
  if (list === undefined) return [];
  return listAttributes(list).map(({ data }) => {
    const attributes = attributeMap(data);
    const key = attributeMap(attributes.get(1) ?? new Uint8Array()).get(1);
    if (key === undefined) throw new RangeError("set element: no key");
    const expiration = attributes.get(5);
    const expiresMs = expiration === undefined ? {} : { expiresMs: Number(readBe64(expiration, "element expiration")) };
    const chain = jumpTarget(attributes.get(2) ?? new Uint8Array());
    return { key: key.slice(), ...expiresMs, ...(chain === undefined ? {} : { chain }) };
  });
}
