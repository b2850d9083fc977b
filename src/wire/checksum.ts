// The Internet checksum (RFC 1071), and the pseudo header of IPv6 (RFC 8200, section 8.1).

import { concatBytes, be32 } from "./bytes.ts";

/** The one's complement of the one's complement sum over 16-bit words; odd lengths are padded with a zero. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** Checksum of an upper-layer message over IPv6. Over a message that carries its right checksum it is 0. */
export function ipv6UpperChecksum(
  source: Uint8Array,
  destination: Uint8Array,
  nextHeader: number,
  message: Uint8Array,
): number {
  return internetChecksum(concatBytes(source, destination, be32(message.length), be32(nextHeader), message));
}
