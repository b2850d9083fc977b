// The one list of store adapters: a new one is added here, and nowhere else in the program.

import { etcdAdapter } from "../../adapters/etcd/adapter.ts";
import { redisAdapter } from "../../adapters/redis/adapter.ts";
import { sqliteAdapter } from "../../adapters/sqlite/adapter.ts";
import { VipdError } from "../base/errors.ts";
import { redactUrl, storeScheme, storeUrlFix } from "../base/store-url.ts";
import type { Store } from "../ports/store.ts";
import type { OpenOptions, StoreAdapter } from "../ports/store-adapter.ts";

/** Every kind of store that this build knows. */
export const STORE_ADAPTERS: readonly StoreAdapter[] = [sqliteAdapter, etcdAdapter, redisAdapter];

/** The adapter that a URL is for; `undefined` when there is none. */
export function adapterFor(url: string): StoreAdapter | undefined {
  const scheme = storeScheme(url);
  return scheme === undefined ? undefined : STORE_ADAPTERS.find(({ schemes }) => schemes.includes(scheme));
}

/** Opens the store that the URL names. Throws VipdErrors "store-url", "store-unavailable" and "store-corrupt". */
export async function openStore(url: string, options: Partial<OpenOptions> = {}): Promise<Store> {
  const adapter = adapterFor(url);
  if (adapter !== undefined) return adapter.open(url, { readOnly: false, mustExist: false, ...options });
  const known = STORE_ADAPTERS.flatMap(({ schemes }) => schemes).map((scheme) => `${scheme}:`);
  const fix = storeUrlFix(url) ?? `use one of ${known.join(", ")}`;
  throw new VipdError("store-url", `${url === "" ? "an empty text" : redactUrl(url)} names no known store: ${fix}`);
}
