// VRRP at 100 ms beside four busy processes on two cores: does anybody believe that a living master is gone? keepalived
// runs on hosts of its own in the same time.

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { Fleet, VIP } from "../hosts/harness/fleet.ts";
import { Lan, type Station } from "../hosts/harness/lan.ts";
import { type Dialect, Keepalived } from "../interop/parties.ts";
import { AdvertWatch } from "./advert-watch.ts";
import { checkKeepalived } from "./keepalived.ts";
import { pause } from "./stage.ts";
import { percentile, type Row } from "./table.ts";

const INTERVAL_MS = 100;
const BUSY_PROCESSES = 4;
const WATCH_MS = 10 * 60_000;
/** Between two adverts of the master, at the 99th percentile, in milliseconds. */
const GAP_BAR_MS = 120;
const PRIORITIES = [200, 100] as const;

/** Two routers on a LAN of their own, and what is heard of them. */
interface Pair {
  readonly watch: AdvertWatch;
  close(): Promise<void>;
}

async function ownPair(): Promise<Pair> {
  const lan = new Lan(["a", "b"]);
  const fleet = new Fleet(lan, "dist/bin");
  const daemons = lan.hosts.map((host, i) => {
    const vips =
      `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    priority: ${PRIORITIES[i] ?? 1}\n    preempt: false\n` +
      `    election: vrrp\n    vrrp: { id: 51, version: 3, interval: ${INTERVAL_MS}ms }\n`;
    return fleet.start(host, { store: null, vips, logLevel: "info" });
  });
  await daemons[0]?.holds("web", 20_000);
  await daemons[1]?.backs("web", 20_000);
  const watch = new AdvertWatch(lan);
  return {
    watch,
    close: async () => {
      watch.close();
      await fleet.close();
      lan.close();
    },
  };
}

async function peerPair(): Promise<Pair> {
  checkKeepalived();
  const lan = new Lan(["a", "b"]);
  const closers: (() => void)[] = [];
  const peers = lan.hosts.map((host: Station, i) => {
    const dialect: Dialect = {
      version: 3,
      intervalMs: INTERVAL_MS,
      unicast: false,
      vip: VIP,
      own: "",
      theirs: host.ip,
    };
    const place = { peer: host.namespace, onClose: (closer: () => void) => void closers.push(closer) };
    return new Keepalived(place, dialect).start(PRIORITIES[i] ?? 1, "nopreempt");
  });
  await peers[0]?.untilMaster();
  await pause(2_000);
  const watch = new AdvertWatch(lan);
  return {
    watch,
    close: async () => {
      watch.close();
      for (const peer of peers) await peer.stop();
      for (const close of closers) close();
      lan.close();
    },
  };
}

/** Ten minutes in which the processor is asked for twice over. */
export async function busy(): Promise<readonly Row[]> {
  const pairs: Pair[] = [];
  const hogs: ChildProcess[] = [];
  try {
    pairs.push(await ownPair(), await peerPair());
    const [own, peer] = pairs.map(({ watch }) => watch);
    if (own === undefined || peer === undefined) throw new Error("no pair");
    for (let i = 0; i < BUSY_PROCESSES; i += 1)
      hogs.push(spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
    await pause(WATCH_MS);
    const what = `adverts each ${INTERVAL_MS} ms beside ${BUSY_PROCESSES} busy processes for ${WATCH_MS / 60_000} min`;
    const gap = percentile(own.gapsMs(), 0.99);
    const worst = (watch: AdvertWatch): string =>
      `worst ${Math.max(...watch.gapsMs()).toFixed(1)} ms, n = ${watch.gapsMs().length}`;
    return [
      {
        what: `${what}: changes of master`,
        value: `${own.changes()}`,
        against: `bar 0; keepalived ${peer.changes()}`,
        met: own.changes() === 0,
      },
      {
        what: `${what}: gap between adverts, 99th percentile`,
        value: `${gap.toFixed(1)} ms (${worst(own)})`,
        against: `bar ${GAP_BAR_MS} ms; keepalived ${percentile(peer.gapsMs(), 0.99).toFixed(1)} ms (${worst(peer)})`,
        met: gap < GAP_BAR_MS,
      },
    ];
  } finally {
    for (const hog of hogs) hog.kill("SIGKILL");
    for (const pair of pairs) await pair.close();
  }
}
