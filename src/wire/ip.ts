// IP addresses as text and as bytes. Text that comes out is canonical: dotted decimal for IPv4,
// RFC 5952 for IPv6 (with ::ffff:a.b.c.d for mapped addresses, as in its section 5), so equal addresses are equal strings.

import type { Family } from "../base/vip.ts";
import { needBytes } from "./bytes.ts";

/** Length of an IPv4 and an IPv6 address in bytes. */
export const IPV4_BYTES = 4;
export const IPV6_BYTES = 16;

const IPV6_GROUPS = 8;

/** An address that was read from text. */
export interface ParsedIp {
  readonly family: Family;
  /** Canonical text. */
  readonly ip: string;
  readonly bytes: Uint8Array;
}

/** An address with its prefix length. The host bits may be set: this is how an interface's address is written. */
export interface Cidr extends ParsedIp {
  /** Prefix length in bits. */
  readonly prefix: number;
}

/** Reads an address in any usual text form (no zone, no leading zeros in IPv4); undefined when it is none. */
export function parseIp(text: string): ParsedIp | undefined {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined) return undefined;
  return { family: bytes.length === IPV4_BYTES ? 4 : 6, ip: formatIp(bytes), bytes };
}

/** Reads `address/prefix`; the prefix must be there. Undefined when it is none. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^(?:0|[1-9]\d{0,2})$/u.test(digits)) return undefined;
  const prefix = Number(digits);
  return prefix <= address.bytes.length * 8 ? { ...address, prefix } : undefined;
}

/** The bytes of an address that is known to be well formed; throws a RangeError when it is not. */
export function ipBytes(ip: string): Uint8Array {
  const parsed = parseIp(ip);
  if (parsed === undefined) throw new RangeError(`not an IP address: ${ip}`);
  return parsed.bytes;
}

/** Canonical text of 4 or 16 bytes; a RangeError for any other length. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === IPV4_BYTES) return bytes.join(".");
  if (bytes.length === IPV6_BYTES) return formatIpv6(bytes);
  throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
}

/** Whether the network of `cidr` has `address` in it; never across families. */
export function contains(cidr: Pick<Cidr, "bytes" | "prefix">, address: Pick<ParsedIp, "bytes">): boolean {
  return cidr.bytes.length === address.bytes.length && samePrefix(cidr.bytes, address.bytes, cidr.prefix);
}

/** 0.0.0.0 or ::. */
export function isUnspecified(address: Pick<ParsedIp, "bytes">): boolean {
  return address.bytes.every((byte) => byte === 0);
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: Pick<ParsedIp, "bytes">): boolean {
  const { bytes } = address;
  if (bytes.length === IPV4_BYTES) return bytes[0] === 127;
  return bytes[15] === 1 && bytes.subarray(0, 15).every((byte) => byte === 0);
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: Pick<ParsedIp, "bytes">): boolean {
  const first = address.bytes[0] ?? 0;
  return address.bytes.length === IPV4_BYTES ? first >= 224 && first <= 239 : first === 0xff;
}

/** 169.254.0.0/16 or fe80::/10. */
export function isLinkLocal(address: Pick<ParsedIp, "bytes">): boolean {
  const [first = 0, second = 0] = address.bytes;
  if (address.bytes.length === IPV4_BYTES) return first === 169 && second === 254;
  return first === 0xfe && (second & 0xc0) === 0x80;
}

/** 255.255.255.255. */
export function isLimitedBroadcast(address: Pick<ParsedIp, "bytes">): boolean {
  return address.bytes.length === IPV4_BYTES && address.bytes.every((byte) => byte === 255);
}

/** 240.0.0.0/4, which hosts refuse (the limited broadcast address among them). */
export function isReserved(address: Pick<ParsedIp, "bytes">): boolean {
  return address.bytes.length === IPV4_BYTES && (address.bytes[0] ?? 0) >= 240;
}

/** ::ffff:0:0/96: an IPv4 address in IPv6 clothes, which no wire carries. */
export function isMappedIpv4(address: Pick<ParsedIp, "bytes">): boolean {
  const { bytes } = address;
  if (bytes.length !== IPV6_BYTES || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  return bytes.subarray(0, 10).every((byte) => byte === 0);
}

/** The IPv4 broadcast or the network address of a prefix shorter than /31: no host may carry it. */
export function isNetworkOrBroadcast(cidr: Pick<Cidr, "bytes" | "prefix">): boolean {
  if (cidr.bytes.length !== IPV4_BYTES || cidr.prefix >= 31) return false;
  const hostBits = 32 - cidr.prefix;
  const value = cidr.bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const host = value % 2 ** hostBits;
  return host === 0 || host === 2 ** hostBits - 1;
}

function samePrefix(a: Uint8Array, b: Uint8Array, prefix: number): boolean {
  const whole = prefix >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = prefix & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((a[whole] ?? 0) & mask) === ((b[whole] ?? 0) & mask);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== IPV4_BYTES || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/u.test(part))) return undefined;
  const numbers = parts.map(Number);
  return numbers.every((n) => n <= 255) ? Uint8Array.from(numbers) : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = IPV6_GROUPS - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The 16-bit groups of one side of "::"; the last may be dotted decimal where the address ends. */
function parseGroups(text: string, endsAddress: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/u.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const dotted = endsAddress && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (dotted === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = dotted;
    groups.push((a << 8) | b, (c << 8) | d);
  }
  return groups;
}

function formatIpv6(bytes: Uint8Array): string {
  needBytes(bytes, IPV6_BYTES, "IPv6 address");
  if (isMappedIpv4({ bytes })) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from({ length: IPV6_GROUPS }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const gap = longestZeroRun(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  if (gap.length < 2) return hex(groups);
  return `${hex(groups.slice(0, gap.start))}::${hex(groups.slice(gap.start + gap.length))}`;
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [i, group] of groups.entries()) {
    if (group !== 0) start = i + 1;
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start };
  }
  return best;
}
