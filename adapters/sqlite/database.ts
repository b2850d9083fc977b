// One connection to the file: its tables, the epoch that it is on, and whether it is still the file of that name.
//
// An epoch begins when the file is made, when the host has booted since the file was last used (the last commits
// may not have reached the disk), and when the file is a copy. Revisions then go on from at least the wall clock's
// microseconds: more than one commit a microsecond would be needed for a new epoch to begin below an old one.

import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { VipdError } from "../../src/base/errors.ts";
import type { Revision } from "../../src/ports/store.ts";
import { failureOf, fileFailure } from "./failures.ts";

/** "vipd" in the header of the file (PRAGMA application_id), and the format of its tables (PRAGMA user_version). */
const APPLICATION_ID = 0x76697064n;
const FORMAT = 2n;

const TABLES = `
  CREATE TABLE IF NOT EXISTS epoch (one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, boot TEXT NOT NULL,
    file TEXT NOT NULL, revision INTEGER NOT NULL, forgotten INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL) STRICT,
    WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS changes (revision INTEGER NOT NULL, key TEXT NOT NULL, value TEXT,
    PRIMARY KEY (revision, key)) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

/** How to open the file. */
export interface DatabaseOptions {
  readonly path: string;
  /** `create`: make the file when it is missing; `reopen`: it must be there; `read-only`: likewise, and nothing is written. */
  readonly mode: "create" | "reopen" | "read-only";
}

/** Where the file stands in time. */
export interface StorePosition {
  readonly epoch: string;
  readonly revision: Revision;
  /** Changes up to this revision are no longer known one by one. */
  readonly forgotten: Revision;
}

/** An open connection. */
export class Database {
  readonly path: string;
  readonly connection: DatabaseSync;
  private readonly file: string;
  private readonly positionQuery: StatementSync;
  private readonly statements = new Map<string, StatementSync>();

  private constructor(path: string, connection: DatabaseSync, file: string) {
    this.path = path;
    this.connection = connection;
    this.file = file;
    this.positionQuery = this.statement("SELECT epoch, revision, forgotten FROM epoch");
  }

  /**
   * Opens the file, and begins a new epoch where one is due. Throws SQLite's busy error as it is, and
   * VipdErrors "store-unavailable" and "store-corrupt".
   */
  static open({ path, mode }: DatabaseOptions): Database {
    if (mode === "create") makeFile(path);
    const file = fileOf(path);
    const connection = new DatabaseSync(path, { readOnly: mode === "read-only", timeout: 0 });
    try {
      if (mode === "read-only") checkOurs(connection, path);
      else prepare(connection, path, file);
      return new Database(path, connection, file);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The prepared form of a statement; integers come as bigint. */
  statement(sql: string): StatementSync {
    const known = this.statements.get(sql);
    if (known !== undefined) return known;
    const made = this.connection.prepare(sql);
    made.setReadBigInts(true);
    this.statements.set(sql, made);
    return made;
  }

  position(): StorePosition {
    const row = this.positionQuery.get();
    if (row === undefined)
      throw new VipdError("store-corrupt", `${this.path}: the database has lost its epoch`, { path: this.path });
    return { epoch: String(row["epoch"]), revision: row["revision"] as bigint, forgotten: row["forgotten"] as bigint };
  }

  /** Throws "store-unavailable" when the path names another file by now, or none. */
  checkInPlace(): void {
    if (!this.isInPlace())
      throw new VipdError("store-unavailable", `${this.path}: another file has taken the place of the database`, {
        path: this.path,
      });
  }

  /** Whether the path still names this file. Throws "store-unavailable" when it names none. */
  isInPlace(): boolean {
    return fileOf(this.path) === this.file;
  }

  close(): void {
    if (this.connection.isOpen) this.connection.close();
  }
}

function makeFile(path: string): void {
  try {
    makeDirectory(dirname(path));
    closeSync(openSync(path, "a", 0o660));
  } catch (error) {
    throw fileFailure(error, path);
  }
}

/** Only the last directory of the path is made: a path with a slip in it shall not become a tree. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o750 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** The file behind a path, as device and inode. */
function fileOf(path: string): string {
  try {
    const found = statSync(path, { bigint: true });
    if (found.isDirectory()) throw Object.assign(new Error("a directory"), { code: "EISDIR" });
    const { dev, ino } = found;
    return `${dev}:${ino}`;
  } catch (error) {
    throw fileFailure(error, path);
  }
}

function prepare(connection: DatabaseSync, path: string, file: string): void {
  if (!isFresh(connection)) checkOurs(connection, path);
  connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 400");
  connection.exec("BEGIN IMMEDIATE");
  try {
    if (isFresh(connection)) connection.exec(TABLES);
    else checkOurs(connection, path);
    enterEpoch(connection, file);
    connection.exec("COMMIT");
  } catch (error) {
    if (connection.isTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}

function isFresh(connection: DatabaseSync): boolean {
  return pragma(connection, "application_id") === 0n && pragma(connection, "schema_version") === 0n;
}

function checkOurs(connection: DatabaseSync, path: string): void {
  const format = pragma(connection, "user_version");
  if (pragma(connection, "application_id") !== APPLICATION_ID)
    throw new VipdError(
      "store-corrupt",
      `${path}: is no vipd store, but a database of another program or an empty file`,
      { path },
    );
  if (format !== FORMAT)
    throw new VipdError(
      "store-corrupt",
      `${path}: has format ${String(format)}, and this vipd knows format ${FORMAT}; use the vipd that wrote it, or stop all daemons of the fleet, move the file away, and start them again`,
      { path },
    );
}

function pragma(connection: DatabaseSync, name: string): unknown {
  const statement = connection.prepare(`PRAGMA ${name}`);
  statement.setReadBigInts(true);
  return statement.get()?.[name];
}

function enterEpoch(connection: DatabaseSync, file: string): void {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  const found = connection.prepare("SELECT boot, file FROM epoch").get();
  if (found?.["boot"] === boot && found["file"] === file) return;
  connection.exec("DELETE FROM changes");
  const begin = connection.prepare(`
    INSERT INTO epoch (one, epoch, boot, file, revision, forgotten) VALUES (1, :epoch, :boot, :file, :floor, :floor)
    ON CONFLICT (one) DO UPDATE SET epoch = :epoch, boot = :boot, file = :file,
      revision = max(revision + 1, :floor), forgotten = max(revision + 1, :floor)`);
  begin.run({ epoch: randomUUID(), boot, file, floor: BigInt(Date.now()) * 1_000n });
}

/** Opens by turns until no other process is in the way, or `again` gives up by throwing. */
export async function openDatabase(
  options: DatabaseOptions,
  again: (error: unknown) => Promise<void>,
): Promise<Database> {
  for (;;) {
    try {
      return Database.open(options);
    } catch (error) {
      await again(error).catch((final: unknown) => {
        throw failureOf(final, options.path);
      });
    }
  }
}
