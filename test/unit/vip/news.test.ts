// What the kernel and the wire tell: addresses and links that come and go, and others that answer for a VIP.

import { describe, expect, test } from "vitest";
import { later } from "../../../src/base/time.ts";
import type { VipEvent } from "../../../src/vip/state.ts";
import { address, Host, NOTHING, only, plan, START, types, UNTIL, WEB } from "./host.ts";

describe("addresses and links", () => {
  test("an address that somebody removed is put back and announced, while it is held", () => {
    const host = new Host();
    host.gain();
    host.now = later(START, 1_000);
    expect(host.post({ type: "address-removed", ip: "10.0.0.1", interface: "eth0" })).toEqual([
      { type: "note", vip: "web", level: "warning", text: "somebody removed 10.0.0.1 from eth0: put back" },
      { type: "refresh", vips: ["web"], lifetimeMs: 12_000 },
      { type: "announce", vips: ["web"] },
    ]);
  });

  test("an address that was put back is announced as one that has arrived", () => {
    const host = new Host([WEB]);
    host.gain();
    while (host.now < later(START, 10_000)) host.wake();
    host.now = later(START, 20_000);
    host.post({ type: "address-removed", ip: "10.0.0.1", interface: "eth0" });
    host.wake();
    expect(host.now).toBe(later(START, 20_010));
  });

  test.each<{ name: string; held: boolean; event: VipEvent; expected: readonly string[] }>([
    {
      name: "removed, and not held",
      held: false,
      event: { type: "address-removed", ip: "10.0.0.1", interface: "eth0" },
      expected: [],
    },
    {
      name: "removed from another interface",
      held: true,
      event: { type: "address-removed", ip: "10.0.0.1", interface: "eth1" },
      expected: [],
    },
    {
      name: "another address removed",
      held: true,
      event: { type: "address-removed", ip: "10.0.0.9", interface: "eth0" },
      expected: [],
    },
    {
      name: "added by hand, and not held",
      held: false,
      event: { type: "address-added", ip: "10.0.0.1", interface: "eth0" },
      expected: ["sweep"],
    },
    {
      name: "added, and held",
      held: true,
      event: { type: "address-added", ip: "10.0.0.1", interface: "eth0" },
      expected: [],
    },
    {
      name: "another address added",
      held: false,
      event: { type: "address-added", ip: "10.0.0.9", interface: "eth0" },
      expected: [],
    },
    { name: "its link came up", held: true, event: { type: "link-up", interface: "eth0" }, expected: ["announce"] },
    { name: "another link came up", held: true, event: { type: "link-up", interface: "eth1" }, expected: [] },
    {
      name: "its link came up, and it is not held",
      held: false,
      event: { type: "link-up", interface: "eth0" },
      expected: [],
    },
    { name: "news were lost", held: true, event: { type: "resync" }, expected: ["sweep", "refresh"] },
  ])("$name", ({ held, event, expected }) => {
    const host = new Host();
    if (held) host.gain();
    expect(types(host.post(event))).toEqual(expected);
  });

  test("an address that goes while the VIP is released is not put back, and one that comes is not swept", () => {
    const host = new Host([WEB], { close: NOTHING });
    host.gain();
    host.lose("web");
    expect(host.post({ type: "address-removed", ip: "10.0.0.1", interface: "eth0" })).toEqual([]);
    expect(host.post({ type: "address-added", ip: "10.0.0.1", interface: "eth0" })).toEqual([]);
  });

  test("a VIP on two links is announced when either comes up", () => {
    const host = new Host([plan("web", [address("10.0.0.1", "eth0"), address("10.0.0.2", "eth1")])]);
    host.gain();
    for (const link of ["eth0", "eth1"])
      expect(host.post({ type: "link-up", interface: link })).toEqual([{ type: "announce", vips: ["web"] }]);
  });

  test("news of an address that another configuration had are nothing", () => {
    const host = new Host();
    host.gain();
    host.plan(plan("web", [address("10.0.0.7")]));
    expect(host.post({ type: "address-removed", ip: "10.0.0.1", interface: "eth0" })).toEqual([]);
    expect(host.post({ type: "address-added", ip: "10.0.0.2", interface: "eth1" })).toEqual([]);
  });
});

describe("another station that answers for a VIP", () => {
  function probed(host: Host, ...others: readonly string[]): readonly string[] {
    return types(host.post({ type: "probed", vip: "web", others }));
  }

  test("is told once, and once more when it is another one, or gone", () => {
    const host = new Host();
    host.gain();
    expect(probed(host)).toEqual([]);
    expect(probed(host, "02:00")).toEqual(["conflict", "note"]);
    expect(probed(host, "02:00")).toEqual([]);
    expect(probed(host, "02:00", "04:00")).toEqual(["conflict", "note"]);
    expect(probed(host)).toEqual(["conflict", "note"]);
    expect(probed(host)).toEqual([]);
    expect(only(host.effects, "conflict").map(({ others }) => others)).toEqual(["02:00", "02:00, 04:00", null]);
    expect(only(host.effects, "note").map(({ level }) => level)).toEqual(["warning", "warning", "info"]);
  });

  test("stays known over heartbeats and a change of the configuration", () => {
    const host = new Host();
    host.gain();
    probed(host, "02:00");
    host.extend(later(UNTIL, 1_000));
    host.plan(plan("web", [address("10.0.0.1"), address("10.0.0.9")]));
    expect(host.state.holdings.get("web")).toMatchObject({ phase: "on", conflict: "02:00" });
  });

  test("is forgotten with the holding", () => {
    const host = new Host();
    host.gain();
    probed(host, "02:00");
    host.lose("web");
    expect(probed(host, "02:00"), "an answer that comes too late").toEqual([]);
    host.gain();
    expect(host.state.holdings.get("web")).toMatchObject({ conflict: null });
  });

  test("is one of many: four are told by name", () => {
    const host = new Host();
    host.gain();
    probed(host, "a", "b", "c", "d");
    probed(host, "a", "b", "c", "d", "e", "f");
    expect(only(host.effects, "conflict").map(({ others }) => others)).toEqual(["a, b, c, d", "a, b, c, d and 2 more"]);
  });
});
