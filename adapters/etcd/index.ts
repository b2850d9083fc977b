// The store on etcd, for fleets across machines.

import type { Store } from "../../src/ports/store.ts";
import { EtcdStore } from "./store.ts";
import { EPOCH_KEY } from "./epoch.ts";
import type { EtcdOptions } from "./url.ts";

/** Looking gives up after this long, in milliseconds. */
const LOOK_MS = 5_000;

/**
 * Opens the store. A daemon may start before its etcd does: nothing is asked yet. `readOnly`: only look, write nothing, and
 * make sure that there is a fleet to look at; throws "store-unavailable" and "store-corrupt" then.
 */
export async function openEtcdStore(options: EtcdOptions, { readOnly = false } = {}): Promise<Store> {
  const store = new EtcdStore(options, readOnly);
  if (!readOnly) return store;
  try {
    await store.read(EPOCH_KEY.toString(), { timeoutMs: LOOK_MS });
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
