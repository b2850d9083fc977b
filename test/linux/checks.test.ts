// Checks that see through the kernel: the neighbour that a gateway check asks for, and the link of an interface check.

import { describe, expect, it } from "vitest";
import { monitorHost } from "../../adapters/linux/monitor.ts";
import { KernelPackets } from "../../adapters/linux/packets.ts";
import { createPerformer } from "../../src/checks/create.ts";
import type { CheckOptions } from "../../src/config/check-options.ts";
import type { Performer } from "../../src/checks/performer.ts";
import type { CheckResult } from "../../src/health/result.ts";
import type { Link } from "../../src/ports/host.ts";
import { toLink } from "../../adapters/linux/links.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import { clock } from "./fence-helpers.ts";
import { eventually, useWire } from "./namespaces.ts";

const wire = useWire();

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A check on the host of the wire. */
function check(options: CheckOptions): Performer {
  const packets = wire().host.inside(() => new KernelPackets({ clock }));
  wire().onClose(() => packets.close());
  const links = new Map<string, Link>([["eth0", toLink(wire().hostLink())]]);
  const listeners = new Set<() => void>();
  const monitor = wire().host.inside(() =>
    monitorHost((event) => {
      if (event.kind === "link-changed") links.set(event.link.name, event.link);
      if (event.kind === "link-removed") links.delete(event.name);
      for (const tell of listeners) tell();
    }),
  );
  wire().onClose(() => monitor.close());
  const follow = (onNews: () => void): (() => void) => {
    listeners.add(onNews);
    return () => listeners.delete(onNews);
  };
  const linkNews = { links: () => [...links.values()], follow };
  return createPerformer(options, { timers: systemTimers(clock), log: silent, packets, linkNews });
}

/** The probe's socket opens in the namespace that asks. */
function ask(performer: Performer): Promise<CheckResult> {
  return wire().host.inside(() => performer.run(AbortSignal.timeout(5_000)));
}

describe("a gateway", () => {
  it.each(["10.77.0.2", "2001:db8:77::2"])("that has the address answers: %s", async (address) => {
    const result = await ask(check({ kind: "gateway", address, interface: "eth0", waitMs: 80 }));
    expect(result).toMatchObject({ outcome: "ok", reason: `${address} is ${wire().peerLink().mac}` });
  });

  it.each(["10.77.0.77", "2001:db8:77::77"])("that nobody is does not answer: %s", async (address) => {
    const result = await ask(check({ kind: "gateway", address, interface: "eth0", waitMs: 80 }));
    expect(result).toMatchObject({ outcome: "failed", reason: `${address} does not answer on eth0` });
  });

  it("behind a link that is down, or missing, has failed with that reason", async () => {
    const gateway = check({ kind: "gateway", address: "10.77.0.2", interface: "eth0", waitMs: 80 });
    wire().host.exec("ip", "link", "set", "eth0", "down");
    expect(await ask(gateway)).toMatchObject({ outcome: "failed", reason: expect.stringMatching(/down/u) });
    const other = check({ kind: "gateway", address: "10.77.0.2", interface: "eth9", waitMs: 80 });
    expect(await ask(other)).toMatchObject({ outcome: "failed", reason: "there is no interface eth9" });
  });
});

describe("an interface", () => {
  it("without carrier has failed, and the kernel's news come at once", async () => {
    const performer = check({ kind: "interface", interface: "eth0", debounceMs: 0 });
    let news = 0;
    const unwatch = performer.watch?.(() => {
      news += 1;
    });
    expect(await ask(performer)).toMatchObject({ outcome: "ok" });
    wire().peer.exec("ip", "link", "set", "eth0", "down");
    await eventually("news of the link", () => news === 1);
    expect(await ask(performer)).toMatchObject({ outcome: "failed", reason: "eth0 is down" });
    wire().peer.exec("ip", "link", "set", "eth0", "up");
    await eventually("news of the link", () => news === 2);
    expect(await ask(performer)).toMatchObject({ outcome: "ok" });
    wire().host.exec("ip", "link", "delete", "eth0");
    await eventually("news of the link", () => news >= 3);
    expect(await ask(performer)).toMatchObject({ outcome: "failed", reason: expect.stringMatching(/missing|down/u) });
    unwatch?.();
  });
});
