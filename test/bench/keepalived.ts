// The peer: keepalived on the same hosts, with the settings people have (advert_int 1, priority 100).

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { VIP } from "../hosts/harness/fleet.ts";
import { Lan, type Station } from "../hosts/harness/lan.ts";
import { Recorder } from "../hosts/harness/recorder.ts";
import { pause } from "./stage.ts";

/** Makes sure that keepalived is there; as root it is installed. */
export function checkKeepalived(): void {
  if (spawnSync("sh", ["-c", "command -v keepalived"]).status === 0) return;
  const { status } = spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "keepalived"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("the peer is missing: apt install keepalived");
}

/** Virtual router ids on one interface. */
const IDS = 255;

function instance(name: string, device: string, id: number, priority: number, address: string): string {
  return `vrrp_instance ${name} {
 state BACKUP
 interface ${device}
 virtual_router_id ${id}
 priority ${priority}
 advert_int 1
 nopreempt
 virtual_ipaddress {
 ${address}
 }
}
`;
}

/** A running pair of keepalived. */
export class KeepalivedPair {
  readonly lan = new Lan(["a", "b"]);
  readonly recorder = new Recorder(this.lan, [VIP]);
  private readonly directory = mkdtempSync(join(tmpdir(), "vdk-"));
  private readonly children = new Map<string, ChildProcess>();

  /** Starts both; with a script each, that is run every second. */
  async start(scriptOf?: (host: Station) => string): Promise<void> {
    checkKeepalived();
    for (const [i, host] of this.lan.hosts.entries())
      if (scriptOf === undefined) this.startOn(host, 100 - i * 10);
      else this.startChecked(host, 100 - i * 10, scriptOf(host));
    await this.recorder.answered(VIP, () => true, 0, 15_000);
    await pause(1_500);
  }

  /** The process that forked the VRRP child is the first; both are the daemon. */
  pids(host: string): readonly number[] {
    const pid = this.children.get(host)?.pid ?? 0;
    const listed = spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" }).stdout;
    return [
      pid,
      ...listed
        .split("\n")
        .map(Number)
        .filter((child) => child > 0),
    ];
  }

  startOn(host: Station, priority: number): void {
    this.startWith(host, instance("web", "eth0", 51, priority, `${VIP}/24`));
  }

  private startChecked(host: Station, priority: number, script: string): void {
    const check = `vrrp_script web {\n script ${script}\n interval 1\n fall 1\n rise 1\n user root\n}\n`;
    const tracked = " track_script {\n web\n }\n}\n";
    this.startWith(host, check + instance("web", "eth0", 51, priority, `${VIP}/24`).replace(/\}\n$/u, tracked));
  }

  /** One host that is master of so many instances; an id is good for one of them on an interface. */
  async startMany(count: number): Promise<void> {
    checkKeepalived();
    const [host] = this.lan.hosts;
    if (host === undefined) throw new Error("no host");
    for (let i = 0; i < Math.ceil(count / IDS); i += 1) {
      const [name, far] = [`lan${i}`, `far${i}`];
      host.namespace.exec("ip", "link", "add", name, "type", "veth", "peer", "name", far);
      host.namespace.exec("ip", "link", "set", far, "up");
      host.namespace.exec("ip", "address", "add", `10.80.${i}.1/24`, "dev", name);
      host.namespace.exec("ip", "link", "set", name, "up");
    }
    const text = Array.from({ length: count }, (_, i) =>
      instance(`v${i}`, `lan${Math.floor(i / IDS)}`, (i % IDS) + 1, 100, `10.79.${i >> 8}.${i & 255}/32`),
    );
    this.startWith(host, text.join(""));
    const bound = (): number => host.namespace.exec("ip", "-o", "-4", "address").split("10.79.").length - 1;
    for (let i = 0; bound() < count; i += 1) {
      if (i > 600) throw new Error(`keepalived did not become master of ${count} within a minute`);
      await pause(100);
    }
    await pause(3_000);
  }

  private startWith(host: Station, instances: string): void {
    const file = join(this.directory, `${host.name}.conf`);
    writeFileSync(file, `global_defs {\n vrrp_skip_check_adv_addr\n}\n${instances}`);
    const pid = join(this.directory, host.name);
    const args = [
      "netns",
      "exec",
      host.namespace.name,
      "keepalived",
      "-n",
      "-P",
      "-f",
      file,
      "-p",
      `${pid}.pid`,
      "-r",
      `${pid}-vrrp.pid`,
    ];
    this.children.set(host.name, spawn("ip", args, { stdio: "ignore" }));
  }

  async stop(host: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.children.get(host);
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    for (const host of this.children.keys()) await this.stop(host, "SIGTERM");
    this.recorder.close();
    this.lan.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The client's gaps in milliseconds when the master is stopped, so many times. */
export async function keepalivedGap(count: number, signal: NodeJS.Signals): Promise<readonly number[]> {
  const pair = new KeepalivedPair();
  const gaps: number[] = [];
  try {
    await pair.start();
    for (let i = 0; i < count; i += 1) {
      const master = pair.recorder.hands(VIP).at(-1) ?? "a";
      const from = bootTimeMs();
      await pair.stop(master, signal);
      await pair.recorder.answered(VIP, (host) => host !== master, from, 15_000);
      await pause(300);
      gaps.push(pair.recorder.gapMs(VIP, from));
      const host = pair.lan.hosts.find(({ name }) => name === master);
      if (host !== undefined) pair.startOn(host, 100);
      await pause(2_000);
    }
  } finally {
    await pair.close();
  }
  return gaps;
}
