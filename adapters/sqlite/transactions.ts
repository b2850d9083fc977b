// Reads and commits on an open file, each in one short transaction. Every change is logged beside its record, so that a
// watch can tell all of them, also those that a later one has overwritten.

import { MAX_PENDING_CHANGES, MAX_VALUE_BYTES } from "../../src/base/bounds.ts";
import { messageOf, VipdError } from "../../src/base/errors.ts";
import type { Change, CommitResult, Revision, Snapshot, StoredRecord, Txn, Write } from "../../src/ports/store.ts";
import { ReadBudget, TOO_MUCH_AT_ONCE, tooMuchToRead } from "../common/bounds.ts";
import type { FoundChanges } from "../common/watch.ts";
import type { Database } from "./database.ts";

/** Watches can begin so many commits back, and up to LOG_SURPLUS more: the log is cut only now and then. */
const LOG_LENGTH = 1_000;
const LOG_SURPLUS = 100n;

/** What became of a commit; `new-epoch`: it was meant for another one, and was not applied. */
export type Applied = CommitResult | { readonly kind: "new-epoch"; readonly epoch: string };

/** The value, left out when it is too long, and what the record counts in bytes: SQLite knows lengths without reading. */
const BOUNDED = `CASE WHEN octet_length(value) > ${MAX_VALUE_BYTES} THEN '' ELSE value END AS value,
  octet_length(key) + CASE WHEN octet_length(value) > ${MAX_VALUE_BYTES} THEN 0 ELSE ifnull(octet_length(value), 0) END AS size`;

/** All records under a prefix. Throws "store-corrupt" when they are too many. */
export function readSnapshot(database: Database, prefix: string): Snapshot {
  database.checkInPlace();
  return inReadTransaction(database, () => {
    const { epoch, revision } = database.position();
    return { revision, epoch, records: recordsUnder(database, prefix) };
  });
}

function recordsUnder(database: Database, prefix: string): readonly StoredRecord[] {
  const records: StoredRecord[] = [];
  const budget = new ReadBudget();
  const sql = `SELECT key, version, ${BOUNDED} FROM records WHERE key >= ? AND key < ?`;
  for (const row of database.statement(sql).iterate(prefix, endOf(prefix))) {
    if (!budget.take(Number(row["size"]))) throw tooMuchToRead(database.path, prefix);
    records.push({ key: String(row["key"]), value: String(row["value"]), version: row["version"] as bigint });
  }
  return records;
}

/** All changes under a prefix after a revision, in their order. */
export function readChanges(database: Database, prefix: string, since: Revision): FoundChanges {
  const gap = (reason: string): FoundChanges => ({ kind: "gap", reason });
  database.checkInPlace();
  return inReadTransaction(database, () => {
    const { revision, forgotten } = database.position();
    if (since < forgotten) return gap("the store no longer knows all changes since then");
    if (since > revision) return gap("the store is behind what has been seen of it");
    const changes = since === revision ? [] : changesAfter(database, prefix, since);
    return changes === undefined ? gap(TOO_MUCH_AT_ONCE) : { kind: "changes", revision, changes };
  });
}

/** `undefined`: they are too many to be told at once. */
function changesAfter(database: Database, prefix: string, since: Revision): readonly Change[] | undefined {
  const changes: Change[] = [];
  const budget = new ReadBudget();
  const sql = `SELECT key, revision, ${BOUNDED} FROM changes WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision`;
  for (const row of database.statement(sql).iterate(since, prefix, endOf(prefix))) {
    if (changes.length === MAX_PENDING_CHANGES || !budget.take(Number(row["size"]))) return undefined;
    const value = row["value"];
    changes.push({
      key: String(row["key"]),
      value: value === null ? null : String(value),
      version: row["revision"] as bigint,
    });
  }
  return changes;
}

/**
 * Applies a transaction; `meantFor`: the epoch that its sender knew. Everything up to COMMIT can be taken back; what COMMIT
 * itself throws leaves the outcome open.
 */
export function applyTxn(database: Database, { guards, writes }: Txn, meantFor: string | undefined): Applied {
  database.checkInPlace();
  database.statement("BEGIN IMMEDIATE").run();
  let committed: CommitResult;
  try {
    const { epoch, revision: last } = database.position();
    const refuse = (refusal: Applied): Applied => {
      database.statement("ROLLBACK").run();
      return refusal;
    };
    if (meantFor !== undefined && meantFor !== epoch) return refuse({ kind: "new-epoch", epoch });
    if (!guards.every(({ key, version }) => versionOf(database, key) === version)) return refuse({ kind: "conflict" });
    const revision = last + 1n;
    for (const write of writes) writeRecord(database, write, revision);
    database.statement("UPDATE epoch SET revision = ?").run(revision);
    if (revision % LOG_SURPLUS === 0n) cutLog(database, revision);
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

/** A commit to a file that has lost its name was seen by nobody who looks there now. */
export function checkLanded(database: Database): void {
  try {
    database.checkInPlace();
  } catch (error) {
    throw new VipdError("outcome-unknown", messageOf(error), { path: database.path }, error);
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

function versionOf(database: Database, key: string): Revision | null {
  const row = database.statement("SELECT version FROM records WHERE key = ?").get(key);
  return row === undefined ? null : (row["version"] as bigint);
}

/** Deleting what is not there changes nothing. */
function writeRecord(database: Database, { key, value }: Write, version: Revision): void {
  if (value === null) {
    if (Number(database.statement("DELETE FROM records WHERE key = ?").run(key).changes) === 0) return;
  } else
    database
      .statement(
        "INSERT INTO records (key, value, version) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version",
      )
      .run(key, value, version);
  database.statement("INSERT INTO changes (revision, key, value) VALUES (?, ?, ?)").run(version, key, value);
}

function cutLog(database: Database, revision: Revision): void {
  const until = revision - BigInt(LOG_LENGTH);
  const { changes } = database.statement("DELETE FROM changes WHERE revision <= ?").run(until);
  if (Number(changes) > 0) database.statement("UPDATE epoch SET forgotten = ?").run(until);
}
