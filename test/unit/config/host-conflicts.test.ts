// VIPs that the host has already: its own address is refused, a leftover of keepalived is told apart.

import { describe, expect, test } from "vitest";
import type { Family } from "../../../src/base/vip.ts";
import { hostConflicts } from "../../../src/config/host-conflicts.ts";
import type { BoundAddress } from "../../../src/ports/host.ts";
import { CONTEXT, mistakes, withVip } from "./files.ts";

function bound(cidr: string, change: Partial<BoundAddress> = {}): BoundAddress {
  const [ip = "", prefix] = cidr.split("/");
  const family: Family = ip.includes(":") ? 6 : 4;
  const place = { family, ip, prefix: Number(prefix), interface: "eth0" };
  return { ...place, ours: false, keepalived: false, permanent: true, secondary: false, ...change };
}

const HOST = bound("10.0.0.1/24");
const HOST6 = bound("2001:db8::1/64");

describe("an address of the host that is to be a VIP", () => {
  const CASES: readonly (readonly [
    what: string,
    wanted: string,
    on: readonly BoundAddress[],
    kind: string | undefined,
  ])[] = [
    ["its only address", "10.0.0.1", [HOST], "own"],
    ["the primary address beside others", "10.0.0.1", [HOST, bound("10.0.0.9/24", { secondary: true })], "own"],
    ["on another interface than the VIP's", "10.1.0.1", [HOST, bound("10.1.0.1/24", { interface: "eth1" })], "own"],
    ["its only IPv6 address", "2001:db8::1", [HOST6, bound("fe80::1/64")], "own"],
    ["a single address of a cloud host", "10.0.0.1", [bound("10.0.0.1/32")], "own"],
    ["another address of the network", "10.0.0.9", [HOST, bound("10.0.0.9/24", { secondary: true })], "leftover"],
    ["keepalived's /32", "10.0.0.9", [HOST, bound("10.0.0.9/32")], "leftover"],
    ["keepalived's mark", "10.9.0.9", [HOST, bound("10.9.0.9/24", { keepalived: true })], "leftover"],
    ["a second IPv6 address", "2001:db8::9", [HOST6, bound("2001:db8::9/64")], "leftover"],
    ["what vipd has bound", "10.0.0.9", [HOST, bound("10.0.0.9/24", { ours: true, permanent: false })], undefined],
    [
      "what vipd has bound on a kernel without marks",
      "10.0.0.9",
      [bound("10.0.0.9/24", { permanent: false })],
      undefined,
    ],
    ["an address of the loopback", "10.0.0.9", [HOST, bound("10.0.0.9/32", { interface: "lo" })], undefined],
    ["no address of the host", "10.0.0.8", [HOST, HOST6], undefined],
  ];

  test.each(CASES)("%s", (_what, ip, on, kind) => {
    const family: Family = ip.includes(":") ? 6 : 4;
    expect(hostConflicts([{ family, ip }], on).get(ip)?.kind).toBe(kind);
  });

  test("two VIPs do not make each other leftovers: one of them is the host's own", () => {
    const on = [HOST6, bound("2001:db8::9/64")];
    const wanted = [HOST6, { family: 6 as const, ip: "2001:db8::9" }];
    expect(hostConflicts(wanted, on).get(HOST6.ip)?.kind).toBe("own");
  });
});

test("a configuration is told which VIP is the host's own address, and what would be right", () => {
  const file = withVip("interface: eth0\naddresses: [10.0.0.9/24, 10.0.0.1/24]");
  expect(mistakes(file, { ...CONTEXT, host: { addresses: [HOST] } })).toEqual([
    "vipd.yaml:5:30: vips.web.addresses[1]: 10.0.0.1 is this host's own address (10.0.0.1/24 on eth0), and no VIP; use an address that no host has as its own; if keepalived left it behind, stop keepalived and run: ip address delete 10.0.0.1/24 dev eth0",
  ]);
  expect(mistakes(file, { ...CONTEXT, host: { addresses: [bound("10.0.0.7/24")] } })).toEqual([]);
});

test("a group that the host does not have is a mistake, by number none", () => {
  const groups = new Set(["adm", "haproxy"]);
  const told = (group: string): readonly string[] =>
    mistakes(`admin: {group: ${group}}\n${withVip("interface: eth0\naddresses: [10.0.0.9/24]")}`, {
      ...CONTEXT,
      host: { groups },
    });
  expect(told("haprox")).toEqual(["vipd.yaml:1:16: admin.group: this host has no such group; did you mean haproxy?"]);
  expect(told("vipd")).toEqual([
    "vipd.yaml:1:16: admin.group: this host has no such group; make it: groupadd --system vipd",
  ]);
  for (const group of ["adm", "4711", '"4711"']) expect(told(group)).toEqual([]);
});
