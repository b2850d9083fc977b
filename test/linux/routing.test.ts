// Routes and rules on a real kernel: what vipd asks for is what ip shows, and what others set is left alone.

import { describe, expect, it } from "vitest";
import { KernelRouting } from "../../adapters/linux/routing.ts";
import { followRouting } from "../../adapters/linux/routing-news.ts";
import { type RoutingEntry, routingKey, routingText, type VipRoute, type VipRule } from "../../src/base/routing.ts";
import { eventually, useWire } from "./namespaces.ts";

const wire = useWire();

const ROUTE: VipRoute = {
  kind: "route",
  family: 4,
  ip: "10.9.0.0",
  prefix: 16,
  type: "unicast",
  via: "10.77.0.2",
  interface: "eth0",
  table: 254,
  metric: 0,
  scope: "global",
};
const ROUTE6: VipRoute = {
  ...ROUTE,
  family: 6,
  ip: "2001:db8:9::",
  prefix: 48,
  via: "2001:db8:77::2",
  source: "2001:db8:77::1",
  table: 1_000,
  metric: 1_024,
};
const RULE: VipRule = { kind: "rule", family: 4, priority: 1_000, table: 100, from: "10.77.0.50/32" };

const EVERY_KIND: readonly RoutingEntry[] = [
  ROUTE,
  { ...ROUTE, source: "10.77.0.1", table: 100, metric: 50, mtu: 1_400 },
  { ...ROUTE, ip: "0.0.0.0", prefix: 0, table: 70_000, via: "192.0.2.1", onLink: true },
  {
    kind: "route",
    family: 4,
    ip: "10.8.0.0",
    prefix: 16,
    type: "unicast",
    interface: "eth0",
    table: 254,
    metric: 0,
    scope: "link",
  },
  { kind: "route", family: 4, ip: "10.7.0.0", prefix: 16, type: "blackhole", table: 254, metric: 7, scope: "global" },
  ROUTE6,
  { ...ROUTE6, ip: "::", prefix: 0, table: 254, metric: 3 },
  {
    kind: "route",
    family: 6,
    ip: "2001:db8:8::",
    prefix: 48,
    type: "unreachable",
    table: 254,
    metric: 1_024,
    scope: "global",
  },
  RULE,
  { kind: "rule", family: 4, priority: 1_001, table: 254, fwmark: 1, fwmask: 0xff, iif: "eth0" },
  { kind: "rule", family: 6, priority: 1_002, table: 70_000, to: "2001:db8:9::/48", fwmark: 16 },
];

function open(): KernelRouting {
  const routing = wire().host.inside(() => new KernelRouting());
  wire().onClose(() => routing.close());
  return routing;
}

function ip(...args: readonly string[]): string {
  return wire().host.exec("ip", ...args);
}

function sorted(entries: readonly RoutingEntry[]): readonly string[] {
  return entries.map(routingText).toSorted();
}

const added = (entries: readonly RoutingEntry[]): readonly unknown[] => entries.map(() => ({ kind: "added" }));

describe("what vipd sets", () => {
  it("is read back as it was set, and removed without a trace", () => {
    const routing = open();
    expect(routing.add(EVERY_KIND)).toEqual(added(EVERY_KIND));
    expect(sorted(routing.ours())).toEqual(sorted(EVERY_KIND));
    expect(routing.remove(EVERY_KIND)).toEqual([]);
    expect(routing.ours()).toEqual([]);
  });

  it("is shown by ip in the same words, and with the protocol number", () => {
    const routing = open();
    routing.add(EVERY_KIND);
    expect(ip("route", "show", "table", "100")).toMatch(
      /10\.9\.0\.0\/16 via 10\.77\.0\.2 dev eth0 proto 118 src 10\.77\.0\.1 metric 50 mtu 1400/u,
    );
    expect(ip("route", "show", "table", "70000")).toMatch(/default via 192\.0\.2\.1 dev eth0 proto 118 onlink/u);
    expect(ip("route", "show")).toMatch(/10\.8\.0\.0\/16 dev eth0 proto 118 scope link/u);
    expect(ip("route", "show")).toMatch(/blackhole 10\.7\.0\.0\/16 proto 118 metric 7/u);
    expect(ip("-6", "route", "show", "table", "1000")).toMatch(
      /2001:db8:9::\/48 via 2001:db8:77::2 dev eth0 proto 118 src 2001:db8:77::1 metric 1024/u,
    );
    expect(ip("rule")).toMatch(/1000:\s+from 10\.77\.0\.50 lookup 100 proto 118/u);
    expect(ip("rule")).toMatch(/1001:\s+from all fwmark 0x1\/0xff iif eth0 lookup main proto 118/u);
    expect(ip("-6", "rule")).toMatch(/1002:\s+from all to 2001:db8:9::\/48 fwmark 0x10 lookup 70000 proto 118/u);
  });

  it("is told to be there when it is added again, and is there once", () => {
    const routing = open();
    routing.add(EVERY_KIND);
    expect(routing.add(EVERY_KIND)).toEqual(EVERY_KIND.map(() => ({ kind: "exists" })));
    expect(sorted(routing.ours())).toEqual(sorted(EVERY_KIND));
  });

  it("comes in thousands, and goes", () => {
    const routing = open();
    const many = Array.from({ length: 2_000 }, (_, i): VipRoute => ({
      ...ROUTE,
      ip: `10.${128 + (i >> 8)}.${i & 255}.0`,
      prefix: 24,
    }));
    expect(routing.add(many)).toEqual(added(many));
    expect(routing.ours()).toHaveLength(2_000);
    expect(routing.remove(many)).toEqual([]);
    expect(routing.ours()).toEqual([]);
  });
});

describe("a rule that covers another one of vipd's, of the same priority and table", () => {
  const narrow: VipRule = { ...RULE, from: "10.77.0.50/32", to: "10.9.0.0/16" };
  const { from: _from, ...wide } = RULE;
  const { to: _to, ...middle } = narrow;

  it.each<{ name: string; rules: readonly VipRule[] }>([
    { name: "is added beside it", rules: [narrow, middle] },
    { name: "is added beside several", rules: [narrow, middle, wide] },
    { name: "is added beside it, whatever else there is", rules: [{ ...RULE, fwmark: 1 }, narrow, wide] },
    {
      name: "is added beside it in IPv6",
      rules: [
        { ...RULE, family: 6, from: "2001:db8::/48" },
        { ...wide, family: 6 },
      ],
    },
  ])("$name", ({ rules }) => {
    const routing = open();
    expect(rules.flatMap((rule) => routing.add([rule]))).toEqual(added(rules));
    expect(sorted(routing.ours())).toEqual(sorted(rules));
    expect(routing.add(rules), "all of them are there").toEqual(rules.map(() => ({ kind: "exists" })));
    expect(sorted(routing.ours())).toEqual(sorted(rules));
    expect(routing.remove(rules)).toEqual([]);
    expect(routing.ours()).toEqual([]);
  });

  it("in one call", () => {
    const routing = open();
    const rules = [narrow, middle, wide];
    expect(routing.add(rules)).toEqual(added(rules));
    expect(sorted(routing.ours())).toEqual(sorted(rules));
  });

  it("is added beside another program's too, which stays", () => {
    const routing = open();
    ip("rule", "add", "from", "10.77.0.51", "table", "100", "pref", "1000");
    routing.add([narrow]);
    expect(routing.add([wide])).toEqual(added([wide]));
    expect(sorted(routing.ours())).toEqual(sorted([narrow, wide]));
    expect(ip("rule")).toMatch(/1000:\s+from 10\.77\.0\.51 lookup 100\n/u);
  });
});

describe("a removal", () => {
  const from: VipRule = { ...RULE, from: "10.77.0.0/24" };
  const like: readonly VipRule[] = [
    { ...from, fwmark: 1 },
    { ...from, fwmark: 1, fwmask: 0xff },
    { ...from, fwmark: 1, to: "10.9.0.0/16" },
    { ...from, iif: "eth0" },
    { ...from, iif: "eth0", to: "10.9.0.0/16" },
    from,
    { ...from, to: "10.8.0.0/16", iif: "eth1" },
    { ...RULE, family: 6, from: "2001:db8::/48", iif: "eth0" },
    { ...RULE, family: 6, from: "2001:db8::/48" },
  ];
  const { via: _via, interface: _interface, ...nowhere } = ROUTE;
  const routes: readonly VipRoute[] = [
    { ...ROUTE, metric: 20 },
    ROUTE,
    { ...nowhere, metric: 30, type: "blackhole" },
    { ...ROUTE6, metric: 1_025 },
    ROUTE6,
  ];
  const all: readonly RoutingEntry[] = [...like, ...routes];

  it.each(all.map((entry) => [routingText(entry), entry] as const))("of %s takes that alone", (_, entry) => {
    const routing = open();
    expect(routing.add(all)).toEqual(added(all));
    const others = all.filter((each) => each !== entry);
    expect(routing.remove([entry])).toEqual([]);
    expect(sorted(routing.ours())).toEqual(sorted(others));
    expect(routing.remove([entry, entry])).toEqual([]);
    expect(sorted(routing.ours()), "of what is not there takes nothing").toEqual(sorted(others));
    expect(routing.remove(others)).toEqual([]);
    expect(routing.ours()).toEqual([]);
  });
});

describe("what others have set", () => {
  it("is not vipd's, is told to be in the way, and stays", () => {
    const routing = open();
    ip("route", "add", "10.9.0.0/16", "via", "10.77.0.2", "proto", "static");
    ip("-6", "route", "add", "2001:db8:9::/48", "via", "2001:db8:77::2", "table", "1000");
    expect(routing.ours()).toEqual([]);
    expect(routing.add([ROUTE, ROUTE6])).toEqual([{ kind: "exists" }, { kind: "exists" }]);
    expect(routing.remove([ROUTE, ROUTE6, RULE])).toEqual([]);
    expect(ip("route", "show", "10.9.0.0/16")).toContain("proto static");
    expect(ip("-6", "route", "show", "table", "1000")).toContain("2001:db8:9::/48");
  });

  it("is no reason to take a like rule for vipd's", () => {
    const routing = open();
    ip("rule", "add", "from", "10.77.0.50", "table", "100", "pref", "1000");
    expect(routing.add([RULE])).toEqual([{ kind: "added" }]);
    expect(routing.remove([RULE])).toEqual([]);
    expect(ip("rule")).toMatch(/1000:\s+from 10\.77\.0\.50 lookup 100\n/u);
  });
});

describe("what the kernel refuses", () => {
  it("is told with its reason, and keeps nothing else from being set", () => {
    const routing = open();
    const answers = routing.add([{ ...ROUTE, via: "192.0.2.1" }, { ...ROUTE, source: "10.77.0.9" }, ROUTE]);
    expect(answers).toEqual([
      { kind: "refused", message: expect.stringMatching(/\(ENETUNREACH\): Nexthop has invalid gateway/u) },
      { kind: "refused", message: expect.stringMatching(/EINVAL/u) },
      { kind: "added" },
    ]);
  });

  it("is told of an interface that is missing; to remove its route is no failure", () => {
    const routing = open();
    const lost: VipRoute = { ...ROUTE, interface: "eth7" };
    expect(routing.add([lost])).toEqual([{ kind: "refused", message: "there is no interface eth7" }]);
    expect(routing.remove([lost])).toEqual([]);
  });
});

describe("news", () => {
  it("tell of vipd's routes and rules that go, and of no others", async () => {
    const routing = open();
    const news: string[] = [];
    const watch = wire().host.inside(() =>
      followRouting((event) => news.push("key" in event ? event.key : event.kind)),
    );
    wire().onClose(() => watch.close());
    routing.add([ROUTE, ROUTE6, RULE]);
    ip("route", "add", "10.5.0.0/16", "via", "10.77.0.2");
    ip("route", "del", "10.5.0.0/16");
    ip("rule", "add", "from", "10.0.0.1", "table", "100");
    ip("rule", "del", "from", "10.0.0.1", "table", "100");
    ip("route", "del", "10.9.0.0/16");
    ip("-6", "route", "del", "2001:db8:9::/48", "table", "1000");
    ip("rule", "del", "pref", "1000");
    await eventually("three are told", () => news.length >= 3);
    expect(news).toEqual([ROUTE, ROUTE6, RULE].map(routingKey));
  });
});

describe("an address that goes", () => {
  it("takes its uses as a source along, as the design counts on: IPv4 in the table main alone, IPv6 none", () => {
    const routing = open();
    ip("address", "add", "10.77.0.50/32", "dev", "eth0");
    ip("address", "add", "2001:db8:77::50/128", "dev", "eth0", "nodad");
    const source = { source: "10.77.0.50" };
    routing.add([
      { ...ROUTE, ...source },
      { ...ROUTE, ...source, table: 100 },
      { ...ROUTE6, source: "2001:db8:77::50" },
    ]);
    ip("address", "del", "10.77.0.50/32", "dev", "eth0");
    ip("address", "del", "2001:db8:77::50/128", "dev", "eth0");
    const { source: _gone, ...unsourced } = ROUTE6;
    expect(sorted(routing.ours())).toEqual(sorted([{ ...ROUTE, ...source, table: 100 }, unsourced]));
  });
});
