// Netlink framing (RFC 3549, linux/netlink.h): messages and attributes, all in host byte order
// and padded to 4 bytes. What the payloads mean stands in rtnetlink.ts and nftables.ts.

import { concatBytes, needBytes, readCString, viewOf } from "./bytes.ts";

/** Whether this machine keeps the low byte first; netlink headers follow the machine. */
export const LITTLE_ENDIAN: boolean = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Control message types. */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

/** Message flags. */
export const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
/** The verdict does not repeat the request, and has attributes behind it (NETLINK_CAP_ACK, NETLINK_EXT_ACK). */
const NLM_F_CAPPED_WITH_ATTRIBUTES = 0x300;
const NLMSGERR_ATTR_MSG = 1;
/** NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300;

const HEADER_BYTES = 16;
/** Length of an attribute without its data. */
export const ATTRIBUTE_HEADER_BYTES = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** One netlink message. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly pid: number;
  readonly payload: Uint8Array;
}

/** One attribute; the type without its flag bits. */
export interface Attribute {
  readonly type: number;
  readonly data: Uint8Array;
}

/** The kernel's verdict on a request: 0 is an acknowledgement. */
export interface NetlinkVerdict {
  /** Positive errno, or 0. */
  readonly errno: number;
  /** Sequence number of the request it answers. */
  readonly seq: number;
  /** Why it refuses, in the kernel's words; absent where it has none. */
  readonly reason?: string;
}

/** `value` rounded up to a multiple of 4. */
export function align4(value: number): number {
  return (value + 3) & ~3;
}

// struct nlmsghdr: u32 length (with this header) @0, u16 type @4, u16 flags @6, u32 seq @8, u32 pid @12.

/** One message with its header, padded to 4 bytes. */
export function encodeMessage(message: Omit<NetlinkMessage, "pid">): Uint8Array {
  const length = HEADER_BYTES + message.payload.length;
  const out = new Uint8Array(align4(length));
  const view = viewOf(out);
  view.setUint32(0, length, LITTLE_ENDIAN);
  view.setUint16(4, message.type, LITTLE_ENDIAN);
  view.setUint16(6, message.flags, LITTLE_ENDIAN);
  view.setUint32(8, message.seq, LITTLE_ENDIAN);
  out.set(message.payload, HEADER_BYTES);
  return out;
}

/** All messages of one datagram. Throws a RangeError when a length does not fit. */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at < bytes.length) {
    const rest = bytes.subarray(at);
    needBytes(rest, HEADER_BYTES, "netlink header");
    const view = viewOf(rest);
    const length = view.getUint32(0, LITTLE_ENDIAN);
    if (length < HEADER_BYTES) throw new RangeError(`netlink message: length ${length} is shorter than its header`);
    needBytes(rest, length, "netlink message");
    messages.push({
      type: view.getUint16(4, LITTLE_ENDIAN),
      flags: view.getUint16(6, LITTLE_ENDIAN),
      seq: view.getUint32(8, LITTLE_ENDIAN),
      pid: view.getUint32(12, LITTLE_ENDIAN),
      payload: rest.subarray(HEADER_BYTES, length),
    });
    at += align4(length);
  }
  return messages;
}

// struct nlattr: u16 length (with this header) @0, u16 type and flags @2.

/** One attribute, padded to 4 bytes. */
export function encodeAttribute(type: number, data: Uint8Array): Uint8Array {
  const length = ATTRIBUTE_HEADER_BYTES + data.length;
  if (length > 0xffff) throw new RangeError(`netlink attribute ${type}: ${length} bytes are more than 65535`);
  const out = new Uint8Array(align4(length));
  const view = viewOf(out);
  view.setUint16(0, length, LITTLE_ENDIAN);
  view.setUint16(2, type, LITTLE_ENDIAN);
  out.set(data, ATTRIBUTE_HEADER_BYTES);
  return out;
}

/** An attribute that holds attributes. */
export function encodeNested(type: number, ...inner: readonly Uint8Array[]): Uint8Array {
  return encodeAttribute(type | NLA_F_NESTED, concatBytes(...inner));
}

/** The attributes in order. Throws a RangeError when a length does not fit. */
export function listAttributes(bytes: Uint8Array): Attribute[] {
  const attributes: Attribute[] = [];
  let at = 0;
  while (at < bytes.length) {
    const rest = bytes.subarray(at);
    needBytes(rest, ATTRIBUTE_HEADER_BYTES, "netlink attribute");
    const view = viewOf(rest);
    const length = view.getUint16(0, LITTLE_ENDIAN);
    if (length < ATTRIBUTE_HEADER_BYTES)
      throw new RangeError(`netlink attribute: length ${length} is shorter than its header`);
    needBytes(rest, length, "netlink attribute");
    const type = view.getUint16(2, LITTLE_ENDIAN) & NLA_TYPE_MASK;
    attributes.push({ type, data: rest.subarray(ATTRIBUTE_HEADER_BYTES, length) });
    at += align4(length);
  }
  return attributes;
}

/** The attributes by type; of a repeated one the last counts, as in the kernel. */
export function attributeMap(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  return new Map(listAttributes(bytes).map(({ type, data }) => [type, data]));
}

// struct nlmsgerr: i32 negative errno @0, then the header of the request @4 (its seq @12).

/** Reads the payload of NLMSG_ERROR; `flags`: those of its message. */
export function decodeVerdict(payload: Uint8Array, flags = 0): NetlinkVerdict {
  needBytes(payload, 4 + HEADER_BYTES, "netlink error");
  const view = viewOf(payload);
  const hasAttributes = (flags & NLM_F_CAPPED_WITH_ATTRIBUTES) === NLM_F_CAPPED_WITH_ATTRIBUTES;
  const reason = hasAttributes ? attributeMap(payload.subarray(4 + HEADER_BYTES)).get(NLMSGERR_ATTR_MSG) : undefined;
  return {
    errno: Math.abs(view.getInt32(0, LITTLE_ENDIAN)),
    seq: view.getUint32(12, LITTLE_ENDIAN),
    ...(reason === undefined ? {} : { reason: readCString(reason) }),
  };
}

// struct of NLMSG_DONE: i32 negative errno or 0 @0; older kernels may leave it out.

/** The positive errno with which a dump ended, or 0. */
export function decodeDone(payload: Uint8Array): number {
  return payload.length < 4 ? 0 : Math.max(0, -viewOf(payload).getInt32(0, LITTLE_ENDIAN));
}

/** A number of 32 bits in host order. */
export function host32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  viewOf(out).setUint32(0, value, LITTLE_ENDIAN);
  return out;
}

/** Reads a number of 32 bits in host order. */
export function readHost32(bytes: Uint8Array, what: string): number {
  needBytes(bytes, 4, what);
  return viewOf(bytes).getUint32(0, LITTLE_ENDIAN);
}
