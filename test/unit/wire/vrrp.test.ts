import { describe, expect, it } from "vitest";
import type { VrrpAdvert } from "../../../src/base/vrrp.ts";
import { fromHex, toHex } from "../../../src/wire/bytes.ts";
import { encodeIpv4, TOS_CONTROL } from "../../../src/wire/ip-header.ts";
import { formatIp, ipBytes } from "../../../src/wire/ip.ts";
import {
  decodeVrrp,
  decodeVrrpPacket,
  encodeVrrp,
  encodeVrrpIpv4,
  VRRP_GROUP_IPV4,
  VRRP_GROUP_IPV6,
  VRRP_PROTOCOL,
} from "../../../src/wire/vrrp.ts";
import type { EncodeOptions, Ends } from "../../../src/wire/vrrp.ts";
import { passwordData } from "../../../src/wire/vrrp-auth.ts";
import { loadVectors } from "../../vectors/load.ts";
import { DRAFT_SIGNATURE } from "./vrrp-samples.ts";

const frame = loadVectors("vrrp.hex");
/** The IP packet of a frame. */
const packet = (name: string): Uint8Array => frame(name).slice(14);

const A4 = "10.77.0.1";
const A6 = "2001:db8:77::1";
const LINK_LOCAL = "fe80::ff:fe00:1";
const to = (source: string, destination: string): Ends => ({
  source: ipBytes(source),
  destination: ipBytes(destination),
});
const GROUP4 = to(A4, "224.0.0.18");

function advert(version: 2 | 3, priority: number, intervalMs: number, ...addresses: readonly string[]): VrrpAdvert {
  return { version, vrid: 51, priority, intervalMs, addresses };
}

const V6_ADDRESSES = ["fe80::50", "2001:db8:77::50"];
const password = (text: string): EncodeOptions => ({ password: passwordData(text) });

/** A vector: what it says, between whom, and how it was written. */
interface Row {
  readonly name: string;
  readonly content: VrrpAdvert;
  readonly ends: Ends;
  readonly options?: EncodeOptions;
  /** The identification of its IPv4 header. */
  readonly identification?: number;
}

function row(name: string, content: VrrpAdvert, ends: Ends, options: EncodeOptions = {}, identification = 0): Row {
  return { name, content, ends, options, identification };
}

const SENT_BY_KEEPALIVED: readonly Row[] = [
  row("v2-multicast", advert(2, 100, 1000, "10.77.0.50", "10.77.0.51"), GROUP4, {}, 1),
  row("v2-multicast-stop", advert(2, 0, 1000, "10.77.0.50", "10.77.0.51"), GROUP4, {}, 4),
  row("v2-password", advert(2, 100, 1000, "10.77.0.50"), GROUP4, password("secret"), 1),
  row("v2-password-stop", advert(2, 0, 1000, "10.77.0.50"), GROUP4, password("secret"), 4),
  row("v2-password-cut", advert(2, 100, 1000, "10.77.0.50"), GROUP4, password("verylongsecret"), 1),
  row("v2-unicast", advert(2, 100, 1000, "10.77.0.50"), to(A4, "10.77.0.2"), {}, 1),
  row("v2-owner", advert(2, 255, 1000, "10.77.0.50"), GROUP4, {}, 1),
  row("v3-ipv4-multicast", advert(3, 200, 250, "10.77.0.50"), GROUP4, {}, 1),
  row("v3-ipv4-multicast-stop", advert(3, 0, 250, "10.77.0.50"), GROUP4, {}, 10),
  row("v3-ipv4-unicast", advert(3, 200, 250, "10.77.0.50"), to(A4, "10.77.0.2"), {}, 1),
  row("v3-ipv6-multicast", advert(3, 200, 250, ...V6_ADDRESSES), to(LINK_LOCAL, "ff02::12")),
  row("v3-ipv6-multicast-stop", advert(3, 0, 250, ...V6_ADDRESSES), to(LINK_LOCAL, "ff02::12")),
  row("v3-ipv6-unicast", advert(3, 200, 250, "2001:db8:77::50"), to(A6, "2001:db8:77::2")),
];

const ours = (version: 2 | 3, priority: number, intervalMs: number, ...addresses: readonly string[]): VrrpAdvert => ({
  ...advert(version, priority, intervalMs, ...addresses),
  vrid: 7,
});
const FROM_LINK_LOCAL = to("fe80::1", "ff02::12");
const SIGNED: EncodeOptions = { signature: DRAFT_SIGNATURE };

const JUDGED_BY_TSHARK: readonly Row[] = [
  row("ours-v2", ours(2, 150, 255_000, "10.77.0.60", "10.77.0.61", "192.0.2.1"), GROUP4),
  row("ours-v2-password", ours(2, 150, 1000, "10.77.0.60"), GROUP4, password("geheim")),
  row("ours-v2-stop", ours(2, 0, 1000, "10.77.0.60"), GROUP4),
  row("ours-v3-ipv4", ours(3, 150, 40_950, "10.77.0.60", "10.77.0.61"), GROUP4),
  row("ours-v3-ipv4-message", ours(3, 150, 100, "10.77.0.60"), GROUP4, { checksum: "message" }),
  row("ours-v3-ipv6", ours(3, 150, 100, "fe80::60", "2001:db8:77::60"), FROM_LINK_LOCAL),
  row("ours-v3-ipv4-hmac", ours(3, 150, 1000, "10.77.0.60"), GROUP4, SIGNED),
  row("ours-v3-ipv6-hmac", ours(3, 150, 1000, "fe80::60"), FROM_LINK_LOCAL, SIGNED),
];

const EXAMPLES_OF_THE_DRAFT: readonly Row[] = [
  row("draft-hmac-ipv4", advert(3, 200, 1000, "192.0.2.100"), to("198.51.100.10", "198.51.100.20"), {
    ...SIGNED,
    checksum: "message",
  }),
  row("draft-hmac-ipv6", advert(3, 200, 1000, "fe80::100"), to("fe80::10", "fe80::20"), SIGNED),
];

describe.each([
  ["sent by keepalived 2.2.7", SENT_BY_KEEPALIVED],
  ["judged by tshark", JUDGED_BY_TSHARK],
])("adverts %s", (_, rows) => {
  it.each(rows)("$name is read", ({ name, content, ends: { source, destination } }) => {
    const result = decodeVrrpPacket(packet(name));
    expect(result).toMatchObject({ kind: "message", message: content, from: { source, destination } });
  });

  it.each(rows)("$name is written to the byte", ({ name, content, ends, options, identification }) => {
    const payload = encodeVrrp(content, ends, options);
    const header = { ...ends, protocol: VRRP_PROTOCOL, hopLimit: 255, payload };
    if (ends.source.length === 16) expect(toHex(payload)).toBe(toHex(packet(name).slice(40)));
    else expect(toHex(encodeIpv4(header, TOS_CONTROL, identification))).toBe(toHex(packet(name)));
  });
});

describe("the examples of the HMAC draft", () => {
  it.each(EXAMPLES_OF_THE_DRAFT)("$name is read and written to the byte", ({ name, content, ends, options }) => {
    expect(toHex(encodeVrrp(content, ends, options))).toBe(toHex(frame(name)));
    expect(decodeVrrp(frame(name), ends)).toMatchObject({ kind: "message", message: content });
  });
});

describe("what the message carries besides its content", () => {
  it("is version 2's authentication type and data", () => {
    expect(decodeVrrpPacket(packet("v2-password-cut"))).toMatchObject({
      message: { authentication: { type: 1, data: new TextEncoder().encode("verylong") } },
    });
    expect(decodeVrrpPacket(packet("v2-multicast"))).toMatchObject({
      message: { authentication: { type: 0, data: new Uint8Array(8) }, trailer: null },
    });
  });

  it("is nothing in version 3 without a trailer", () => {
    expect(decodeVrrpPacket(packet("v3-ipv6-unicast"))).toMatchObject({
      message: { authentication: null, trailer: null },
    });
  });
});

describe("the two checksums of version 3 on IPv4", () => {
  const pseudo = packet("v3-ipv4-multicast");
  const message = packet("ours-v3-ipv4-message");

  it("are both accepted", () => {
    expect(decodeVrrpPacket(pseudo).kind).toBe("message");
    expect(decodeVrrpPacket(message).kind).toBe("message");
  });

  it("are told apart on demand", () => {
    const only = (checksum: "message" | "pseudo-header") => ({ checksum });
    expect(decodeVrrpPacket(pseudo, only("pseudo-header")).kind).toBe("message");
    expect(decodeVrrpPacket(message, only("message")).kind).toBe("message");
    expect(decodeVrrpPacket(pseudo, only("message"))).toMatchObject({ fault: { reason: "checksum", found: 0x1156 } });
    expect(decodeVrrpPacket(message, only("pseudo-header"))).toMatchObject({
      fault: { reason: "checksum", expected: 0x4387 },
    });
  });
});

describe("building", () => {
  it("sends from the groups' ports of call: protocol 112, TTL 255, class 0xc0", () => {
    const bytes = encodeVrrpIpv4(advert(2, 100, 1000, "10.77.0.50"), GROUP4);
    expect([bytes[1], bytes[8], bytes[9]]).toEqual([0xc0, 255, 112]);
    expect(formatIp(VRRP_GROUP_IPV4)).toBe("224.0.0.18");
    expect(formatIp(VRRP_GROUP_IPV6)).toBe("ff02::12");
  });

  it.each<[string, VrrpAdvert, Ends, EncodeOptions?]>([
    ["router id 0", { ...advert(2, 100, 1000, A4), vrid: 0 }, GROUP4],
    ["router id 256", { ...advert(2, 100, 1000, A4), vrid: 256 }, GROUP4],
    ["priority 256", advert(2, 256, 1000, A4), GROUP4],
    ["no address", advert(2, 100, 1000), GROUP4],
    ["half seconds in version 2", advert(2, 100, 500, A4), GROUP4],
    ["256 seconds in version 2", advert(2, 100, 256_000, A4), GROUP4],
    ["41 seconds in version 3", advert(3, 100, 41_000, A4), GROUP4],
    ["5 ms in version 3", advert(3, 100, 5, A4), GROUP4],
    ["version 2 over IPv6", advert(2, 100, 1000, A6), to(A6, "ff02::12")],
    ["addresses of the other family", advert(3, 100, 1000, A6), GROUP4],
    ["a password of 9 bytes", advert(2, 100, 1000, A4), GROUP4, { password: new Uint8Array(9) }],
  ])("refuses %s as a bug", (_, content, ends, options) => {
    expect(() => encodeVrrp(content, ends, options)).toThrow(/broken assumption/u);
  });

  it("keeps the layout of RFC 3768, field by field", () => {
    const bytes = encodeVrrp(advert(2, 100, 3000, "10.77.0.50"), GROUP4, password("ab"));
    expect(toHex(bytes.with(6, 0).with(7, 0))).toBe(toHex(fromHex("21 33 64 01 01 03 0000 0a4d0032 6162000000000000")));
  });

  it("keeps the layout of RFC 9568, field by field", () => {
    const bytes = encodeVrrp(advert(3, 100, 3000, "10.77.0.50"), GROUP4);
    expect(toHex(bytes.with(6, 0).with(7, 0))).toBe(toHex(fromHex("31 33 64 01 012c 0000 0a4d0032")));
  });
});
