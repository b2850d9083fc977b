// The check of processes, through /proc. Processes that were found once are looked at by their id; all of /proc is read only
// when too few of them are left.
//
// A process's exit is seen at once where it can be followed (pidfd_open(2), handed in as `watchExit`). Where it cannot, the ids that
// were found are asked for every 100 ms, which costs a system call each; one whose parent does not wait for it is found out by
// the next run.

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { instant } from "../base/time.ts";
import { type CheckResult, checkResult } from "../health/result.ts";
import type { Timers } from "../ports/clock.ts";
import type { ExitWatch } from "../ports/programs.ts";
import { processExists } from "../process/group.ts";
import { type ProcessStat, readLivingProcess, surveyProcesses } from "../process/survey.ts";
import type { ProcessCheckOptions } from "../config/check-options.ts";
import type { Performer } from "./performer.ts";
import { readSmallFile } from "./small-file.ts";

/** What the check needs. */
export interface ProcessCheckDeps {
  readonly timers: Timers;
  readonly watchExit?: ExitWatch | undefined;
}

/** How often processes are looked at whose exit nobody tells, in milliseconds. */
const POLL_MS = 100;

/** So many exits of one check are followed, each by a descriptor; the other processes are looked at. */
const MOST_WATCHED = 64;

/** The kernel keeps so many bytes of a name (TASK_COMM_LEN less the zero). */
const COMM_BYTES = 15;

/** A pidfile holds a number and little else. */
const MAX_PIDFILE_BYTES = 256;

/** Looks for processes. */
export class ProcessPerformer implements Performer {
  private readonly options: ProcessCheckOptions;
  private readonly deps: ProcessCheckDeps;
  /** Those that were found, by process id, with their start time. */
  private known = new Map<number, string>();
  private follower: Follower | undefined;

  constructor(options: ProcessCheckOptions, deps: ProcessCheckDeps) {
    this.options = options;
    this.deps = deps;
  }

  async run(signal: AbortSignal): Promise<CheckResult> {
    const { pidfile } = this.options;
    const result = pidfile === null ? await this.byName(signal) : await this.byPidfile(pidfile);
    this.follower?.follow(new Set(this.known.keys()));
    return result;
  }

  watch(onNews: () => void): () => void {
    const follower = new Follower(this.deps, onNews);
    this.follower = follower;
    return () => {
      this.follower = undefined;
      follower.close();
    };
  }

  private async byPidfile(path: string): Promise<CheckResult> {
    this.known = new Map();
    const file = await readSmallFile(path, MAX_PIDFILE_BYTES);
    if (file.kind === "refused") return checkResult("could-not-run", file.why);
    if (file.kind === "absent") return checkResult("failed", `${path} is not there`);
    const pid = /^\s*(\d{1,10})\b/u.exec(file.text)?.[1];
    if (pid === undefined) return checkResult("failed", `${path} holds no process id`);
    const stat = readLivingProcess(pid);
    if (stat === undefined) return checkResult("failed", `process ${pid} of ${path} does not run`);
    const { name } = this.options;
    if (name !== null && !hasComm(stat, name) && !(await hasArgument(pid, name)))
      return checkResult("failed", `process ${pid} of ${path} is ${stat.comm}, not ${name}`);
    this.known.set(stat.pid, stat.startTime);
    return checkResult("ok", `process ${pid} runs`);
  }

  private async byName(signal: AbortSignal): Promise<CheckResult> {
    const { name, least } = this.options;
    this.known = new Map([...this.known].filter(([pid, startTime]) => isSame(pid, startTime)));
    if (this.known.size < least) await this.scan(name ?? "", least, signal);
    const count = this.known.size;
    if (count >= least) return checkResult("ok", count === 1 ? "1 process" : `${count} processes`);
    return checkResult(
      "failed",
      count === 0 ? `no process ${name}` : `${count} of at least ${least} processes ${name}`,
    );
  }

  /** First by the names that the kernel keeps, then, for it is dearer and may wait for a sick process, by the arguments. */
  private async scan(name: string, least: number, signal: AbortSignal): Promise<void> {
    const isWhole = Buffer.byteLength(name) <= COMM_BYTES;
    const others: ProcessStat[] = [];
    for (const stat of await surveyProcesses()) {
      if (isWhole && hasComm(stat, name)) this.known.set(stat.pid, stat.startTime);
      else others.push(stat);
    }
    for (const stat of others) {
      if (this.known.size >= least || signal.aborted) return;
      if (await hasArgument(stat.pid, name)) this.known.set(stat.pid, stat.startTime);
    }
  }
}

function isSame(pid: number, startTime: string): boolean {
  return readLivingProcess(pid)?.startTime === startTime;
}

function hasComm({ comm }: ProcessStat, name: string): boolean {
  return comm === name;
}

/** The first argument's file name. To read it the kernel takes a lock of that process: never on the main thread. */
async function hasArgument(pid: number | string, name: string): Promise<boolean> {
  try {
    const [first = ""] = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0", 1);
    return basename(first) === name;
  } catch {
    // It ended meanwhile.
    return false;
  }
}

/** Watches for the exit of processes. */
class Follower {
  private readonly deps: ProcessCheckDeps;
  private readonly onNews: () => void;
  private readonly ends = new Map<number, () => void>();
  /** Those whose exit nobody tells. */
  private polled: ReadonlySet<number> = new Set();
  private cancelPoll: () => void = () => {};

  constructor(deps: ProcessCheckDeps, onNews: () => void) {
    this.deps = deps;
    this.onNews = onNews;
  }

  /** Watches exactly these. */
  follow(known: ReadonlySet<number>): void {
    for (const [pid, end] of this.ends) if (!known.has(pid)) this.forget(pid, end);
    const unwatched = [...known].filter((pid) => !this.ends.has(pid));
    this.polled = new Set(unwatched.filter((pid) => this.ends.size >= MOST_WATCHED || !this.watchExit(pid)));
    this.poll();
  }

  close(): void {
    this.follow(new Set());
  }

  private watchExit(pid: number): boolean {
    const end = this.deps.watchExit?.(pid, () => {
      this.ends.delete(pid);
      this.onNews();
    });
    if (end !== undefined) this.ends.set(pid, end);
    return end !== undefined;
  }

  private forget(pid: number, end: () => void): void {
    this.ends.delete(pid);
    end();
  }

  private poll(): void {
    this.cancelPoll();
    if (this.polled.size === 0) return;
    const { timers } = this.deps;
    // At multiples of the clock, so that all that poll share a wake-up.
    const when = instant((Math.floor(timers.now() / POLL_MS) + 1) * POLL_MS);
    this.cancelPoll = timers.at(when, () => {
      if ([...this.polled].every(processExists)) return this.poll();
      // The run that follows looks for others, and says whom to watch then.
      this.polled = new Set();
      this.onNews();
    });
  }
}
