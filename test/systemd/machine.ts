// A machine whose process 1 is a real systemd, on a LAN of tests: see boot.sh. Its processes, mounts and cgroups are its
// own, and end with it; it ends with this process.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCgroup, removeCgroup } from "./cgroup.ts";

const BOOT_MS = 60_000;
const COMMAND_MS = 60_000;
const UNSHARE = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"];

/** Joins the cgroup before the cgroup namespace is made, so that it is the root of it. */
const ENTER = 'echo 0 >"$0/cgroup.procs" && exec unshare --cgroup "$@"';

/** The command that runs another as process 1 of new namespaces, within a cgroup of its own. */
function contain(cgroup: string, ...command: readonly string[]): readonly string[] {
  return [...UNSHARE, "sh", "-c", ENTER, cgroup, ...command];
}

/** What a machine is made of. */
export interface Parts {
  readonly name: string;
  /** Name of the network namespace. */
  readonly network: string;
  /** The directory that becomes /usr/local; it has an empty file bin/node. */
  readonly local: string;
  readonly node: string;
}

/** A program that has run to its end on a machine. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why no such machine can be made here; undefined when it can. */
export async function ineligibleReason(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "a machine with its own systemd needs root";
  if (spawnSync("test", ["-x", "/usr/lib/systemd/systemd"]).status !== 0) return "systemd is not installed here";
  let cgroup: string | undefined;
  try {
    cgroup = makeCgroup(`vipd-probe-${randomBytes(4).toString("hex")}`);
    const mounts = "mount -t tmpfs t /tmp; for k in proc sysfs cgroup2; do mkdir /tmp/$k; mount -t $k t /tmp/$k; done";
    const [command = "", ...args] = contain(cgroup, "--net", "sh", "-ec", mounts);
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8", timeout: COMMAND_MS });
    return status === 0 ? undefined : `no namespaces with a systemd of their own: ${stderr.trim()}`;
  } catch (error) {
    return `no cgroup for a systemd of its own: ${String(error)}`;
  } finally {
    if (cgroup !== undefined) await removeCgroup(cgroup);
  }
}

/** A booted machine. */
export class Machine {
  private readonly child: ChildProcess;
  private readonly directory: string;
  private readonly cgroup: string;
  private readonly ended: Promise<void>;
  private output = "";
  private running = true;

  private constructor({ name, network, local, node }: Parts) {
    this.cgroup = makeCgroup(`vipd-test-${randomBytes(4).toString("hex")}`);
    this.directory = mkdtempSync(join(tmpdir(), "vdm-"));
    const boot = ["sh", join(import.meta.dirname, "boot.sh"), this.directory, local, node, name];
    this.child = spawn("nsenter", [`--net=/run/netns/${network}`, ...contain(this.cgroup, ...boot)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    this.ended = new Promise((resolve) =>
      this.child.once("close", () => {
        this.running = false;
        resolve();
      }),
    );
  }

  /** Boots a machine, and waits until systemd has started what there is. */
  static async boot(parts: Parts): Promise<Machine> {
    const machine = new Machine(parts);
    try {
      const end = performance.now() + BOOT_MS;
      for (;;) {
        const { stdout } = await machine.run("systemctl", "is-system-running");
        if (["running", "degraded"].includes(stdout.trim())) return machine;
        if (!machine.running || performance.now() > end)
          throw new Error(`the machine did not come up (${stdout.trim()}):\n${machine.output}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } catch (error) {
      await machine.close();
      throw error;
    }
  }

  /** Runs a program on the machine to its end, as root. */
  run(...command: readonly string[]): Promise<Finished> {
    const first = this.firstProcess();
    if (first === undefined) return Promise.resolve({ code: null, stdout: "", stderr: "the machine is not up" });
    const environment = [
      "env",
      "-C",
      "/",
      "-i",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
      "HOME=/root",
    ];
    return new Promise((resolve, reject) => {
      const child = spawn("nsenter", ["-t", first, "-a", ...environment, ...command], {
        stdio: ["ignore", "pipe", "pipe"],
        timeout: COMMAND_MS,
      });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, stdout, stderr }));
    });
  }

  /** Runs a program that must succeed, and gives what it printed. */
  async must(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Runs a line of shell that must succeed. */
  sh(line: string): Promise<string> {
    return this.must("sh", "-ec", line);
  }

  /** Switches it off as a plug that is pulled, and removes what was made for it. */
  async close(): Promise<void> {
    const first = this.firstProcess();
    if (first !== undefined) process.kill(Number(first), "SIGKILL");
    else this.child.kill("SIGKILL");
    await this.ended;
    await removeCgroup(this.cgroup);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Its process 1, as this machine numbers it. */
  private firstProcess(): string | undefined {
    if (!this.running) return undefined;
    const { pid } = this.child;
    try {
      return /^\d+/u.exec(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1"))?.[0];
    } catch {
      return undefined;
    }
  }
}
