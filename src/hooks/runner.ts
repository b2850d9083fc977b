// Runs hooks: in order and one at a time for each election, the latest state always told, each within its time limit. A hook
// that is slow delays no lease: nothing waits for it but the hooks behind it, and a daemon that stops, for a while.

import { messageOf, VipdError } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { Logger } from "../ports/logger.ts";
import { endingInWords, type FinishedCommand } from "../process/command.ts";
import { type RunDeps, runCommand } from "../process/run.ts";
import { timeLimit } from "../runtime/time-limit.ts";
import { environmentOf, type HookEvent, type HookState, keepalivedArguments } from "./event.ts";
import { Lane } from "./lane.ts";
import type { HookOptions, HookTrigger } from "../config/hook-options.ts";
import { OutputLog } from "./output-log.ts";

/** So many hooks run at once at most, of all elections together: a host that takes a thousand VIPs forks in turn. */
const MOST_AT_ONCE = 16;

/** What the runner needs. */
export interface HookRunnerDeps extends RunDeps {
  readonly log: Logger;
}

interface Election {
  readonly lane: Lane;
  isBusy: boolean;
  /** The state that hooks were last told of. */
  told: HookState | null;
}

const TRIGGERS: Readonly<Record<HookState, HookTrigger>> = {
  MASTER: "onMaster",
  BACKUP: "onBackup",
  FAULT: "onFault",
  STOP: "onStop",
  CONFLICT: "onConflict",
};

/** All hooks of a node. */
export class HookRunner {
  private readonly deps: HookRunnerDeps;
  private hooks: ReadonlyMap<string, readonly HookOptions[]> = new Map();
  private readonly elections = new Map<string, Election>();
  /** Elections whose turn comes when one of those that run has ended. */
  private readonly queue = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  private readonly ending = new AbortController();
  private isStopping = false;

  constructor(deps: HookRunnerDeps) {
    this.deps = deps;
  }

  /** Sets the hooks of each election. What runs, runs on; what waits for an election that is gone is told as it was planned. */
  plan(hooks: ReadonlyMap<string, readonly HookOptions[]>): void {
    const isWaiting = ([name]: readonly [string, unknown]): boolean => this.elections.get(name)?.lane.isEmpty === false;
    this.hooks = new Map([...[...this.hooks].filter(isWaiting), ...hooks]);
  }

  /** Tells the hooks of an event as soon as it is their turn. */
  post(event: HookEvent): void {
    const { election: name, state } = event;
    if (this.isStopping) return this.deps.log.warn({ election: name, state }, "a hook came after the stop: not run");
    const election = this.elections.get(name) ?? { lane: new Lane(), isBusy: false, told: null };
    this.elections.set(name, election);
    this.noteDropped(election.lane.push(event), `${state} came before it began`);
    this.queue.add(name);
    this.next();
  }

  /**
   * Waits until all that was posted has been told, at most `withinMs`; then stops what runs, and drops the rest with a word
   * in the log. Settles some seconds after that at the latest.
   */
  async stop(withinMs: number): Promise<void> {
    this.isStopping = true;
    const { timers } = this.deps;
    const cancel = timers.at(later(timers.now(), withinMs), () => {
      for (const { lane } of this.elections.values())
        for (let event = lane.shift(); event !== undefined; event = lane.shift())
          this.noteDropped(event, "the daemon stops");
      this.ending.abort(new VipdError("aborted", "the daemon stops"));
    });
    while (this.running.size > 0) await Promise.race(this.running);
    cancel();
  }

  private next(): void {
    for (const name of this.queue) {
      if (this.running.size >= MOST_AT_ONCE) return;
      const election = this.elections.get(name);
      if (election?.isBusy === true) continue;
      this.queue.delete(name);
      const event = election?.lane.shift();
      if (election !== undefined && event !== undefined) this.begin(election, event);
    }
  }

  private begin(election: Election, event: HookEvent): void {
    election.isBusy = true;
    const work = this.tell(election, event).then(() => {
      this.running.delete(work);
      election.isBusy = false;
      if (!election.lane.isEmpty) this.queue.add(event.election);
      return this.next();
    });
    this.running.add(work);
  }

  private async tell(election: Election, event: HookEvent): Promise<void> {
    const told = { ...event, previous: election.told ?? event.previous };
    if (event.state !== "CONFLICT") election.told = event.state;
    for (const hook of this.hooksFor(event)) {
      try {
        await this.runHook(hook, told);
      } catch (error) {
        const { election: name, state } = event;
        this.deps.log.error({ election: name, state, error: messageOf(error) }, "a hook broke: please report this");
      }
    }
  }

  private hooksFor({ election, state }: HookEvent): readonly HookOptions[] {
    return (this.hooks.get(election) ?? []).filter(
      (hook) =>
        hook.on === TRIGGERS[state] ||
        (hook.on === "notify" && !(state === "CONFLICT" && hook.arguments === "keepalived")),
    );
  }

  private async runHook(hook: HookOptions, event: HookEvent): Promise<void> {
    const { timers, startProgram, log } = this.deps;
    const { election, state } = event;
    const name = hook.argv[0] ?? "";
    const output = new OutputLog({
      clock: timers,
      write: (stream, line) => log.info({ election, state, hook: name, stream }, line),
    });
    const limit = timeLimit(timers, hook.timeoutMs, `hook ${name}`, this.ending.signal);
    const argv = hook.arguments === "keepalived" ? [...hook.argv, ...keepalivedArguments(event)] : hook.argv;
    const limits = {
      maxOutputBytes: Number.POSITIVE_INFINITY,
      leftovers: "kill",
      environment: environmentOf(event),
      onOutput: (stream: "stdout" | "stderr", chunk: Buffer) => output.push(stream, chunk),
    } as const;
    try {
      this.report(
        event,
        hook,
        await runCommand({ ...hook, argv }, limits, { timers, startProgram }, limit.signal),
        output,
      );
    } finally {
      limit.clear();
    }
  }

  private report(event: HookEvent, hook: HookOptions, finished: FinishedCommand, output: OutputLog): void {
    output.end();
    const { election, state } = event;
    const name = hook.argv[0] ?? "";
    const { ending, tookMs, unkillable } = finished;
    const skippedBytes = output.skippedBytes;
    const fields = { election, state, hook: name, tookMs: Math.round(tookMs), unkillable, skippedBytes };
    const text = `hook ${name} for ${election} ${state}: ${endingInWords(ending)}`;
    const isFine = ending.kind === "exited" && ending.status === 0;
    this.deps.log[isFine ? "info" : "warn"](fields, text);
    if (skippedBytes > 0)
      this.deps.log.warn(fields, `hook ${name} printed too much: ${skippedBytes} bytes are not logged`);
  }

  /** Only what a hook would have been told is worth a line. */
  private noteDropped(event: HookEvent | undefined, why: string): void {
    if (event === undefined || this.hooksFor(event).length === 0) return;
    const { election, state } = event;
    this.deps.log.warn({ election, state }, `the hooks of ${election} are not told of ${state}: ${why}`);
  }
}
