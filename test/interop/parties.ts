// The two parties of an interop test on one cable: a virtual router of this program, and a real keepalived.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { NO_AUTHENTICATION, type VrrpAuthentication } from "../../src/base/vrrp.ts";
import type { VrrpEffect, VrrpEvent } from "../../src/vrrp/state.ts";
import { eventually, type Namespace, type Wire } from "../linux/namespaces.ts";
import type { RouterOptions } from "./router.ts";

/** How both speak; the addresses are those of a Wire's host (ours) and peer (keepalived's). */
export interface Dialect {
  readonly version: 2 | 3;
  readonly intervalMs: number;
  readonly vip: string;
  readonly own: string;
  readonly theirs: string;
  readonly unicast: boolean;
  readonly password?: string;
}

/** Both ends' IPv4 and IPv6 addresses; the link-local ones are put there by `addLinkLocals`. */
export const V4 = { vip: "10.77.0.50", own: "10.77.0.1", theirs: "10.77.0.2" };
export const V6 = { vip: "2001:db8:77::50", own: "2001:db8:77::1", theirs: "2001:db8:77::2" };
export const LINK_LOCAL = { vip: "fe80::50", own: "fe80::77:1", theirs: "fe80::77:2" };

/** Gives both ends of the cable their link-local addresses. */
export function addLinkLocals(wire: Wire): void {
  for (const [end, ip] of [
    [wire.host, LINK_LOCAL.own],
    [wire.peer, LINK_LOCAL.theirs],
  ] as const)
    end.exec("ip", "address", "add", `${ip}/64`, "dev", "eth0", "nodad");
}

/** Whether an end of the cable has the address on an interface. */
export function has(end: Namespace, ip: string, link = "eth0"): boolean {
  const lines = end.exec("ip", "-o", "address", "show").split("\n");
  return lines.some((line) => line.includes(`: ${link} `) && line.includes(` ${ip}/`));
}

/** An effect with the moment at which it was asked for, CLOCK_BOOTTIME in milliseconds. */
export type Line = VrrpEffect & { readonly at: number };

/** A virtual router of this program, running in a namespace. */
export class Router {
  readonly lines: Line[] = [];
  readonly child: ChildProcess;
  private readonly exit: Promise<unknown>;

  constructor(wire: Wire, dialect: Dialect, priority: number, more: Partial<RouterOptions["router"]> = {}) {
    const { version, intervalMs, vip, own, theirs, unicast, password } = dialect;
    const reach = unicast ? ({ kind: "unicast", peers: [theirs] } as const) : ({ kind: "multicast" } as const);
    const authentication: VrrpAuthentication =
      password === undefined ? NO_AUTHENTICATION : { kind: "password", password };
    const router = { vrid: 51, version, intervalMs, addresses: [vip], source: own, reach, priority, ...more };
    const options: RouterOptions = { router, authentication, prefix: vip.includes(":") ? 64 : 24 };
    const file = fileURLToPath(new URL("router.ts", import.meta.url));
    const args = ["netns", "exec", wire.host.name, process.execPath, file, JSON.stringify(options)];
    const child = spawn("ip", args, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: child.stdout }).on("line", (text) => this.lines.push(JSON.parse(text) as Line));
    this.child = child;
    this.exit = once(child, "exit");
    wire.onClose(() => child.kill("SIGKILL"));
  }

  post(event: VrrpEvent): void {
    this.child.stdin?.write(`${JSON.stringify(event)}\n`);
  }

  /** The effects of a type after `since`. */
  after<T extends Line["type"]>(since: number, type: T): readonly Extract<Line, { type: T }>[] {
    return this.lines.filter((line): line is Extract<Line, { type: T }> => line.at >= since && line.type === type);
  }

  /** Where it stands. */
  get phase(): string {
    return this.lines.findLast((line) => line.type === "moved")?.to ?? "";
  }

  async until(phase: string, limitMs = 8_000): Promise<number> {
    await eventually(`the router is ${phase}`, () => this.phase === phase, limitMs);
    return this.lines.findLast((line) => line.type === "moved")?.at ?? 0;
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    await this.exit;
  }
}

/** Where a keepalived runs, and who ends it. */
export type KeepalivedHost = Pick<Wire, "peer" | "onClose">;

/** A keepalived in the peer's namespace. */
export class Keepalived {
  private readonly wire: KeepalivedHost;
  private readonly dialect: Dialect;
  private readonly directory = mkdtempSync(join(tmpdir(), "vdki-"));
  private child: ChildProcess | null = null;

  constructor(wire: KeepalivedHost, dialect: Dialect) {
    this.wire = wire;
    this.dialect = dialect;
    wire.onClose(() => {
      for (const pid of this.pids()) kill(pid);
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  /** Starts it; `extra` are lines of its instance. */
  start(priority: number, extra = ""): this {
    const { version, intervalMs, vip, own, theirs, unicast, password } = this.dialect;
    const lines = [
      "state BACKUP",
      "interface eth0",
      "virtual_router_id 51",
      `priority ${priority}`,
      `version ${version}`,
      `advert_int ${intervalMs / 1000}`,
      unicast ? `unicast_src_ip ${theirs}\nunicast_peer {\n${own}\n}` : "",
      password === undefined ? "" : `authentication {\nauth_type PASS\nauth_pass ${password}\n}`,
      extra,
      `virtual_ipaddress {\n${vip}/${vip.includes(":") ? 64 : 24}\n}`,
    ];
    return this.startWith(`vrrp_instance web {\n${lines.filter((line) => line !== "").join("\n")}\n}\n`);
  }

  /** Starts it with a configuration of the caller's. */
  startWith(configuration: string): this {
    const file = this.configure(configuration);
    const files = ["-f", file, "-p", join(this.directory, "pid"), "-r", join(this.directory, "vrrp.pid")];
    const args = ["netns", "exec", this.wire.peer.name, "keepalived", "-n", "-l", "-D", "-P", ...files];
    this.child = spawn("ip", args, { stdio: "ignore" });
    return this;
  }

  /** Another configuration takes the place of the one that it runs with. */
  reload(configuration: string): void {
    this.configure(configuration);
    // The child is ip, which has become keepalived.
    this.child?.kill("SIGHUP");
  }

  private configure(configuration: string): string {
    const file = join(this.directory, "keepalived.conf");
    writeFileSync(file, configuration);
    return file;
  }

  get holds(): boolean {
    return has(this.wire.peer, this.dialect.vip, "eth0") || has(this.wire.peer, this.dialect.vip, "vrrp.51");
  }

  /** Waits until it listens to adverts on its own macvlan device, with use_vmac. */
  async untilListening(limitMs = 8_000): Promise<void> {
    const groups = (): string => this.wire.peer.exec("cat", "/proc/net/igmp", "/proc/net/igmp6");
    const isIpv6 = this.dialect.vip.includes(":");
    const group = isIpv6 ? /vrrp\.51 +ff020{26}12 /u : /vrrp\.51[^]*?120000E0/u;
    const listens = (): boolean => group.test(groups());
    await eventually("keepalived listens with its virtual MAC", listens, limitMs);
  }

  /** Waits until it has bound the address; the moment. */
  async untilMaster(limitMs = 8_000): Promise<number> {
    await eventually("keepalived is master", () => this.holds, limitMs);
    return bootTimeMs();
  }

  async untilBackup(limitMs = 8_000): Promise<number> {
    await eventually("keepalived is backup", () => !this.holds, limitMs);
    return bootTimeMs();
  }

  /** Ends it in order: it says farewell. */
  async stop(): Promise<void> {
    await this.end("SIGTERM");
  }

  /** Kills the daemon and its child. What they leave behind goes: the address, and files that name them as running. */
  async crash(): Promise<void> {
    const pids = this.pids();
    for (const pid of pids) kill(pid);
    await this.end("SIGKILL");
    for (const file of ["pid", "vrrp.pid"]) rmSync(join(this.directory, file), { force: true });
    const { vip } = this.dialect;
    if (this.holds) this.wire.peer.exec("ip", "address", "del", `${vip}/${vip.includes(":") ? 64 : 24}`, "dev", "eth0");
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  /** The VRRP child, and the daemon behind it: a child that sees its daemon die says farewell. */
  private pids(): readonly number[] {
    const pid = this.child?.pid;
    if (pid === undefined) return [];
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
      return [
        ...children
          .split(" ")
          .map(Number)
          .filter((child) => child > 0),
        pid,
      ];
    } catch {
      // It has ended.
      return [];
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
