// One process that runs: its exit, its output, its limit, and the end of everything it has started.

import { isVipdError } from "../base/errors.ts";
import { elapsedMs, type Instant, later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { OnOutput, ProgramExit, StartedProgram, StreamName } from "../ports/programs.ts";
import type { CommandEnding } from "./command.ts";
import { membersOf, signalGroup, signalProcess } from "./group.ts";
import type { OutputTail } from "./output.ts";

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
  readonly onOutput?: OnOutput;
}

/** What it needs. */
export interface RunningDeps {
  readonly timers: Timers;
  /** Takes in what is printed. */
  readonly tail: OutputTail;
}

/** Follows a process to its end. */
export class RunningProcess {
  private readonly program: StartedProgram;
  private readonly options: RunningOptions;
  private readonly timers: Timers;
  private readonly tail: OutputTail;
  private readonly flood: Promise<void>;
  private flooded: () => void = () => {};
  private hasExited = false;
  private isClosed = false;
  /** Members that even SIGKILL did not end. */
  unkillable: readonly number[] = [];

  /** Throws what `start` throws. */
  constructor(start: (onOutput: OnOutput) => StartedProgram, options: RunningOptions, { timers, tail }: RunningDeps) {
    this.options = options;
    this.timers = timers;
    this.tail = tail;
    this.flood = new Promise((resolve) => (this.flooded = resolve));
    this.program = start((stream, chunk) => this.take(stream, chunk));
    void this.program.exit.then(() => (this.hasExited = true));
    void this.program.closed.then(() => (this.isClosed = true));
  }

  /** Waits for the end; an abort of `signal` brings it about. An Error is why it never ran. */
  async end(signal: AbortSignal): Promise<CommandEnding | Error> {
    const { flood } = this;
    const { exit } = this.program;
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

  private take(stream: StreamName, chunk: Buffer): void {
    this.tail.push(stream, chunk);
    this.options.onOutput?.(stream, chunk);
    if (this.tail.bytes <= this.options.maxOutputBytes) return;
    this.program.hangUp();
    this.flooded();
  }

  private async afterExit(exit: ProgramExit): Promise<CommandEnding | Error> {
    if (exit.kind === "failed") return exit.error;
    const drained = this.isClosed || (await this.within(DRAIN_MS, this.program.closed));
    if (this.options.leftovers === "keep" || !(await this.hasLeftovers(drained))) return exit;
    await this.terminate();
    return exit.kind === "exited" ? { kind: "left-processes", status: exit.status } : exit;
  }

  /** Whether members live on: of the group, or, when somebody still holds the output open, of the session. */
  private async hasLeftovers(drained: boolean): Promise<boolean> {
    const isGroupGone = await this.groupGone(later(this.timers.now(), LINGER_MS));
    return !(isGroupGone && drained) && (await membersOf(this.leader)).length > 0;
  }

  private async terminate(): Promise<void> {
    if (await this.endBy("SIGTERM", this.options.graceMs)) return;
    for (const waitMs of KILL_MS) if (await this.endBy("SIGKILL", waitMs)) return;
    this.unkillable = (await membersOf(this.leader)).map(({ pid }) => pid);
  }

  /** Signals the group, then those of the session that have left it; whether all have ended within the time. */
  private async endBy(name: NodeJS.Signals, withinMs: number): Promise<boolean> {
    const end = later(this.timers.now(), withinMs);
    signalGroup(this.leader, name);
    await this.groupGone(end);
    let members = await membersOf(this.leader);
    for (const { pid, group } of members) if (group !== this.leader) signalProcess(pid, name);
    while (members.length > 0 && this.timers.now() < end) members = await membersOf(this.leader);
    return members.length === 0 && this.hasExited;
  }

  /** Whether the process has ended, and the group with it, by this instant. */
  private async groupGone(by: Instant): Promise<boolean> {
    if (!this.hasExited) await this.within(elapsedMs(this.timers.now(), by), this.program.exit);
    for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_POLL_MS)) {
      if (this.hasExited && !this.program.groupExists()) return true;
      const restMs = elapsedMs(this.timers.now(), by);
      if (restMs <= 0) return false;
      await this.within(Math.min(pauseMs, restMs));
    }
  }

  private get leader(): number {
    return this.program.pid;
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
    this.program.hangUp();
    if (!this.hasExited) this.program.unref();
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
