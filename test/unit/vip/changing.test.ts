// A VIP that is held changes in place when the configuration does: what is gone is closed and unbound, what is new is
// bound and opened, and nothing else moves.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { later, NEVER } from "../../../src/base/time.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import { nextVipWakeup } from "../../../src/vip/machine.ts";
import { addressesLeft } from "../../../src/vip/places.ts";
import type { VipEffect, VipPlan } from "../../../src/vip/state.ts";
import {
  address,
  FENCE_STUCK,
  FIRST_NUMBER,
  grantsOf,
  Host,
  NOTHING,
  obey,
  ONCE,
  only,
  plan,
  types,
  UNTIL,
  WHY,
} from "./host.ts";

const [A, B, C] = [address("10.0.0.1"), address("10.0.0.2"), address("10.0.0.3")];

/** Two announcements: the arrival of an address, and no other probe than that of a gain. */
const TWICE = { burst: 2, repeatAfterMs: 0, refreshMs: 0 };

function web(...addresses: readonly VipAddress[]): VipPlan {
  return plan("web", addresses, TWICE);
}

function db(...addresses: readonly VipAddress[]): VipPlan {
  return plan("db", addresses, TWICE);
}

/** A host that holds all of its VIPs. */
function holding(...plans: readonly VipPlan[]): Host {
  const host = new Host(plans);
  host.gain(plans.map(({ name }) => name));
  return host;
}

describe("a VIP that is held", () => {
  test("does nothing when its addresses are the same", () => {
    const host = holding(web(A, B));
    expect(host.plan(web(B, A))).toEqual([]);
  });

  test("binds, opens and announces an address that is new", () => {
    const host = holding(web(A));
    expect(host.plan(web(A, B))).toEqual([
      { type: "refresh", vips: ["web"], lifetimeMs: 33_000 },
      { type: "open", vips: ["web"], deadline: 0, number: FIRST_NUMBER, until: UNTIL },
      { type: "announce", vips: ["web"] },
    ]);
    expect(host.ips()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
  });

  test("drops an address that is gone, and keeps the others without a word", () => {
    const host = holding(web(A, B));
    host.wake();
    expect(host.plan(web(A))).toEqual([
      { type: "drop", drops: [{ vip: "web", addresses: [B] }] },
      { type: "shrunk", vips: ["web"] },
    ]);
    expect(host.ips()).toEqual(["10.0.0.1/24"]);
    expect(nextVipWakeup(host.state)).toBe(NEVER);
  });

  test("has an address that is gone among those to be closed, until it is dropped", () => {
    const host = holding(web(A, B));
    host.answers = { drop: NOTHING };
    host.plan(web(A));
    expect(host.ips().toSorted()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
  });

  test("binds what is new only when what is gone is dropped: that must not be bound again", () => {
    const host = holding(web(A, B));
    host.answers = { drop: NOTHING };
    const planned = host.plan(web(A, C));
    expect(new Set(types(planned))).toEqual(new Set(["drop"]));
    const effects = host.post({ type: "dropped", drops: [{ vip: "web", addresses: [B] }] });
    expect(types(effects)).toEqual(["shrunk", "refresh", "open", "announce"]);
    expect(host.ips()).toEqual(["10.0.0.1/24", "10.0.0.3/24"]);
  });

  test.each<[string, VipAddress]>([
    ["prefix length", address("10.0.0.1", "eth0", 32)],
    ["label", { ...A, label: "eth0:web" }],
    ["interface", address("10.0.0.1", "eth1")],
  ])("binds an address anew whose %s has changed", (_name, changed) => {
    const host = holding(web(A));
    const effects = host.plan(web(changed));
    expect(types(effects)).toEqual(["drop", "shrunk", "refresh", "open", "announce"]);
    expect(only(effects, "drop")[0]?.drops).toEqual([{ vip: "web", addresses: [A] }]);
    expect(host.state.holdings.get("web")?.addresses).toEqual([changed]);
  });

  test("is lost as a whole when the kernel will not drop an address", () => {
    const host = holding(web(A, B));
    host.answers = { drop: () => ({ type: "failed", vip: "web", message: "EBUSY" }) };
    const effects = host.plan(web(A));
    const why = reason("hold-failed", "EBUSY");
    expect(types(effects)).toEqual(["drop", "close", "hold-failed", "released"]);
    expect(only(effects, "hold-failed")).toEqual([{ type: "hold-failed", vip: "web", reason: why }]);
  });

  test("leaves its deadline when the kernel will not close what is gone", () => {
    const host = holding(web(A, B), db(C));
    host.answers = {
      drop: () => ({ type: "failed", vip: "web", message: "EBUSY", isOpen: true }),
      close: FENCE_STUCK,
    };
    host.plan(web(A), db(C));
    const until = later(UNTIL, 1_000);
    expect(only(host.extend(until), "open")).toEqual([
      { type: "open", vips: ["db"], deadline: 0, number: FIRST_NUMBER + 1, until },
    ]);
  });

  test("follows a new policy of announcements from the next one on", () => {
    const host = holding(plan("web", [A], { burst: 1, repeatAfterMs: 0, refreshMs: 1_000 }));
    host.plan(plan("web", [A], { burst: 1, repeatAfterMs: 0, refreshMs: 5_000 }));
    host.wake();
    expect(nextVipWakeup(host.state)).toBe(later(host.now, 5_000));
  });

  test("that is not planned any more is held until it is lost, and then closed with all its addresses", () => {
    const host = holding(web(A, B));
    expect(host.plan()).toEqual([]);
    expect(types(host.extend(later(UNTIL, 1_000)))).toEqual(["open"]);
    host.answers = { close: NOTHING };
    host.lose("web");
    expect(host.ips()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    expect(host.post({ type: "closed", vips: ["web"] })).toEqual([
      { type: "released", losses: [{ vip: "web", reason: WHY }] },
    ]);
  });
});

describe("a VIP that is being released", () => {
  test("is closed with the addresses that it had, and gained with those that it has now", () => {
    const host = holding(web(A));
    host.answers = { close: NOTHING };
    host.lose("web");
    expect(host.plan(web(B))).toEqual([]);
    expect(host.ips()).toEqual(["10.0.0.1/24"]);
    host.post({ type: "closed", vips: ["web"] });
    host.gain();
    expect(host.ips()).toEqual(["10.0.0.2/24"]);
  });
});

describe("an address that moves from one VIP to another on the same host", () => {
  /** `web` holds A and `db` holds B; the result has what is open, by the order of what the kernel is told. */
  function moving(): { host: Host; open: ReadonlySet<string> } {
    const open = new Set<string>();
    const host = new Host([web(A), db(B)]);
    host.answers = {
      open: (effect) => {
        if (effect.type === "open") for (const vip of effect.vips) for (const ip of host.ips(vip)) open.add(ip);
        return obey(effect);
      },
      drop: (effect) => {
        if (effect.type === "drop")
          for (const { addresses } of effect.drops)
            for (const { ip, prefix } of addresses) open.delete(`${ip}/${prefix}`);
        return obey(effect);
      },
      close: (effect) => {
        if (effect.type === "close") for (const vip of effect.vips) for (const ip of host.ips(vip)) open.delete(ip);
        return obey(effect);
      },
    };
    host.gain(["web", "db"]);
    return { host, open };
  }

  test.each<{ name: string; plans: readonly VipPlan[]; expected: readonly string[] }>([
    { name: "they swap", plans: [web(B), db(A)], expected: ["10.0.0.1/24", "10.0.0.2/24"] },
    {
      name: "the first one takes it",
      plans: [web(A, B), db(C)],
      expected: ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"],
    },
    {
      name: "the second one takes it",
      plans: [web(C), db(A, B)],
      expected: ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"],
    },
  ])("is open in the end: $name", ({ plans, expected }) => {
    const { host, open } = moving();
    host.plan(...plans);
    expect([...open].toSorted()).toEqual(expected);
  });

  test.each<{ gone: string; left: VipPlan }>([
    { gone: "web", left: db(A, B) },
    { gone: "db", left: web(A, B) },
    // Whatever interface it is on: the fence tells addresses apart.
    { gone: "web", left: db(address("10.0.0.1", "eth1"), B) },
  ])("is open in the end, although $gone, which had it, is closed afterwards", ({ gone, left }) => {
    const { host, open } = moving();
    host.plan(left);
    const effects = host.lose(gone);
    expect([...open].toSorted()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    expect(only(effects, "released")).toEqual([{ type: "released", losses: [{ vip: gone, reason: WHY }] }]);
  });
});

describe("thousands of VIPs that change at once", () => {
  const COUNT = 1_200;
  const vips = Array.from({ length: COUNT }, (_, i) => `v${i}`);
  const of = (net: number): readonly VipPlan[] =>
    vips.map((name, i) =>
      plan(name, [address(`10.1.${i >> 8}.${i & 255}`), address(`10.${net}.${i >> 8}.${i & 255}`)], ONCE),
    );

  test("change in portions, each of them one batch, and the lease is extended between them", () => {
    const host = holding(...of(2));
    const drops = [only(host.post({ type: "plan", plans: of(3) }), "drop")];
    const extended = host.extend(later(UNTIL, 1_000));
    expect(types(extended), "while most of them are still to change").toEqual(["open"]);
    while (host.state.wakeups.at("change") !== NEVER) drops.push(only(host.wake(), "drop"));
    expect(drops.every((each) => each.length <= 1)).toBe(true);
    expect(drops.flat().length).toBeLessThanOrEqual(3);
    const dropped = drops.flat().flatMap((each) => each.drops);
    expect(dropped.map(({ vip }) => vip)).toEqual(vips);
    expect(new Set(dropped.flatMap(({ addresses }) => addresses.map(({ ip }) => ip.split(".")[1])))).toEqual(
      new Set(["2"]),
    );
    host.plan(...of(3));
    while (host.state.wakeups.at("change") !== NEVER) host.wake();
    for (const { name, addresses } of of(3)) expect(host.state.holdings.get(name)?.addresses).toEqual(addresses);
  });

  test("are bound only when all that goes is gone", () => {
    const host = holding(...of(2));
    const effects = [...host.plan(...of(3))];
    while (host.state.wakeups.at("change") !== NEVER) effects.push(...host.wake());
    const order = types(effects);
    expect(order.lastIndexOf("drop")).toBeLessThan(order.indexOf("refresh"));
    expect(only(effects, "open").length, "one transaction a portion").toBeLessThanOrEqual(3);
  });

  test("let nothing go that a later configuration has again", () => {
    const host = holding(...of(2));
    host.post({ type: "plan", plans: of(3) });
    const effects = [...host.plan(...of(2))];
    while (host.state.wakeups.at("change") !== NEVER) effects.push(...host.wake());
    const dropped = new Set(only(effects, "drop").flatMap(({ drops }) => drops.map(({ vip }) => vip)));
    expect(dropped.has("v1199")).toBe(false);
    for (const { name, addresses } of of(2)) expect(host.state.holdings.get(name)?.addresses).toEqual(addresses);
  });

  test("are lost with what they have still to let go", () => {
    const host = holding(...of(2));
    host.plan(...of(3));
    host.answers = { close: NOTHING };
    host.lose("v1199");
    expect(host.ips("v1199")).toEqual(["10.1.4.175/24", "10.2.4.175/24"]);
  });

  test("open an address again that one lets go after another has gained it", () => {
    const [first, last, gained] = [of(2).slice(0, -1), plan("v1199", [C], ONCE), plan("new", [B], ONCE)];
    const host = holding(...first, plan("v1199", [C, B], ONCE));
    host.post({ type: "plan", plans: [...of(3).slice(0, -1), last, gained] });
    host.post({ type: "confirm", grants: grantsOf(host.state, vips) });
    host.gain(["new"]);
    const effects: VipEffect[] = [];
    while (host.state.wakeups.at("change") !== NEVER) effects.push(...host.wake());
    const dropsB = effects.findIndex((each) => each.type === "drop" && each.drops.some(({ vip }) => vip === "v1199"));
    const opens = effects.findIndex((each, i) => i > dropsB && each.type === "open" && each.vips.includes("new"));
    expect(dropsB).toBeGreaterThanOrEqual(0);
    expect(opens).toBeGreaterThan(dropsB);
  });
});

describe("an address with a virtual MAC", () => {
  const withMac = (id: string): VipAddress => {
    const virtualMac = { mac: `00:00:5e:00:01:${id}`, parent: "eth0" };
    return { ...A, prefix: 32, interface: `vipd4-${Number.parseInt(id, 16)}`, virtualMac };
  };
  const confirm = (host: Host, ...addresses: readonly string[]): readonly string[] =>
    types(host.post({ type: "confirm", grants: [{ vip: "web", addresses }] }));

  test("is bound when both are granted, not before, and goes when the MAC is not granted any more", () => {
    const host = new Host([web(withMac("33"))]);
    const gain = { deadline: 0, until: UNTIL } as const;
    host.post({ type: "gain", grants: [{ vip: "web", addresses: [A.ip] }], ...gain });
    expect(host.ips()).toEqual([]);
    expect(confirm(host, A.ip, "00:00:5e:00:01:33")).toEqual(["refresh", "open", "announce"]);
    expect(host.ips()).toEqual(["10.0.0.1/32"]);
    expect(confirm(host, A.ip)).toEqual(["drop", "shrunk"]);
    expect(host.ips()).toEqual([]);
  });

  test("that gets another MAC is dropped with the former one, which is left until then, and waits for its grant", () => {
    const host = holding(web(withMac("33")));
    host.answers = { drop: NOTHING };
    host.post({ type: "plan", plans: [web(withMac("34"))] });
    expect(addressesLeft(host.state, "web")).toEqual([withMac("33")]);
    host.post({ type: "dropped", drops: [{ vip: "web", addresses: [withMac("33")] }] });
    expect(addressesLeft(host.state, "web")).toEqual([]);
    expect(host.ips()).toEqual([]);
    expect(confirm(host, A.ip, "00:00:5e:00:01:34")).toEqual(["refresh", "open", "announce"]);
  });
});
