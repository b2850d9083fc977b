// One process that runs: its exit, its output, its limit, and the end of everything it has started.

import type { ChildProcessByStdio } from "node:child_process";
import type { Readable } from "node:stream";
import { isVipdError } from "../base/errors.ts";
import { elapsedMs, later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { CommandEnding } from "./command.ts";
import { groupExists, membersOf, signalAll } from "./group.ts";
import type { OutputTail, StreamName } from "./output.ts";

/** How long output may still come after the exit, in milliseconds: what is on its way, no more. */
const DRAIN_MS = 100;

/** How long processes of the group may outlive the command before that counts as left behind, in milliseconds. */
const LINGER_MS = 50;

/**
 * How long SIGKILL may take each time it is sent, in milliseconds. It is sent again for what was forked meanwhile; a process
 * in uninterruptible sleep may take for ever.
 */
const KILL_MS: readonly number[] = [200, 300, 500, 1_000];

/** How often it is looked whether the group has ended: at first, and at most, in milliseconds. */
const FIRST_POLL_MS = 5;
const LONGEST_POLL_MS = 100;

/** What holds for one process. */
export interface RunningOptions {
  /** From SIGTERM to SIGKILL, in milliseconds. */
  readonly graceMs: number;
  readonly maxOutputBytes: number;
  readonly leftovers: "kill" | "keep";
  readonly onOutput?: (stream: StreamName, chunk: Buffer) => void;
}

/** What it needs. */
export interface RunningDeps {
  readonly timers: Timers;
  /** Takes in what is printed. */
  readonly tail: OutputTail;
}

/** A process that was just spawned, as leader of a session of its own. */
export type Child = ChildProcessByStdio<null, Readable, Readable>;

type Exit =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signalled"; readonly signal: string }
  | { readonly kind: "failed"; readonly error: Error };

/** Follows a process to its end. */
export class RunningProcess {
  private readonly child: Child;
  private readonly options: RunningOptions;
  private readonly timers: Timers;
  private readonly tail: OutputTail;
  private readonly exit: Promise<Exit>;
  private readonly closed: Promise<void>;
  private readonly flood: Promise<void>;
  private hasExited = false;
  /** Members that even SIGKILL did not end. */
  unkillable: readonly number[] = [];

  constructor(child: Child, options: RunningOptions, { timers, tail }: RunningDeps) {
    this.child = child;
    this.options = options;
    this.timers = timers;
    this.tail = tail;
    this.exit = new Promise((resolve) => {
      child.once("exit", (status, signal) =>
        resolve(signal === null ? { kind: "exited", status: status ?? 0 } : { kind: "signalled", signal }),
      );
      child.on("error", (error) => resolve({ kind: "failed", error }));
    });
    void this.exit.then(() => (this.hasExited = true));
    this.closed = new Promise((resolve) => child.once("close", () => resolve()));
    this.flood = new Promise((resolve) => {
      this.listen("stdout", resolve);
      this.listen("stderr", resolve);
    });
  }

  /** Waits for the end; an abort of `signal` brings it about. An Error is why it never ran. */
  async end(signal: AbortSignal): Promise<CommandEnding | Error> {
    const { exit, flood } = this;
    const aborted = abortOf(signal);
    try {
      const first = await Promise.race([exit, flood.then(() => "flooded"), aborted.promise.then(() => "aborted")]);
      if (typeof first === "object") return await this.afterExit(first);
      await this.terminate();
      if (first === "flooded") return { kind: "flooded", bytes: this.tail.bytes };
      return { kind: isVipdError(signal.reason, "timeout") ? "timed-out" : "stopped" };
    } finally {
      aborted.clear();
      this.letGo();
    }
  }

  private listen(name: StreamName, flooded: () => void): void {
    const stream = this.child[name];
    stream.on("data", (chunk: Buffer) => {
      this.tail.push(name, chunk);
      this.options.onOutput?.(name, chunk);
      if (this.tail.bytes <= this.options.maxOutputBytes) return;
      this.hangUp();
      flooded();
    });
    // A stream that breaks has no more output; how the process ended is told by its exit.
    stream.on("error", () => stream.destroy());
  }

  private async afterExit(exit: Exit): Promise<CommandEnding | Error> {
    if (exit.kind === "failed") return exit.error;
    const drained = await this.within(DRAIN_MS, this.closed);
    if (this.options.leftovers === "keep" || !(await this.hasLeftovers(drained))) return exit;
    await this.terminate();
    return exit.kind === "exited" ? { kind: "left-processes", status: exit.status } : exit;
  }

  /** Whether members live on: of the group, or, when somebody still holds the output open, of the session. */
  private async hasLeftovers(drained: boolean): Promise<boolean> {
    const leader = this.child.pid ?? 0;
    if (drained && !groupExists(leader)) return false;
    return !(await this.gone(LINGER_MS));
  }

  private async terminate(): Promise<void> {
    const leader = this.child.pid ?? 0;
    signalAll(leader, "SIGTERM");
    if (await this.gone(this.options.graceMs)) return;
    for (const waitMs of KILL_MS) {
      signalAll(leader, "SIGKILL");
      if (await this.gone(waitMs)) return;
    }
    this.unkillable = membersOf(leader);
  }

  /** Whether the process and all members have ended within the time. */
  private async gone(withinMs: number): Promise<boolean> {
    const end = later(this.timers.now(), withinMs);
    await this.within(withinMs, this.exit);
    for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_POLL_MS)) {
      if (this.hasExited && membersOf(this.child.pid ?? 0).length === 0) return true;
      const restMs = elapsedMs(this.timers.now(), end);
      if (restMs <= 0) return false;
      await this.within(Math.min(pauseMs, restMs));
    }
  }

  /** Whether the promise was settled within the time; without one, only waits. */
  private async within(ms: number, promise?: Promise<unknown>): Promise<boolean> {
    let cancel = (): void => {};
    const timeout = new Promise<false>((resolve) => {
      cancel = this.timers.at(later(this.timers.now(), ms), () => resolve(false));
    });
    const settled = promise === undefined ? timeout : Promise.race([promise.then(() => true), timeout]);
    try {
      return await settled;
    } finally {
      cancel();
    }
  }

  /** Whoever still holds the other ends: nobody reads here any more, and this process need not wait for it. */
  private letGo(): void {
    this.hangUp();
    if (!this.hasExited) this.child.unref();
  }

  private hangUp(): void {
    this.child.stdout.destroy();
    this.child.stderr.destroy();
  }
}

function abortOf(signal: AbortSignal): { readonly promise: Promise<void>; readonly clear: () => void } {
  let onAbort = (): void => {};
  const promise = new Promise<void>((resolve) => {
    onAbort = resolve;
    if (signal.aborted) resolve();
    signal.addEventListener("abort", onAbort, { once: true });
  });
  return { promise, clear: () => signal.removeEventListener("abort", onAbort) };
}
