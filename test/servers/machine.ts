// Where a server of a test runs: on the loopback interface of this network namespace, or on a host of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Namespace } from "../linux/namespaces.ts";

/** Where servers run. */
export interface Machine {
  readonly ip: string;
  /** Of a host of its own; `undefined`: this one. */
  readonly namespace?: Namespace;
}

/** This host. */
export const HERE: Machine = { ip: "127.0.0.1" };

/** Starts a program there; what it prints is of no interest. */
export function spawnAt({ namespace }: Machine, command: string, args: readonly string[]): ChildProcess {
  if (namespace === undefined) return spawn(command, args, { stdio: "ignore" });
  return spawn("ip", ["netns", "exec", namespace.name, command, ...args], { stdio: "ignore" });
}

/** Stops a program with SIGSTOP, and waits until none of its threads runs any more; SIGCONT lets it go on. */
export async function stopped(child: ChildProcess | undefined): Promise<void> {
  const pid = child?.pid;
  if (pid === undefined || !child?.kill("SIGSTOP")) throw new Error("there is no process to stop");
  const isStopped = (thread: string): boolean =>
    / T \d/u.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8"));
  await waitFor(`process ${pid} is stopped`, () => readdirSync(`/proc/${pid}/task`).every(isStopped));
}

/** Kills it, whatever it does, and waits until it is dead. */
export async function killed(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGCONT");
  child.kill("SIGKILL");
  await ended;
}

/** So many ports of the loopback interface that nobody uses now. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer();
          server.listen(0, HERE.ip, () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Asks again and again, a little while apart, until it is so; throws after `withinMs`. */
export async function waitFor(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`it did not come to this within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
