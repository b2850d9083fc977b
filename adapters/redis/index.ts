// The store on Redis, for fleets across machines that have one already.

import type { Store } from "../../src/ports/store.ts";
import { RedisStore } from "./store.ts";
import type { RedisOptions } from "./url.ts";

/** The first attempt to connect is waited for this long, in milliseconds. */
const CONNECT_MS = 1_000;
const LOOK_MS = 5_000;

/**
 * Opens the store. A daemon may start before its Redis does. `readOnly`: only look, write nothing, and make sure that there is
 * a fleet to look at, by one attempt to connect; throws "store-unavailable" and "store-corrupt" then.
 */
export async function openRedisStore(options: RedisOptions, { readOnly = false } = {}): Promise<Store> {
  const store = new RedisStore(options, readOnly);
  if (!readOnly) {
    await store.ready(CONNECT_MS);
    return store;
  }
  try {
    await store.read("", { timeoutMs: LOOK_MS });
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
