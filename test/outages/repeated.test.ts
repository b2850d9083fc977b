// Stores that go away again and again: every node is back soon each time, and keeps no more than it had.

import { readdirSync, readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { startEtcd, startRedis } from "../hosts/harness/stores.ts";
import { type DaemonProcess, VIP } from "../hosts/harness/fleet.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);
const OUTAGES = 20;
const BACK_MS = 3_000;

/** File descriptors that come and go with what is under way at the moment. */
const FEW = 6;

/** What a garbage-collected heap may differ by between two moments, in kilobytes. */
const HEAP_KB = 40_000;

interface Server {
  readonly url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

let server: Server | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

const STORES: Readonly<Record<string, () => Promise<Server>>> = {
  etcd: async () => {
    const etcd = await startEtcd(bench().lan, 1);
    return { url: etcd.url, kill: () => etcd.kill(), start: () => etcd.startAll(), close: () => etcd.close() };
  },
  redis: async () => {
    const redis = await startRedis(bench().lan);
    return { url: redis.url, kill: () => redis.kill(), start: () => redis.startAgain(), close: () => redis.close() };
  },
};

function handlesOf({ pid }: DaemonProcess): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function memoryKb({ pid }: DaemonProcess): number {
  return Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0);
}

test.each(Object.keys(STORES))(
  "twenty outages of %s: every node campaigns again within three seconds, and holds no more handles or memory",
  async (name) => {
    const begin = STORES[name];
    if (begin === undefined) throw new Error(`no store ${name}`);
    const made = await begin();
    server = made;
    const daemons = await bench().startAll({ store: made.url });
    let before: readonly { handles: number; kb: number }[] = [];
    let holder = "a";
    for (let outage = 0; outage < OUTAGES; outage += 1) {
      const from = bench().now();
      await made.kill();
      await Promise.all(daemons.map((daemon) => daemon.until("misses the store", ({ store }) => !store.ok)));
      await made.start();
      await bench().allTakePart(daemons, BACK_MS);
      const back = await bench().recorder.answered(VIP, () => true, bench().now());
      expect(bench().outOfTurnMs(holder, from)).toBe(0);
      holder = back.host;
      // The first outages load what only outages need.
      if (outage === 4) before = daemons.map((daemon) => ({ handles: handlesOf(daemon), kb: memoryKb(daemon) }));
    }
    for (const [i, daemon] of daemons.entries()) {
      expect(handlesOf(daemon)).toBeLessThanOrEqual((before[i]?.handles ?? 0) + FEW);
      expect(memoryKb(daemon)).toBeLessThanOrEqual((before[i]?.kb ?? 0) + HEAP_KB);
    }
  },
  240_000,
);
