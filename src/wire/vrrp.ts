// VRRP messages: version 2 (RFC 3768, and RFC 2338 for the password) and version 3 (RFC 5798, RFC 9568).
//
// A decoder throws for no input: it gives the message, or the name of what is wrong with it (vrrp-fault.ts). What depends on a
// virtual router's configuration is not judged here: its authentication is (vrrp-auth.ts), the rest is src/vrrp/judge.ts.

import { assert } from "../base/assert.ts";
import type { VrrpAdvert, VrrpChecksum, VrrpReceived, VrrpVersion } from "../base/vrrp.ts";
import { be16, concatBytes, viewOf } from "./bytes.ts";
import { internetChecksum, ipv6UpperChecksum } from "./checksum.ts";
import { decodeIpv4, decodeIpv6, encodeIpv4, encodeIpv6 } from "./ip-header.ts";
import type { IpPacket, IpResult } from "./ip-header.ts";
import { formatIp, ipBytes, IPV4_BYTES, IPV6_BYTES, isMulticast } from "./ip.ts";
import { decodeTrailer, encodeTrailer, TRAILER_BYTES } from "./vrrp-trailer.ts";
import type { Signature, VrrpTrailer } from "./vrrp-trailer.ts";
import type { VrrpFault } from "./vrrp-fault.ts";

/** The IP protocol number (RFC 3768, section 5.2.4). */
export const VRRP_PROTOCOL = 112;

/** The groups (RFC 9568, sections 5.1.1.2 and 5.1.2.2). */
export const VRRP_GROUP_IPV4: Uint8Array = ipBytes("224.0.0.18");
export const VRRP_GROUP_IPV6: Uint8Array = ipBytes("ff02::12");

/** TTL and hop limit of every advert (RFC 9568, sections 5.1.1.3 and 5.1.2.3). */
export const VRRP_HOP_LIMIT = 255;

/** Version 2's authentication types (RFC 2338, section 5.3.6). */
export const AUTH_NONE = 0;
export const AUTH_PASSWORD = 1;

/** Length of version 2's authentication data. */
export const AUTH_BYTES = 8;

/** Where the checksum lies in the message: the kernel fills it for IPv6 (IPV6_CHECKSUM). */
export const VRRP_CHECKSUM_AT = 6;

// Version 2 (RFC 3768, section 5.1): u8 version and type @0, u8 VRID @1, u8 priority @2, u8 address count @3, u8 auth type @4,
// u8 interval in seconds @5, be16 checksum @6, addresses @8 (4 bytes each), authentication data (8 bytes).
// Version 3 (RFC 9568, section 5.2): as above to @3, then be16 with 4 reserved bits and the interval in centiseconds @4,
// be16 checksum @6, addresses @8 (4 or 16 bytes each).

const FIXED_BYTES = 8;
const TYPE_ADVERTISEMENT = 1;
const INTERVAL_MASK = 0x0fff;
const V2_UNIT_MS = 1000;
const V3_UNIT_MS = 10;

/** Longest interval that each version carries, in milliseconds. */
export const MAX_INTERVAL_MS: Readonly<Record<VrrpVersion, number>> = { 2: 255 * V2_UNIT_MS, 3: 4095 * V3_UNIT_MS };

/** Sender and receiver of a packet. */
export interface Ends {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** How a message is written besides its content. */
export interface EncodeOptions {
  /** Version 2: authentication data of 8 bytes, under type 1. Absent: type 0, zeros. */
  readonly password?: Uint8Array;
  /** Version 3 on IPv4; "pseudo-header" unless told otherwise. */
  readonly checksum?: VrrpChecksum;
  /** Signs the message with a trailer. */
  readonly signature?: Signature;
}

/** A message that was read. */
export interface VrrpMessage extends VrrpAdvert {
  /** Version 2: type and data; version 3 has none. */
  readonly authentication: { readonly type: number; readonly data: Uint8Array } | null;
  readonly trailer: VrrpTrailer | null;
  /** The message without its trailer, as it arrived. */
  readonly bytes: Uint8Array;
}

/** What a packet holds, or why it is dropped. */
export type VrrpResult =
  | { readonly kind: "message"; readonly message: VrrpMessage }
  /** `vrid` is told where the message was long enough to have one; it may be anything. */
  | { readonly kind: "rejected"; readonly fault: VrrpFault; readonly vrid?: number };

/** Builds a message with its checksum. What no message can carry is a bug of the caller. */
export function encodeVrrp(advert: VrrpAdvert, ends: Ends, options: EncodeOptions = {}): Uint8Array {
  const body = concatBytes(
    fixedFields(advert, options),
    ...addressFields(advert, ends),
    ...passwordField(advert, options),
  );
  const ipv6 = ends.source.length === IPV6_BYTES;
  // On IPv4 the checksum leaves the trailer out; on IPv6 it is the kernel's, which covers the whole payload.
  if (!ipv6) setChecksum(body, checksumOf(body, ends, advert.version, options.checksum ?? "pseudo-header"));
  if (options.signature === undefined) return ipv6 ? withIpv6Checksum(body, ends) : body;
  const signed = concatBytes(body, encodeTrailer(body, ends.source, options.signature));
  return ipv6 ? withIpv6Checksum(signed, ends) : signed;
}

/** Builds the whole IPv4 packet, as a raw socket with IP_HDRINCL takes it. */
export function encodeVrrpIpv4(advert: VrrpAdvert, ends: Ends, options: EncodeOptions = {}): Uint8Array {
  const payload = encodeVrrp(advert, ends, options);
  return encodeIpv4({ ...ends, protocol: VRRP_PROTOCOL, hopLimit: VRRP_HOP_LIMIT, payload });
}

/** Builds the whole packet, as a frame has it behind its Ethernet header. */
export function encodeVrrpPacket(advert: VrrpAdvert, ends: Ends, options: EncodeOptions = {}): Uint8Array {
  if (ends.source.length === IPV4_BYTES) return encodeVrrpIpv4(advert, ends, options);
  const payload = encodeVrrp(advert, ends, options);
  return encodeIpv6({ ...ends, protocol: VRRP_PROTOCOL, hopLimit: VRRP_HOP_LIMIT, payload });
}

function fixedFields(
  { version, vrid, priority, intervalMs, addresses }: VrrpAdvert,
  { password }: EncodeOptions,
): Uint8Array {
  const units = intervalMs / (version === 2 ? V2_UNIT_MS : V3_UNIT_MS);
  assert(Number.isInteger(vrid) && vrid >= 1 && vrid <= 255, "a virtual router id is 1 to 255");
  assert(Number.isInteger(priority) && priority >= 0 && priority <= 255, "a priority is 0 to 255");
  assert(addresses.length >= 1 && addresses.length <= 255, "an advert names 1 to 255 addresses");
  assert(
    Number.isInteger(units) && units >= 1 && intervalMs <= MAX_INTERVAL_MS[version],
    "the version carries the interval",
  );
  const out = Uint8Array.of((version << 4) | TYPE_ADVERTISEMENT, vrid, priority, addresses.length, 0, 0, 0, 0);
  if (version === 3) out.set(be16(units), 4);
  else out.set([password === undefined ? AUTH_NONE : AUTH_PASSWORD, units], 4);
  return out;
}

function addressFields({ addresses, version }: VrrpAdvert, { source }: Ends): readonly Uint8Array[] {
  assert(version === 3 || source.length === IPV4_BYTES, "version 2 has no IPv6");
  const fields = addresses.map((address) => ipBytes(address));
  assert(
    fields.every(({ length }) => length === source.length),
    "the addresses are of the packet's family",
  );
  return fields;
}

function passwordField({ version }: VrrpAdvert, { password }: EncodeOptions): readonly Uint8Array[] {
  if (version === 3) return [];
  assert(password === undefined || password.length === AUTH_BYTES, "authentication data has 8 bytes");
  return [password ?? new Uint8Array(AUTH_BYTES)];
}

// Pseudo header on IPv4: source, destination, u8 zero, u8 protocol, be16 length, as TCP and UDP have it (RFC 793, section 3.1).

/** The checksum over a message whose checksum field is zero. Over one that carries its right checksum it is 0. */
function checksumOf(body: Uint8Array, { source, destination }: Ends, version: number, form: VrrpChecksum): number {
  if (version === 2 || form === "message") return internetChecksum(body);
  const pseudo = concatBytes(source, destination, be16(VRRP_PROTOCOL), be16(body.length));
  return internetChecksum(concatBytes(pseudo, body));
}

function withIpv6Checksum(payload: Uint8Array, { source, destination }: Ends): Uint8Array {
  setChecksum(payload, ipv6UpperChecksum(source, destination, VRRP_PROTOCOL, payload));
  return payload;
}

function setChecksum(body: Uint8Array, checksum: number): void {
  viewOf(body).setUint16(VRRP_CHECKSUM_AT, checksum);
}

/** Which packets are refused for how they came. */
export interface DecodeOptions {
  /** Version 3 on IPv4: the only form that is accepted; absent: both. */
  readonly checksum?: VrrpChecksum;
  /** Refuse unicast packets, too, that have passed a router. keepalived sends IPv6 unicast at the system's hop limit, 64. */
  readonly unicastFromLink?: boolean;
}

/** What a packet holds, and between whom; `from` is absent where not even that could be read. */
export type VrrpPacket = VrrpResult & { readonly from?: Ends };

/** Reads a packet with its IP header: IPv4 as a raw socket gives it, IPv6 as it is on the wire. */
export function decodeVrrpPacket(
  bytes: Uint8Array,
  options: DecodeOptions = {},
): VrrpResult & { readonly from?: Ends } {
  const ip: IpResult = (bytes[0] ?? 0) >> 4 === 6 ? decodeIpv6(bytes) : decodeIpv4(bytes);
  if (ip.kind === "rejected") return ip;
  const { source, destination } = ip.packet;
  const fault = faultOfArrival(ip.packet, options);
  const vrid = vridOf(ip.packet.payload);
  const result = fault === undefined ? decodeVrrp(ip.packet.payload, ip.packet, options) : rejected(fault, vrid);
  return { ...result, from: { source, destination } };
}

function faultOfArrival({ protocol, hopLimit, destination }: IpPacket, options: DecodeOptions): VrrpFault | undefined {
  if (protocol !== VRRP_PROTOCOL) return { reason: "ip-protocol", protocol };
  const fromLink = options.unicastFromLink === true || isMulticast({ bytes: destination });
  return fromLink && hopLimit !== VRRP_HOP_LIMIT ? { reason: "hop-limit", hopLimit } : undefined;
}

/** Reads what a raw socket received. IPv6's hop limit is the socket's business. */
export function decodeReceived(received: VrrpReceived, options: DecodeOptions = {}): VrrpPacket {
  if (received.family === 4) return decodeVrrpPacket(received.packet, options);
  const { message, source, destination } = received;
  return { ...decodeVrrp(message, received, options), from: { source, destination } };
}

/** Reads a message without IP header, as a raw IPv6 socket gives it. Its length must be exact (RFC 9568, section 7.1). */
export function decodeVrrp(payload: Uint8Array, ends: Ends, options: DecodeOptions = {}): VrrpResult {
  const vrid = vridOf(payload);
  if (payload.length < FIXED_BYTES) return rejected({ reason: "short", bytes: payload.length }, vrid);
  const layout = layoutOf(payload, ends);
  if ("reason" in layout) return rejected(layout, vrid);
  const { version, bodyBytes, addressBytes } = layout;
  const fault = faultOfContent(payload, layout, ends, options);
  if (fault !== undefined) return rejected(fault, vrid);
  const body = payload.slice(0, bodyBytes);
  const view = viewOf(body);
  const addressesEnd = FIXED_BYTES + (body[3] ?? 0) * addressBytes;
  const addresses: string[] = [];
  for (let at = FIXED_BYTES; at < addressesEnd; at += addressBytes)
    addresses.push(formatIp(body.subarray(at, at + addressBytes)));
  const message: VrrpMessage = {
    version,
    vrid: body[1] ?? 0,
    priority: body[2] ?? 0,
    intervalMs: version === 2 ? (body[5] ?? 0) * V2_UNIT_MS : (view.getUint16(4) & INTERVAL_MASK) * V3_UNIT_MS,
    addresses,
    authentication: version === 2 ? { type: body[4] ?? 0, data: body.slice(addressesEnd) } : null,
    trailer: payload.length > bodyBytes ? decodeTrailer(payload.subarray(bodyBytes)) : null,
    bytes: body,
  };
  return { kind: "message", message };
}

/** What the fixed fields say about the whole. */
interface Layout {
  readonly version: VrrpVersion;
  readonly addressBytes: number;
  /** Length of the message without a trailer. */
  readonly bodyBytes: number;
}

function layoutOf(payload: Uint8Array, { source }: Ends): Layout | VrrpFault {
  const [first = 0, vrid = 0, , count = 0] = payload;
  const version = first >> 4;
  if (version !== 3 && (version !== 2 || source.length !== IPV4_BYTES)) return { reason: "version", version };
  if ((first & 0xf) !== TYPE_ADVERTISEMENT) return { reason: "type", type: first & 0xf };
  if (vrid === 0) return { reason: "vrid-zero" };
  if (count === 0) return { reason: "no-addresses" };
  const bodyBytes = FIXED_BYTES + count * source.length + (version === 2 ? AUTH_BYTES : 0);
  if (payload.length !== bodyBytes && payload.length !== bodyBytes + TRAILER_BYTES)
    return { reason: "length", expected: bodyBytes, received: payload.length };
  return { version, addressBytes: source.length, bodyBytes };
}

function faultOfContent(
  payload: Uint8Array,
  { version, bodyBytes }: Layout,
  ends: Ends,
  options: DecodeOptions,
): VrrpFault | undefined {
  const view = viewOf(payload);
  const expected = rightChecksum(payload, version, bodyBytes, ends, options);
  const found = view.getUint16(VRRP_CHECKSUM_AT);
  if (expected !== undefined) return { reason: "checksum", found, expected };
  const interval = version === 2 ? view.getUint8(5) : view.getUint16(4) & INTERVAL_MASK;
  if (interval === 0) return { reason: "interval-zero" };
  const authType = version === 2 ? view.getUint8(4) : AUTH_NONE;
  return authType > AUTH_PASSWORD ? { reason: "auth-type", authType } : undefined;
}

/** The checksum that the message should have; undefined when it has it. */
function rightChecksum(
  payload: Uint8Array,
  version: VrrpVersion,
  bodyBytes: number,
  ends: Ends,
  { checksum }: DecodeOptions,
): number | undefined {
  if (ends.source.length === IPV6_BYTES) {
    const sum = (bytes: Uint8Array): number => ipv6UpperChecksum(ends.source, ends.destination, VRRP_PROTOCOL, bytes);
    return sum(payload) === 0 ? undefined : sum(withoutChecksum(payload));
  }
  const body = payload.subarray(0, bodyBytes);
  const forms: readonly VrrpChecksum[] = checksum === undefined ? ["pseudo-header", "message"] : [checksum];
  if (forms.some((form) => checksumOf(body, ends, version, form) === 0)) return undefined;
  return checksumOf(withoutChecksum(body), ends, version, forms[0] ?? "pseudo-header");
}

function withoutChecksum(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  setChecksum(copy, 0);
  return copy;
}

function vridOf(payload: Uint8Array): number | undefined {
  return payload[1];
}

function rejected(fault: VrrpFault, vrid: number | undefined): VrrpResult {
  return { kind: "rejected", fault, ...(vrid === undefined ? {} : { vrid }) };
}
