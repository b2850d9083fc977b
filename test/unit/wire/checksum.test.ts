import { describe, expect, it } from "vitest";
import { fromHex } from "../../../src/wire/bytes.ts";
import { internetChecksum, ipv6UpperChecksum } from "../../../src/wire/checksum.ts";
import { loadVectors } from "../../vectors/load.ts";

describe("the Internet checksum", () => {
  it("gives the sum of the example of RFC 1071, section 3", () => {
    expect(internetChecksum(fromHex("0001 f203 f4f5 f6f7"))).toBe(~0xddf2 & 0xffff);
  });

  it.each([
    ["nothing", "", 0xffff],
    ["a last odd byte, as if a zero followed", "01", 0xfeff],
    ["a carry that carries again", "ffff ffff 0001", 0xfffe],
    ["all ones", "ffff", 0],
  ])("sums %s", (_, hex, sum) => {
    expect(internetChecksum(fromHex(hex))).toBe(sum);
  });

  it("is zero over a header that carries its own (an IPv4 header off the wire)", () => {
    expect(internetChecksum(fromHex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7"))).toBe(0);
  });

  it("does not overflow over the longest message", () => {
    expect(internetChecksum(new Uint8Array(0xffff).fill(0xff))).toBe(~0xff00 & 0xffff);
  });

  it("is zero over a message of the kernel with IPv6's pseudo header, and not over another length or protocol", () => {
    const packet = loadVectors("frames.hex")("unsolicited-advertisement").slice(14);
    const [source, destination, message] = [packet.slice(8, 24), packet.slice(24, 40), packet.slice(40)];
    expect(ipv6UpperChecksum(source, destination, 58, message)).toBe(0);
    expect(ipv6UpperChecksum(source, destination, 17, message)).not.toBe(0);
    expect(ipv6UpperChecksum(source, destination, 58, message.slice(0, 30))).not.toBe(0);
  });
});
