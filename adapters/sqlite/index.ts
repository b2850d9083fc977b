// The embedded store: one SQLite file that the processes of one machine share.

import { VipdError } from "../../src/base/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { type DatabaseOptions, openDatabase } from "./database.ts";
import { isBusy } from "./failures.ts";
import { SqliteStore } from "./store.ts";

/** Opening gives up after this long, in milliseconds. */
const OPEN_MS = 2_000;
const LOCK_PAUSE_MS = 5;

/** Which file. */
export interface SqliteOptions {
  /** Absolute path. */
  readonly path: string;
  /** Nothing is created or written. */
  readonly readOnly?: boolean;
  /** Nothing is created. */
  readonly mustExist?: boolean;
}

/** Opens the store, and makes the file when it is missing. Throws "store-unavailable" or "store-corrupt". */
export async function openSqliteStore({ path, readOnly = false, mustExist = false }: SqliteOptions): Promise<Store> {
  const options: DatabaseOptions = { path, mode: readOnly ? "read-only" : mustExist ? "reopen" : "create" };
  const end = performance.now() + OPEN_MS;
  const database = await openDatabase(options, async (error) => {
    if (!isBusy(error)) throw error;
    if (performance.now() > end)
      throw new VipdError(
        "store-unavailable",
        `${path}: another process has kept the database locked for ${OPEN_MS} ms`,
        { path },
        error,
      );
    await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
  });
  return new SqliteStore(database, options);
}
