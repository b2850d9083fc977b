// A reload that changes one address of each of many VIPs that are held: how long it takes, and whether one is lost.

import { KernelAddresses } from "../../adapters/linux/addresses.ts";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { isVipdError } from "../../src/base/errors.ts";
import type { DaemonProcess } from "../hosts/harness/fleet.ts";
import type { Station } from "../hosts/harness/lan.ts";
import { pause, Stage } from "./stage.ts";
import type { Row } from "./table.ts";

const COUNTS = [100, 1_000, 5_000] as const;
const TTL_MS = 3_000;
const BAR_MS = 5_000;
const LIMIT_MS = 180_000;
/** The bar is for this many. */
const BAR_COUNT = 1_000;

/** VIPs of two addresses each: one that stays, and one in the network 10.`net`.0.0. */
function vipsOf(count: number, net: number): string {
  return Array.from(
    { length: count },
    (_, i) =>
      `  v${i}: {interface: eth0, addresses: [10.78.${i >> 8}.${i & 255}/32, 10.${net}.${i >> 8}.${i & 255}/32], preempt: false}\n`,
  ).join("");
}

/** How many addresses of vipd's in 10.`net`.0.0 a host has; `undefined` while the kernel's list cannot be read whole. */
function boundOn({ namespace }: Station, net: number): number | undefined {
  const table = namespace.inside(() => new KernelAddresses());
  try {
    return table.addresses().filter(({ ours, ip }) => ours && ip.startsWith(`10.${net}.`)).length;
  } catch (error) {
    if (isVipdError(error, "kernel")) return undefined;
    throw error;
  } finally {
    table.close();
  }
}

async function until(host: Station, wanted: ReadonlyMap<number, number>, since: number): Promise<number> {
  for (;;) {
    if ([...wanted].every(([net, count]) => boundOn(host, net) === count)) return bootTimeMs() - since;
    if (bootTimeMs() - since > LIMIT_MS) throw new Error(`${host.name} did not have its addresses in ${LIMIT_MS} ms`);
    await pause(20);
  }
}

function lossesOf(daemons: readonly DaemonProcess[]): number {
  return daemons.flatMap((daemon) => daemon.log().split("\n")).filter((line) => line.includes('"msg":"lost')).length;
}

async function measure(count: number): Promise<Row> {
  const stage = new Stage(["a", "b"]);
  stage.recorder.close();
  try {
    const [a, b] = stage.lan.hosts;
    if (a === undefined || b === undefined) throw new Error("no hosts");
    const settings = (net: number) => ({ ttl: `${TTL_MS}ms`, vips: vipsOf(count, net), logLevel: "info" });
    const first = stage.fleet.start(a, settings(79));
    await until(a, new Map([[79, count]]), bootTimeMs());
    const second = stage.fleet.start(b, settings(79));
    await second.until(
      "is a standby of all",
      ({ elections }) => elections.filter(({ candidates }) => candidates.length === 2).length === count,
      60_000,
    );
    await pause(3_000);
    stage.fleet.configure(b, settings(80));
    second.signal("SIGHUP");
    stage.fleet.configure(a, settings(80));
    const from = bootTimeMs();
    first.signal("SIGHUP");
    const tookMs = await until(
      a,
      new Map([
        [78, count],
        [79, 0],
        [80, count],
      ]),
      from,
    );
    await pause(TTL_MS);
    const lost = lossesOf([first, second]);
    return {
      what: `a reload changes one address of each of ${count} held VIPs: all changed`,
      value: `${tookMs.toFixed(0)} ms, ${lost} VIPs lost`,
      against: count === BAR_COUNT ? `bar ${BAR_MS} ms, none lost at ttl ${TTL_MS / 1_000} s` : "",
      met: count === BAR_COUNT ? tookMs <= BAR_MS && lost === 0 : null,
    };
  } finally {
    await stage.close();
  }
}

/** At 100, 1,000 and 5,000 VIPs. */
export async function reloads(counts: readonly number[] = COUNTS): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const count of counts) rows.push(await measure(count));
  return rows;
}
