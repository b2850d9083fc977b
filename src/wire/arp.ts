// ARP for IPv4 over Ethernet (RFC 826), its gratuitous forms (RFC 5227 section 3, RFC 5944 section 4.6) and its probe.

import { needBytes, viewOf } from "./bytes.ts";
import { BROADCAST_MAC, ETHERTYPE_IPV4, MAC_BYTES } from "./ethernet.ts";
import { IPV4_BYTES } from "./ip.ts";

/** Operations. */
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

/** One ARP message for IPv4 over Ethernet. */
export interface ArpMessage {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly senderIp: Uint8Array;
  readonly targetMac: Uint8Array;
  readonly targetIp: Uint8Array;
}

// be16 hardware type 1 @0, be16 protocol 0x0800 @2, u8 hardware length 6 @4, u8 protocol length 4 @5, be16 operation @6,
// sender hardware address @8, sender protocol address @14, target hardware address @18, target protocol address @24.

const ARP_BYTES = 28;
const HARDWARE_ETHERNET = 1;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
const TARGET_IP = 24;

/** Encodes a message, without the Ethernet header. */
export function encodeArp(message: ArpMessage): Uint8Array {
  const out = new Uint8Array(ARP_BYTES);
  const view = viewOf(out);
  view.setUint16(0, HARDWARE_ETHERNET);
  view.setUint16(2, ETHERTYPE_IPV4);
  out[4] = MAC_BYTES;
  out[5] = IPV4_BYTES;
  view.setUint16(6, message.operation);
  out.set(message.senderMac, SENDER_MAC);
  out.set(message.senderIp, SENDER_IP);
  out.set(message.targetMac, TARGET_MAC);
  out.set(message.targetIp, TARGET_IP);
  return out;
}

/** Decodes a message; undefined when it is ARP for other protocols, a RangeError when it is cut off. */
export function decodeArp(bytes: Uint8Array): ArpMessage | undefined {
  needBytes(bytes, ARP_BYTES, "ARP message");
  const view = viewOf(bytes);
  const ipOverEthernet =
    view.getUint16(0) === HARDWARE_ETHERNET &&
    view.getUint16(2) === ETHERTYPE_IPV4 &&
    bytes[4] === MAC_BYTES &&
    bytes[5] === IPV4_BYTES;
  if (!ipOverEthernet) return undefined;
  return {
    operation: view.getUint16(6),
    senderMac: bytes.slice(SENDER_MAC, SENDER_IP),
    senderIp: bytes.slice(SENDER_IP, TARGET_MAC),
    targetMac: bytes.slice(TARGET_MAC, TARGET_IP),
    targetIp: bytes.slice(TARGET_IP, ARP_BYTES),
  };
}

/** The gratuitous request: "who has IP? tell IP". */
export function gratuitousRequest(mac: Uint8Array, ip: Uint8Array): ArpMessage {
  return { operation: ARP_REQUEST, senderMac: mac, senderIp: ip, targetMac: BROADCAST_MAC, targetIp: ip };
}

/** The gratuitous reply. Linux takes it at once only when the target hardware address equals the sender's. */
export function gratuitousReply(mac: Uint8Array, ip: Uint8Array): ArpMessage {
  return { operation: ARP_REPLY, senderMac: mac, senderIp: ip, targetMac: mac, targetIp: ip };
}

/** The probe: asks who has `ip` and claims nothing, its sender address being 0.0.0.0. */
export function arpProbe(mac: Uint8Array, ip: Uint8Array): ArpMessage {
  const nothing = new Uint8Array(IPV4_BYTES);
  return {
    operation: ARP_REQUEST,
    senderMac: mac,
    senderIp: nothing,
    targetMac: new Uint8Array(MAC_BYTES),
    targetIp: ip,
  };
}
