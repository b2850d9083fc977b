// Many VIPs on two nodes: what an idle holder costs, and how long it takes to start, to stop and to die.

import { KernelAddresses } from "../../adapters/linux/addresses.ts";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { isVipdError } from "../../src/base/errors.ts";
import type { DaemonProcess } from "../hosts/harness/fleet.ts";
import type { Station } from "../hosts/harness/lan.ts";
import { cpuPercent } from "./idle.ts";
import { KeepalivedPair } from "./keepalived.ts";
import { pause, Stage } from "./stage.ts";
import type { Row } from "./table.ts";

const COUNTS = [1, 100, 1_000, 2_000, 5_000] as const;
const TTL_MS = 3_000;
const START_BAR_MS = 5_000;
const STOP_BAR_MS = 2_000;
const KILL_BAR_MS = TTL_MS + 2_000;
/** The bars are for this many. */
const BAR_COUNT = 2_000;
const PEER_COUNT = 1_000;

interface Measured {
  readonly count: number;
  readonly startMs: number;
  readonly cpu: number;
  readonly stopMs: number;
  readonly killMs: number;
}

/** The VIPs that a host has bound; `undefined` while so many come and go that the kernel's list cannot be read whole. */
function boundOn({ namespace }: Station): number | undefined {
  const table = namespace.inside(() => new KernelAddresses());
  try {
    return table.addresses().filter(({ ours }) => ours).length;
  } catch (error) {
    if (isVipdError(error, "kernel")) return undefined;
    throw error;
  } finally {
    table.close();
  }
}

async function untilBound(host: Station, count: number, since: number): Promise<number> {
  for (;;) {
    if (boundOn(host) === count) return bootTimeMs() - since;
    if (bootTimeMs() - since > 120_000) throw new Error(`${host.name} did not take ${count} VIPs within two minutes`);
    await pause(20);
  }
}

function vipsOf(count: number): string {
  const address = (i: number): string => `10.78.${i >> 8}.${i & 255}/32`;
  return Array.from(
    { length: count },
    (_, i) => `  v${i}: {interface: eth0, addresses: [${address(i)}], preempt: false}\n`,
  ).join("");
}

async function measure(count: number): Promise<Measured> {
  const stage = new Stage(["a", "b"]);
  stage.recorder.close();
  try {
    const [a, b] = stage.lan.hosts;
    if (a === undefined || b === undefined) throw new Error("no hosts");
    const settings = { ttl: `${TTL_MS}ms`, vips: vipsOf(count), logLevel: "info" };
    const since = bootTimeMs();
    const first = stage.fleet.start(a, settings);
    const startMs = await untilBound(a, count, since);
    const second = stage.fleet.start(b, settings);
    await isStandby(second, count);
    await pause(5_000);
    const cpu = await cpuPercent([first.pid]);
    const stopAt = bootTimeMs();
    first.signal("SIGTERM");
    const stopMs = await untilBound(b, count, stopAt);
    const again = stage.fleet.restart(a);
    await isStandby(again, count);
    await pause(3_000);
    const killAt = bootTimeMs();
    second.signal("SIGKILL");
    const killMs = await untilBound(a, count, killAt);
    return { count, startMs, cpu, stopMs, killMs };
  } finally {
    await stage.close();
  }
}

function isStandby(daemon: DaemonProcess, count: number): Promise<unknown> {
  return daemon.until(
    "is a standby of all",
    ({ elections }) => elections.filter(({ candidates }) => candidates.length === 2).length === count,
    60_000,
  );
}

/** 1 to 5,000 VIPs, and keepalived with 1,000 instances. */
export async function vips(counts: readonly number[] = COUNTS): Promise<readonly Row[]> {
  const peer = await keepalivedCpu(PEER_COUNT);
  const all: Measured[] = [];
  for (const count of counts) all.push(await measure(count));
  const base = all[0]?.cpu ?? Number.NaN;
  return all.flatMap(({ count, startMs, cpu, stopMs, killMs }): readonly Row[] => {
    const bar = (ms: number, most: number): Pick<Row, "against" | "met"> => ({
      against: count === BAR_COUNT ? `bar ${most} ms` : "",
      met: count === BAR_COUNT ? ms <= most : null,
    });
    const what = `${count} VIPs`;
    return [
      { what: `${what}: start to all held`, value: `${startMs.toFixed(0)} ms`, ...bar(startMs, START_BAR_MS) },
      {
        what: `${what}: idle holder, processor`,
        value: `${cpu.toFixed(2)} % of a core`,
        against: `${(cpu / base).toFixed(1)} times one VIP (bar 3 at ${PEER_COUNT}); keepalived with ${PEER_COUNT}: ${peer.toFixed(2)} %`,
        met: count === PEER_COUNT ? cpu <= 3 * base && cpu <= peer : null,
      },
      { what: `${what}: stop to all held elsewhere`, value: `${stopMs.toFixed(0)} ms`, ...bar(stopMs, STOP_BAR_MS) },
      { what: `${what}: SIGKILL to all held elsewhere`, value: `${killMs.toFixed(0)} ms`, ...bar(killMs, KILL_BAR_MS) },
    ];
  });
}

const HELD_MS = 10 * 60_000;

/** As many as the bars are for, on two nodes, while nothing happens. */
export async function held(): Promise<readonly Row[]> {
  const stage = new Stage(["a", "b"]);
  stage.recorder.close();
  try {
    const [a, b] = stage.lan.hosts;
    if (a === undefined || b === undefined) throw new Error("no hosts");
    const settings = { ttl: `${TTL_MS}ms`, vips: vipsOf(BAR_COUNT), logLevel: "info" };
    const first = stage.fleet.start(a, settings);
    await untilBound(a, BAR_COUNT, bootTimeMs());
    const second = stage.fleet.start(b, settings);
    await isStandby(second, BAR_COUNT);
    const before = await tokensOf(first);
    await pause(HELD_MS);
    const after = await tokensOf(first);
    const moved = after.filter((line, i) => line !== before[i]).length;
    const lost = (first.log() + second.log()).split("\n").filter((line) => line.includes('"msg":"lost')).length;
    return [
      {
        what: `${BAR_COUNT} VIPs held for ${HELD_MS / 60_000} min: losses`,
        value: `${moved + lost}, ${boundOn(a) ?? "?"} bound at the end`,
        against: "bar 0",
        met: moved + lost === 0 && boundOn(a) === BAR_COUNT,
      },
    ];
  } finally {
    await stage.close();
  }
}

async function tokensOf(daemon: DaemonProcess): Promise<readonly string[]> {
  const { elections } = await daemon.admin.status({ timeoutMs: 30_000 });
  return elections.map(({ name, holder, token }) => `${name} ${holder ?? ""} ${token ?? ""}`).sort();
}

/** Processor time of a keepalived that is master of so many instances; ids go from 1 to 255 on each interface. */
async function keepalivedCpu(count: number): Promise<number> {
  const pair = new KeepalivedPair();
  try {
    await pair.startMany(count);
    return await cpuPercent(pair.pids("a"));
  } finally {
    await pair.close();
  }
}
