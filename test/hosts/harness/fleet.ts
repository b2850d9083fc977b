// A fleet of real daemons on the hosts of a LAN, on one SQLite file.

import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AdminClient, adminClient } from "../../../src/admin/client.ts";
import type { StatusView } from "../../../src/admin/views.ts";
import type { Lan, Station } from "./lan.ts";

const ROOT = join(import.meta.dirname, "../../..");
const NODE = join(createRequire(import.meta.url).resolve("node/package.json"), "../bin/node");

/** How a daemon is configured; the rest is the fleet's. */
export interface NodeSettings {
  readonly node?: string;
  readonly ttl?: string;
  /** Text of the `vips:` block, indented by two. */
  readonly vips: string;
  /** `null`: none. */
  readonly store?: string | null;
  readonly stateDir?: string;
  readonly extra?: string;
  /** "debug" unless told otherwise. */
  readonly logLevel?: string;
}

/** The VIP that most tests move. */
export const VIP = "10.77.0.50";
export const VIP6 = "2001:db8:77::50";

/** The usual block: one VIP with that priority. */
export function oneVip(priority: number, more = ""): string {
  return `  web:\n    interface: eth0\n    addresses: [${VIP}/24, "${VIP6}/64"]\n    priority: ${priority}\n${more}`;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program that has run to its end. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A started daemon. */
export class DaemonProcess {
  readonly host: Station;
  readonly pid: number;
  readonly admin: AdminClient;
  readonly ended: Promise<Ending>;
  readonly logFile: string;
  running = true;

  constructor(host: Station, child: ChildProcess, socket: string, logFile: string) {
    this.host = host;
    this.pid = child.pid ?? 0;
    this.admin = adminClient(socket);
    this.logFile = logFile;
    this.ended = new Promise((resolve) =>
      child.once("exit", (code, signal) => {
        this.running = false;
        resolve({ code, signal });
      }),
    );
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, name);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** What it has logged and printed so far. */
  log(): string {
    return readFileSync(this.logFile, "utf8");
  }

  /** The first status that fits; follows the daemon's own news. Rejects after `withinMs`. */
  async until(what: string, fits: (status: StatusView) => boolean, withinMs = 10_000): Promise<StatusView> {
    const end = performance.now() + withinMs;
    let seen: StatusView | undefined;
    while (performance.now() < end) {
      const signal = AbortSignal.timeout(Math.max(1, Math.ceil(end - performance.now())));
      try {
        for await (const status of this.admin.watch({ timeoutMs: withinMs, signal })) {
          seen = status;
          if (fits(status)) return status;
        }
      } catch (error) {
        if (!this.running)
          throw new Error(`the daemon of ${this.host.name} ended before: ${what}\n${this.log()}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    throw new Error(
      `${this.host.name} did not come to this within ${withinMs} ms: ${what}\n${JSON.stringify(seen?.elections)?.slice(0, 4_000)}\n${this.log().slice(-20_000)}`,
    );
  }

  holds(election = "web", withinMs = 10_000): Promise<StatusView> {
    return this.until(`holds ${election}`, (status) => roleIn(status, election) === "holder", withinMs);
  }

  backs(election = "web", withinMs = 10_000): Promise<StatusView> {
    return this.until(
      `is a candidate for ${election}, and somebody holds it`,
      (status) =>
        roleIn(status, election) === "candidate" &&
        status.elections.some((e) => e.name === election && e.holder !== null),
      withinMs,
    );
  }
}

function roleIn(status: StatusView, election: string): string | null | undefined {
  return status.elections.find(({ name }) => name === election)?.role;
}

/** The fleet: its directory with store, configurations and logs, and every process that it started. */
export class Fleet {
  readonly lan: Lan;
  readonly directory = mkdtempSync(join(tmpdir(), "vd-"));
  readonly store = `sqlite:${join(this.directory, "store", "fleet.db")}`;
  private readonly daemons = new Set<DaemonProcess>();
  /** What daemons get in their environment, besides this process's own. */
  readonly env: Record<string, string> = {};
  /** The Node.js that runs them. */
  readonly node = NODE;
  private readonly programs: string;
  private starts = 0;

  /** `programs`: where the programs are, from the top of the project: as they are written, or built. */
  constructor(lan: Lan, programs: "src/bin" | "dist/bin" = "src/bin") {
    this.lan = lan;
    this.programs = programs;
    mkdirSync(join(this.directory, "store"));
  }

  /** The command line of one of the programs. */
  program(name: "vipd" | "vipctl"): readonly string[] {
    const ending = this.programs === "src/bin" ? "ts" : "js";
    return [NODE, "--no-warnings", join(ROOT, this.programs, `${name}.${ending}`)];
  }

  socketOf(host: Station, node = host.name): string {
    return join(this.directory, `${host.name}-${node}.sock`);
  }

  configFile(host: Station, node = host.name): string {
    return join(this.directory, `${host.name}-${node}.yaml`);
  }

  /** Writes a host's configuration without starting anything. */
  configure(host: Station, settings: NodeSettings): string {
    const node = settings.node ?? host.name;
    const file = this.configFile(host, node);
    const lines = [
      `node: ${node}`,
      "fleet: test",
      settings.store === null ? "" : `store: ${settings.store ?? this.store}`,
      `ttl: ${settings.ttl ?? "1s"}`,
      `stateDir: ${settings.stateDir ?? join(this.directory, `state-${host.name}-${node}`)}`,
      "admin:",
      `  socket: ${this.socketOf(host, node)}`,
      "log:",
      `  level: ${settings.logLevel ?? "debug"}`,
      "  format: json",
      settings.extra ?? "",
      "vips:",
      settings.vips,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    return file;
  }

  /** Starts a daemon; `until` or `holds` tells when it is up. */
  start(host: Station, settings: NodeSettings): DaemonProcess {
    return this.startFile(host, this.configure(host, settings), settings.node ?? host.name);
  }

  /** Starts a daemon again with the configuration that it had. */
  restart(host: Station, node = host.name): DaemonProcess {
    return this.startFile(host, this.configFile(host, node), node);
  }

  /** Runs vipctl on a host. */
  vipctl(host: Station, args: readonly string[], onOutput: (text: string) => void = () => {}): Promise<Finished> {
    return capture(host, [...this.program("vipctl"), ...args], onOutput);
  }

  /** Runs vipd on a host to its end, by way of another program if need be. */
  vipd(host: Station, args: readonly string[], by: readonly string[] = []): Promise<Finished> {
    return capture(host, [...by, ...this.program("vipd"), ...args], () => {});
  }

  /** The logs of all daemons, with their names. */
  logs(): readonly string[] {
    return [...this.daemons].map((daemon) => `--- ${daemon.host.name} (${daemon.logFile})\n${daemon.log()}`);
  }

  /** What all daemons of a host have logged. */
  logOf(host: Station): string {
    return [...this.daemons].flatMap((daemon) => (daemon.host === host ? [daemon.log()] : [])).join("");
  }

  /** Ends every process, then removes the directory. */
  async close(): Promise<void> {
    for (const daemon of this.daemons) {
      daemon.signal("SIGCONT");
      await daemon.kill();
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  private startFile(host: Station, file: string, node: string): DaemonProcess {
    this.starts += 1;
    const logFile = join(this.directory, `${host.name}-${node}-${this.starts}.log`);
    const log = createWriteStream(logFile, { flags: "a" });
    const child = spawn("ip", ["netns", "exec", host.namespace.name, ...this.program("vipd"), "-c", file], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: ROOT,
      env: { ...process.env, ...this.env },
    });
    writeFileSync(logFile, "");
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const daemon = new DaemonProcess(host, child, this.socketOf(host, node), logFile);
    this.daemons.add(daemon);
    return daemon;
  }
}

function capture(host: Station, command: readonly string[], onOutput: (text: string) => void): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn("ip", ["netns", "exec", host.namespace.name, ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: ROOT,
      timeout: 20_000,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      onOutput(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
