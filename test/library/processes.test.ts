// The example in five processes on one SQLite file: killed, frozen, asked to leave. What they write is the proof.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const EXAMPLE = join(import.meta.dirname, "../../docs/examples/one-writer.ts");

interface Line {
  readonly token: bigint;
  readonly pid: number;
  readonly at: bigint;
}

let directory = "";
let workers: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdl-"));
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => end(worker, "SIGKILL")));
  workers = [];
  rmSync(directory, { recursive: true, force: true });
});

function start(): ChildProcess {
  const worker = spawn(
    process.execPath,
    ["--no-warnings", EXAMPLE, `sqlite:${directory}/fleet.db`, join(directory, "journal")],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  worker.stderr?.pipe(process.stderr);
  workers.push(worker);
  return worker;
}

async function end(worker: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (worker.exitCode !== null || worker.signalCode !== null) return worker.exitCode;
  const ended = new Promise<number | null>((resolve) => worker.once("exit", resolve));
  worker.kill(signal);
  return ended;
}

function journal(): readonly Line[] {
  let text = "";
  try {
    text = readFileSync(join(directory, "journal"), "utf8");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [token = "", pid = "", at = ""] = line.split(" ");
      return { token: BigInt(token), pid: Number(pid), at: BigInt(at) };
    });
}

/** Who wrote the last line, once somebody has written with a token greater than `after`. */
async function writer(after = 0n): Promise<{ worker: ChildProcess; token: bigint }> {
  const isNew = (): boolean => (journal().at(-1)?.token ?? 0n) > after;
  await expect.poll(isNew, { timeout: 15_000, interval: 10 }).toBe(true);
  const last = journal().at(-1);
  const worker = workers.find(({ pid }) => pid === last?.pid);
  if (worker === undefined || last === undefined) throw new Error("an unknown process writes");
  return { worker, token: last.token };
}

/** One writer a token, tokens that grow, and nobody writes after his successor has begun. */
function expectOneAtATime(): void {
  const lines = journal();
  const writers = new Map(lines.map(({ token, pid }) => [token, pid]));
  expect(lines.every(({ token, pid }) => writers.get(token) === pid)).toBe(true);
  const tokens = lines.map(({ token }) => token);
  expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  const times = lines.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
}

test("five processes, the leader killed again and again: one writes at a time, tokens grow", async () => {
  for (let i = 0; i < 5; i += 1) start();
  let token = 0n;
  for (let kills = 0; kills < 4; kills += 1) {
    const leader = await writer(token);
    token = leader.token;
    await end(leader.worker, "SIGKILL");
  }
  await writer(token);
  expectOneAtATime();
  expect(new Set(journal().map(({ pid }) => pid)).size).toBe(5);
});

test("a leader that is frozen beyond its lease writes nothing when it thaws", async () => {
  for (let i = 0; i < 3; i += 1) start();
  let token = 0n;
  for (let freezes = 0; freezes < 3; freezes += 1) {
    const leader = await writer(token);
    leader.worker.kill("SIGSTOP");
    token = (await writer(leader.token)).token;
    leader.worker.kill("SIGCONT");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expectOneAtATime();
    await end((await writer(token - 1n)).worker, "SIGTERM");
    start();
  }
  expectOneAtATime();
});

test("a leader that leaves hands over at once, without waiting for a lease", async () => {
  start();
  const first = await writer();
  start();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await expect(end(first.worker, "SIGTERM")).resolves.toBe(0);
  await writer(first.token);
  expectOneAtATime();
});
