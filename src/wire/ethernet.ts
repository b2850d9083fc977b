// Ethernet names and the kernel's link-layer socket address (linux/if_packet.h).

import { be16, concatBytes, fromHex, needBytes, viewOf } from "./bytes.ts";
import { LITTLE_ENDIAN } from "./netlink.ts";

/** Length of a hardware address. */
export const MAC_BYTES = 6;

/** EtherTypes. */
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;

/** ff:ff:ff:ff:ff:ff. */
export const BROADCAST_MAC: Uint8Array = new Uint8Array(MAC_BYTES).fill(0xff);

/** Lower-case text with colons; empty for no bytes. */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Reads six hex pairs with colons; undefined when it is no hardware address. */
export function parseMac(text: string): Uint8Array | undefined {
  return /^(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/u.test(text) ? fromHex(text.replaceAll(":", "")) : undefined;
}

/** The Ethernet group for an IPv4 multicast address (RFC 1112, section 6.4): 01:00:5e and its last 23 bits. */
export function ipv4MulticastMac(group: Uint8Array): Uint8Array {
  needBytes(group, 4, "IPv4 multicast address");
  return Uint8Array.of(0x01, 0x00, 0x5e, (group[1] ?? 0) & 0x7f, ...group.subarray(2, 4));
}

/** The Ethernet group for an IPv6 multicast address (RFC 2464, section 7): 33:33 and its last four bytes. */
export function ipv6MulticastMac(group: Uint8Array): Uint8Array {
  needBytes(group, 16, "IPv6 multicast address");
  return Uint8Array.of(0x33, 0x33, ...group.subarray(12, 16));
}

// Ethernet header: destination @0, source @6, be16 EtherType @12.

/** The header of a frame. */
export function encodeEthernetHeader(destination: Uint8Array, source: Uint8Array, etherType: number): Uint8Array {
  return concatBytes(destination, source, be16(etherType));
}

/** The packet type of frames that are not for this host: of another hardware address, or of a VLAN without an interface. */
export const PACKET_OTHERHOST = 3;

/** Where an AF_PACKET message goes to or comes from. */
export interface LinkAddress {
  readonly protocol: number;
  readonly index: number;
  /** PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4; 0 when sending. */
  readonly packetType: number;
  readonly mac: Uint8Array;
}

// struct sockaddr_ll: u16 family 17 @0, be16 protocol @2, i32 index @4, u16 hardware type @8, u8 packet type @10,
// u8 address length @11, address @12 (8 bytes).

const SOCKADDR_LL_BYTES = 20;
const AF_PACKET = 17;

/** Encodes a link-layer socket address. */
export function encodeLinkAddress(address: Omit<LinkAddress, "packetType">): Uint8Array {
  const out = new Uint8Array(SOCKADDR_LL_BYTES);
  const view = viewOf(out);
  view.setUint16(0, AF_PACKET, LITTLE_ENDIAN);
  view.setUint16(2, address.protocol);
  view.setInt32(4, address.index, LITTLE_ENDIAN);
  out[11] = address.mac.length;
  out.set(address.mac, 12);
  return out;
}

/** Decodes a link-layer socket address; a RangeError when it is too short. */
export function decodeLinkAddress(bytes: Uint8Array): LinkAddress {
  needBytes(bytes, 12, "sockaddr_ll");
  const view = viewOf(bytes);
  const length = bytes[11] ?? 0;
  needBytes(bytes, 12 + length, "sockaddr_ll address");
  return {
    protocol: view.getUint16(2),
    index: view.getInt32(4, LITTLE_ENDIAN),
    packetType: bytes[10] ?? 0,
    mac: bytes.slice(12, 12 + length),
  };
}
