// Interfaces change while nobody is there to move the fence: its process is dead or frozen. What the kernel then answers
// by itself, on whatever interface, is fenced all the same.

import { describe, expect, it } from "vitest";
import type { VipAddress } from "../../src/base/vip.ts";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { askAll, bindAll, KINDS, openFence, openFor, VIP4, VIPS } from "./fence-helpers.ts";
import { eventually, Namespace, run, useWire, type Wire } from "./namespaces.ts";
import { startHolder, untilOf } from "./process.ts";
import { askArp, lastAnswered, type Stream, untilAnswered, whoAnswers } from "./traffic.ts";

const wire = useWire();

/** What becomes of the interfaces while the fence's process is away. */
interface Change {
  readonly what: string;
  readonly vips: readonly VipAddress[];
  /** Before the process begins. */
  readonly prepare: (wire: Wire) => void;
  /** Changes them, and asks from then on. */
  readonly happens: (wire: Wire) => readonly Stream[] | Promise<readonly Stream[]>;
}

function ip(...args: readonly string[]): void {
  wire().host.exec("ip", ...args);
}

/** A VIP on an interface beside the cable: Linux answers ARP for it on the cable as well. */
const BESIDE: VipAddress = { ...VIP4, interface: "br0" };

function addBridge(): void {
  ip("link", "add", "br0", "type", "bridge");
  ip("link", "set", "br0", "up");
}

const CHANGES: readonly Change[] = [
  {
    what: "the interface is renamed",
    vips: VIPS,
    prepare: () => undefined,
    happens: (cable) => {
      const streams = askAll(cable);
      ip("link", "set", "eth0", "name", "lan0");
      return streams;
    },
  },
  {
    what: "an interface is plugged in",
    vips: [BESIDE],
    prepare: addBridge,
    happens: async (cable) => {
      await cable.replaceCable();
      ip("link", "set", "eth0", "name", "new0");
      return [askArp(cable, VIP4.ip)];
    },
  },
  {
    what: "a port leaves its bridge",
    vips: [BESIDE],
    prepare: () => {
      addBridge();
      ip("link", "set", "eth0", "master", "br0");
    },
    happens: (cable) => {
      ip("link", "set", "eth0", "nomaster");
      return [askArp(cable, VIP4.ip)];
    },
  },
];

describe.each(KINDS)("the %s fence of a process that is gone", (mode) => {
  it.each([
    { what: "was renamed", change: () => ip("link", "set", "eth0", "name", "lan0") },
    { what: "has come", change: () => ip("link", "add", "br0", "type", "bridge") },
    { what: "has gone", change: () => ip("link", "delete", "eth0") },
  ])("is taken over by the next one, open as it is, though an interface $what", ({ change }) => {
    const former = openFence(wire(), { mode });
    former.protect(VIPS);
    openFor(former, 60_000);
    former.release();
    change();
    const next = openFence(wire(), { mode });
    expect(next.protect(VIPS)).toBe("kept");
    expect(next.intact()).toBe(true);
    expect(next.openAddresses()).toEqual(VIPS.map((vip) => vip.ip));
  });
});

it.each(KINDS)(
  "the %s fence stands on an interface that went and came back, unseen, under its name and number",
  async (mode) => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    const elsewhere = new Namespace("x");
    try {
      run("ip", "-n", wire().host.name, "link", "set", "eth0", "netns", elsewhere.name);
      run("ip", "-n", elsewhere.name, "link", "set", "eth0", "netns", wire().host.name);
    } finally {
      elsewhere.delete();
    }
    ip("link", "set", "eth0", "up");
    expect(fence.protect(VIPS)).toBe("kept");
    bindAll(wire());
    expect(await whoAnswers(askAll(wire()))).toEqual([]);
  },
);

describe.each(KINDS)("the %s fence", (mode) => {
  describe.each(CHANGES)("when $what", ({ vips, prepare, happens }) => {
    it("stands closed for a dead process", async () => {
      prepare(wire());
      const holder = await startHolder(wire(), wire().host, mode, vips);
      bindAll(wire(), vips);
      await holder.kill();
      const streams = await happens(wire());
      expect(await whoAnswers(streams)).toEqual([]);
      // Without the fence they would be answered.
      for (const table of ["netdev vipd", "inet vipd", "arp vipd"])
        if (wire().host.exec("nft", "list", "tables").includes(table))
          wire().host.exec("nft", "delete", "table", ...table.split(" "));
      await untilAnswered(streams);
    });

    it("closes in time for a process that was stopped while it was open", async () => {
      prepare(wire());
      const holder = await startHolder(wire(), wire().host, mode, vips);
      bindAll(wire(), vips);
      const until = untilOf(await holder.ask("hold 1500"));
      holder.signal("SIGSTOP");
      const streams = await happens(wire());
      await untilAnswered(streams);
      await eventually("the end of the hold", () => bootTimeMs() > until + 60);
      for (const stream of streams) expect(lastAnswered(stream), stream.name).toBeLessThanOrEqual(until);
      expect(await whoAnswers(streams)).toEqual([]);
    });
  });
});
