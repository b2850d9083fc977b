// The authentication trailer of keepalived 2.4.1 and later (draft-cassen-vrrp-auth-hmac, "auth_hmac"): 28 bytes behind the
// message with an HMAC-SHA256 cut to 128 bits. The hash function is handed in, since nothing here may compute with a library.

import type { VrrpKey } from "../base/vrrp.ts";
import { concatBytes, viewOf } from "./bytes.ts";
import { IPV6_BYTES } from "./ip.ts";

/** HMAC-SHA256 (RFC 2104): 32 bytes for a key and a text. */
export type HmacSha256 = (key: Uint8Array, text: Uint8Array) => Uint8Array;

/** What signing a message takes. */
export interface Signature {
  readonly key: VrrpKey;
  /** 64 bits that grow with every advert of this sender; see `sequenceAt`. */
  readonly sequence: bigint;
  readonly hmac: HmacSha256;
}

/** A trailer that was read. */
export interface VrrpTrailer {
  readonly type: number;
  readonly keyId: number;
  readonly reserved: number;
  readonly sequence: bigint;
  readonly hmac: Uint8Array;
}

/** The only scheme there is. */
export const TRAILER_HMAC_SHA256 = 1;

// u8 type @0, u8 key id @1, be16 reserved @2, then the sequence: be32 seconds since 1970 @4, be16 fraction of a second in units
// of 2^-16 @8, be16 counter @10; HMAC @12 (16 bytes).

const PREFIX_BYTES = 12;
const HMAC_BYTES = 16;

/** Length of the trailer. */
export const TRAILER_BYTES: number = PREFIX_BYTES + HMAC_BYTES;

/** The trailer for a message from `source`; whatever checksum the message has is left out of the HMAC. */
export function encodeTrailer(message: Uint8Array, source: Uint8Array, { key, sequence, hmac }: Signature): Uint8Array {
  const out = new Uint8Array(TRAILER_BYTES);
  out[0] = TRAILER_HMAC_SHA256;
  out[1] = key.id;
  viewOf(out).setBigUint64(4, BigInt.asUintN(64, sequence));
  out.set(trailerHmac(message, source, out, key.secret, hmac), PREFIX_BYTES);
  return out;
}

/** Reads 28 bytes. */
export function decodeTrailer(bytes: Uint8Array): VrrpTrailer {
  const view = viewOf(bytes);
  return {
    type: view.getUint8(0),
    keyId: view.getUint8(1),
    reserved: view.getUint16(2),
    sequence: view.getBigUint64(4),
    hmac: bytes.slice(PREFIX_BYTES, TRAILER_BYTES),
  };
}

/** The HMAC that a trailer with this content must have. */
export function expectedHmac(
  message: Uint8Array,
  source: Uint8Array,
  trailer: VrrpTrailer,
  secret: Uint8Array,
  hmac: HmacSha256,
): Uint8Array {
  const prefix = new Uint8Array(TRAILER_BYTES);
  const view = viewOf(prefix);
  view.setUint8(0, trailer.type);
  view.setUint8(1, trailer.keyId);
  view.setUint16(2, trailer.reserved);
  view.setBigUint64(4, trailer.sequence);
  return trailerHmac(message, source, prefix, secret, hmac);
}

// What is signed: a pseudo header (u8 family 4 or 6 @0, u8 version @1, u8 VRID @2, u8 zero @3, source @4 in 16 bytes, IPv4 in
// the first four), the message with checksum zero, the trailer with HMAC zero.

function trailerHmac(
  message: Uint8Array,
  source: Uint8Array,
  trailer: Uint8Array,
  secret: Uint8Array,
  hmac: HmacSha256,
): Uint8Array {
  const pseudo = new Uint8Array(4 + IPV6_BYTES);
  pseudo.set([source.length === IPV6_BYTES ? 6 : 4, (message[0] ?? 0) >> 4, message[1] ?? 0]);
  pseudo.set(source, 4);
  const unsummed = message.slice();
  unsummed.set([0, 0], 6);
  const unsigned = trailer.slice();
  unsigned.fill(0, PREFIX_BYTES);
  return hmac(secret, concatBytes(pseudo, unsummed, unsigned)).subarray(0, HMAC_BYTES);
}

/**
 * The next sequence number: the wall clock as seconds and 2^-16 seconds, or one more than the last where the clock has not
 * moved on. A clock that was set back by more than `windowS` begins anew: receivers refuse what is too far ahead of theirs.
 */
export function sequenceAt(wallMs: number, last: bigint, windowS: number): bigint {
  const clock = (BigInt(Math.floor(wallMs / 1000)) << 32n) | (BigInt(Math.floor((wallMs % 1000) * 65.536)) << 16n);
  const isLater = signed(clock - last) > 0n;
  const stranded = secondsOf(last) - secondsOf(clock) > windowS;
  return isLater || stranded ? BigInt.asUintN(64, clock) : BigInt.asUintN(64, last + 1n);
}

/** Whether `a` comes after `b` by serial number arithmetic (RFC 1982). */
export function isLaterSequence(a: bigint, b: bigint): boolean {
  return signed(a - b) > 0n;
}

/** The whole seconds of a sequence number. */
export function secondsOf(sequence: bigint): number {
  return Number(BigInt.asUintN(64, sequence) >> 32n);
}

function signed(difference: bigint): bigint {
  return BigInt.asIntN(64, difference);
}
