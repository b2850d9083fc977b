// How a process of its own finds a store: the URLs of the adapters whose data several processes share.

import { openEtcdStore, parseEtcdUrl } from "../../adapters/etcd/index.ts";
import { openRedisStore, parseRedisUrl } from "../../adapters/redis/index.ts";
import { openSqliteStore, parseSqliteUrl } from "../../adapters/sqlite/index.ts";
import type { Store } from "../../src/ports/store.ts";

/** Opens the store that a harness named by its `url`. */
export function openByUrl(url: string): Promise<Store> {
  if (url.startsWith("sqlite:")) return openSqliteStore({ path: parseSqliteUrl(url) });
  if (url.startsWith("redis")) return openRedisStore(parseRedisUrl(url));
  if (url.startsWith("etcd")) return openEtcdStore(parseEtcdUrl(url));
  throw new Error(`no adapter for ${url}`);
}
