// The processes of this host, by proc_pid_stat(5).
//
// To read all of /proc takes about 10 us a process, and many may want to know at once: a hundred checks that hang are all
// stopped in the same second. So they share a survey, one follows another after a pause that is several times as long as
// it took, and it is read in slices between which other work gets its turn.

import { readdirSync, readFileSync } from "node:fs";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";

/** What is known of a process. */
export interface ProcessStat {
  readonly pid: number;
  /** The first 15 bytes of its name (TASK_COMM_LEN less the zero). */
  readonly comm: string;
  /** R running, S sleeping, D uninterruptible, Z zombie, X dead ... */
  readonly state: string;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since boot; with the pid it names one process, for a pid comes again. */
  readonly startTime: string;
}

/** So many processes are read in one slice. */
const SLICE = 200;

/** The pause behind a survey: this many times as long as it took, and at least this long in milliseconds. */
const PAUSE_FACTOR = 10;
const LEAST_PAUSE_MS = 20;

/** Undefined when it is gone, or hidden by the mount options of /proc. Reading this file waits for no lock of the process. */
function readProcessStat(pid: number | string): ProcessStat | undefined {
  try {
    return parse(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return undefined;
  }
}

/** The name may contain anything, parentheses too: it ends at the last one. */
function parse(text: string): ProcessStat | undefined {
  const [open, close] = [text.indexOf("("), text.lastIndexOf(")")];
  if (open < 0 || close < open) return undefined;
  const fields = text.slice(close + 2).split(" ");
  return {
    pid: Number(text.slice(0, open)),
    comm: Buffer.from(text.slice(open + 1, close), "latin1").toString("utf8"),
    state: fields[0] ?? "",
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: fields[19] ?? "",
  };
}

/** Whether a process is more than an entry that waits for its parent. */
function isAlive({ state }: ProcessStat): boolean {
  return state !== "Z" && state !== "X";
}

/** Reads one process; undefined when it is gone or a zombie. */
export function readLivingProcess(pid: number | string): ProcessStat | undefined {
  const stat = readProcessStat(pid);
  return stat !== undefined && isAlive(stat) ? stat : undefined;
}

/** The survey that has been asked for and has not begun; the end of the one before, its pause included. */
let next: Promise<readonly ProcessStat[]> | undefined;
let before: Promise<unknown> = Promise.resolve();

/** All living processes. The survey begins after the call, so it sees what the caller has done before. */
export function surveyProcesses(): Promise<readonly ProcessStat[]> {
  if (next === undefined) {
    let began = 0;
    next = before.then(() => {
      next = undefined;
      began = performance.now();
      return survey();
    });
    const rest = (): Promise<unknown> => pause(Math.max(LEAST_PAUSE_MS, PAUSE_FACTOR * (performance.now() - began)));
    before = next.then(rest, rest);
  }
  return next;
}

async function survey(): Promise<readonly ProcessStat[]> {
  const found: ProcessStat[] = [];
  const ids = readdirSync("/proc").filter((name) => /^\d+$/u.test(name));
  for (const [index, pid] of ids.entries()) {
    if (index % SLICE === SLICE - 1) await nextTurn();
    const stat = readLivingProcess(pid);
    if (stat !== undefined) found.push(stat);
  }
  return found;
}
