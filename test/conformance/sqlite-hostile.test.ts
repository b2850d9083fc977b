// What can befall a SQLite file beyond what every store may suffer: other programs, damage, frozen and dead processes.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, open as openFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqliteStore } from "../../adapters/sqlite/index.ts";
import { VipdError } from "../../src/base/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { contents, PATIENT, put, SLACK_MS, thrownBy, uniqueName } from "./harness.ts";

let directory = "";
let path = "";
const stores: Store[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), uniqueName()));
  path = join(directory, "store.db");
});

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(children.splice(0).map(kill));
  await rm(directory, { recursive: true, force: true });
});

async function open(readOnly = false): Promise<Store> {
  const store = await openSqliteStore({ path, readOnly });
  stores.push(store);
  return store;
}

function alter(sql: string): void {
  const connection = new DatabaseSync(path);
  connection.exec(sql);
  connection.close();
}

async function makeOfFormat(format: number): Promise<void> {
  await (await openSqliteStore({ path })).close();
  alter(`PRAGMA user_version = ${format}`);
}

/** A process that is in the middle of a transaction, and stays there. */
async function startHolder(): Promise<ChildProcess> {
  const program = `
    const { DatabaseSync } = require("node:sqlite");
    const connection = new DatabaseSync(process.argv[1]);
    connection.exec("BEGIN IMMEDIATE; UPDATE records SET value = 'half'");
    process.stdout.write("ready");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function codeOf(call: () => Promise<unknown>): Promise<string> {
  const error = await thrownBy(call);
  if (!(error instanceof VipdError)) throw error;
  return error.code;
}

describe("a file that is no store of ours is refused, and left as it is", () => {
  const cases: Readonly<Record<string, () => Promise<void> | void>> = {
    text: () => writeFile(path, "this is no database, but a text of some length ".repeat(50)),
    "another program's database": () => alter("CREATE TABLE t (x)"),
    "an older format": () => makeOfFormat(1),
    "a newer format": () => makeOfFormat(99),
  };
  test.each(Object.entries(cases))("%s", async (_name, make) => {
    await make();
    const before = await stat(path);
    expect(await codeOf(() => open())).toBe("store-corrupt");
    expect((await stat(path)).size).toBe(before.size);
  });
});

test("a directory in place of the file, and a path that cannot be, are store-unavailable", async () => {
  expect(await codeOf(() => openSqliteStore({ path: directory }))).toBe("store-unavailable");
  expect(await codeOf(() => openSqliteStore({ path: "/proc/nothing/store.db" }))).toBe("store-unavailable");
});

test("who only looks creates nothing and writes nothing", async () => {
  expect(await codeOf(() => open(true))).toBe("store-unavailable");
  expect(existsSync(path)).toBe(false);
  await put(await open(), "k", "1");
  const looker = await open(true);
  expect(contents(await looker.read("", PATIENT))).toEqual({ k: "1" });
  expect(await codeOf(() => looker.commit({ guards: [], writes: [{ key: "k", value: "2" }] }, PATIENT))).toBe(
    "store-unavailable",
  );
});

test("rows that somebody else wrote are told as they are, and harm nothing else", async () => {
  const store = await open();
  const revision = await put(store, "k", "1");
  alter(
    "INSERT INTO records (key, value, version) VALUES ('garbage', CAST(x'ff00fe' AS TEXT), 7), (CAST(x'ff' AS TEXT), '', -1)",
  );
  const { records } = await store.read("", PATIENT);
  expect(records).toContainEqual({ key: "k", value: "1", version: revision });
  expect(records.every(({ value }) => typeof value === "string")).toBe(true);
  expect(await put(store, "garbage", "2")).toBe(revision + 1n);
});

test("a damaged file is told as corrupt or out of reach, never as data, and a new one heals the same store", async () => {
  const store = await open();
  for (let index = 0; index < 50; index += 1) await put(store, `k${index}`, "x".repeat(1_000));
  alter("PRAGMA wal_checkpoint(TRUNCATE)");
  const file = await openFile(path, "r+");
  for (let page = 1; page < 10; page += 1) await file.write(Buffer.alloc(4_096, 0xa5), 0, 4_096, page * 4_096);
  await file.close();
  const fresh = await thrownBy(async () => (await open()).read("", PATIENT));
  expect(fresh).toMatchObject({ code: expect.stringMatching(/store-corrupt|store-unavailable/u) });
  for (const suffix of ["", "-wal", "-shm"]) await rm(path + suffix, { force: true });
  const other = await open();
  await put(other, "k", "1");
  const seen = await store.read("", PATIENT).catch(() => store.read("", PATIENT));
  expect(contents(seen)).toEqual({ k: "1" });
});

test("a file that is cut short under an open store fails its calls, and kills nobody", async () => {
  const store = await open();
  await put(store, "k", "1");
  alter("PRAGMA wal_checkpoint(TRUNCATE)");
  await truncate(path, 0);
  const outcome = await store
    .commit({ guards: [], writes: [{ key: "k", value: "2" }] }, PATIENT)
    .catch((error: unknown) => error);
  expect(outcome).toSatisfy((value) => value instanceof VipdError || (value as { kind: string }).kind === "committed");
});

describe("a process in the middle of a commit", () => {
  test("keeps others from committing, but not from reading, and never beyond their deadline", async () => {
    const store = await open();
    await put(store, "k", "1");
    const holder = await startHolder();
    holder.kill("SIGSTOP");
    const began = performance.now();
    expect(
      await codeOf(() => store.commit({ guards: [], writes: [{ key: "k", value: "2" }] }, { timeoutMs: 150 })),
    ).toBe("store-unavailable");
    expect(performance.now() - began).toBeLessThan(150 + SLACK_MS);
    expect(contents(await store.read("", { timeoutMs: 150 }))).toEqual({ k: "1" });
  });

  test("leaves nothing behind when it is killed", async () => {
    const store = await open();
    await put(store, "k", "1");
    const holder = await startHolder();
    const waiting = put(store, "other", "1");
    await kill(holder);
    await waiting;
    expect(contents(await store.read("", PATIENT))).toEqual({ k: "1", other: "1" });
  });

  test("makes whoever opens the file wait, but not for ever", async () => {
    await put(await open(), "k", "1");
    const holder = await startHolder();
    const opening = open();
    await kill(holder);
    expect(contents(await (await opening).read("", PATIENT))).toEqual({ k: "1" });
  });
});

test("a program that keeps the whole file to itself makes opening fail, in time", async () => {
  await (await openSqliteStore({ path })).close();
  const selfish = new DatabaseSync(path);
  try {
    selfish.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; INSERT INTO records VALUES ('x', 'x', 1); COMMIT");
    const began = performance.now();
    expect(await codeOf(() => open())).toBe("store-unavailable");
    expect(performance.now() - began).toBeLessThan(2_000 + SLACK_MS);
  } finally {
    selfish.close();
  }
  expect(contents(await (await open()).read("x", PATIENT))).toEqual({ x: "x" });
});
