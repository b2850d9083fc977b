// The fleet of the benchmarks: installed daemons (built, without type stripping) on hosts in namespaces.

import { bootTimeMs } from "../../adapters/linux/native.ts";
import { type DaemonProcess, Fleet, type NodeSettings, VIP } from "../hosts/harness/fleet.ts";
import { Lan, type Station } from "../hosts/harness/lan.ts";
import { Recorder } from "../hosts/harness/recorder.ts";

const VIPS = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    preempt: false\n`;

/** A LAN with a fleet on it. */
export class Stage {
  readonly lan: Lan;
  readonly fleet: Fleet;
  readonly recorder: Recorder;
  private readonly daemons = new Map<string, DaemonProcess>();

  private readonly servers: { close(): Promise<void> }[] = [];
  private store: string | undefined;

  constructor(hosts: readonly string[]) {
    this.lan = new Lan(hosts);
    this.fleet = new Fleet(this.lan, "dist/bin");
    this.recorder = new Recorder(this.lan, [VIP]);
  }

  /** Has the fleet use a store of servers on this LAN. */
  use(servers: { readonly url: string; close(): Promise<void> }): void {
    this.store = servers.url;
    this.servers.push(servers);
  }

  /** Starts a node on each host; the settings are those of all, or of each. */
  async start(settings: Partial<NodeSettings> | ((host: Station) => Partial<NodeSettings>) = {}): Promise<void> {
    const store = this.store === undefined ? {} : { store: this.store };
    for (const host of this.lan.hosts) {
      const own = typeof settings === "function" ? settings(host) : settings;
      this.daemons.set(host.name, this.fleet.start(host, { vips: VIPS, ...store, ...own }));
    }
    await this.quiet();
  }

  restart({ host }: DaemonProcess): void {
    this.daemons.set(host.name, this.fleet.restart(host));
  }

  all(): readonly DaemonProcess[] {
    return [...this.daemons.values()];
  }

  async holder(election = "web"): Promise<DaemonProcess> {
    for (const daemon of this.daemons.values()) {
      const status = await daemon.admin.status({ timeoutMs: 5_000 });
      if (status.elections.some(({ name, role }) => name === election && role === "holder")) return daemon;
    }
    throw new Error(`nobody holds ${election}`);
  }

  /** Waits until every node has its part. */
  async quiet(): Promise<void> {
    for (const daemon of this.daemons.values())
      await daemon.until(
        "has its part",
        (status) =>
          status.session.state === "live" &&
          status.elections.length > 0 &&
          status.elections.every((e) => e.holderAlive === true && e.eligible === true),
        30_000,
      );
  }

  /** Moves the VIP by force: how long the client had no answer, and how long two answered, both in milliseconds. */
  async move(
    strike: (holder: DaemonProcess) => void | Promise<unknown>,
    fix: (holder: DaemonProcess) => void,
    waitMs = 0,
  ): Promise<{ gapMs: number; overlapMs: number }> {
    const { recorder } = this;
    const holder = await this.holder();
    await pause(waitMs);
    const old = holder.host.name;
    const from = bootTimeMs();
    await strike(holder);
    const { host: successor } = await recorder.answered(VIP, (name) => name !== old, from, 15_000);
    await pause(200);
    fix(holder);
    await this.quiet();
    const overlapMs = recorder.overlapMs(VIP, [old, successor], from);
    const gapMs = recorder.gapMs(VIP, from);
    recorder.forget();
    return { gapMs, overlapMs };
  }

  async close(): Promise<void> {
    this.recorder.close();
    await this.fleet.close();
    await Promise.all(this.servers.map((servers) => servers.close()));
    this.lan.close();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
