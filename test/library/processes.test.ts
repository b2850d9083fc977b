// The example in five processes on one SQLite file: killed, frozen, asked to leave. What they write is the proof.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Keys } from "../../src/election/keys.ts";
import { openStore } from "../../src/index.ts";
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

function start(ttlMs = 1_000): ChildProcess {
  const worker = spawn(
    process.execPath,
    ["--no-warnings", EXAMPLE, `sqlite:${directory}/fleet.db`, join(directory, "journal"), String(ttlMs)],
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

/**
 * In the order of time: one writer a token, and tokens only grow, so that nobody has written after his successor has begun.
 * The file's own order may differ by the one line that a process had in hand when it was stopped.
 */
function expectOneAtATime(): void {
  const lines = journal().toSorted((a, b) => compare(a.at, b.at));
  const writers = new Map(lines.map(({ token, pid }) => [token, pid]));
  expect(lines.filter(({ token, pid }) => writers.get(token) !== pid)).toEqual([]);
  const tokens = lines.map(({ token }) => token);
  expect(tokens).toEqual(tokens.toSorted(compare));
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
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
  const ttlMs = 3_000;
  start(ttlMs);
  const first = await writer();
  start(ttlMs);
  const store = await openStore(`sqlite:${directory}/fleet.db`);
  const { live } = new Keys("example");
  const candidates = async (): Promise<number> =>
    (await store.read(live, { timeoutMs: 2_000 })).records.filter(({ key }) => key.includes("/candidates/")).length;
  await expect.poll(candidates, { timeout: 10_000 }).toBe(2);
  await store.close();
  await expect(end(first.worker, "SIGTERM")).resolves.toBe(0);
  const second = await writer(first.token);
  expectOneAtATime();
  const last = journal().findLast(({ token }) => token === first.token);
  const next = journal().find(({ token }) => token === second.token);
  expect(Number((next?.at ?? 0n) - (last?.at ?? 0n)) / 1e6).toBeLessThan(ttlMs / 4);
});
