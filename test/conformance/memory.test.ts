import { faultyStore, MemoryBackend, NO_FAULTS, openMemoryStore } from "../../adapters/memory/index.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Store } from "../../src/ports/store.ts";
import { procClock, systemTimers } from "../../src/runtime/timers.ts";
import type { Harness } from "./harness.ts";
import { storeConformance } from "./suite.ts";

const LOG_LENGTH = 200;

const LOSSES = ["all data are lost", "older data come back"];
const TRAITS = {
  processes: false,
  block: false,
  outage: false,
  losses: LOSSES,
  restartKeepsEpoch: true,
  restartKeepsData: true,
};

/** What stands between the suite and a store. */
type Wrap = (store: Store) => Store;

async function beginMemory(wrap: Wrap): Promise<Harness> {
  const backend = new MemoryBackend({ logLength: LOG_LENGTH });
  const stores: Store[] = [];
  const open = async (): Promise<Store> => {
    const store = wrap(openMemoryStore(backend));
    stores.push(store);
    return store;
  };
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  };
  return {
    open,
    url: undefined,
    restart: closeAll,
    losses: {
      "all data are lost": async () => backend.beginEpoch(),
      "older data come back": async () => backend.beginEpoch([{ key: "k", value: "0", version: 0n }]),
    },
    historyLength: LOG_LENGTH * 3,
    cleanUp: closeAll,
  };
}

storeConformance("memory", TRAITS, () => beginMemory((store) => store));

const timers = systemTimers(procClock());
const seen: Wrap = (store) =>
  faultyStore(store, { timers, random: seededRandom(1), faults: { ...NO_FAULTS, delayMs: [0, 0.5] } });
storeConformance("memory, seen over a network without faults,", TRAITS, () => beginMemory(seen));
