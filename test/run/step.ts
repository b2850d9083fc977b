// One step of the proof: a program that runs to its end, within a deadline, and what came of it.

import { spawn } from "node:child_process";
import process from "node:process";

/** A finished step. */
export interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  /** One line for each test that was skipped. */
  readonly skipped: readonly string[];
}

/** What a program printed, and how it ended. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a program in a process group of its own, which is ended as a whole at the deadline. */
export function runProgram(
  command: string,
  args: readonly string[],
  deadlineMs: number,
  echo: boolean,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    const take = (text: string): void => {
      output += text;
      if (echo) process.stdout.write(text);
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    const end = (): void => {
      take(`\nended after ${deadlineMs / 1_000} s: the step has its deadline\n`);
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    const timer = setTimeout(end, deadlineMs);
    child.once("error", (error) => take(`${command}: ${error.message}\n`));
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 70, output });
    });
  });
}

/** A check that is right or wrong as a whole; it counts as one test. */
export async function check(name: string, command: string, args: readonly string[]): Promise<Outcome> {
  const from = performance.now();
  const { code, output } = await runProgram(command, args, 300_000, false);
  process.stdout.write(
    `${code === 0 ? "ok    " : "FAILED"}  ${name} (${((performance.now() - from) / 1_000).toFixed(1)} s)\n`,
  );
  if (code !== 0) process.stdout.write(`${output}\n`);
  return { name, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: [] };
}
