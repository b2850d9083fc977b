import { describe, expect, test } from "vitest";
import {
  contains,
  formatIp,
  isLimitedBroadcast,
  isLinkLocal,
  isLoopback,
  isMappedIpv4,
  isMulticast,
  isNetworkOrBroadcast,
  isReserved,
  isUnspecified,
  parseCidr,
  parseIp,
} from "../../../src/wire/ip.ts";

// Canonical forms from RFC 5952, sections 1 to 5, and RFC 4291, section 2.2.
const CANONICAL: readonly (readonly [given: string, canonical: string])[] = [
  ["10.0.0.100", "10.0.0.100"],
  ["255.255.255.255", "255.255.255.255"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
  ["2001:DB8:0:0:0:0:2:1", "2001:db8::2:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["::", "::"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["FE80::1", "fe80::1"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
  ["::ffff:c000:201", "::ffff:192.0.2.1"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
];

const NOT_ADDRESSES = [
  "",
  "10.0.0",
  "10.0.0.0.0",
  "10.0.0.256",
  "10.0.0.01",
  "10.0.0.-1",
  " 10.0.0.1",
  "10.0.0.1 ",
  "10.0.0.1/24",
  "0x0a.0.0.1",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "g::",
  "fe80::1%eth0",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "::1.2.3",
  ":1:2:3:4:5:6:7",
  "host",
];

describe("addresses", () => {
  test.each(CANONICAL)("%s is written %s", (given, canonical) => {
    expect(parseIp(given)?.ip).toBe(canonical);
    expect(parseIp(canonical)?.ip).toBe(canonical);
  });

  test.each(NOT_ADDRESSES)("%j is no address", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  test("bytes stand in network order", () => {
    expect([...(parseIp("10.1.2.3")?.bytes ?? [])]).toEqual([10, 1, 2, 3]);
    expect([...(parseIp("2001:db8::1")?.bytes ?? [])]).toEqual([
      0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ]);
  });

  test("only 4 or 16 bytes have a text", () => {
    expect(() => formatIp(new Uint8Array(5))).toThrow(RangeError);
  });
});

describe("prefixes", () => {
  test("host bits are kept, text is canonical", () => {
    expect(parseCidr("10.0.0.100/24")).toMatchObject({ family: 4, ip: "10.0.0.100", prefix: 24 });
    expect(parseCidr("2001:DB8::0:5/64")).toMatchObject({ family: 6, ip: "2001:db8::5", prefix: 64 });
    expect(parseCidr("10.0.0.1/0")?.prefix).toBe(0);
  });

  test.each(["10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "::1/129", "10.0.0.1/024", "10.0.0.1/-1", "10.0.0.1/8/8", "x/8"])(
    "%j is no prefix",
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );

  test.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.7/24", "10.0.1.7", false],
    ["10.0.0.128/25", "10.0.0.127", false],
    ["0.0.0.0/0", "192.0.2.1", true],
    ["2001:db8::/33", "2001:db8:7fff::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
    ["::/0", "10.0.0.1", false],
  ])("%s contains %s: %s", (network, address, inside) => {
    const cidr = parseCidr(network);
    const ip = parseIp(address);
    if (cidr === undefined || ip === undefined) throw new Error("bad table row");
    expect(contains(cidr, ip)).toBe(inside);
  });
});

describe("kinds of addresses", () => {
  const kinds = { isUnspecified, isLoopback, isMulticast, isLinkLocal, isLimitedBroadcast, isReserved, isMappedIpv4 };
  test.each([
    ["0.0.0.0", ["isUnspecified"]],
    ["::", ["isUnspecified"]],
    ["127.0.0.2", ["isLoopback"]],
    ["::1", ["isLoopback"]],
    ["224.0.0.18", ["isMulticast"]],
    ["ff02::12", ["isMulticast"]],
    ["169.254.1.1", ["isLinkLocal"]],
    ["febf::1", ["isLinkLocal"]],
    ["fec0::1", []],
    ["255.255.255.255", ["isLimitedBroadcast", "isReserved"]],
    ["240.0.0.1", ["isReserved"]],
    ["::ffff:10.0.0.1", ["isMappedIpv4"]],
    ["10.0.0.1", []],
    ["2001:db8::1", []],
  ])("%s is %j", (text, expected) => {
    const ip = parseIp(text);
    if (ip === undefined) throw new Error("bad table row");
    const found = Object.entries(kinds).flatMap(([name, is]) => (is(ip) ? [name] : []));
    expect(found).toEqual(expected);
  });

  test.each([
    ["10.0.0.0/24", true],
    ["10.0.0.255/24", true],
    ["10.0.0.255/23", false],
    ["10.0.0.0/31", false],
    ["10.0.0.1/32", false],
    ["255.255.255.254/0", false],
    ["2001:db8::/64", false],
  ])("%s is the network's own or its broadcast address: %s", (text, expected) => {
    const cidr = parseCidr(text);
    if (cidr === undefined) throw new Error("bad table row");
    expect(isNetworkOrBroadcast(cidr)).toBe(expected);
  });
});
