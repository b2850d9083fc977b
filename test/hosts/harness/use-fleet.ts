// A fresh LAN, fleet and recorder for each test of a file, and their logs when a test fails.

import { afterEach, beforeEach } from "vitest";
import { bootTimeMs } from "../../../adapters/linux/native.ts";
import { type DaemonProcess, Fleet, type NodeSettings, oneVip, VIP, VIP6 } from "./fleet.ts";
import { Lan, type Station } from "./lan.ts";
import { newcomers, Recorder } from "./recorder.ts";

/** What a test works with. */
export class Bench {
  readonly lan: Lan;
  readonly fleet: Fleet;
  readonly recorder: Recorder;
  /** CLOCK_BOOTTIME in milliseconds. */
  readonly now = bootTimeMs;
  /** Lets `ms` pass, for things that must not happen. */
  readonly idle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  /** `everyMs`: how often the recorder asks for each address. */
  constructor(hosts: readonly string[], ips: readonly string[], everyMs?: number) {
    this.lan = new Lan(hosts);
    this.fleet = new Fleet(this.lan);
    this.recorder = new Recorder(this.lan, ips, everyMs);
  }

  host(name: string): Station {
    const host = this.lan.hosts.find((other) => other.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  /** The machine with that address, a host or a server. */
  machine(ip: string): Station {
    const machine = this.lan.machines().find((other) => other.ip === ip);
    if (machine === undefined) throw new Error(`no machine ${ip}`);
    return machine;
  }

  /**
   * Starts one daemon on each host, with falling priorities, and waits until the first holds and the others back it. Where
   * nobody pre-empts, the first joins before the others start, or they might be first.
   */
  async startAll(settings: Partial<NodeSettings> = {}, more = ""): Promise<readonly DaemonProcess[]> {
    const daemons: DaemonProcess[] = [];
    for (const [i, host] of this.lan.hosts.entries()) {
      const daemon = this.fleet.start(host, { vips: oneVip(200 - i * 20, more), ...settings });
      daemons.push(daemon);
      if (i === 0 && more.includes("preempt: false"))
        await daemon.until("has joined", ({ session }) => session.state === "live");
    }
    const [first, ...others] = daemons;
    await first?.holds();
    await Promise.all(others.map((daemon) => daemon.backs()));
    await first?.until("sees every host as a candidate", ({ elections: [web] }) => {
      const able = web?.candidates.filter(({ alive, eligible }) => alive && eligible) ?? [];
      return able.length === this.lan.hosts.length;
    });
    await this.recorder.answered(VIP, (host) => host === first?.host.name, 0);
    return daemons;
  }

  /** The present, from which on the host is known to answer for the VIP: what is recorded from here on begins with it. */
  async mark(host: string, ips: readonly string[] = [VIP, VIP6]): Promise<number> {
    const from = this.now();
    for (const ip of ips) await this.recorder.answered(ip, (name) => name === host, from);
    return from;
  }

  /** The same for a fleet whose VIP has no IPv6 address that is recorded. */
  async mark4(host: string): Promise<number> {
    const from = this.now();
    await this.recorder.answered(VIP, (name) => name === host, from);
    return from;
  }

  /** Whether, since `from`, hosts answered one at a time, none of them again after another one has: 0 is the time that this was not so. */
  outOfTurnMs(holder: string, from: number): number {
    return this.recorder.overlapMs(VIP, newcomers(holder, this.recorder.hands(VIP, from)), from);
  }

  /** Waits until every node has its part: a living session, and somebody holds the VIP. */
  async allTakePart(daemons: readonly DaemonProcess[], withinMs: number): Promise<void> {
    await Promise.all(
      daemons.map((daemon) =>
        daemon.until(
          "takes part again",
          ({ session, store, elections: [web] }) =>
            session.state === "live" && store.ok && web !== undefined && web.holder !== null && web.role !== "idle",
          withinMs,
        ),
      ),
    );
  }

  /** Whether the host's kernel has the address. */
  isBound(host: Station, ip: string): boolean {
    return host.namespace.exec("ip", "-o", "address", "show", "dev", "eth0").includes(` ${ip}/`);
  }

  async close(): Promise<void> {
    this.recorder.close();
    await this.fleet.close();
    this.lan.close();
  }
}

/** Gives each test of the file a bench of its own; everything it made is gone after the test. */
export function useFleet(
  hosts: readonly string[],
  ips: readonly string[] = [VIP, VIP6],
  everyMs?: number,
): () => Bench {
  let bench: Bench | undefined;
  beforeEach(() => {
    bench = new Bench(hosts, ips, everyMs);
  });
  afterEach(async ({ task }) => {
    if (bench !== undefined && task.result?.state === "fail") tell(bench, ips);
    await bench?.close();
    bench = undefined;
  });
  return () => {
    if (bench === undefined) throw new Error("no test runs");
    return bench;
  };
}

/** What a failed test leaves to look at. */
function tell(bench: Bench, ips: readonly string[]): void {
  for (const log of bench.fleet.logs()) process.stderr.write(`${log}\n`);
  for (const ip of ips) process.stderr.write(`${ip}: ${JSON.stringify(bench.recorder.runs(ip))}\n`);
}
