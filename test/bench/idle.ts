// What an idle fleet costs: processor time, memory, commits; and how fast vipctl answers.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { openStore } from "../../src/stores/index.ts";
import { KeepalivedPair } from "./keepalived.ts";
import { pause, Stage } from "./stage.ts";
import { median, type Row, spread } from "./table.ts";

const WATCH_MS = 20_000;
const CPU_BAR = 1;
const RSS_BAR_MB = 80;
const ANSWER_BAR_MS = 150;

/** Processor time of processes in hundredths of a second (USER_HZ). */
function ticks(pids: readonly number[]): number {
  const of = (pid: number): number => {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  return pids.reduce((sum, pid) => sum + of(pid), 0);
}

/** Resident memory of processes, in MB. */
export function rssMb(pids: readonly number[]): number {
  const of = (pid: number): number =>
    Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1_024;
  return pids.reduce((sum, pid) => sum + of(pid), 0);
}

/** Percent of one core, over WATCH_MS. */
export async function cpuPercent(pids: readonly number[]): Promise<number> {
  const before = ticks(pids);
  const from = performance.now();
  await pause(WATCH_MS);
  return (100 * (ticks(pids) - before) * 10) / (performance.now() - from);
}

/** One VIP, nothing happens. */
export async function idle(): Promise<readonly Row[]> {
  const peer = new KeepalivedPair();
  const stage = new Stage(["a", "b", "c"]);
  try {
    await peer.start();
    await stage.start({ ttl: "3s" });
    await pause(3_000);
    const holder = await stage.holder();
    const peers = peer.pids(peer.recorder.hands("10.77.0.50").at(-1) ?? "a");
    // The recorders would make the hosts answer, and be counted.
    peer.recorder.close();
    stage.recorder.close();
    const [own, theirs] = await Promise.all([cpuPercent([holder.pid]), cpuPercent(peers)]);
    const [ownMb, theirMb] = [rssMb([holder.pid]), rssMb(peers)];
    return [
      {
        what: "idle holder of one VIP: processor",
        value: `${own.toFixed(2)} % of a core`,
        against: `bar ${CPU_BAR} %; keepalived ${theirs.toFixed(2)} %`,
        met: own < CPU_BAR,
      },
      {
        what: "idle holder of one VIP: memory (RSS)",
        value: `${ownMb.toFixed(0)} MB`,
        against: `bar ${RSS_BAR_MB} MB; keepalived ${theirMb.toFixed(0)} MB`,
        met: ownMb < RSS_BAR_MB,
      },
    ];
  } finally {
    await stage.close();
    await peer.close();
  }
}

/** vipctl who-owns, through the daemon and straight from the store. */
export async function answers(): Promise<readonly Row[]> {
  const stage = new Stage(["a", "b"]);
  const time = (run: () => void): number => {
    const from = performance.now();
    run();
    return performance.now() - from;
  };
  try {
    await stage.start({ ttl: "3s" });
    const [host] = stage.lan.hosts;
    if (host === undefined) throw new Error("no host");
    const ask = (args: readonly string[]): number =>
      time(() => {
        const { status, stderr } = spawnSync(
          "ip",
          ["netns", "exec", host.namespace.name, ...stage.fleet.program("vipctl"), "who-owns", "web", ...args],
          { encoding: "utf8" },
        );
        if (status !== 0) throw new Error(`vipctl failed: ${stderr}`);
      });
    const nothing = (): number => time(() => spawnSync(stage.fleet.node, ["-e", "0"]));
    const ways = [
      { what: "vipctl who-owns, through the daemon", args: ["--socket", stage.fleet.socketOf(host)] },
      { what: "vipctl who-owns, straight from the store", args: ["--store", stage.fleet.store, "--fleet", "test"] },
    ];
    const base = median(Array.from({ length: 20 }, nothing));
    return ways.map(({ what, args }) => {
      const walls = Array.from({ length: 20 }, () => ask(args));
      return {
        what,
        value: spread(walls),
        against: `bar ${ANSWER_BAR_MS} ms; ${(median(walls) / base).toFixed(1)} times an empty Node program`,
        met: median(walls) < ANSWER_BAR_MS,
      };
    });
  } finally {
    await stage.close();
  }
}

/** Commits per second of an idle fleet with so many VIPs. */
async function commitRate(vips: number): Promise<number> {
  const stage = new Stage(["a"]);
  try {
    const list = Array.from(
      { length: vips },
      (_, i) => `  v${i}: {interface: eth0, addresses: [10.77.1.${i + 1}/32]}\n`,
    ).join("");
    await stage.start({ ttl: "3s", vips: list });
    await pause(3_000);
    const store = await openStore(stage.fleet.store, { readOnly: true });
    const before = await store.read("/", { timeoutMs: 2_000 });
    const from = performance.now();
    await pause(WATCH_MS);
    const after = await store.read("/", { timeoutMs: 2_000 });
    await store.close();
    return (1_000 * Number(after.revision - before.revision)) / (performance.now() - from);
  } finally {
    await stage.close();
  }
}

/** One VIP against a hundred. */
export async function commits(): Promise<readonly Row[]> {
  const [one, hundred] = [await commitRate(1), await commitRate(100)];
  return [
    {
      what: "commits a second, 100 VIPs against 1",
      value: `${hundred.toFixed(2)} against ${one.toFixed(2)}`,
      against: "bar: the same",
      met: Math.abs(hundred - one) < 0.15,
    },
  ];
}
