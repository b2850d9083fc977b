// The processes that a step has started, however deep, also those whose parent is gone. They are known by their session
// (setsid(2)), or, when they have made one of their own, by a mark in their environment. Nothing else is ever touched.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import type { Readable } from "node:stream";

const MARK = "VIPD_TEST_STEP";

/** A program that runs in a session of its own, with a mark of its own. */
export interface Own {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** What runs of it and of everything that it has started: process id and command line. */
  running(): readonly string[];
  /** Ends all that. */
  end(): void;
  /** It has ended by itself: an interrupt need not look for it any more. */
  forget(): void;
}

const living = new Set<Own>();

/** Starts a program in a process group of its own. */
export function spawnOwn(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Own {
  const mark = randomBytes(12).toString("hex");
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, ...env, [MARK]: mark },
  });
  const find = (): readonly string[] => processesOf(child.pid, mark);
  const own: Own = {
    child,
    running: () => find().map((pid) => `${pid} ${read(pid, "cmdline").replaceAll("\0", " ").slice(0, 120).trim()}`),
    end: () => endAsFound(find),
    forget: () => living.delete(own),
  };
  living.add(own);
  return own;
}

/** Ends what still runs. */
export function endAll(): void {
  for (const own of living) own.end();
}

/** A process may start another while the list is read, so the list is read until it is empty. */
function endAsFound(find: () => readonly string[]): void {
  for (let round = 0; round < 20; round += 1) {
    const found = find();
    if (found.length === 0) return;
    for (const pid of found) signal(Number(pid));
  }
}

function processesOf(session: number | undefined, mark: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .filter(
      (pid) =>
        (session !== undefined && sessionOf(pid) === session) ||
        read(pid, "environ").split("\0").includes(`${MARK}=${mark}`),
    );
}

/** The session of a living process: the sixth field of proc_pid_stat(5); the second may contain anything. */
function sessionOf(pid: string): number | undefined {
  const stat = read(pid, "stat");
  const [state, , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || session === undefined ? undefined : Number(session);
}

/** Empty when the process is gone, or another user's. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
