// What is open under one deadline ends together, and other deadlines are not touched by it.

import { describe, expect, it } from "vitest";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { later } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import { clock, KINDS, openFence, openFor, VIP4, VIP6, VIPS } from "./fence-helpers.ts";
import { eventually, useWire } from "./namespaces.ts";

const wire = useWire();

function ruleset(): string {
  return wire().host.exec("nft", "list", "ruleset");
}

/** The numbers of the deadlines that have a chain. */
function deadlines(): number[] {
  const names = [...ruleset().matchAll(/chain deadline-(\d+) \{/gu)].map(([, number]) => Number(number));
  return [...new Set(names)].toSorted((a, b) => a - b);
}

describe.each(KINDS)("deadlines of the %s fence", (mode) => {
  it("end each by itself: one that passes closes only what is open under it", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    expect(openFor(fence, 60_000, [VIP4], 7)).toEqual({ kind: "open" });
    const until = later(clock.now(), 300);
    expect(fence.open([VIP6], 8, until)).toEqual({ kind: "open" });
    expect(fence.openAddresses()).toEqual([VIP4.ip, VIP6.ip]);
    await eventually("the end of the second deadline", () => bootTimeMs() > until);
    expect(fence.openAddresses()).toEqual([VIP4.ip]);
  });

  it("are extended for all addresses that are open under them, without naming one", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    openFor(fence, 300, VIPS, 7);
    const first = later(clock.now(), 300);
    expect(openFor(fence, 60_000, [], 7)).toEqual({ kind: "open" });
    await eventually("the end of the first opening", () => bootTimeMs() > first);
    expect(fence.openAddresses()).toEqual([VIP4.ip, VIP6.ip]);
  });

  it("are extended together, each to its own time, or none of them", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    openFor(fence, 400, [VIP4], 7);
    openFor(fence, 400, [VIP6], 8);
    const soon = later(clock.now(), 600);
    const extended = fence.extend([
      { deadline: 7, until: soon },
      { deadline: 8, until: later(clock.now(), 60_000) },
    ]);
    expect(extended).toEqual({ kind: "open" });
    await eventually("the end of the first deadline", () => bootTimeMs() > soon);
    expect(fence.openAddresses()).toEqual([VIP6.ip]);
    openFor(fence, 400, VIPS, 9);
    const passed = later(clock.now(), 400);
    const refused = fence.extend([
      { deadline: 9, until: later(clock.now(), 60_000) },
      { deadline: 8, until: clock.now() },
    ]);
    expect(refused).toEqual({ kind: "too-late" });
    await eventually("the end of the third deadline", () => bootTimeMs() > passed);
    expect(fence.openAddresses()).toEqual([]);
  });

  it("let go of an address that is opened under another one", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    const until = later(clock.now(), 300);
    fence.open(VIPS, 7, until);
    openFor(fence, 60_000, [VIP4], 8);
    await eventually("the end of the first deadline", () => bootTimeMs() > until);
    expect(fence.openAddresses()).toEqual([VIP4.ip]);
  });

  it("that have passed open again for what is still under them", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    const until = later(clock.now(), 200);
    fence.open(VIPS, 7, until);
    await eventually("the end of the deadline", () => bootTimeMs() > until);
    expect(fence.openAddresses()).toEqual([]);
    openFor(fence, 60_000, [], 7);
    expect(fence.openAddresses()).toEqual([VIP4.ip, VIP6.ip]);
    fence.close([VIP4]);
    openFor(fence, 60_000, [], 7);
    expect(fence.openAddresses()).toEqual([VIP6.ip]);
  });

  it("go with the next protect when nothing is open under them", () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    for (const number of [7, 8, 9]) openFor(fence, 60_000, [VIP4], number);
    expect(deadlines()).toEqual([7, 8, 9]);
    fence.protect(VIPS);
    expect(deadlines()).toEqual([9]);
    expect(fence.intact()).toBe(true);
    fence.close(VIPS);
    fence.protect([VIP6]);
    expect(deadlines()).toEqual([]);
  });

  it("of a process that is gone run on, and are replaced by those of the next", async () => {
    const former = openFence(wire(), { mode });
    former.protect(VIPS);
    const until = later(clock.now(), 700);
    former.open(VIPS, 7, until);
    former.release();

    const next = openFence(wire(), { mode });
    next.protect(VIPS);
    expect(next.openAddresses()).toEqual([VIP4.ip, VIP6.ip]);
    expect(openFor(next, 60_000, [VIP4], 8)).toEqual({ kind: "open" });
    await eventually("the end of the former deadline", () => bootTimeMs() > until);
    expect(next.openAddresses()).toEqual([VIP4.ip]);
    next.close([VIP6]);
    next.protect(VIPS);
    expect(deadlines()).toEqual([8]);
  });

  it("that somebody took out, where tables have no owner, come back with the next opening", () => {
    const fence = openFence(wire(), { mode, ownable: false });
    fence.protect(VIPS);
    openFor(fence, 60_000, VIPS, 7);
    wire().host.exec("nft", "flush", "map", mode, "vipd", "open4");
    expect(fence.openAddresses()).toEqual([VIP6.ip]);
    fence.close([VIP4]);
    expect(openFor(fence, 60_000, VIPS, 8)).toEqual({ kind: "open" });
    expect(fence.openAddresses()).toEqual([VIP4.ip, VIP6.ip]);
  });

  it("that somebody emptied are told by protect, once: what was open is closed", () => {
    const fence = openFence(wire(), { mode, ownable: false });
    expect(fence.protect(VIPS)).toBe("kept");
    openFor(fence, 60_000, VIPS, 7);
    expect(fence.protect(VIPS)).toBe("kept");
    expect(fence.intact()).toBe(true);
    wire().host.exec("nft", "flush", "map", mode, "vipd", "open4");
    expect(fence.intact()).toBe(false);
    expect(fence.protect(VIPS)).toBe("closed");
    expect(fence.openAddresses()).toEqual([VIP6.ip]);
    expect(fence.protect(VIPS)).toBe("kept");
    expect(fence.intact()).toBe(true);
  });

  it("that went with the whole fence are told by protect", () => {
    const fence = openFence(wire(), { mode, ownable: false });
    fence.protect(VIPS);
    openFor(fence, 60_000, VIPS, 7);
    wire().host.exec("nft", "flush", "ruleset");
    expect(fence.protect(VIPS)).toBe("closed");
    expect(fence.openAddresses()).toEqual([]);
    expect(openFor(fence, 60_000, VIPS, 7)).toEqual({ kind: "open" });
    expect(fence.openAddresses()).toEqual([VIP4.ip, VIP6.ip]);
  });

  it("hold thousands of addresses, and are extended without naming them", async () => {
    const fence = openFence(wire(), { mode });
    const many = Array.from({ length: 5_000 }, (_, i): VipAddress => ({
      ...VIP4,
      ip: `10.99.${i >> 8}.${i & 0xff}`,
    }));
    fence.protect(many);
    // On a busy machine so large a transaction may be too late: then nothing of it is open.
    await eventually("all open", () => openFor(fence, 60_000, many, 7).kind === "open");
    expect(openFor(fence, 50_000, [], 7)).toEqual({ kind: "open" });
    expect(fence.openAddresses()).toHaveLength(many.length);
    expect(fence.intact()).toBe(true);
  });
});

describe("the fence of a host", () => {
  it("is one for each network namespace: a second vipd in it is refused", () => {
    openFence(wire());
    expect(() => openFence(wire())).toThrow(/another vipd already runs in this network namespace/u);
    expect(openFence(wire(), {}, wire().peer).info.kind).toBe("netdev");
  });

  it.each([
    ["netdev", "inet"],
    ["inet", "netdev"],
  ] as const)("of kind %s replaces one of kind %s that was left behind", (now, before) => {
    const former = openFence(wire(), { mode: before });
    former.protect(VIPS);
    former.release();
    const fence = openFence(wire(), { mode: now });
    fence.protect(VIPS);
    const tables = [...ruleset().matchAll(/^table (\w+) vipd /gmu)].map(([, family = ""]) => family);
    expect(tables.toSorted()).toEqual(now === "netdev" ? ["arp", "inet", "netdev"] : ["arp", "inet"]);
  });

  it("is intact whatever others change in tables of their own", () => {
    const fence = openFence(wire());
    fence.protect(VIPS);
    for (let i = 0; i < 3; i++) {
      wire().host.exec("nft", "add", "table", "inet", `other${i}`);
      expect(fence.intact()).toBe(true);
    }
  });
});
