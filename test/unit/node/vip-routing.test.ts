// Routes and rules of held VIPs: set, kept, put back, moved and removed, and never those of others.

import { describe, expect, test } from "vitest";
import { type RoutingEntry, routingKey, routingText, type VipRoute, type VipRule } from "../../../src/base/routing.ts";
import { VipRouting } from "../../../src/node/vip-routing.ts";
import { address } from "./fake-host.ts";
import { FakeLog } from "./fake-log.ts";
import { FakeRouting } from "./fake-routing.ts";

function route(ip: string, change: Partial<VipRoute> = {}): VipRoute {
  return {
    kind: "route",
    family: 4,
    ip,
    prefix: 24,
    type: "unicast",
    interface: "eth0",
    table: 254,
    metric: 0,
    scope: "link",
    ...change,
  };
}

const [A, B] = [route("10.1.0.0"), route("10.2.0.0")];
const RULE: VipRule = { kind: "rule", family: 4, priority: 1_000, table: 100, from: "10.0.0.1/32" };

function begin(): { table: FakeRouting; log: FakeLog; routing: VipRouting } {
  const [table, log] = [new FakeRouting(), new FakeLog()];
  return { table, log, routing: new VipRouting({ table, log }) };
}

const texts = (...entries: readonly RoutingEntry[]): readonly string[] => entries.map(routingText).toSorted();
const web = (...entries: readonly RoutingEntry[]) => ({ vip: "web", entries });
const db = (...entries: readonly RoutingEntry[]) => ({ vip: "db", entries });

describe("what a VIP wants", () => {
  test("is set once, and not asked of a host whose VIPs want nothing", () => {
    const { table, routing } = begin();
    expect(routing.apply([{ vip: "idle", entries: [] }])).toEqual(new Map());
    expect(table.calls).toEqual([]);
    expect(routing.apply([web(A, RULE), db(B)])).toEqual(new Map());
    expect(table.texts).toEqual(texts(A, B, RULE));
    expect(routing.ownerOf(routingKey(B))).toBe("db");
    expect(table.lists, "nothing was there that had to be compared").toBe(0);
  });

  test("and is there already, as a former process has set it, is kept", () => {
    const { table, routing, log } = begin();
    table.put(A);
    expect(routing.apply([web(A, B)])).toEqual(new Map());
    expect(table.news().filter((call) => call.startsWith("remove"))).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  test("replaces what a former process has set otherwise", () => {
    const { table, routing } = begin();
    const other = { ...A, via: "10.0.0.9" };
    table.put(other);
    expect(routing.apply([web(A)])).toEqual(new Map());
    expect(table.texts).toEqual(texts(A));
    expect(table.news()).toContain(`remove ${routingText(other)}`);
  });

  test("is not set in place of what others have: that VIP fails, with the reason, and the others do not", () => {
    const { table, routing } = begin();
    table.foreign.add(routingKey(A));
    const failed = routing.apply([web(A, RULE), db(B)]);
    expect([...failed]).toEqual([
      ["web", `${routingText(A)}: another one is there that vipd did not set: remove it, or change this one`],
    ]);
    expect(table.news().filter((call) => call.startsWith("remove"))).toEqual([]);
  });

  test("and is refused fails with the kernel's words", () => {
    const { table, routing } = begin();
    table.refused.set(routingText(A), "Nexthop has invalid gateway");
    expect(routing.apply([web(A)]).get("web")).toBe(`${routingText(A)}: Nexthop has invalid gateway`);
  });

  test("cannot be set where there is no table for it", () => {
    const routing = new VipRouting({ table: undefined, log: new FakeLog() });
    expect([...routing.apply([web(A), db()]).keys()]).toEqual(["web"]);
  });

  test("changes in place: what is gone goes first, and what stays is not touched", () => {
    const { table, routing } = begin();
    routing.apply([web(A, RULE)]);
    table.news();
    const changed = { ...A, via: "10.0.0.9" };
    routing.apply([web(changed, RULE)]);
    expect(table.news()).toEqual([
      `remove ${routingText(A)}`,
      `add ${routingText(changed)}`,
      `add ${routingText(RULE)}`,
    ]);
    expect(table.texts).toEqual(texts(changed, RULE));
  });

  test("moves from one VIP to another, whichever is told first, also when the former one goes later", () => {
    const { table, routing } = begin();
    routing.apply([web(A), db(B)]);
    routing.apply([web(B), db(A)]);
    expect(table.texts).toEqual(texts(A, B));
    expect(routing.ownerOf(routingKey(A))).toBe("db");
    routing.withdraw([web(B)]);
    expect(table.texts).toEqual(texts(A));
  });

  test("is put back when somebody has removed it, and that is told once", () => {
    const { table, routing, log } = begin();
    routing.apply([web(A)]);
    table.take(A);
    routing.apply([web(A)]);
    routing.apply([web(A)]);
    expect(table.texts).toEqual(texts(A));
    expect(log.messages("warn")).toEqual([`${routingText(A)} was gone: put back`]);
    expect(table.lists).toBe(0);
  });

  test("is compared once more when an address went: the kernel forgets an IPv6 source, and keeps the route", () => {
    const { table, routing } = begin();
    const sourced = route("2001:db8:9::", { family: 6, prefix: 48, source: "2001:db8::10", scope: "global" });
    const { source: _gone, ...unsourced } = sourced;
    routing.apply([web(sourced)]);
    table.put(unsourced);
    routing.apply([web(sourced)]);
    expect(table.texts, "nobody has said that an address went").toEqual(texts(unsourced));
    routing.doubt("web");
    expect(routing.apply([web(sourced)])).toEqual(new Map());
    expect(table.texts).toEqual(texts(sourced));
  });

  test("costs one list of the kernel's routes for a thousand VIPs that are taken over", () => {
    const { table, routing } = begin();
    const many = Array.from({ length: 1_000 }, (_, i) => ({
      vip: `v${i}`,
      entries: [route(`10.${i >> 8}.${i & 255}.0`)],
    }));
    for (const { entries } of many) for (const entry of entries) table.put(entry);
    expect(routing.apply(many)).toEqual(new Map());
    expect(table.lists).toBe(1);
    expect(table.calls).toHaveLength(1_000);
  });
});

describe("what is held no more", () => {
  test("is removed, with what a former process may have set for it", () => {
    const { table, routing } = begin();
    routing.apply([web(A)]);
    table.put(B);
    routing.withdraw([web(A), db(B)]);
    expect(table.texts).toEqual([]);
    expect(routing.ownerOf(routingKey(A))).toBeUndefined();
  });

  test("and cannot be removed is told, and keeps nothing from going on", () => {
    const { table, routing, log } = begin();
    routing.apply([web(A, B)]);
    table.stuck.add(routingText(A));
    routing.withdraw([web(A, B)]);
    expect(table.texts).toEqual(texts(A));
    expect(log.messages("warn")).toEqual([`${routingText(A)} cannot be removed: the host refuses`]);
  });

  test("an address takes the routes along that have it as their source, and no others", () => {
    const { table, routing } = begin();
    const sourced = { ...B, source: "10.0.0.1" };
    routing.apply([web(A, sourced, RULE)]);
    routing.withdrawSources([{ vip: "web", addresses: [address("10.0.0.1")] }]);
    expect(table.texts).toEqual(texts(A, RULE));
  });
});

describe("a sweep", () => {
  test("removes what nobody holds, but for what is to stay, and names it", () => {
    const { table, routing, log } = begin();
    routing.apply([web(A)]);
    table.put(B);
    table.put(RULE);
    routing.sweep((text) => text === routingText(RULE));
    expect(table.texts).toEqual(texts(A, RULE));
    expect(log.messages("warn")).toEqual([`${routingText(B)} was set here although no VIP needs it: removed`]);
  });

  test("of a host that cannot list its routes is told, and no more", () => {
    const { table, routing, log } = begin();
    table.ours = () => {
      throw new Error("no luck");
    };
    routing.sweep(() => false);
    expect(log.messages("warn")).toEqual(["routes that a former vipd may have left cannot be listed: no luck"]);
  });
});

describe("whether an entry is in place", () => {
  test("is so while it is set for that VIP, and not while the kernel has told that it is gone", () => {
    const { table, routing } = begin();
    const inPlace = (): readonly boolean[] => [A, RULE].map((entry) => routing.isInPlace("web", entry));
    expect(inPlace()).toEqual([false, false]);
    table.refused.set(routingText(RULE), "no");
    routing.apply([web(A, RULE)]);
    expect(inPlace(), "what was refused is not").toEqual([true, false]);
    expect(routing.isInPlace("db", A), "of another VIP").toBe(false);
    expect(routing.isInPlace("web", { ...A, via: "10.0.0.9" }), "as another configuration has it").toBe(false);
    table.take(A);
    expect(routing.gone(routingKey(A))).toBe("web");
    expect(inPlace()).toEqual([false, false]);
    routing.apply([web(A)]);
    expect(inPlace(), "put back").toEqual([true, false]);
    routing.gone(routingKey(A));
    routing.apply([web(A)]);
    expect(inPlace(), "there all the while: the news was old").toEqual([true, false]);
    routing.withdraw([web(A)]);
    expect(routing.gone(routingKey(A)), "by vipd itself").toBe(undefined);
    expect(inPlace()).toEqual([false, false]);
  });
});
