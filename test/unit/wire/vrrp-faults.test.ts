// Packets that are no adverts: each reason by its name, and what is tolerated.

import { describe, expect, it } from "vitest";
import type { VrrpAdvert } from "../../../src/base/vrrp.ts";
import { concatBytes } from "../../../src/wire/bytes.ts";
import { encodeIpv4 } from "../../../src/wire/ip-header.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import { decodeVrrp, decodeVrrpPacket, encodeVrrp, VRRP_PROTOCOL } from "../../../src/wire/vrrp.ts";
import type { Ends } from "../../../src/wire/vrrp.ts";
import { describeVrrpFault } from "../../../src/wire/vrrp-fault.ts";
import type { VrrpFault } from "../../../src/wire/vrrp-fault.ts";
import { loadVectors } from "../../vectors/load.ts";

const frame = loadVectors("vrrp.hex");
/** The IP packet of a frame. */
const packet = (name: string): Uint8Array => frame(name).slice(14);

const A4 = "10.77.0.1";
const LINK_LOCAL = "fe80::ff:fe00:1";
const to = (source: string, destination: string): Ends => ({
  source: ipBytes(source),
  destination: ipBytes(destination),
});
const GROUP4 = to(A4, "224.0.0.18");

function advert(version: 2 | 3, priority: number, intervalMs: number, ...addresses: readonly string[]): VrrpAdvert {
  return { version, vrid: 51, priority, intervalMs, addresses };
}

/** A vector with something changed. */
function changed(name: string, change: (ip: Uint8Array) => void): Uint8Array {
  const bytes = packet(name);
  change(bytes);
  return bytes;
}

/** The payload of an advert with one byte changed and the checksum made right: IPv4, the message form. */
function resummed(content: VrrpAdvert, at: number, value: number): Uint8Array {
  const payload = encodeVrrp(content, GROUP4, { checksum: "message" });
  const before = payload[at] ?? 0;
  payload[at] = value;
  // One's complement arithmetic: what the word gains, the checksum loses.
  const scale = at % 2 === 0 ? 256 : 1;
  const sum = ((payload[6] ?? 0) << 8) + (payload[7] ?? 0) + (before - value) * scale;
  const folded = ((sum % 0xffff) + 0xffff) % 0xffff;
  payload.set([folded >> 8, folded & 0xff], 6);
  return payload;
}

describe("packets that are rejected, by name", () => {
  const v2 = advert(2, 100, 1000, "10.77.0.50");
  const v3 = advert(3, 100, 1000, "10.77.0.50");
  const raw = packet("v2-multicast");
  const v6 = packet("v3-ipv6-multicast");

  it.each<[title: string, bytes: Uint8Array, fault: VrrpFault]>([
    ["no bytes at all", new Uint8Array(), { reason: "ip-header-short", bytes: 0 }],
    ["19 bytes", raw.slice(0, 19), { reason: "ip-header-short", bytes: 19 }],
    ["39 bytes of IPv6", v6.slice(0, 39), { reason: "ip-header-short", bytes: 39 }],
    ["IP version 5", changed("v2-multicast", (ip) => (ip[0] = 0x55)), { reason: "ip-version", version: 5 }],
    [
      "a header of 16 bytes",
      changed("v2-multicast", (ip) => (ip[0] = 0x44)),
      { reason: "ip-header-length", headerBytes: 16 },
    ],
    [
      "a header longer than the packet",
      changed("v3-ipv4-multicast", (ip) => (ip[0] = 0x4f)),
      { reason: "ip-header-length", headerBytes: 60 },
    ],
    ["a packet that is cut off", raw.slice(0, -1), { reason: "ip-length", stated: 44, received: 43 }],
    [
      "a stated length below the header's",
      changed("v2-multicast", (ip) => (ip[3] = 19)),
      { reason: "ip-length", stated: 19, received: 44 },
    ],
    ["IPv6 that is cut off", v6.slice(0, -1), { reason: "ip-length", stated: 80, received: 79 }],
    ["a wrong header checksum", changed("v2-multicast", (ip) => (ip[4] = 0x80)), { reason: "ip-checksum" }],
  ])("%s", (_, bytes, fault) => {
    expect(decodeVrrpPacket(bytes)).toMatchObject({ kind: "rejected", fault });
    expect(describeVrrpFault(fault)).toMatch(/^[a-z].{10,}[^.]$/u);
  });

  const header = { ...GROUP4, protocol: VRRP_PROTOCOL, hopLimit: 255 };
  const wrapped = (change: object): Uint8Array => encodeIpv4({ ...header, payload: encodeVrrp(v2, GROUP4), ...change });

  it.each<[title: string, bytes: Uint8Array, fault: VrrpFault]>([
    ["another protocol", wrapped({ protocol: 51 }), { reason: "ip-protocol", protocol: 51 }],
    ["a TTL of 254", wrapped({ hopLimit: 254 }), { reason: "hop-limit", hopLimit: 254 }],
    ["a hop limit of 64", changed("v3-ipv6-multicast", (ip) => (ip[7] = 64)), { reason: "hop-limit", hopLimit: 64 }],
  ])("%s, and the router id is told", (_, bytes, fault) => {
    expect(decodeVrrpPacket(bytes)).toMatchObject({ kind: "rejected", fault, vrid: 51 });
  });

  it("a fragment", () => {
    const bytes = wrapped({});
    bytes[6] = 0x20;
    bytes[10] = (bytes[10] ?? 0) - 0x20;
    expect(decodeVrrpPacket(bytes)).toMatchObject({ fault: { reason: "ip-fragment" } });
  });

  it.each<[title: string, payload: Uint8Array, fault: VrrpFault]>([
    ["seven bytes", encodeVrrp(v2, GROUP4).slice(0, 7), { reason: "short", bytes: 7 }],
    ["no message at all", new Uint8Array(), { reason: "short", bytes: 0 }],
    ["version 1", resummed(v2, 0, 0x11), { reason: "version", version: 1 }],
    ["version 4", resummed(v3, 0, 0x41), { reason: "version", version: 4 }],
    ["type 2", resummed(v2, 0, 0x22), { reason: "type", type: 2 }],
    ["router id 0", resummed(v3, 1, 0), { reason: "vrid-zero" }],
    ["no address", resummed(v2, 3, 0), { reason: "no-addresses" }],
    ["an address too few", resummed(v2, 3, 2), { reason: "length", expected: 24, received: 20 }],
    [
      "an address too many",
      encodeVrrp(advert(3, 1, 10, A4, A4), GROUP4).with(3, 1),
      { reason: "length", expected: 12, received: 16 },
    ],
    [
      "version 2 without authentication data",
      encodeVrrp(v2, GROUP4).slice(0, 12),
      { reason: "length", expected: 20, received: 12 },
    ],
    [
      "bytes behind the message",
      concatBytes(encodeVrrp(v3, GROUP4), new Uint8Array(2)),
      { reason: "length", expected: 12, received: 14 },
    ],
    [
      "a wrong checksum in version 2",
      encodeVrrp(v2, GROUP4).with(2, 101),
      { reason: "checksum", found: 0x704b, expected: 0x6f4b },
    ],
    ["interval 0 in version 2", resummed(v2, 5, 0), { reason: "interval-zero" }],
    ["interval 0 in version 3", resummed(v3, 5, 0), { reason: "interval-zero" }],
    ["authentication type 2", resummed(v2, 4, 2), { reason: "auth-type", authType: 2 }],
  ])("%s", (_, payload, fault) => {
    expect(decodeVrrp(payload, GROUP4)).toMatchObject({ kind: "rejected", fault });
    expect(describeVrrpFault(fault)).toMatch(/^[a-z].{10,}[^.]$/u);
  });

  it("version 2 over IPv6", () => {
    const ends = to(LINK_LOCAL, "ff02::12");
    const payload = encodeVrrp(advert(3, 100, 1000, "fe80::50"), ends).with(0, 0x21);
    expect(decodeVrrp(payload, ends)).toMatchObject({ fault: { reason: "version", version: 2 } });
  });

  it("a wrong checksum over IPv6, and one that was meant for another receiver", () => {
    const payload = packet("v3-ipv6-multicast").slice(40);
    const ends = to(LINK_LOCAL, "ff02::12");
    expect(decodeVrrp(payload, ends).kind).toBe("message");
    expect(decodeVrrp(payload.with(2, 1), ends)).toMatchObject({ fault: { reason: "checksum", found: 0xdc30 } });
    expect(decodeVrrp(payload, to(LINK_LOCAL, "fe80::9"))).toMatchObject({ fault: { reason: "checksum" } });
  });
});

describe("what is tolerated", () => {
  it("is the padding of short Ethernet frames", () => {
    const padded = concatBytes(packet("v3-ipv4-multicast"), new Uint8Array(14));
    expect(decodeVrrpPacket(padded)).toEqual(decodeVrrpPacket(packet("v3-ipv4-multicast")));
  });

  it("is a unicast packet that has passed a router, unless told otherwise", () => {
    const bytes = packet("v3-ipv6-unicast");
    expect(bytes[7]).toBe(64);
    expect(decodeVrrpPacket(bytes).kind).toBe("message");
    expect(decodeVrrpPacket(bytes, { unicastFromLink: true })).toMatchObject({
      fault: { reason: "hop-limit", hopLimit: 64 },
    });
  });

  it("are reserved bits of version 3's interval", () => {
    const payload = resummed(advert(3, 100, 1000, "10.77.0.50"), 4, 0xf0);
    expect(decodeVrrp(payload, GROUP4)).toMatchObject({ message: { intervalMs: 1000 } });
  });

  it("is an IPv4 header with options and with flags that are no fragment's", () => {
    const inner = encodeVrrp(advert(2, 100, 1000, "10.77.0.50"), GROUP4);
    const plain = encodeIpv4({
      ...GROUP4,
      protocol: VRRP_PROTOCOL,
      hopLimit: 255,
      payload: concatBytes(new Uint8Array(4), inner),
    });
    plain[0] = 0x46;
    plain[6] = 0x40;
    const sum = ((plain[10] ?? 0) << 8) + (plain[11] ?? 0) - 0x0100 - 0x4000;
    plain.set([sum >> 8, sum & 0xff], 10);
    expect(decodeVrrpPacket(plain)).toMatchObject({ kind: "message", message: { vrid: 51 } });
  });
});
