// SQLite under the conformance suite.

import { copyFile, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "../../adapters/sqlite/index.ts";
import type { Store } from "../../src/ports/store.ts";
import { type DelayedStore, type Harness, put, uniqueName } from "./harness.ts";
import { storeConformance } from "./suite.ts";

const TRAITS = {
  processes: true,
  block: true,
  outage: true,
  losses: ["the file is removed", "an older copy takes the place of the file"],
  delayedLosses: ["the file is removed"],
  restartKeepsEpoch: true,
  restartKeepsData: true,
};

async function beginSqlite(): Promise<Harness> {
  const directory = await mkdtemp(join(tmpdir(), uniqueName()));
  const path = join(directory, "store.db");
  const stores: Store[] = [];
  const open = async (): Promise<Store> => {
    const store = await openSqliteStore({ path });
    stores.push(store);
    return store;
  };
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  };
  return {
    open,
    url: `sqlite:${path}`,
    restart: closeAll,
    block: { reads: false, start: () => lockFile(path) },
    outage: { begin: () => rename(path, `${path}.away`), end: () => rename(`${path}.away`, path) },
    foreignPut: (key, value) => foreignPut(path, key, value),
    openDelayed: async () => delayed(await open(), path),
    losses: {
      "the file is removed": () => removeFile(path),
      "an older copy takes the place of the file": (harness) => replaceFile(harness, path),
    },
    historyLength: 2_500,
    cleanUp: async () => {
      await closeAll();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Takes the lock that every writer needs, and keeps it. */
async function lockFile(path: string): Promise<() => Promise<void>> {
  const connection = new DatabaseSync(path);
  connection.exec("BEGIN EXCLUSIVE");
  return async () => {
    connection.exec("ROLLBACK");
    connection.close();
  };
}

/** What is kept on its way is what waits for the lock. */
function delayed(store: Store, path: string): DelayedStore {
  let unlock = (): Promise<void> => Promise.resolve();
  return {
    store,
    hold: async () => {
      unlock = await lockFile(path);
    },
    holds: () => Promise.resolve(),
    release: () => unlock(),
  };
}

async function foreignPut(path: string, key: string, value: string): Promise<void> {
  const connection = new DatabaseSync(path);
  connection.exec("BEGIN IMMEDIATE; UPDATE epoch SET revision = revision + 1");
  const version = "(SELECT revision FROM epoch)";
  connection.prepare(`INSERT OR REPLACE INTO records (key, value, version) VALUES (?, ?, ${version})`).run(key, value);
  connection.prepare(`INSERT INTO changes (key, value, revision) VALUES (?, ?, ${version})`).run(key, value);
  connection.exec("COMMIT");
  connection.close();
}

async function removeFile(path: string): Promise<void> {
  for (const suffix of ["", "-wal", "-shm"]) await rm(path + suffix, { force: true });
}

/** What a careless restore does: an older file under the name, while stores are open. */
async function replaceFile({ open }: Harness, path: string): Promise<void> {
  const connection = new DatabaseSync(path);
  connection.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  connection.close();
  await copyFile(path, `${path}.old`);
  const store = await open();
  for (const value of ["7", "8", "9"]) await put(store, "k", value);
  await removeFile(path);
  await rename(`${path}.old`, path);
}

storeConformance("sqlite", TRAITS, beginSqlite);
