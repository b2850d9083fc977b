import { expect, test } from "vitest";
import { type Instant, later } from "../../../src/base/time.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import { type VipListener, VipHolder } from "../../../src/node/vip-holder.ts";
import type { AddressTable, BoundAddress, Fence, PacketLink } from "../../../src/ports/host.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

const LEASE_MS = 3_000;
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function address(last: number): VipAddress {
  return { family: 4, ip: `10.0.0.${last}`, prefix: 24, interface: "eth0" };
}

/** A holder of the VIPs a (10.0.0.1) and b (10.0.0.2) on a host that does as it is told, and what it was told. */
function begin(makeListener: (holder: () => VipHolder, until: Instant) => Partial<VipListener>): {
  holder: VipHolder;
  calls: string[];
  until: Instant;
  bound: Map<string, BoundAddress>;
} {
  const calls: string[] = [];
  const timers = new VirtualTimers();
  const until = later(timers.now(), LEASE_MS);
  const bound = new Map<string, BoundAddress>();
  const addresses: AddressTable = {
    bind: ({ family, ip, prefix, interface: link }) => {
      calls.push(`bind ${ip}`);
      bound.set(ip, { family, ip, prefix, interface: link, ours: true });
    },
    unbind: ({ ip }) => {
      calls.push(`unbind ${ip}`);
      return bound.delete(ip);
    },
    addresses: () => [...bound.values()],
    links: () => [],
  };
  const fence = {
    hold: (list: readonly VipAddress[]) => {
      calls.push(`open ${list.map(({ ip }) => ip).join()}`);
      return { kind: "open" };
    },
    close: (list: readonly VipAddress[]) => void calls.push(`close ${list.map(({ ip }) => ip).join()}`),
    protect: () => {},
    intact: () => true,
  } as unknown as Fence;
  const packets = { announce: () => true, probe: () => Promise.resolve([]), close: () => {} } satisfies PacketLink;
  const listener: VipListener = {
    held: () => {},
    released: () => {},
    unfit: () => {},
    ...makeListener(() => holder, until),
  };
  const holder: VipHolder = new VipHolder({ timers, addresses, fence, packets, log: SILENT, listener });
  const announce = { burst: 1, repeatAfterMs: 0, refreshMs: 0 };
  holder.plan(["a", "b"].map((name, index) => ({ name, addresses: [address(index + 1)], announce })));
  calls.length = 0;
  return { holder, calls, until, bound };
}

test("an election that is lost while the release of another one is reported does not open its fence afterwards", () => {
  let told: string[] = [];
  const { holder, calls, until } = begin((current, lease) => ({
    released: (vip) => {
      if (vip !== "a") return;
      told.push("b is gained");
      current().post({ type: "gain", vip: "b", until: lease });
      told.push("b is lost");
      current().post({ type: "lose", vip: "b", reason: "another node has a higher priority" });
    },
  }));
  told = calls;
  holder.post({ type: "gain", vip: "a", until });
  holder.post({ type: "lose", vip: "a", reason: "stepped down" });
  expect(calls.slice(calls.indexOf("unbind 10.0.0.1") + 1)).toEqual([
    "b is gained",
    "bind 10.0.0.2",
    "open 10.0.0.2",
    "b is lost",
    "close 10.0.0.2",
    "unbind 10.0.0.2",
  ]);
});

test("what the host reports is told only when all of its own events are dealt with", () => {
  const order: string[] = [];
  const { holder, until } = begin((current) => ({
    held: (vip) =>
      order.push(`${vip}: ${[...current().state.holdings].map(([name, { phase }]) => `${name} ${phase}`).join()}`),
  }));
  holder.post({ type: "gain", vip: "a", until });
  expect(order).toEqual(["a: a on"]);
});

test("an address that was left behind is swept behind a closed fence", () => {
  const { holder, calls, bound } = begin(() => ({}));
  const { family, ip, prefix, interface: link } = address(1);
  bound.set(ip, { family, ip, prefix, interface: link, ours: true });
  holder.sweep(false);
  expect(calls).toEqual(["close 10.0.0.1", "unbind 10.0.0.1"]);
  expect(bound.size).toBe(0);
});
