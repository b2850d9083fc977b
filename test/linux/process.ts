// A child process that answers line by line, and can be stopped and killed.

import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Interface } from "node:readline";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { VipAddress } from "../../src/base/vip.ts";
import type { Namespace, Wire } from "./namespaces.ts";

const DEADLINE_MS = 8_000;

/** A script of this folder, run by this Node; `before` are programs that run it, as `ip netns exec`. */
export class Script {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;
  readonly #exit: Promise<unknown>;

  constructor(before: readonly string[], script: string, ...args: readonly string[]) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const [command = "", ...rest] = [...before, process.execPath, path, ...args];
    this.#child = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#exit = once(this.#child, "exit");
  }

  /** The process id; 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The next line that it prints, as JSON. */
  async line(): Promise<unknown> {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const [text] = (await once(this.#lines, "line", { signal })) as [string];
    return JSON.parse(text);
  }

  /** Gives it a line, and its answer. */
  async ask(command: string): Promise<unknown> {
    const answer = this.line();
    this.#child.stdin.write(`${command}\n`);
    return answer;
  }

  /** Sends a signal to this process alone. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Kills it and waits until it is dead. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }

  /** Closes its input and waits until it has ended by itself. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    await this.#exit;
  }
}

/** A process that guards these addresses in `namespace`, ready; killed when the wire closes. */
export async function startHolder(
  wire: Wire,
  namespace: Namespace,
  mode: string,
  vips: readonly VipAddress[],
): Promise<Script> {
  const holder = new Script(["ip", "netns", "exec", namespace.name], "holder.ts", mode, JSON.stringify(vips));
  wire.onClose(() => holder.signal("SIGKILL"));
  const ready = await holder.line();
  if (typeof ready !== "object" || ready === null || !("kind" in ready))
    throw new Error(`no holder: ${JSON.stringify(ready)}`);
  return holder;
}

/** Until when a holder has opened, by its answer to `hold`. */
export function untilOf(answer: unknown): number {
  if (typeof answer === "object" && answer !== null && "until" in answer && typeof answer.until === "number")
    return answer.until;
  throw new Error(`no hold: ${JSON.stringify(answer)}`);
}
