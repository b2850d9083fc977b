// Virtual MACs, as the file has them.

import { expect, test } from "vitest";
import { mistakes, parse } from "./files.ts";

const vip = (name: string, lines: string, addresses = "[10.0.0.50/24]", link = "eth0"): string =>
  `  ${name}:\n    interface: ${link}\n    addresses: ${addresses}\n${lines.replaceAll(/^/gmu, "    ")}\n`;
const file = (...vips: readonly string[]): string => `store: sqlite:/s.db\nvips:\n${vips.join("")}`;

test("the addresses of a VIP lie on a device for each family and interface, each alone in its network", () => {
  const addresses = '[10.0.0.50/24, "2001:db8::50/64", {address: 192.0.2.50/24, interface: eth1}]';
  const [web] = parse(file(vip("web", "virtualMac: { id: 51 }", addresses))).vips;
  expect(web?.addresses).toEqual([
    {
      family: 4,
      ip: "10.0.0.50",
      prefix: 32,
      interface: "vipd4-51",
      virtualMac: { mac: "00:00:5e:00:01:33", parent: "eth0" },
    },
    {
      family: 6,
      ip: "2001:db8::50",
      prefix: 128,
      interface: "vipd6-51",
      virtualMac: { mac: "00:00:5e:00:02:33", parent: "eth0" },
    },
    {
      family: 4,
      ip: "192.0.2.50",
      prefix: 32,
      interface: "vipd4-51-2",
      virtualMac: { mac: "00:00:5e:00:01:33", parent: "eth1" },
    },
  ]);
});

test("true takes the id of the virtual router, whose adverts stay on the interface below", () => {
  const lines = "election: vrrp\nvirtualMac: true\nvrrp: { id: 7 }";
  const [web] = parse(file(vip("web", lines))).vips;
  expect(web?.addresses[0]).toMatchObject({ interface: "vipd4-7", virtualMac: { mac: "00:00:5e:00:01:07" } });
  expect(web?.vrrp?.interface).toBe("eth0");
});

test.each(["virtualMac: false", ""])("%s leaves the addresses on their interface", (lines) => {
  const [web] = parse(file(vip("web", lines))).vips;
  expect(web?.addresses).toEqual([{ family: 4, ip: "10.0.0.50", prefix: 24, interface: "eth0" }]);
});

test("IPv4 and IPv6 have MACs of their own, so that they may share an id", () => {
  const six = vip("six", "virtualMac: { id: 51 }", '["2001:db8::50/64"]');
  expect(parse(file(vip("four", "virtualMac: { id: 51 }"), six)).vips).toHaveLength(2);
});

test("a rule may be about what comes in on the device: what this host forwards for the virtual MAC does", () => {
  const rules = "virtualMac: { id: 51 }\nrules: [{ iif: vipd4-51, table: 100, family: ipv4, priority: 1000 }]";
  expect(mistakes(file(vip("web", rules)))).toEqual([]);
});

const CASES: readonly (readonly [what: string, file: string, told: string])[] = [
  [
    "no id",
    file(vip("web", "virtualMac: true")),
    "6:17: vips.web.virtualMac: has no id to make the MAC of; give one: virtualMac: { id: 51 }",
  ],
  [
    "a bare number",
    file(vip("web", "virtualMac: 51")),
    "6:17: vips.web.virtualMac: is the number 51; write { id: 51 }",
  ],
  [
    "an id that is none",
    file(vip("web", "virtualMac: { id: 256 }")),
    "6:17: vips.web.virtualMac: has an id that is not a whole number from 1 to 255; use a whole number from 1 to 255 as its id, such as { id: 51 }",
  ],
  [
    "another key",
    file(vip("web", "virtualMac: { id: 51, mode: private }")),
    "6:17: vips.web.virtualMac: has the key mode, which is not known there; use true, or { id: 51 }",
  ],
  [
    "another id than that of the virtual router",
    file(vip("web", "virtualMac: { id: 52 }\nvrrp: { id: 51 }")),
    "6:23: vips.web.virtualMac.id: is not the id of the virtual router, 51, from which its MAC comes; write virtualMac: true",
  ],
  [
    "an id twice",
    file(vip("a", "virtualMac: { id: 51 }"), vip("b", "virtualMac: { id: 51 }", "[10.0.0.51/24]", "eth1")),
    "10:23: vips.b.virtualMac.id: 51 is the id of vips.a already, and the MAC comes from it; give each VIP with a virtual MAC an id that no other VIP of this host has",
  ],
  [
    "the id of another VIP's virtual router",
    file(vip("a", "election: vrrp\nvrrp: { id: 51 }"), vip("b", "virtualMac: { id: 51 }", "[10.0.0.51/24]")),
    "11:23: vips.b.virtualMac.id: 51 is the id of vips.a already, and the MAC comes from it; give each VIP with a virtual MAC an id that no other VIP of this host has",
  ],
  [
    "no addresses",
    "store: sqlite:/s.db\nvips:\n  web:\n    virtualMac: { id: 51 }\n",
    "4:17: vips.web.virtualMac: is of no use to a VIP without addresses; remove it, or give addresses",
  ],
  [
    "the loopback",
    file(vip("web", "virtualMac: { id: 51 }", "[10.0.0.50/24]", "lo")),
    "6:17: vips.web.virtualMac: lo has no MAC; remove it, or put the VIP on an Ethernet interface",
  ],
  [
    "one address on the loopback",
    file(vip("web", "virtualMac: { id: 51 }", "[10.0.0.50/24, {address: 10.0.0.51/32, interface: lo}]")),
    "5:66: vips.web.addresses[1].interface: lo has no MAC; remove it, or put the VIP on an Ethernet interface",
  ],
  [
    "another VIP on its device",
    file(vip("web", "virtualMac: { id: 51 }"), vip("b", "", "[10.0.0.51/24]", "vipd4-51")),
    "8:16: vips.b.interface: is the device that vipd makes for the virtual MAC of vips.web; use the interface below it",
  ],
  [
    "a route over its device",
    file(
      vip("web", "virtualMac: { id: 51 }"),
      vip("b", "routes: [{ destination: 192.0.2.0/24, interface: vipd4-51 }]", "[10.0.0.51/24]"),
    ),
    "10:54: vips.b.routes[0].interface: is the device that vipd makes for the virtual MAC of vips.web; use the interface below it",
  ],
  [
    "a check that waits for its device",
    `${file(vip("web", "virtualMac: { id: 51 }\nchecks: [link]"))}checks:\n  link: { interface: vipd4-51 }\n`,
    "9:22: checks.link.interface: is the device that vipd makes for the virtual MAC of vips.web; use the interface below it",
  ],
  [
    "a gateway that is asked on its device",
    `${file(vip("web", "virtualMac: { id: 51 }\nchecks: [gw]"))}checks:\n  gw: { gateway: 10.0.0.1, via: vipd4-51 }\n`,
    "9:33: checks.gw.via: is the device that vipd makes for the virtual MAC of vips.web; use the interface below it",
  ],
  [
    "a real server on its device",
    `${file(vip("web", "virtualMac: { id: 51 }"))}realServers:\n  lan: { addresses: [10.0.0.60], interfaces: [eth0, vipd4-51] }\n`,
    "8:53: realServers.lan.interfaces[1]: is the device that vipd makes for the virtual MAC of vips.web; use the interface below it",
  ],
  [
    "a fence that cannot guard it",
    `fence: inet\n${file(vip("web", "virtualMac: { id: 51 }"))}`,
    "1:8: fence: inet cannot guard virtual MACs, which only the hooks of interfaces see; use netdev or auto, or take virtualMac out",
  ],
];

test.each(CASES)("refuses %s", (_, text, told) => {
  expect(mistakes(text)).toContain(`vipd.yaml:${told}`);
});
