import { describe, expect, it } from "vitest";
import type { ArpMessage } from "../../../src/wire/arp.ts";
import { arpProbe, decodeArp, encodeArp, gratuitousReply, gratuitousRequest } from "../../../src/wire/arp.ts";
import { concatBytes, fromHex, toHex } from "../../../src/wire/bytes.ts";
import { parseMac } from "../../../src/wire/ethernet.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import { loadVectors } from "../../vectors/load.ts";
import { misbehaviour, mutations, truncations } from "./hostile.ts";

const frame = loadVectors("frames.hex");
const body = (name: string): Uint8Array => frame(name).slice(14);
const MAC = parseMac("02:00:00:00:00:0a") ?? new Uint8Array();
const OTHER = parseMac("02:00:00:00:00:0b") ?? new Uint8Array();

// The layout of RFC 826, field by field.
const ANSWER = "0001 0800 06 04 0002 02000000000b 0a090808 02000000000a 00000000";

describe("ARP", () => {
  it.each<[string, ArpMessage]>([
    ["arp-gratuitous-request", gratuitousRequest(MAC, ipBytes("10.9.8.7"))],
    ["arp-gratuitous-reply", gratuitousReply(MAC, ipBytes("10.9.8.7"))],
    [
      "arp-answer",
      { operation: 2, senderMac: OTHER, senderIp: ipBytes("10.9.8.8"), targetMac: MAC, targetIp: ipBytes("0.0.0.0") },
    ],
  ])("reads and writes %s as arping and the kernel do", (name, message) => {
    expect(toHex(encodeArp(message))).toBe(toHex(body(name)));
    expect(decodeArp(body(name))).toEqual(message);
  });

  it("asks like arping -D, but leaves the target hardware address empty (RFC 5227, section 2.1.1)", () => {
    const captured = body("arp-probe");
    captured.set(new Uint8Array(6), 18);
    expect(toHex(encodeArp(arpProbe(MAC, ipBytes("10.9.8.8"))))).toBe(toHex(captured));
  });

  it("reads the layout of RFC 826", () => {
    expect(toHex(fromHex(ANSWER))).toBe(toHex(body("arp-answer")));
  });

  it("ignores the padding that short Ethernet frames carry", () => {
    expect(decodeArp(concatBytes(fromHex(ANSWER), new Uint8Array(18)))).toEqual(decodeArp(fromHex(ANSWER)));
  });

  it.each([
    ["other hardware", 1, 6],
    ["another protocol", 2, 0x86],
    ["hardware addresses of another length", 4, 8],
    ["protocol addresses of another length", 5, 16],
  ])("knows ARP of %s as none of its own", (_, at, value) => {
    const bytes = fromHex(ANSWER);
    bytes[at] = value;
    expect(decodeArp(bytes)).toBeUndefined();
  });

  it("says what a truncated message lacks", () => {
    expect(() => decodeArp(fromHex(ANSWER).slice(0, 27))).toThrow(/ARP message: 28 bytes are needed, 27 are there/u);
  });

  it("survives hostile bytes", () => {
    const inputs = [...truncations(fromHex(ANSWER)), ...mutations(fromHex(ANSWER), 500)];
    expect(misbehaviour(decodeArp, inputs)).toEqual([]);
  });
});
