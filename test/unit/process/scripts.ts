// Scripts of a test in a directory of their own, and what is left of them: every process that they start carries a mark in its
// environment, or the directory in its arguments.

import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach } from "vitest";
import { procClock, systemTimers } from "../../../src/runtime/timers.ts";

/** The real clock. */
export const timers = systemTimers(procClock());

/** The scripts of one test. */
export class Scripts {
  readonly directory = mkdtempSync(join(tmpdir(), "vdsc-"));
  readonly mark = randomBytes(8).toString("hex");
  private count = 0;

  /** Lets other users into the directory. */
  open(): void {
    chmodSync(this.directory, 0o755);
  }

  /** A path in the directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** Writes a shell script; the answer is its path. */
  sh(text: string, mode = 0o755): string {
    this.count += 1;
    const path = this.path(`script-${this.count}.sh`);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, mode);
    return path;
  }

  /** The environment that marks all processes of a script. */
  get environment(): Readonly<Record<string, string>> {
    return { VIPD_TEST_SCRIPT: this.mark };
  }

  /** What a script has written into a file of the directory, line by line. */
  lines(name: string): readonly string[] {
    return readFileSync(this.path(name), "utf8").split("\n").filter(Boolean);
  }

  /** Processes of these scripts that still run, with their commands. */
  survivors(): readonly string[] {
    return processIds().flatMap((pid) => {
      const isOurs = read(pid, "environ").includes(this.mark) || read(pid, "cmdline").includes(this.directory);
      return isOurs && stateOf(pid) !== "Z" ? [`${pid} ${read(pid, "cmdline").replaceAll("\0", " ")}`] : [];
    });
  }

  /** Ends what still runs, and removes the directory. */
  close(): void {
    for (const line of this.survivors()) {
      try {
        process.kill(Number.parseInt(line, 10), "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Fresh scripts for each test of the file. */
export function useScripts(): () => Scripts {
  let scripts: Scripts | undefined;
  beforeEach(() => {
    scripts = new Scripts();
  });
  afterEach(() => {
    scripts?.close();
    scripts = undefined;
  });
  return () => {
    if (scripts === undefined) throw new Error("no test is running");
    return scripts;
  };
}

/** Children of this process that have ended and were not waited for. */
export function zombies(): readonly string[] {
  return processIds().filter((pid) => {
    const [state, parent] = statOf(pid);
    return state === "Z" && Number(parent) === process.pid;
  });
}

function stateOf(pid: string): string | undefined {
  return statOf(pid)[0];
}

function statOf(pid: string): readonly string[] {
  const stat = read(pid, "stat");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function processIds(): readonly string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/u.test(name));
}

/** Empty when the process is gone. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
