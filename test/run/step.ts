// One step of the proof: a program that runs to its end, within a deadline, and what came of it.

import { once } from "node:events";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { type Own, spawnOwn } from "./processes.ts";

const GRACE_MS = 3_000;
const LOOK_MS = 50;

/** A finished step. */
export interface Outcome {
  readonly passed: number;
  /** One line for each failure: what failed, or how the step itself did. */
  readonly failed: readonly string[];
  /** One line for each test that was skipped, with its reason. */
  readonly skipped: readonly string[];
}

/** What a program printed, and how it ended. */
export interface Ended {
  readonly code: number;
  /** Empty when it was echoed. */
  readonly output: string;
  /** What it had started and not ended: process id and command line. It is ended now. */
  readonly left: readonly string[];
}

/** How a program runs: its deadline in milliseconds, whether its output is shown while it runs, and its surroundings. */
export interface Terms {
  readonly deadlineMs: number;
  readonly echo: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end; at the deadline it is ended, with everything that it has started. */
export async function runProgram(command: string, args: readonly string[], terms: Terms): Promise<Ended> {
  const own = spawnOwn(command, args, terms.env ?? {});
  let output = "";
  const take = (text: string): void => {
    if (terms.echo) process.stdout.write(text);
    else output += text;
  };
  own.child.stdout.setEncoding("utf8").on("data", take);
  own.child.stderr.setEncoding("utf8").on("data", take);
  const timer = setTimeout(() => {
    take(`\nended after ${terms.deadlineMs / 1_000} s: that is the deadline of this step\n`);
    own.end();
  }, terms.deadlineMs);
  const closed = new Promise((resolve) => own.child.once("close", resolve));
  try {
    const code = await exitOf(own.child);
    // What is left may hold the pipes open, so they close only when it is gone.
    const left = await endWhatIsLeft(own);
    await closed;
    return { code, output, left };
  } catch (error) {
    return { code: 70, output: `${output}${command}: ${String(error)}\n`, left: [] };
  } finally {
    clearTimeout(timer);
    own.forget();
  }
}

/** The exit code; 70 when a signal ended it. Rejects when it could not be started. */
async function exitOf(child: Own["child"]): Promise<number> {
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 70;
}

/** Gives what a program leaves behind a moment to end by itself; what has not is told, and ended. */
async function endWhatIsLeft(own: Own): Promise<readonly string[]> {
  for (let waited = 0; waited < GRACE_MS && own.running().length > 0; waited += LOOK_MS)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const left = own.running();
  own.end();
  return left;
}

/** A step that has failed as a whole. */
export function failure(why: string): Outcome {
  return { passed: 0, failed: [why], skipped: [] };
}

/** A check that is right or wrong as a whole; it counts as one test. */
export async function check(name: string, command: string, args: readonly string[]): Promise<Outcome> {
  const from = performance.now();
  const { code, output } = await runProgram(command, args, { deadlineMs: 300_000, echo: false });
  const seconds = ((performance.now() - from) / 1_000).toFixed(1);
  process.stdout.write(`${code === 0 ? "ok    " : "FAILED"}  ${name} (${seconds} s)\n`);
  if (code !== 0) process.stdout.write(`${output}\n`);
  return code === 0 ? { passed: 1, failed: [], skipped: [] } : failure(name);
}

/** Runs all, at most `width` at a time; the results are in the order of the steps. */
export async function runAll<T>(steps: readonly (() => Promise<T>)[], width: number): Promise<readonly T[]> {
  const results = new Map<number, T>();
  const waiting = steps.entries();
  const lane = async (): Promise<void> => {
    for (const [i, step] of waiting) results.set(i, await step());
  };
  await Promise.all(Array.from({ length: width }, lane));
  return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result);
}
