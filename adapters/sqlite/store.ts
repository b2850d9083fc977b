// The Store over one SQLite file in WAL mode, shared by the processes of one host. Every transaction is short and
// synchronous: it begins with the write lock or not at all, and a lock that others have is waited for outside.

import { MAX_PENDING_CHANGES, MAX_RECORDS } from "../../src/base/bounds.ts";
import { messageOf, VipdError } from "../../src/base/errors.ts";
import type {
  CallLimits,
  Change,
  CommitResult,
  Revision,
  Snapshot,
  Store,
  StoreGuarantees,
  StoredRecord,
  Txn,
  WatchEvent,
} from "../../src/ports/store.ts";
import { checkWithinBounds } from "../../src/ports/txn-bounds.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./database.ts";
import { failureOf, isBusy } from "./failures.ts";
import { Feed } from "./feed.ts";

/** Between two tries for a lock that another process has, in milliseconds. */
const LOCK_PAUSE_MS = 2;

/** Deletions are remembered one by one for the sake of watches, about so many of them. */
const REMEMBERED_DELETIONS = 1_000;

const GUARANTEES: StoreGuarantees = {
  name: "sqlite",
  minTtlMs: 500,
  tokenDurable: true,
  failoverSafe: true,
  caveats: [
    "one file on one machine: its nodes are processes, containers or namespaces of that machine; not for network file systems",
    "a process that is frozen in the middle of a commit keeps all others from committing until it goes on or is killed",
    "tokens keep growing over lost data as long as the machine's wall clock is not set back",
  ],
};

/** A file and its watches. */
export class SqliteStore implements Store {
  readonly guarantees = GUARANTEES;
  private readonly options: DatabaseOptions;
  private readonly ending = new AbortController();
  private readonly feed = new Feed(() => this.database);
  private database: Database | undefined;

  constructor(database: Database, options: DatabaseOptions) {
    this.database = database;
    this.options = options;
  }

  read(prefix: string, limits: CallLimits): Promise<Snapshot> {
    return this.call(limits, (database) => {
      database.checkInPlace();
      return inReadTransaction(database, () => {
        const { epoch, revision } = database.position();
        return { revision, epoch, records: recordsUnder(database, prefix) };
      });
    });
  }

  commit(txn: Txn, limits: CallLimits): Promise<CommitResult> {
    checkWithinBounds(txn);
    return this.call(limits, (database) => {
      database.checkInPlace();
      const result = applyTxn(database, txn);
      if (result.kind === "committed") {
        checkLanded(database);
        this.feed.tell();
      }
      return result;
    });
  }

  async *watch(prefix: string, since: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const either = AbortSignal.any([signal, this.ending.signal]);
    let from = since;
    while (!either.aborted) {
      // Asked for before the look, so that no change falls between the two.
      const news = this.feed.next(either);
      const seen = this.changesAfter(prefix, from);
      if (seen.kind === "gap") {
        yield seen;
        return;
      }
      from = seen.revision;
      if (seen.changes.length > 0) yield { kind: "changes", changes: seen.changes };
      await news;
    }
  }

  async close(): Promise<void> {
    this.ending.abort();
    this.feed.close();
    this.database?.close();
    this.database = undefined;
    return Promise.resolve();
  }

  private changesAfter(
    prefix: string,
    since: Revision,
  ): (WatchEvent & { kind: "gap" }) | { kind: "seen"; revision: Revision; changes: readonly Change[] } {
    const gap = (reason: string): { kind: "gap"; reason: string } => ({ kind: "gap", reason });
    const { database } = this;
    if (database === undefined) return gap("the store is out of reach");
    try {
      database.checkInPlace();
      return inReadTransaction(database, () => {
        const { revision, forgotten } = database.position();
        if (since < forgotten) return gap("the store no longer knows all deletions since then");
        if (since > revision) return gap("the store is behind what has been seen of it");
        const changes = since === revision ? [] : changesBetween(database, prefix, since);
        return changes.length > MAX_PENDING_CHANGES
          ? gap("too many changes at once")
          : { kind: "seen", revision, changes };
      });
    } catch (error) {
      return gap(messageOf(error));
    }
  }

  /** Runs `work` on the open file, as soon as its lock is free and within the limits. */
  private async call<T>(limits: CallLimits, work: (database: Database) => T): Promise<T> {
    const { path } = this.options;
    const again = this.patience(limits);
    for (;;) {
      if (this.ending.signal.aborted) throw new VipdError("store-unavailable", "the store has been closed", { path });
      if (limits.signal?.aborted === true)
        throw new VipdError("aborted", "given up before the store was asked", { path });
      this.database ??= await openDatabase(
        { path, mode: this.options.mode === "read-only" ? "read-only" : "reopen" },
        again,
      );
      try {
        return work(this.database);
      } catch (error) {
        if (!isBusy(error)) throw this.broken(error);
        await again(error);
      }
    }
  }

  /** After an error of the file the connection is not trusted any more; the next call opens it again. */
  private broken(error: unknown): VipdError {
    this.database?.close();
    this.database = undefined;
    this.feed.tell();
    return failureOf(error, this.options.path);
  }

  /** What to do about an error: wait a little when it was a lock, until the limits are reached; else throw it. */
  private patience(limits: CallLimits): (error: unknown) => Promise<void> {
    const { path } = this.options;
    const end = performance.now() + limits.timeoutMs;
    const signal =
      limits.signal === undefined ? this.ending.signal : AbortSignal.any([limits.signal, this.ending.signal]);
    return async (error) => {
      if (!isBusy(error)) throw error;
      if (performance.now() + LOCK_PAUSE_MS > end)
        throw new VipdError(
          "store-unavailable",
          `${path}: another process has kept the database locked for ${limits.timeoutMs} ms`,
          { path },
          error,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOCK_PAUSE_MS * (0.5 + Math.random()));
        signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
      });
    };
  }
}

function inReadTransaction<T>(database: Database, work: () => T): T {
  database.statement("BEGIN").run();
  try {
    return work();
  } finally {
    if (database.connection.isTransaction) database.statement("COMMIT").run();
  }
}

/** The smallest text above all that begin with `prefix`: every key is ASCII, so the highest code point ends the range. */
function endOf(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}

function recordsUnder(database: Database, prefix: string): readonly StoredRecord[] {
  const sql = "SELECT key, value, version FROM records WHERE key >= ? AND key < ? AND value IS NOT NULL LIMIT ?";
  const rows = database.statement(sql).all(prefix, endOf(prefix), MAX_RECORDS + 1);
  if (rows.length > MAX_RECORDS)
    throw new VipdError("store-corrupt", `${database.path}: more than ${MAX_RECORDS} records under ${prefix}`, {
      path: database.path,
    });
  return rows.map((row) => ({
    key: String(row["key"]),
    value: String(row["value"]),
    version: row["version"] as bigint,
  }));
}

function changesBetween(database: Database, prefix: string, since: Revision): readonly Change[] {
  const sql =
    "SELECT key, value, version FROM records WHERE version > ? AND key >= ? AND key < ? ORDER BY version LIMIT ?";
  const rows = database.statement(sql).all(since, prefix, endOf(prefix), MAX_PENDING_CHANGES + 1);
  return rows.map((row) => {
    const value = row["value"];
    return { key: String(row["key"]), value: value === null ? null : String(value), version: row["version"] as bigint };
  });
}

/** Everything up to COMMIT can be taken back; what COMMIT itself throws leaves the outcome open. */
function applyTxn(database: Database, { guards, writes }: Txn): CommitResult {
  database.statement("BEGIN IMMEDIATE").run();
  let committed: CommitResult;
  try {
    const { epoch, revision: last } = database.position();
    if (!guards.every(({ key, version }) => versionOf(database, key) === version)) {
      database.statement("ROLLBACK").run();
      return { kind: "conflict" };
    }
    const revision = last + 1n;
    for (const { key, value } of writes) writeRecord(database, key, value, revision);
    database.statement("UPDATE epoch SET revision = ?").run(revision);
    if (revision % BigInt(REMEMBERED_DELETIONS) === 0n) forgetDeletions(database, revision);
    committed = { kind: "committed", revision, epoch };
  } catch (error) {
    if (database.connection.isTransaction) database.statement("ROLLBACK").run();
    throw error;
  }
  try {
    database.statement("COMMIT").run();
    return committed;
  } catch (error) {
    throw new VipdError("outcome-unknown", `${database.path}: ${messageOf(error)}`, { path: database.path }, error);
  }
}

function versionOf(database: Database, key: string): Revision | null {
  const row = database.statement("SELECT version FROM records WHERE key = ? AND value IS NOT NULL").get(key);
  return row === undefined ? null : (row["version"] as bigint);
}

function writeRecord(database: Database, key: string, value: string | null, revision: Revision): void {
  const sql =
    value === null
      ? "UPDATE records SET value = NULL, version = :version WHERE key = :key AND value IS NOT NULL"
      : "INSERT INTO records (key, value, version) VALUES (:key, :value, :version) ON CONFLICT (key) DO UPDATE SET value = :value, version = :version";
  database.statement(sql).run(value === null ? { key, version: revision } : { key, value, version: revision });
}

function forgetDeletions(database: Database, revision: Revision): void {
  const until = revision - BigInt(REMEMBERED_DELETIONS);
  const { changes } = database.statement("DELETE FROM records WHERE value IS NULL AND version <= ?").run(until);
  if (changes > 0) database.statement("UPDATE epoch SET forgotten = ?").run(until);
}

/** A commit to a file that has lost its name was seen by nobody who looks there now. */
function checkLanded(database: Database): void {
  try {
    database.checkInPlace();
  } catch (error) {
    throw new VipdError("outcome-unknown", messageOf(error), { path: database.path }, error);
  }
}
