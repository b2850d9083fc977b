// What grows: etcd's database under heartbeats, and a fleet with a thousand elections.

import { bootTimeMs } from "../../adapters/linux/native.ts";
import { openStore } from "../../src/stores/index.ts";
import { startEtcd } from "../hosts/harness/stores.ts";
import { EtcdCluster } from "../servers/etcd.ts";
import type { DaemonProcess } from "../hosts/harness/fleet.ts";
import { pause, Stage } from "./stage.ts";
import type { Row } from "./table.ts";

const HEARTBEATS_PER_SECOND = 20;
const GROWTH_MS = 10 * 60_000;
const RETENTION_MS = 30_000;
const SAMPLES = 20;

/** The size of a session's record and a candidate's, in bytes. */
const VALUE = "x".repeat(300);

/** An etcd that compacts nothing by itself, under heartbeats; with a client that does, and one that does not. */
export async function growth(): Promise<readonly Row[]> {
  const [kept, peer] = await Promise.all([sizes(`compact=auto&retentionMs=${RETENTION_MS}`), sizes("compact=off")]);
  const half = Math.max(...kept.slice(0, SAMPLES / 2));
  const whole = Math.max(...kept);
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(2);
  return [
    {
      what: `etcd's database, ${HEARTBEATS_PER_SECOND} heartbeats a second for ${GROWTH_MS / 60_000} min`,
      value: `${mb(half)} MB at half time, ${mb(whole)} MB at the end`,
      against: `bar: levels off; without compaction ${mb(Math.max(...peer))} MB`,
      met: whole <= half * 1.1,
    },
  ];
}

async function sizes(options: string): Promise<readonly number[]> {
  const etcd = await EtcdCluster.start(1);
  try {
    const store = await openStore(etcd.urlOf(etcd.members, options));
    const heartbeats = setInterval(() => {
      // A heartbeat that is late is no matter here.
      store
        .commit({ guards: [], writes: [{ key: "/bench/heartbeat", value: VALUE }] }, { timeoutMs: 1_000 })
        .catch(() => {});
    }, 1_000 / HEARTBEATS_PER_SECOND);
    const found: number[] = [];
    for (let i = 0; i < SAMPLES; i += 1) {
      await pause(GROWTH_MS / SAMPLES);
      found.push(etcd.databaseSize());
    }
    clearInterval(heartbeats);
    await store.close();
    return found;
  } finally {
    await etcd.close();
  }
}

const ELECTIONS = 1_000;
const TTL_MS = 3_000;
const FAILOVER_BAR_MS = 5_000;
const COMMITS_BAR = 4;
const WATCH_MS = 30_000;

/** Three nodes, a thousand elections, one etcd: idle, and after one host froze. */
export async function many(): Promise<readonly Row[]> {
  const stage = new Stage(["a", "b", "c"]);
  try {
    const etcd = await startEtcd(stage.lan, 1);
    stage.use(etcd);
    const vips = Array.from(
      { length: ELECTIONS },
      (_, i) => `  v${i}: {interface: eth0, addresses: [10.78.${i >> 8}.${i & 255}/32]}\n`,
    ).join("");
    await stage.start({ ttl: `${TTL_MS}ms`, vips });
    await pause(5_000);
    const before = etcd.revision();
    const since = performance.now();
    await pause(WATCH_MS);
    const rate = (1_000 * (etcd.revision() - before)) / (performance.now() - since);
    const { held, tookMs } = await freezeGreatest(stage);
    return [
      {
        what: `3 nodes x ${ELECTIONS} elections, idle: commits a second`,
        value: rate.toFixed(2),
        against: `bar ${COMMITS_BAR}`,
        met: rate <= COMMITS_BAR,
      },
      {
        what: `a frozen host's ${held} elections: all held anew`,
        value: `${tookMs.toFixed(0)} ms after the freeze, ${(tookMs - TTL_MS).toFixed(0)} ms after a whole lease`,
        against: `bar ${FAILOVER_BAR_MS} ms after the lease`,
        met: tookMs <= TTL_MS + FAILOVER_BAR_MS,
      },
    ];
  } finally {
    await stage.close();
  }
}

async function heldBy(daemon: DaemonProcess): Promise<number> {
  const { elections } = await daemon.admin.status({ timeoutMs: 10_000 });
  return elections.filter(({ role }) => role === "holder").length;
}

async function freezeGreatest(stage: Stage): Promise<{ held: number; tookMs: number }> {
  const counts = await Promise.all(stage.all().map(async (daemon) => ({ daemon, held: await heldBy(daemon) })));
  const [greatest, ...others] = counts.toSorted((a, b) => b.held - a.held);
  if (greatest === undefined) throw new Error("no host");
  const from = bootTimeMs();
  greatest.daemon.signal("SIGSTOP");
  try {
    for (;;) {
      const held = await Promise.all(others.map(({ daemon }) => heldBy(daemon)));
      const tookMs = bootTimeMs() - from;
      if (held.reduce((sum, count) => sum + count, 0) >= ELECTIONS) return { held: greatest.held, tookMs };
      if (tookMs > 60_000) throw new Error("the elections of a frozen host were not all taken within a minute");
      await pause(100);
    }
  } finally {
    greatest.daemon.signal("SIGCONT");
  }
}
