// What the kernel and the wire tell: addresses and links that come and go, and others that answer for a VIP.

import { describe, expect, test } from "vitest";
import { later } from "../../../src/base/time.ts";
import type { VipEvent } from "../../../src/vip/state.ts";
import { address, Host, NOTHING, ONCE, only, plan, START, types, UNTIL, WEB } from "./host.ts";

describe("addresses and links", () => {
  test("an address that somebody removed is put back and announced, while it is held", () => {
    const host = new Host();
    host.gain();
    host.now = later(START, 1_000);
    expect(host.post({ type: "address-removed", ip: "10.0.0.1", interface: "eth0" })).toEqual([
      { type: "note", vip: "web", level: "warning", text: "somebody removed 10.0.0.1 from eth0: put back" },
      { type: "refresh", vips: ["web"], lifetimeMs: 32_000 },
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

  function afterHearing(host: Host, ...others: readonly string[]): readonly string[] {
    return types(host.post({ type: "heard", vip: "web", others }));
  }

  function notes(host: Host): readonly string[] {
    return only(host.effects, "note").map(({ text }) => text);
  }

  test("is told once, and once more when it is gone: not before it was silent for ten seconds", () => {
    const host = new Host();
    host.plan(plan("web", [address("10.0.0.1")], ONCE));
    host.gain();
    host.effects.length = 0;
    expect(probed(host)).toEqual([]);
    expect(probed(host, "02:00")).toEqual(["conflict", "note"]);
    expect(probed(host, "02:00")).toEqual([]);
    host.now = later(host.now, 9_000);
    expect(probed(host), "it may answer again").toEqual([]);
    host.effects.length = 0;
    host.now = later(host.now, 1_000);
    host.post({ type: "tick" });
    expect(only(host.effects, "probe").map(({ vips }) => vips)).toEqual([["web"]]);
    expect(
      host.wake().some(({ type }) => type === "probe"),
      "the one before may have failed",
    ).toBe(true);
    expect(probed(host)).toEqual(["conflict", "note"]);
    expect(probed(host)).toEqual([]);
    expect(only(host.effects, "conflict").map(({ others }) => others)).toEqual([null]);
    expect(notes(host)).toEqual(["nobody else answers for it any more"]);
  });

  test("is told as soon as it is heard, and the host announces itself against it, every ten seconds at most", () => {
    const host = new Host();
    host.plan(plan("web", [address("10.0.0.1")], ONCE));
    host.gain();
    host.effects.length = 0;
    expect(afterHearing(host, "02:00")).toEqual(["conflict", "note", "announce"]);
    expect(afterHearing(host, "02:00")).toEqual([]);
    host.now = later(host.now, 10_000);
    expect(afterHearing(host, "02:00")).toEqual(["announce"]);
  });

  test("that is heard with ever new hardware addresses is one line a minute, with a count", () => {
    const host = new Host();
    host.plan(plan("web", [address("10.0.0.1")], ONCE));
    host.gain();
    host.effects.length = 0;
    for (let i = 0; i < 3_000; i += 1) {
      afterHearing(host, `02:${i}`);
      host.now = later(host.now, 20);
    }
    expect(notes(host)).toEqual(["somebody else answers for it: 02:0"]);
    afterHearing(host, "02:x");
    expect(notes(host).at(-1)).toBe("somebody else answers for it: 02:0, 02:1, 02:2, 02:3 and at least 996 more");
    expect(notes(host)).toHaveLength(2);
    expect(only(host.effects, "conflict"), "hooks are run for it").toHaveLength(2);
    expect(host.state.conflicts.get("web")?.stations.size).toBe(1_000);
  });

  test("stays known over heartbeats and a change of the configuration", () => {
    const host = new Host();
    host.gain();
    probed(host, "02:00");
    host.extend(later(UNTIL, 1_000));
    host.plan(plan("web", [address("10.0.0.1"), address("10.0.0.9")]));
    expect(host.state.conflicts.get("web")).toMatchObject({ text: "02:00" });
  });

  test("is forgotten with the holding", () => {
    const host = new Host();
    host.gain();
    probed(host, "02:00");
    host.lose("web");
    expect(probed(host, "02:00"), "an answer that comes too late").toEqual([]);
    expect(afterHearing(host, "02:00")).toEqual([]);
    host.gain();
    expect(host.state.conflicts.size).toBe(0);
  });

  test("is one of many: four are told by name", () => {
    const host = new Host();
    host.gain();
    probed(host, "a", "b", "c", "d");
    expect(host.state.conflicts.get("web")?.text).toBe("a, b, c, d");
    probed(host, "a", "b", "c", "d", "e", "f");
    expect(host.state.conflicts.get("web")?.text).toBe("a, b, c, d and 2 more");
  });
});
