// Whether a message comes from one who may speak: nothing, version 2's password, or the trailer of vrrp-trailer.ts.

import type { VrrpAuthentication } from "../base/vrrp.ts";
import { AUTH_BYTES, AUTH_NONE } from "./vrrp.ts";
import type { EncodeOptions, VrrpMessage } from "./vrrp.ts";
import type { VrrpFault } from "./vrrp-fault.ts";
import { expectedHmac, isLaterSequence, secondsOf, sequenceAt, TRAILER_HMAC_SHA256 } from "./vrrp-trailer.ts";
import type { HmacSha256 } from "./vrrp-trailer.ts";

/** A password as the message carries it: UTF-8, cut at 8 bytes, filled with zeros. */
export function passwordData(password: string): Uint8Array {
  const data = new Uint8Array(AUTH_BYTES);
  data.set(new TextEncoder().encode(password).subarray(0, AUTH_BYTES));
  return data;
}

/** What a receiver needs to judge a trailer. */
export interface TrailerCheck {
  readonly hmac: HmacSha256;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  readonly replays: ReplayMarks;
}

/** The last sequence number of each sender that was heard lately, the longest silent first. */
export type ReplayMarks = ReadonlyMap<string, bigint>;

/** Senders whose marks are kept; more than a handful speak for one virtual router only while they settle who is master. */
const MAX_MARKS = 16;

/** A message is authentic, with the marks to go on with, or is not. */
export type AuthenticationResult =
  | { readonly kind: "authentic"; readonly replays: ReplayMarks }
  | { readonly kind: "rejected"; readonly fault: VrrpFault };

/** Judges a message from `source` by the configured authentication. */
export function authenticate(
  message: VrrpMessage,
  source: Uint8Array,
  expected: VrrpAuthentication,
  check: TrailerCheck,
): AuthenticationResult {
  const found = kindOf(message);
  if (found !== expected.kind)
    return rejected({ reason: "auth-mismatch", found: WORDS[found], expected: WORDS[expected.kind] });
  if (expected.kind === "hmac") return checkTrailer(message, source, expected, check);
  if (expected.kind === "password") {
    const data = message.authentication?.data ?? new Uint8Array();
    if (!sameSecret(data, passwordData(expected.password))) return rejected({ reason: "password-mismatch" });
  }
  return { kind: "authentic", replays: check.replays };
}

const WORDS: Readonly<Record<VrrpAuthentication["kind"], string>> = {
  none: "nothing",
  password: "a password",
  hmac: "an HMAC trailer",
};

function kindOf({ trailer, authentication }: VrrpMessage): VrrpAuthentication["kind"] {
  if (trailer !== null) return "hmac";
  return (authentication?.type ?? AUTH_NONE) === AUTH_NONE ? "none" : "password";
}

function checkTrailer(
  { trailer, bytes }: VrrpMessage,
  source: Uint8Array,
  { keys, windowS }: Extract<VrrpAuthentication, { kind: "hmac" }>,
  { hmac, wallMs, replays }: TrailerCheck,
): AuthenticationResult {
  if (trailer === null) return rejected({ reason: "auth-mismatch", found: WORDS.none, expected: WORDS.hmac });
  if (trailer.type !== TRAILER_HMAC_SHA256) return rejected({ reason: "trailer-type", type: trailer.type });
  if (trailer.reserved !== 0) return rejected({ reason: "trailer-reserved", reserved: trailer.reserved });
  // Before the HMAC: a flood of old packets shall not cost one each. It only refuses, so that it needs no trust.
  const behindS = secondsBehind(trailer.sequence, wallMs);
  if (Math.abs(behindS) > windowS) return rejected({ reason: "trailer-stale", behindS, windowS });
  const key = keys.find(({ id }) => id === trailer.keyId);
  if (key === undefined) return rejected({ reason: "trailer-key", keyId: trailer.keyId });
  if (!sameSecret(trailer.hmac, expectedHmac(bytes, source, trailer, key.secret, hmac)))
    return rejected({ reason: "trailer-mismatch" });
  const sender = source.join(".");
  const mark = replays.get(sender);
  // A mark that the window refuses by now orders nothing any more: its sender's clock was set right.
  const marked = mark !== undefined && Math.abs(secondsBehind(mark, wallMs)) <= windowS;
  if (marked && !isLaterSequence(trailer.sequence, mark)) return rejected({ reason: "trailer-replayed" });
  return { kind: "authentic", replays: withMark(replays, sender, trailer.sequence) };
}

/** Modular, as the field is: it wraps in the year 2106. */
function secondsBehind(sequence: bigint, wallMs: number): number {
  return (Math.floor(wallMs / 1000) - secondsOf(sequence)) | 0;
}

function withMark(marks: ReplayMarks, sender: string, sequence: bigint): ReplayMarks {
  const next = new Map(marks);
  next.delete(sender);
  next.set(sender, sequence);
  for (const silent of next.keys()) {
    if (next.size <= MAX_MARKS) break;
    next.delete(silent);
  }
  return next;
}

/** Compares in a time that does not tell how much is equal. */
function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** The sender's side: how to write messages, with the sequence number that this one has where it is signed. */
export function authenticationOptions(
  authentication: VrrpAuthentication,
  hmac: HmacSha256,
  wallMs: number,
  lastSequence: bigint,
): EncodeOptions & { readonly sequence: bigint } {
  if (authentication.kind === "none") return { sequence: lastSequence };
  if (authentication.kind === "password")
    return { password: passwordData(authentication.password), sequence: lastSequence };
  const key = authentication.keys.find(({ id }) => id === authentication.sendKeyId);
  if (key === undefined) throw new RangeError(`there is no HMAC key ${authentication.sendKeyId} to send with`);
  const sequence = sequenceAt(wallMs, lastSequence, authentication.windowS);
  return { signature: { key, sequence, hmac }, sequence };
}

function rejected(fault: VrrpFault): AuthenticationResult {
  return { kind: "rejected", fault };
}
