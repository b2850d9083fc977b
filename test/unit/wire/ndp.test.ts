import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, toHex } from "../../../src/wire/bytes.ts";
import { ipv6UpperChecksum } from "../../../src/wire/checksum.ts";
import { parseMac } from "../../../src/wire/ethernet.ts";
import { formatIp, ipBytes } from "../../../src/wire/ip.ts";
import {
  dadSolicitation,
  decodeNdp,
  encodeNdp,
  solicitedNode,
  unsolicitedAdvertisement,
} from "../../../src/wire/ndp.ts";
import { loadVectors } from "../../vectors/load.ts";
import { misbehaviour, mutations, truncations } from "./hostile.ts";

const frame = loadVectors("frames.hex");
const ADVERTISEMENT = frame("unsolicited-advertisement").slice(14);
const SOLICITATION = frame("dad-solicitation").slice(14);
const TARGET = ipBytes("2001:db8::7");
const MAC = parseMac("02:00:00:00:00:0a") ?? new Uint8Array();

/** The advertisement with bytes changed, and its checksum right again. */
function changed(at: number, ...values: readonly number[]): Uint8Array {
  return checked(ADVERTISEMENT, at, values);
}

function checked(original: Uint8Array, at: number, values: readonly number[]): Uint8Array {
  const packet = original.slice();
  packet.set(values, at);
  packet.set([0, 0], 42);
  const sum = ipv6UpperChecksum(packet.subarray(8, 24), packet.subarray(24, 40), 58, packet.subarray(40));
  packet.set([sum >> 8, sum & 0xff], 42);
  return packet;
}

describe("neighbour discovery", () => {
  it("announces byte by byte as the kernel does with ndisc_notify", () => {
    expect(toHex(encodeNdp(unsolicitedAdvertisement(TARGET, MAC, false)))).toBe(toHex(ADVERTISEMENT));
    expect(decodeNdp(ADVERTISEMENT)).toEqual(unsolicitedAdvertisement(TARGET, MAC, false));
  });

  it("asks as the kernel's duplicate address detection does, without a nonce", () => {
    // The kernel's packet without its option: 8 bytes less, and the checksum of what is left.
    const bare = SOLICITATION.slice(0, 64);
    bare[5] = 24;
    expect(toHex(encodeNdp(dadSolicitation(TARGET)))).toBe(toHex(checked(bare, 0, [])));
  });

  it("reads a question with an option that it does not know", () => {
    expect(decodeNdp(SOLICITATION)).toEqual(dadSolicitation(TARGET));
  });

  it.each([
    [0x80, { router: true, solicited: false, override: false }],
    [0x40, { router: false, solicited: true, override: false }],
    [0x20, { router: false, solicited: false, override: true }],
    [0xe0, { router: true, solicited: true, override: true }],
  ])("reads the flags %i", (flags, wanted) => {
    expect(decodeNdp(changed(44, flags))).toMatchObject(wanted);
  });

  it("tells the router flag of the host", () => {
    expect(decodeNdp(encodeNdp(unsolicitedAdvertisement(TARGET, MAC, true)))?.router).toBe(true);
  });

  it("asks in the group of the target (RFC 4291, section 2.7.1)", () => {
    expect(formatIp(solicitedNode(ipBytes("4037::1:800:200e:8c6c")))).toBe("ff02::1:ff0e:8c6c");
    expect(() => solicitedNode(new Uint8Array(4))).toThrow(RangeError);
  });

  it.each([
    ["a router has touched it", changed(7, 254)],
    ["the code is not 0", changed(41, 1)],
    ["it is another ICMPv6 message", changed(40, 134)],
    ["it is not ICMPv6", changed(6, 17)],
    ["it is not IPv6", changed(0, 0x40)],
    ["an option has length 0", changed(65, 0)],
    ["an option reaches past the end", changed(65, 2)],
  ])("is none when %s", (_, packet) => {
    expect(decodeNdp(packet)).toBeUndefined();
  });

  it("is none with a wrong checksum", () => {
    const packet = ADVERTISEMENT.slice();
    packet[71] = (packet[71] ?? 0) ^ 1;
    expect(decodeNdp(packet)).toBeUndefined();
  });

  it("does not read past the length that the header tells", () => {
    expect(decodeNdp(concatBytes(ADVERTISEMENT, fromHex("ffffffff")))).toEqual(decodeNdp(ADVERTISEMENT));
    expect(() => decodeNdp(changed(5, 33))).toThrow(RangeError);
  });

  it("survives hostile bytes", () => {
    const inputs = [ADVERTISEMENT, SOLICITATION].flatMap((packet) => [
      ...truncations(packet),
      ...mutations(packet, 500),
    ]);
    const rightSum = inputs.filter(({ length }) => length >= 44).map((packet) => checked(packet, 0, []));
    expect(misbehaviour(decodeNdp, [...inputs, ...rightSum])).toEqual([]);
  });
});
