// What the demo needs of the machine, and how to get it: root, or a user namespace in which a plain user may play root.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { spawn } from "node:child_process";
import process from "node:process";

/** Set in the process that runs inside the user namespace. */
export const INSIDE = "VIPD_DEMO_INSIDE";

const HOW_TO_ALLOW = `The demo makes network namespaces. It can do so in one of two ways:
  as root:          sudo npm run demo
  as a plain user:  allow user namespaces, then npm run demo
                      sudo sysctl -w kernel.unprivileged_userns_clone=1                (Debian 10 and older)
                      sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0    (Ubuntu 24.04 and newer)
                      sudo sysctl -w user.max_user_namespaces=10000                    (where it is 0)
`;

/** Makes sure of the programs and privileges. Returns an exit code when another process has run the demo, or nobody can. */
export async function enterSurroundings(): Promise<number | undefined> {
  if (!hasProgram("ip") && !install("iproute2")) {
    process.stderr.write("The demo needs the program ip: apt install iproute2\n");
    return 69;
  }
  if (process.env[INSIDE] !== undefined) {
    succeed("mount", "-t", "tmpfs", "tmpfs", "/run");
    return undefined;
  }
  if (process.getuid?.() === 0 && mayMakeNamespaces()) return undefined;
  if (spawnSync("unshare", ["-Urnm", "true"]).status !== 0) {
    process.stderr.write(HOW_TO_ALLOW);
    return 77;
  }
  const child = spawn("unshare", ["-Urnm", process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: "1" },
  });
  // An interrupt reaches the whole group; the child cleans up, and this process waits for it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 70;
}

/** Root in a container may still lack the right to make them. */
function mayMakeNamespaces(): boolean {
  const name = `vdprobe${process.pid}`;
  if (spawnSync("ip", ["netns", "add", name]).status !== 0) return false;
  return spawnSync("ip", ["netns", "delete", name]).status === 0;
}

function hasProgram(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

function install(name: string): boolean {
  if (process.getuid?.() !== 0 || !hasProgram("apt-get")) return false;
  process.stdout.write(`installing ${name} ...\n`);
  return spawnSync("apt-get", ["install", "-y", "-qq", name], { stdio: ["ignore", "ignore", "inherit"] }).status === 0;
}

function succeed(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}
