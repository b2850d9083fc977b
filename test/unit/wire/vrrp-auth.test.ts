// Authentication: version 2's password and the HMAC trailer.

import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { NO_AUTHENTICATION } from "../../../src/base/vrrp.ts";
import type { VrrpAuthentication } from "../../../src/base/vrrp.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import { decodeVrrp, decodeVrrpPacket, encodeVrrp } from "../../../src/wire/vrrp.ts";
import type { VrrpMessage, VrrpResult } from "../../../src/wire/vrrp.ts";
import { authenticate, authenticationOptions, passwordData } from "../../../src/wire/vrrp-auth.ts";
import type { AuthenticationResult, ReplayMarks } from "../../../src/wire/vrrp-auth.ts";
import { describeVrrpFault } from "../../../src/wire/vrrp-fault.ts";
import { isLaterSequence, secondsOf, sequenceAt } from "../../../src/wire/vrrp-trailer.ts";
import { loadVectors } from "../../vectors/load.ts";
import { DRAFT_KEY, DRAFT_SEQUENCE, hmac, randomAdvert } from "./vrrp-samples.ts";

const frame = loadVectors("vrrp.hex");
/** The moment of the draft's examples, to the half second. */
const WALL_MS = secondsOf(DRAFT_SEQUENCE) * 1000 + 500;
const SOURCE = ipBytes("10.77.0.1");
const SIGNED: VrrpAuthentication = { kind: "hmac", keys: [DRAFT_KEY], sendKeyId: 1, windowS: 5 };

function messageOf(result: VrrpResult): VrrpMessage {
  if (result.kind === "rejected") throw new Error(describeVrrpFault(result.fault));
  return result.message;
}

const vector = (name: string): VrrpMessage => messageOf(decodeVrrpPacket(frame(name).slice(14)));

function judge(
  message: VrrpMessage,
  expected: VrrpAuthentication,
  { source = SOURCE, wallMs = WALL_MS, replays = new Map() as ReplayMarks } = {},
): AuthenticationResult {
  return authenticate(message, source, expected, { hmac, wallMs, replays });
}

const password = (text: string): VrrpAuthentication => ({ kind: "password", password: text });

describe("a password", () => {
  it("is cut at 8 bytes and filled with zeros", () => {
    expect(passwordData("verylongsecret")).toEqual(new TextEncoder().encode("verylong"));
    expect([...passwordData("ab")]).toEqual([0x61, 0x62, 0, 0, 0, 0, 0, 0]);
    expect(passwordData("äöüäöü")).toEqual(new TextEncoder().encode("äöüä"));
  });

  it.each<[string, VrrpAuthentication]>([
    ["v2-password", password("secret")],
    ["v2-password-cut", password("verylongsecret")],
    ["v2-password-cut", password("verylongOTHER")],
    ["v2-multicast", NO_AUTHENTICATION],
    ["v3-ipv4-multicast", NO_AUTHENTICATION],
  ])("%s is authentic by %j", (name, expected) => {
    expect(judge(vector(name), expected).kind).toBe("authentic");
  });

  it.each<[string, VrrpAuthentication, object]>([
    ["v2-password", password("other"), { reason: "password-mismatch" }],
    ["v2-password", password("secre"), { reason: "password-mismatch" }],
    ["v2-password", NO_AUTHENTICATION, { reason: "auth-mismatch", found: "a password", expected: "nothing" }],
    ["v2-multicast", password("secret"), { reason: "auth-mismatch", found: "nothing", expected: "a password" }],
    ["v3-ipv4-multicast", password("secret"), { reason: "auth-mismatch", found: "nothing", expected: "a password" }],
    ["v2-password", SIGNED, { reason: "auth-mismatch", found: "a password", expected: "an HMAC trailer" }],
    [
      "ours-v3-ipv4-hmac",
      NO_AUTHENTICATION,
      { reason: "auth-mismatch", found: "an HMAC trailer", expected: "nothing" },
    ],
  ])("%s is refused by %j", (name, expected, fault) => {
    expect(judge(vector(name), expected)).toEqual({ kind: "rejected", fault });
  });
});

describe("the HMAC trailer", () => {
  it.each([
    ["draft-hmac-ipv4", "198.51.100.10", "198.51.100.20"],
    ["draft-hmac-ipv6", "fe80::10", "fe80::20"],
  ])("of %s is authentic, from its own sender only", (name, source, destination) => {
    const ends = { source: ipBytes(source), destination: ipBytes(destination) };
    const message = messageOf(decodeVrrp(frame(name), ends));
    expect(judge(message, SIGNED, { source: ends.source }).kind).toBe("authentic");
    expect(judge(message, SIGNED, { source: ends.destination })).toMatchObject({
      fault: { reason: "trailer-mismatch" },
    });
  });

  const message = vector("ours-v3-ipv4-hmac");
  const trailer = message.trailer ?? expect.unreachable("the vector has a trailer");

  it.each([
    ["type", { type: 2 }, { reason: "trailer-type", type: 2 }],
    ["reserved field", { reserved: 7 }, { reason: "trailer-reserved", reserved: 7 }],
    ["key", { keyId: 9 }, { reason: "trailer-key", keyId: 9 }],
    ["sequence number", { sequence: trailer.sequence + 1n }, { reason: "trailer-mismatch" }],
    ["HMAC", { hmac: trailer.hmac.with(15, 1) }, { reason: "trailer-mismatch" }],
  ])("with another %s is refused", (_, change, fault) => {
    expect(judge({ ...message, trailer: { ...trailer, ...change } }, SIGNED)).toEqual({ kind: "rejected", fault });
  });

  it("guards every byte of the message but the checksum", () => {
    for (let at = 0; at < message.bytes.length; at += 1) {
      const bytes = message.bytes.with(at, (message.bytes[at] ?? 0) ^ 1);
      const expected = at === 6 || at === 7 ? "authentic" : "rejected";
      expect(judge({ ...message, bytes }, SIGNED).kind, `byte ${at}`).toBe(expected);
    }
  });

  it.each([
    [5_499, "authentic"],
    [5_500, "rejected"],
    [-5_500, "authentic"],
    [-5_501, "rejected"],
  ])("of a sender whose clock is %d ms behind is %s", (behindMs, kind) => {
    expect(judge(message, SIGNED, { wallMs: WALL_MS + behindMs }).kind).toBe(kind);
  });

  it("says how far the clocks are apart", () => {
    expect(judge(message, SIGNED, { wallMs: WALL_MS + 60_000 })).toMatchObject({
      fault: { reason: "trailer-stale", behindS: 60, windowS: 5 },
    });
  });

  it("is refused when it comes again, from that sender", () => {
    const first = judge(message, SIGNED);
    if (first.kind === "rejected") throw new Error(first.fault.reason);
    expect(judge(message, SIGNED, { replays: first.replays })).toEqual({
      kind: "rejected",
      fault: { reason: "trailer-replayed" },
    });
  });

  it("is accepted again when the mark is of a clock that was wrong", () => {
    const ahead: ReplayMarks = new Map([[SOURCE.join("."), DRAFT_SEQUENCE + (3600n << 32n)]]);
    expect(judge(message, SIGNED, { replays: ahead }).kind).toBe("authentic");
  });

  it("keeps marks of a bounded number of senders, and forgets the longest silent", () => {
    let replays: ReplayMarks = new Map();
    const sender = (i: number): Uint8Array => Uint8Array.of(10, 77, 0, i);
    for (let i = 1; i <= 40; i += 1) {
      const { sequence: _, ...options } = authenticationOptions(SIGNED, hmac, WALL_MS, 0n);
      const ends = { source: sender(i), destination: ipBytes("224.0.0.18") };
      const result = judge(messageOf(decodeVrrp(encodeVrrp(message, ends, options), ends)), SIGNED, {
        source: ends.source,
        replays,
      });
      if (result.kind === "rejected") throw new Error(result.fault.reason);
      ({ replays } = result);
    }
    expect(replays.size).toBe(16);
    expect([...replays.keys()][0]).toBe("10.77.0.25");
  });
});

describe("the sequence number", () => {
  it("is the wall clock: seconds, and 2^-16 seconds", () => {
    expect(sequenceAt(WALL_MS, 0n, 5)).toBe(DRAFT_SEQUENCE);
  });

  it("grows by one where the clock stands still or steps back a little", () => {
    expect(sequenceAt(WALL_MS, DRAFT_SEQUENCE, 5)).toBe(DRAFT_SEQUENCE + 1n);
    expect(sequenceAt(WALL_MS - 4_000, DRAFT_SEQUENCE, 5)).toBe(DRAFT_SEQUENCE + 1n);
  });

  it("begins anew when the clock was set back by more than receivers accept", () => {
    expect(sequenceAt(WALL_MS - 60_000, DRAFT_SEQUENCE, 5)).toBe(DRAFT_SEQUENCE - (60n << 32n));
  });

  it("is compared as a serial number, over the end of its 64 bits", () => {
    const end = 2n ** 64n - 1n;
    expect(isLaterSequence(0n, end)).toBe(true);
    expect(isLaterSequence(end, 0n)).toBe(false);
    expect(isLaterSequence(5n, 5n)).toBe(false);
    expect(sequenceAt(0, end, 2 ** 32)).toBe(0n);
  });
});

describe("what is written is authentic when it is read", () => {
  const random = seededRandom(12);
  const choices: readonly VrrpAuthentication[] = [NO_AUTHENTICATION, password("secret"), SIGNED];

  it("for any advert, by each kind that its version knows", () => {
    for (let i = 0; i < 500; i += 1) {
      const { advert, ends } = randomAdvert(random);
      const kind = random.pick(choices.filter((each) => each.kind !== "password" || advert.version === 2));
      const { sequence: _, ...options } = authenticationOptions(kind, hmac, WALL_MS, 0n);
      const read = messageOf(decodeVrrp(encodeVrrp(advert, ends, options), ends));
      expect(judge(read, kind, { source: ends.source }).kind).toBe("authentic");
    }
  });

  it("and a key that is not there to send with is an error", () => {
    expect(() => authenticationOptions({ ...SIGNED, keys: [] }, hmac, WALL_MS, 0n)).toThrow(/no HMAC key 1/u);
  });
});
