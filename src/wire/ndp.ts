// Neighbor Discovery (RFC 4861): solicitation and advertisement, with the IPv6 header that an AF_PACKET socket must bring.

import { concatBytes, needBytes, viewOf } from "./bytes.ts";
import { ipv6UpperChecksum } from "./checksum.ts";
import { MAC_BYTES } from "./ethernet.ts";
import { IPV6_BYTES, ipBytes } from "./ip.ts";

/** The next header value of ICMPv6. */
export const ICMPV6 = 58;

/** ICMPv6 types. */
export const NEIGHBOR_SOLICITATION = 135;
export const NEIGHBOR_ADVERTISEMENT = 136;

/** ff02::1, every node of the link. */
export const ALL_NODES: Uint8Array = ipBytes("ff02::1");

/** Hop limit that NDP demands: no router has touched the packet. */
export const NDP_HOP_LIMIT = 255;

const IPV6_HEADER_BYTES = 40;
const OPTION_SOURCE_MAC = 1;
const OPTION_TARGET_MAC = 2;
const FLAG_ROUTER = 0x80;
const FLAG_SOLICITED = 0x40;
const FLAG_OVERRIDE = 0x20;

/** A neighbour solicitation or advertisement inside its IPv6 packet. */
export interface NdpMessage {
  readonly type: typeof NEIGHBOR_SOLICITATION | typeof NEIGHBOR_ADVERTISEMENT;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly target: Uint8Array;
  /** Advertisement only. */
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  /** The target's link-layer address of an advertisement, the source's of a solicitation. */
  readonly mac?: Uint8Array;
}

/** The group that the holder of `target` listens to (RFC 4291, section 2.7.1): ff02::1:ff and its last three bytes. */
export function solicitedNode(target: Uint8Array): Uint8Array {
  needBytes(target, IPV6_BYTES, "IPv6 address");
  const out = ipBytes("ff02::1:ff00:0");
  out.set(target.subarray(13), 13);
  return out;
}

/** The advertisement that moves an address: unsolicited, with Override, else neighbours keep what they know. */
export function unsolicitedAdvertisement(target: Uint8Array, mac: Uint8Array, router: boolean): NdpMessage {
  const type = NEIGHBOR_ADVERTISEMENT;
  return { type, source: target, destination: ALL_NODES, target, router, solicited: false, override: true, mac };
}

/** The question of duplicate address detection (RFC 4862, section 5.4.2): from ::, claiming nothing. */
export function dadSolicitation(target: Uint8Array): NdpMessage {
  const type = NEIGHBOR_SOLICITATION;
  const source = new Uint8Array(IPV6_BYTES);
  return { type, source, destination: solicitedNode(target), target, router: false, solicited: false, override: false };
}

// IPv6 header (RFC 8200, section 3): u32 version 6, class, flow @0, be16 payload length @4, u8 next header @6, u8 hop limit @7,
// source @8, destination @24. ICMPv6 (RFC 4861, sections 4.3, 4.4): u8 type @0, u8 code @1, be16 checksum @2, u32 flags @4,
// target @8, options @24: u8 type, u8 length in units of 8 bytes, link-layer address.

const NDP_BYTES = 24;
const OPTION_BYTES = 8;

/** Encodes the whole IPv6 packet, with its checksum. */
export function encodeNdp(message: NdpMessage): Uint8Array {
  const icmp = encodeIcmp(message);
  viewOf(icmp).setUint16(2, ipv6UpperChecksum(message.source, message.destination, ICMPV6, icmp));
  const header = new Uint8Array(IPV6_HEADER_BYTES);
  header[0] = 0x60;
  viewOf(header).setUint16(4, icmp.length);
  header[6] = ICMPV6;
  header[7] = NDP_HOP_LIMIT;
  header.set(message.source, 8);
  header.set(message.destination, 24);
  return concatBytes(header, icmp);
}

function encodeIcmp(message: NdpMessage): Uint8Array {
  const out = new Uint8Array(NDP_BYTES + (message.mac === undefined ? 0 : OPTION_BYTES));
  out[0] = message.type;
  out[4] =
    (message.router ? FLAG_ROUTER : 0) |
    (message.solicited ? FLAG_SOLICITED : 0) |
    (message.override ? FLAG_OVERRIDE : 0);
  out.set(message.target, 8);
  if (message.mac !== undefined) {
    out[NDP_BYTES] = message.type === NEIGHBOR_ADVERTISEMENT ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC;
    out[NDP_BYTES + 1] = 1;
    out.set(message.mac, NDP_BYTES + 2);
  }
  return out;
}

/**
 * Decodes an IPv6 packet. Undefined when it is no valid neighbour message (RFC 4861, section 7.1: hop limit, code,
 * checksum, option lengths); a RangeError when it is cut off.
 */
export function decodeNdp(packet: Uint8Array): NdpMessage | undefined {
  needBytes(packet, IPV6_HEADER_BYTES, "IPv6 header");
  if ((packet[0] ?? 0) >> 4 !== 6 || packet[6] !== ICMPV6 || packet[7] !== NDP_HOP_LIMIT) return undefined;
  const length = viewOf(packet).getUint16(4);
  needBytes(packet, IPV6_HEADER_BYTES + length, "IPv6 payload");
  const icmp = packet.subarray(IPV6_HEADER_BYTES, IPV6_HEADER_BYTES + length);
  const type = icmp[0];
  if (icmp.length < NDP_BYTES || icmp[1] !== 0) return undefined;
  if (type !== NEIGHBOR_SOLICITATION && type !== NEIGHBOR_ADVERTISEMENT) return undefined;
  const source = packet.slice(8, 24);
  const destination = packet.slice(24, 40);
  if (ipv6UpperChecksum(source, destination, ICMPV6, icmp) !== 0) return undefined;
  const options = readOptions(icmp.subarray(NDP_BYTES));
  if (options === undefined) return undefined;
  const flags = type === NEIGHBOR_ADVERTISEMENT ? (icmp[4] ?? 0) : 0;
  const mac = options.get(type === NEIGHBOR_ADVERTISEMENT ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC);
  return {
    type,
    source,
    destination,
    target: icmp.slice(8, NDP_BYTES),
    router: (flags & FLAG_ROUTER) !== 0,
    solicited: (flags & FLAG_SOLICITED) !== 0,
    override: (flags & FLAG_OVERRIDE) !== 0,
    ...(mac === undefined ? {} : { mac: mac.slice(0, MAC_BYTES) }),
  };
}

/** The options' contents by type; undefined when a length is zero or reaches past the end. */
function readOptions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> | undefined {
  const options = new Map<number, Uint8Array>();
  let at = 0;
  while (at < bytes.length) {
    const length = (bytes[at + 1] ?? 0) * OPTION_BYTES;
    if (length === 0 || at + length > bytes.length) return undefined;
    options.set(bytes[at] ?? 0, bytes.subarray(at + 2, at + length));
    at += length;
  }
  return options;
}
