// `routes` and `rules` of a VIP, and the scope of addresses: what they may say, and how each mistake is told.

import { describe, expect, test } from "vitest";
import { routingText } from "../../../src/base/routing.ts";
import { describeDifference } from "../../../src/config/difference.ts";
import type { VipConfig } from "../../../src/config/types.ts";
import { mistakes, parse, withVip } from "./files.ts";

const BASE = 'interface: eth0\naddresses: [10.0.0.10/24, "2001:db8::10/64"]\n';

function vip(lines: string): VipConfig {
  const [only] = parse(withVip(`${BASE}${lines}`)).vips;
  if (only === undefined) throw new Error("no VIP");
  return only;
}

/** The entries as ip would write them. */
function texts(lines: string): readonly string[] {
  return (vip(lines).routing ?? []).map(routingText);
}

describe("routes", () => {
  test.each([
    ["10.9.0.0/16", "route 10.9.0.0/16 dev eth0 scope link"],
    ["{ destination: 10.9.0.0/16, via: 10.0.0.1 }", "route 10.9.0.0/16 via 10.0.0.1 dev eth0"],
    [
      "{ destination: default, via: 10.0.0.1, source: 10.0.0.10, interface: eth1, table: 100, metric: 5, mtu: 1400, scope: site, onLink: true }",
      "route default via 10.0.0.1 dev eth1 src 10.0.0.10 table 100 metric 5 scope site mtu 1400 onlink",
    ],
    ["{ destination: 10.9.9.9, via: 10.0.0.1, table: default }", "route 10.9.9.9/32 via 10.0.0.1 dev eth0 table 253"],
    ['"2001:DB8:9::/48"', "route 2001:db8:9::/48 dev eth0 metric 1024"],
    ['{ destination: default, via: "fe80::1", metric: 0 }', "route default6 via fe80::1 dev eth0 metric 1024"],
    ["{ destination: 10.9.0.0/16, type: blackhole, metric: 9 }", "route blackhole 10.9.0.0/16 metric 9"],
  ])("%s", (written, expected) => {
    expect(texts(`routes: [${written}]`)).toEqual([expected]);
  });

  test.each([
    ["10.9.0.1/16", "routes[0]: 10.9.0.1/16 has bits behind its prefix length; use 10.9.0.0/16, or a longer prefix"],
    ["nowhere", 'routes[0]: "nowhere" is not a network; use a network such as 10.9.0.0/16 or 2001:db8:9::/48'],
    ["{ via: 10.0.0.1 }", "routes[0].destination: is missing; give a network such as 10.9.0.0/16 or 2001:db8:9::/48"],
    ["{ destination: 10.9.0.0/16, vai: 10.0.0.1 }", "routes[0].vai: is not a known key; did you mean via?"],
    [
      '{ destination: 10.9.0.0/16, via: "::1" }',
      "routes[0].via: ::1 is not of the destination's family; use an IPv4 address",
    ],
    [
      "{ destination: 10.9.0.0/16, source: 10.0.0.11 }",
      "routes[0].source: 10.0.0.11 is no address of this VIP; use one of its addresses, or remove it",
    ],
    [
      "{ destination: 10.9.0.0/16, table: local }",
      "routes[0].table: the table local is the kernel's own; use a number from 1 to 4294967295, main or default",
    ],
    [
      "{ destination: 10.9.0.0/16, table: 0 }",
      "routes[0].table: 0 is not the number of a table; use a number from 1 to 4294967295, main or default",
    ],
    ["{ destination: 10.9.0.0/16, metric: -1 }", "routes[0].metric: -1 is less than 0; use 0 to 4294967295"],
    [
      "{ destination: 10.9.0.0/16, type: blackhole, via: 10.0.0.1 }",
      "routes[0].via: means nothing to a route of type blackhole; remove it",
    ],
    [
      "{ destination: 10.9.0.0/16, onLink: true }",
      "routes[0].onLink: means nothing without via; name the router, or remove it",
    ],
    ['{ destination: "2001:db8:9::/48", scope: link }', "routes[0].scope: is for IPv4 routes only; remove it"],
    [
      "10.9.0.0/16, { destination: 10.9.0.0/16, via: 10.0.0.1 }",
      'routes[1]: the kernel cannot tell "route 10.9.0.0/16 via 10.0.0.1 dev eth0" from vips.web.routes[0]; give it another metric or table, or keep one of the two',
    ],
    ["", "routes: is an empty list; remove it"],
  ])("%s: is a mistake", (written, expected) => {
    const found = mistakes(withVip(`${BASE}routes: [${written}]`));
    expect(found.map((line) => line.replace(/^vipd\.yaml:\d+:\d+: vips\.web\./u, ""))).toEqual([expected]);
  });

  test("of two VIPs must differ, too", () => {
    const other =
      "  mail: { interface: eth1, addresses: [10.1.0.1/24], routes: [{ destination: 10.9.0.0/16, via: 10.1.0.9 }] }\n";
    expect(mistakes(`${withVip(`${BASE}routes: [10.9.0.0/16]`)}\n${other}`)).toEqual([
      expect.stringMatching(
        /^vipd\.yaml:7:\d+: vips\.mail\.routes\[0\]: the kernel cannot tell .* from vips\.web\.routes\[0\]/u,
      ),
    ]);
  });

  test("that send packets on need an interface, which an election without address has not", () => {
    const job = "hooks: { notify: [/bin/true] }\nroutes: [10.9.0.0/16]";
    expect(mistakes(withVip(job))).toEqual([
      "vipd.yaml:5:14: vips.web.routes[0]: names no interface, and the VIP has none; add interface: eth0 to it",
    ]);
    expect(mistakes(withVip(job.replace("10.9.0.0/16", "{ destination: 10.9.0.0/16, interface: eth1 }")))).toEqual([]);
  });

  test("that are one group and no list: what is right is told", () => {
    expect(mistakes(withVip(`${BASE}routes: 10.9.0.0/16`))).toEqual([
      'vipd.yaml:6:13: vips.web.routes: is the text "10.9.0.0/16"; give a list, such as [{ destination: 10.9.0.0/16, via: 10.0.0.1 }]',
    ]);
  });

  test("in keepalived's words are translated", () => {
    expect(mistakes(withVip(`${BASE}virtual_routes: []`))).toEqual([
      "vipd.yaml:6:5: vips.web.virtual_routes: is not a known key; keepalived's virtual_routes is 'routes' here",
    ]);
  });
});

describe("rules", () => {
  test.each([
    ["{ from: 10.0.0.10, table: 100, priority: 1000 }", "rule priority 1000 from 10.0.0.10/32 table 100"],
    [
      "{ to: 10.9.0.0/16, table: main, priority: 1, fwmark: 0x1/0xff, iif: eth1 }",
      "rule priority 1 to 10.9.0.0/16 fwmark 0x1/0xff iif eth1 table 254",
    ],
    ["{ fwmark: 16, family: ipv6, table: 7, priority: 9 }", "IPv6 rule priority 9 fwmark 0x10 table 7"],
    ['{ from: "2001:db8::10", table: 100, priority: 1000 }', "IPv6 rule priority 1000 from 2001:db8::10/128 table 100"],
  ])("%s", (written, expected) => {
    expect(texts(`rules: [${written}]`)).toEqual([expected]);
  });

  test.each([
    ["{ from: 10.0.0.10, table: 100 }", "rules[0].priority: is missing; give a whole number from 1 to 4294967295"],
    [
      "{ from: 10.0.0.10, priority: 9 }",
      "rules[0].table: is missing; give a number from 1 to 4294967295, main or default",
    ],
    ["{ table: 100, priority: 9 }", "rules[0]: selects nothing; say which packets it is for: from, to, fwmark or iif"],
    ["{ iif: eth1, table: 100, priority: 9 }", "rules[0]: does not show its family; add family: ipv4 or family: ipv6"],
    [
      '{ from: 10.0.0.10, to: "::1", table: 100, priority: 9 }',
      "rules[0].to: is not of the family of from; use an IPv4 network",
    ],
    [
      "{ from: 10.0.0.10, fwmark: 0, table: 100, priority: 9 }",
      "rules[0].fwmark: 0 is not a mark; use a number such as 1 or 0x1, with the mask 0x1/0xff where only some bits count",
    ],
    [
      "10.0.0.10",
      'rules[0]: is the text "10.0.0.10"; use a group with keys among priority, table, from, to, fwmark, iif, family',
    ],
  ])("%s: is a mistake", (written, expected) => {
    const found = mistakes(withVip(`${BASE}rules: [${written}]`));
    expect(found.map((line) => line.replace(/^vipd\.yaml:\d+:\d+: vips\.web\./u, ""))).toEqual([expected]);
  });
});

describe("addresses", () => {
  test("have a scope, and do without the route to their network", () => {
    const group = "{ address: 10.0.0.10/24, interface: eth1, scope: link, noPrefixRoute: true }";
    expect(parse(withVip(`addresses: [${group}]`)).vips[0]?.addresses).toEqual([
      { family: 4, ip: "10.0.0.10", prefix: 24, interface: "eth1", scope: "link", noPrefixRoute: true },
    ]);
  });

  test("of IPv6 show their scope themselves", () => {
    expect(mistakes(withVip('interface: eth0\naddresses: [{ address: "2001:db8::1/64", scope: link }]'))).toEqual([
      "vipd.yaml:5:53: vips.web.addresses[0].scope: is for IPv4 addresses only; remove it: an IPv6 address shows its scope itself",
    ]);
  });

  test("tell every mistake of one group", () => {
    expect(
      mistakes(withVip("interface: eth0\naddresses: [{ address: 10.0.0.10, scope: wide, lable: x }]")),
    ).toHaveLength(3);
  });
});

test("a change of routes, and of an address' scope, is a change that a reload takes on", () => {
  const before = parse(withVip(BASE));
  const routed = describeDifference(before, parse(withVip(`${BASE}routes: [10.9.0.0/16]`)));
  expect(routed.vips.changed.map(({ fields }) => fields)).toEqual([["routing"]]);
  const scoped = parse(
    withVip('interface: eth0\naddresses: [{ address: 10.0.0.10/24, scope: link }, "2001:db8::10/64"]'),
  );
  expect(describeDifference(before, scoped).vips.changed.map(({ fields }) => fields)).toEqual([["addresses"]]);
});
