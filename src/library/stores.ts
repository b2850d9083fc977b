// From a store URL to a store. Adapters are loaded only when they are used.

import { VipdError } from "../base/errors.ts";
import type { KnownStores } from "../config/cross-checks.ts";
import { redactUrl, storeScheme } from "../config/store-url.ts";
import type { Store } from "../ports/store.ts";

/** The stores of this build: scheme -> shortest lease in milliseconds. */
export const KNOWN_STORES: KnownStores = {
  sqlite: 500,
  etcd: 500,
  etcds: 500,
  redis: 500,
  rediss: 500,
  "redis+unix": 500,
  "redis+sentinel": 500,
  "rediss+sentinel": 500,
  "redis+cluster": 500,
  "rediss+cluster": 500,
};

/** How to open a store. */
export interface OpenStoreOptions {
  /** Only look: nothing is created or written. */
  readonly readOnly?: boolean;
}

/** Opens the store that the URL names. Throws VipdErrors "store-url", "store-unavailable" and "store-corrupt". */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<Store> {
  const scheme = storeScheme(url);
  if (scheme === "sqlite") {
    const { openSqliteStore, parseSqliteUrl } = await import("../../adapters/sqlite/index.ts");
    return openSqliteStore({ path: parseSqliteUrl(url), readOnly: options.readOnly ?? false });
  }
  if (scheme === "etcd" || scheme === "etcds") {
    const { openEtcdStore, parseEtcdUrl } = await import("../../adapters/etcd/index.ts");
    return openEtcdStore(parseEtcdUrl(url), { readOnly: options.readOnly ?? false });
  }
  if (scheme?.startsWith("redis") === true && Object.hasOwn(KNOWN_STORES, scheme)) {
    const { openRedisStore, parseRedisUrl } = await import("../../adapters/redis/index.ts");
    return openRedisStore(parseRedisUrl(url), { readOnly: options.readOnly ?? false });
  }
  const known = Object.keys(KNOWN_STORES).map((name) => `${name}:`);
  throw new VipdError("store-url", `${redactUrl(url)} names no known store: use one of ${known.join(", ")}`);
}
