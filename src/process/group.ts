// The processes that a command has started: its process group, and its session (setsid(2)), which a descendant keeps that
// makes a group of its own, as timeout(1) does. A process that begins a session of its own (a daemon) is none of them.

import process from "node:process";
import { type ProcessStat, surveyProcesses } from "./survey.ts";

/** The living processes of the group and of the session that the process `leader` began. */
export async function membersOf(leader: number): Promise<readonly ProcessStat[]> {
  const all = await surveyProcesses();
  return all.filter(({ group, session }) => group === leader || session === leader);
}

/** Whether the group has a member; a zombie counts. One system call. */
export function groupExists(leader: number): boolean {
  return send(-leader, 0);
}

/** Sends a signal to the whole group. */
export function signalGroup(leader: number, name: NodeJS.Signals): void {
  send(-leader, name);
}

/** Sends a signal to one process. */
export function signalProcess(pid: number, name: NodeJS.Signals): void {
  send(pid, name);
}

/** Whether there is a process of this id; a zombie counts. */
export function processExists(pid: number): boolean {
  return send(pid, 0);
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
