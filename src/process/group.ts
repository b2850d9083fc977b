// The processes that a command has started: its process group, and its session (setsid(2)), which a descendant keeps that
// makes a group of its own, as timeout(1) does. A process that begins a session of its own (a daemon) is none of them.

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** What proc_pid_stat(5) tells of a process. */
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

/** Reads one process; undefined when it is gone, or hidden by the mount options of /proc. */
export function readProcessStat(pid: number | string): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return undefined;
  }
}

/** The name may contain anything, parentheses too: it ends at the last one. */
function parseProcessStat(text: string): ProcessStat | undefined {
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

/** The ids of all processes that /proc shows. */
export function processIds(): readonly string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/u.test(name));
}

/** Whether a process is more than an entry that waits for its parent. */
export function isAlive({ state }: ProcessStat): boolean {
  return state !== "Z" && state !== "X";
}

/** The living processes of the group and the session that the process `leader` began. */
export function membersOf(leader: number): readonly number[] {
  return livingMembers(leader).map(({ pid }) => pid);
}

function livingMembers(leader: number): readonly ProcessStat[] {
  return processIds().flatMap((pid) => {
    const stat = readProcessStat(pid);
    const isMember = stat !== undefined && (stat.group === leader || stat.session === leader);
    return isMember && isAlive(stat) ? [stat] : [];
  });
}

/** Whether the group has a member; a zombie counts. One system call. */
export function groupExists(leader: number): boolean {
  return send(-leader, 0);
}

/** Sends a signal, once each, to the group and to those of the session that have left it. */
export function signalAll(leader: number, name: NodeJS.Signals): void {
  const strays = livingMembers(leader).filter(({ group }) => group !== leader);
  send(-leader, name);
  for (const { pid } of strays) send(pid, name);
}

/** False when there is no such process. One that we may not signal (it has changed its user) exists. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
