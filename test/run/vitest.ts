// A run of vitest over some of its projects, in surroundings of its own: whatever a test leaves behind goes with them.

import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type Outcome, runProgram } from "./step.ts";
import { parseReport, REPORT_FILE, type Report, tally } from "./tally.ts";

/** A run: its projects, its deadline in milliseconds, and whether its tests make network namespaces. */
export interface Group {
  /** So many files run at a time, where the tests mostly wait; the rest, as many as there are processors. */
  readonly workers?: number;
  readonly projects: readonly string[];
  readonly deadlineMs: number;
  readonly namespaces: boolean;
  /** A program without which the whole group is skipped. */
  readonly needs?: string;
}

/** Names of network namespaces are mounts: in a mount namespace of its own they end with the run, however it ends. */
const OWN_NAMES = 'mkdir -p /run/netns && mount -t tmpfs vipd-test /run/netns && exec "$@"';

/** Servers on a loopback interface of their own: no port is taken, and nothing leaves this machine. */
const OWN_LOOPBACK = 'ip link set lo up && exec "$@"';

/** Runs the projects. A project without a single test is a failure. */
export async function vitest(group: Group): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "vdrun-"));
  // Some tests run programs as nobody.
  chmodSync(directory, 0o711);
  const file = join(directory, "report.json");
  process.stdout.write(`\n--- ${group.projects.join(", ")}\n`);
  try {
    const [command = "", ...args] = commandOf(group);
    const { code, left } = await runProgram(command, args, {
      deadlineMs: group.deadlineMs,
      echo: true,
      env: { [REPORT_FILE]: file, TMPDIR: directory },
    });
    return tally(group.projects, { code, left }, readReport(file));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function commandOf(group: Group): readonly string[] {
  const run = [
    process.execPath,
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=./test/run/report.ts",
    `--maxWorkers=${Math.max(group.workers ?? 2, availableParallelism())}`,
    ...group.projects.flatMap((project) => ["--project", project]),
  ];
  if (group.namespaces) return ["unshare", "--mount", "sh", "-c", OWN_NAMES, "sh", ...run];
  return process.getuid?.() === 0 ? ["unshare", "--net", "sh", "-c", OWN_LOOPBACK, "sh", ...run] : run;
}

function readReport(file: string): Report | undefined {
  try {
    return parseReport(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
