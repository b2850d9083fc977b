// The VIPs of which a host is a real server, as the file has them.

import { expect, test } from "vitest";
import { describeDifference } from "../../../src/config/difference.ts";
import type { BoundAddress } from "../../../src/ports/host.ts";
import { CONTEXT, MINIMAL, mistakes, parse } from "./files.ts";

const SERVER = 'realServers:\n  web: { addresses: [10.0.0.50, "2001:DB8::50"], interfaces: [eth0, eth1, eth0] }\n';

test("a host that is a real server alone needs neither a store nor VIPs", () => {
  const { store, vips, realServers } = parse(SERVER);
  expect([store, vips]).toEqual([null, []]);
  expect(realServers).toEqual([
    {
      name: "web",
      addresses: [
        { family: 4, ip: "10.0.0.50" },
        { family: 6, ip: "2001:db8::50" },
      ],
      interfaces: ["eth0", "eth1"],
    },
  ]);
});

test("they stand beside VIPs of other addresses, and differ by themselves", () => {
  const both = parse(`${MINIMAL}\n${SERVER}`);
  expect(both.vips.length).toBe(1);
  const difference = describeDifference(parse(MINIMAL), both);
  expect([difference.realServersChanged, difference.none]).toEqual([true, false]);
  expect(describeDifference(both, both).realServersChanged).toBe(false);
});

const server = (lines: string): string => `realServers:\n  web: { ${lines} }\n`;

test.each([
  [
    "a candidate for the VIP",
    `${MINIMAL}\n${server("addresses: [10.0.0.10], interfaces: [eth0]")}`,
    "7:22: realServers.web.addresses[0]: this node is a candidate for 10.0.0.10 (vips.web.addresses[0]), and cannot be its real server: the holder must answer for the address, a real server must never; have one host, or one network namespace, be the candidate, and others the real servers: see docs/lvs.md",
  ],
  [
    "an address twice",
    server('addresses: ["2001:db8::50", "2001:DB8:0::50"], interfaces: [eth0]'),
    "2:38: realServers.web.addresses[1]: 2001:db8::50 stands at realServers.web.addresses[0] already; keep one of the two",
  ],
  [
    "a prefix length",
    server("addresses: [10.0.0.50/24], interfaces: [eth0]"),
    '2:22: realServers.web.addresses[0]: "10.0.0.50/24" is not an address; use an address without a prefix length, such as 10.0.0.2',
  ],
  [
    "an address of one link",
    server('addresses: ["fe80::50"], interfaces: [eth0]'),
    "2:22: realServers.web.addresses[0]: fe80::50 is valid on one link only, and lo is another one; use an address without a prefix length, such as 10.0.0.2",
  ],
  [
    "a broadcast address",
    server("addresses: [255.255.255.255], interfaces: [eth0]"),
    "2:22: realServers.web.addresses[0]: 255.255.255.255 is not the address of a host on the network; use an address without a prefix length, such as 10.0.0.2",
  ],
  [
    "no interfaces",
    server("addresses: [10.0.0.50]"),
    "2:3: realServers.web.interfaces: is missing; give a list, such as [eth0]",
  ],
  [
    "one address without its brackets",
    server("addresses: 10.0.0.50, interfaces: [eth0]"),
    '2:21: realServers.web.addresses: is the text "10.0.0.50"; write it as a list: [10.0.0.50]',
  ],
  [
    "an empty list",
    server("addresses: [], interfaces: [eth0]"),
    "2:21: realServers.web.addresses: is an empty list; give at least one address",
  ],
  [
    "lo",
    server("addresses: [10.0.0.50], interfaces: [lo]"),
    "2:47: realServers.web.interfaces[0]: is where the address is put, and not where the director's packets arrive; name the interface to the directors, such as eth0",
  ],
  [
    "a key of keepalived",
    "virtual_server: {}\nrealServers: {}\n",
    "1:1: virtual_server: is not a known key; vipd runs ipvsadm by hooks: see docs/lvs.md",
  ],
  [
    "very many addresses",
    server(`addresses: [${Array.from({ length: 33 }, (_, i) => `10.0.1.${i + 1}`).join(", ")}], interfaces: [eth0]`),
    "2:21: realServers.web.addresses: holds 33 addresses; keep it within 32",
  ],
])("%s is a mistake", (_, text, told) => {
  expect(mistakes(text)).toEqual([`vipd.yaml:${told}`]);
});

test("an address that is bound elsewhere than on lo is a mistake on that host, unless vipd has bound it", () => {
  const bound: BoundAddress = {
    ...{ family: 4, ip: "10.0.0.50", prefix: 24, interface: "eth0" },
    ...{ ours: false, keepalived: false, permanent: true, secondary: true },
  };
  const told = (address: BoundAddress): readonly string[] =>
    mistakes(SERVER, { ...CONTEXT, host: { addresses: [address] } });
  expect(told(bound)).toEqual([
    "vipd.yaml:2:22: realServers.web.addresses[0]: 10.0.0.50/24 is on eth0, where this host answers for it, and a real server must not; run: ip address delete 10.0.0.50/24 dev eth0, or use another address",
  ]);
  expect(told({ ...bound, ours: true })).toEqual([]);
  expect(told({ ...bound, interface: "lo" })).toEqual([]);
});
