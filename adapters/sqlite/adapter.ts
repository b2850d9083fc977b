// SQLite as a store: light to load, so that a URL can be checked without the database.

import type { StoreAdapter } from "../../src/ports/store-adapter.ts";
import { MIN_TTL_MS } from "./limits.ts";
import { parseSqliteUrl } from "./url.ts";

/** One file on one machine. */
export const sqliteAdapter: StoreAdapter = {
  name: "SQLite",
  schemes: ["sqlite"],
  example: "sqlite:/var/lib/vipd/fleet.db",
  minTtlMs: MIN_TTL_MS,
  check: (url) => void parseSqliteUrl(url),
  secretFiles: () => [],
  localFile: parseSqliteUrl,
  open: async (url, { readOnly, mustExist }) => {
    const path = parseSqliteUrl(url);
    return (await import("./index.ts")).openSqliteStore({ path, readOnly, mustExist });
  },
};
