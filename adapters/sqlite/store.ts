// The Store over one SQLite file in WAL mode, shared by the processes of one host. Every transaction is short and
// synchronous: it begins with the write lock or not at all, and a lock that others have is waited for outside.

import { isVipdError, VipdError } from "../../src/base/errors.ts";
import type {
  CallLimits,
  CommitResult,
  Revision,
  Snapshot,
  Store,
  StoreGuarantees,
  Txn,
  WatchEvent,
} from "../../src/ports/store.ts";
import { checkWithinBounds } from "../../src/ports/txn-bounds.ts";
import { newEpochBegan } from "../common/failures.ts";
import { type FoundChanges, watchByLooks } from "../common/watch.ts";
import { ChangeNotice } from "./change-notice.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./database.ts";
import { failureOf, isBusy } from "./failures.ts";
import { MIN_TTL_MS } from "./limits.ts";
import { applyTxn, checkLanded, readChanges, readSnapshot } from "./transactions.ts";

/** Between two tries for a lock that another process has, in milliseconds. */
const LOCK_PAUSE_MS = 2;

/**
 * A file that has been missing for so long was deleted, not moved for a moment: it is made anew, and a new epoch begins. In
 * milliseconds. Until then everybody has noticed, and has closed the old one with the files beside it.
 */
const MISSING_MS = 3_000;

const GUARANTEES: StoreGuarantees = {
  name: "sqlite",
  minTtlMs: MIN_TTL_MS,
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
  private readonly notice = new ChangeNotice(() => this.database);
  private database: Database | undefined;
  /** The epoch that callers were last told: a commit is for this one. */
  private epoch: string | undefined;
  /** Since when there is no file, on performance.now(). */
  private missingSince: number | undefined;

  constructor(database: Database, options: DatabaseOptions) {
    this.database = database;
    this.options = options;
  }

  async read(prefix: string, limits: CallLimits): Promise<Snapshot> {
    const snapshot = await this.call(limits, (database) => readSnapshot(database, prefix));
    this.epoch = snapshot.epoch;
    return snapshot;
  }

  async commit(txn: Txn, limits: CallLimits): Promise<CommitResult> {
    checkWithinBounds(txn);
    const { epoch } = this;
    const result = await this.call(limits, (database) => {
      const applied = applyTxn(database, txn, epoch);
      if (applied.kind !== "committed") return applied;
      checkLanded(database);
      this.notice.tell();
      return applied;
    });
    if (result.kind === "new-epoch") {
      this.epoch = result.epoch;
      throw newEpochBegan(this.options.path);
    }
    if (result.kind === "committed") this.epoch = result.epoch;
    return result;
  }

  async *watch(prefix: string, since: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const either = AbortSignal.any([signal, this.ending.signal]);
    const changesAfter = (from: Revision): FoundChanges => this.changesAfter(prefix, from);
    yield* watchByLooks(since, { next: (until) => this.notice.next(until), changesAfter }, either);
  }

  async close(): Promise<void> {
    this.ending.abort();
    this.notice.close();
    this.database?.close();
    this.database = undefined;
    return Promise.resolve();
  }

  private changesAfter(prefix: string, since: Revision): FoundChanges {
    const { database } = this;
    if (database === undefined) return { kind: "gap", reason: "the store is out of reach" };
    try {
      return readChanges(database, prefix, since);
    } catch (error) {
      return { kind: "gap", reason: (isBusy(error) ? failureOf(error, database.path) : this.broken(error)).message };
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
      this.database ??= await this.reopen(again);
      try {
        return work(this.database);
      } catch (error) {
        if (!isBusy(error)) throw this.broken(error);
        await again(error);
      }
    }
  }

  private async reopen(again: (error: unknown) => Promise<void>): Promise<Database> {
    const { path, mode } = this.options;
    const now = performance.now();
    const isDeleted = mode === "create" && now - (this.missingSince ?? now) >= MISSING_MS;
    try {
      const database = await openDatabase({ path, mode: isDeleted || mode === "read-only" ? mode : "reopen" }, again);
      this.missingSince = undefined;
      return database;
    } catch (error) {
      const isMissing = isVipdError(error, "store-unavailable") && error.context["errno"] === "ENOENT";
      this.missingSince = isMissing ? (this.missingSince ?? now) : undefined;
      throw error;
    }
  }

  /** After an error of the file the connection is not trusted any more; the next call opens it again. */
  private broken(error: unknown): VipdError {
    this.database?.close();
    this.database = undefined;
    this.notice.renew();
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
