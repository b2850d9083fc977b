// Stores for tests: one whose fleet has settled, and stores that do not keep their word.

import { MemoryBackend } from "../../servers/memory/index.ts";
import { encodeValue, type EpochRecord } from "../../../src/election/records.ts";
import type { Store } from "../../../src/ports/store.ts";
import { KEYS } from "../election/samples.ts";

/** A backend whose fleet has settled on its epoch. */
export function settledBackend(): MemoryBackend {
  const backend = new MemoryBackend({ epoch: "e" });
  const value = encodeValue<EpochRecord>({ epoch: "e" });
  backend.commit({ guards: [], writes: [{ key: KEYS.epoch, value }] });
  return backend;
}

/** A store of which some methods do something else. */
export function altered(store: Store, change: Partial<Store>): Store {
  return {
    guarantees: store.guarantees,
    read: (prefix, limits) => store.read(prefix, limits),
    commit: (txn, limits) => store.commit(txn, limits),
    watch: (prefix, since, signal) => store.watch(prefix, since, signal),
    close: () => store.close(),
    ...change,
  };
}

/** A call that never settles. */
export function hang(): Promise<never> {
  return new Promise(() => {});
}
