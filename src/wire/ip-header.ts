// IP headers, as a raw IPv4 socket gives and takes them, and as frames off the wire have them.

import { concatBytes, viewOf } from "./bytes.ts";
import { internetChecksum } from "./checksum.ts";
import type { VrrpFault } from "./vrrp-fault.ts";

/** A packet without its IP header, and what of the header matters. */
export interface IpPacket {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** IPv4's protocol, IPv6's next header. */
  readonly protocol: number;
  /** IPv4's TTL, IPv6's hop limit. */
  readonly hopLimit: number;
  readonly payload: Uint8Array;
}

/** What a packet is, or why it is none. */
export type IpResult =
  | { readonly kind: "packet"; readonly packet: IpPacket }
  | { readonly kind: "rejected"; readonly fault: VrrpFault };

/** Internetwork control: the class of routing protocols (RFC 791, section 3.1; RFC 2474, section 4.2.2). */
export const TOS_CONTROL = 0xc0;

// IPv4 header (RFC 791, section 3.1): u8 version 4 and length in 32-bit words @0, u8 type of service @1, be16 total length @2,
// be16 identification @4, be16 flags and fragment offset in 8 bytes @6, u8 TTL @8, u8 protocol @9, be16 header checksum @10,
// source @12, destination @16, options.

const IPV4_HEADER_BYTES = 20;
const FLAG_DONT_FRAGMENT = 0x4000;
const FLAG_RESERVED = 0x8000;

/** Builds an IPv4 packet without options. The kernel puts a number where `identification` is 0, and its own checksum. */
export function encodeIpv4(packet: IpPacket, tos = TOS_CONTROL, identification = 0): Uint8Array {
  const header = new Uint8Array(IPV4_HEADER_BYTES);
  const view = viewOf(header);
  header[0] = 0x40 | (IPV4_HEADER_BYTES / 4);
  header[1] = tos;
  view.setUint16(2, IPV4_HEADER_BYTES + packet.payload.length);
  view.setUint16(4, identification);
  header[8] = packet.hopLimit;
  header[9] = packet.protocol;
  header.set(packet.source, 12);
  header.set(packet.destination, 16);
  view.setUint16(10, internetChecksum(header));
  return concatBytes(header, packet.payload);
}

/**
 * Reads an IPv4 packet. What follows behind its stated length is padding of a short Ethernet frame and is ignored; Linux cuts
 * it off before a raw socket sees it.
 */
export function decodeIpv4(bytes: Uint8Array): IpResult {
  if (bytes.length < IPV4_HEADER_BYTES) return rejected({ reason: "ip-header-short", bytes: bytes.length });
  const first = bytes[0] ?? 0;
  if (first >> 4 !== 4) return rejected({ reason: "ip-version", version: first >> 4 });
  const headerBytes = (first & 0xf) * 4;
  if (headerBytes < IPV4_HEADER_BYTES || headerBytes > bytes.length)
    return rejected({ reason: "ip-header-length", headerBytes });
  const view = viewOf(bytes);
  const stated = view.getUint16(2);
  if (stated < headerBytes || stated > bytes.length)
    return rejected({ reason: "ip-length", stated, received: bytes.length });
  if (internetChecksum(bytes.subarray(0, headerBytes)) !== 0) return rejected({ reason: "ip-checksum" });
  if ((view.getUint16(6) & ~(FLAG_DONT_FRAGMENT | FLAG_RESERVED)) !== 0) return rejected({ reason: "ip-fragment" });
  return {
    kind: "packet",
    packet: {
      source: bytes.slice(12, 16),
      destination: bytes.slice(16, 20),
      protocol: bytes[9] ?? 0,
      hopLimit: bytes[8] ?? 0,
      payload: bytes.slice(headerBytes, stated),
    },
  };
}

// IPv6 header (RFC 8200, section 3): u32 version 6, traffic class and flow label @0, be16 payload length @4, u8 next header @6,
// u8 hop limit @7, source @8, destination @24.

const IPV6_HEADER_BYTES = 40;

/** Builds an IPv6 packet without extension headers. */
export function encodeIpv6(packet: IpPacket, trafficClass = TOS_CONTROL): Uint8Array {
  const header = new Uint8Array(IPV6_HEADER_BYTES);
  const view = viewOf(header);
  view.setUint32(0, 0x6000_0000 + trafficClass * 0x10_0000);
  view.setUint16(4, packet.payload.length);
  header[6] = packet.protocol;
  header[7] = packet.hopLimit;
  header.set(packet.source, 8);
  header.set(packet.destination, 24);
  return concatBytes(header, packet.payload);
}

/** Reads an IPv6 packet without extension headers. */
export function decodeIpv6(bytes: Uint8Array): IpResult {
  if (bytes.length < IPV6_HEADER_BYTES) return rejected({ reason: "ip-header-short", bytes: bytes.length });
  const version = (bytes[0] ?? 0) >> 4;
  if (version !== 6) return rejected({ reason: "ip-version", version });
  const stated = IPV6_HEADER_BYTES + viewOf(bytes).getUint16(4);
  if (stated > bytes.length) return rejected({ reason: "ip-length", stated, received: bytes.length });
  return {
    kind: "packet",
    packet: {
      source: bytes.slice(8, 24),
      destination: bytes.slice(24, 40),
      protocol: bytes[6] ?? 0,
      hopLimit: bytes[7] ?? 0,
      payload: bytes.slice(IPV6_HEADER_BYTES, stated),
    },
  };
}

function rejected(fault: VrrpFault): IpResult {
  return { kind: "rejected", fault };
}
