// The memory store of the tests under the suite of the real ones: what it simulates is what they do.

import { faultyStore, MemoryBackend, NO_FAULTS, openMemoryStore } from "../servers/memory/index.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Store } from "../../src/ports/store.ts";
import { procClock, systemTimers } from "../../src/runtime/timers.ts";
import type { DelayedStore, Harness } from "./harness.ts";
import { storeConformance } from "./suite.ts";

const LOG_LENGTH = 200;
/** Longer than a test needs to lose the data meanwhile, in milliseconds. */
const DELAY_MS = 200;

const LOSSES = ["all data are lost", "older data come back"];
const TRAITS = {
  processes: false,
  block: false,
  outage: false,
  losses: LOSSES,
  delayedLosses: LOSSES,
  restartKeepsEpoch: true,
  restartKeepsData: true,
};

/** What stands between the suite and a store. */
type Wrap = (store: Store, backend: MemoryBackend) => Store;

const timers = systemTimers(procClock());

async function beginMemory(wrap: Wrap): Promise<Harness> {
  const backend = new MemoryBackend({ logLength: LOG_LENGTH });
  const stores: Store[] = [];
  const opened = (store: Store): Store => {
    stores.push(store);
    return store;
  };
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  };
  return {
    open: async () => opened(wrap(openMemoryStore(backend), backend)),
    url: undefined,
    restart: closeAll,
    foreignPut: async (key, value) => void backend.apply([{ key, value }]),
    openDelayed: async () => delayed(backend, opened),
    losses: {
      "all data are lost": async () => backend.beginEpoch(),
      "older data come back": async () => backend.beginEpoch([{ key: "k", value: "0", version: 0n }]),
    },
    historyLength: LOG_LENGTH * 3,
    cleanUp: closeAll,
  };
}

function delayed(backend: MemoryBackend, opened: (store: Store) => Store): DelayedStore {
  const faults = { ...NO_FAULTS };
  const random = seededRandom(1);
  const store = opened(faultyStore(openMemoryStore(backend), { timers, random, faults, epoch: () => backend.epoch }));
  const travelMs = (ms: number): Promise<void> => {
    faults.delayMs = [ms, ms];
    return Promise.resolve();
  };
  return { store, hold: () => travelMs(DELAY_MS), holds: () => Promise.resolve(), release: () => travelMs(0) };
}

storeConformance("memory", TRAITS, () => beginMemory((store) => store));

const seen: Wrap = (store, backend) =>
  faultyStore(store, {
    timers,
    random: seededRandom(1),
    faults: { ...NO_FAULTS, delayMs: [0, 0.5] },
    epoch: () => backend.epoch,
  });
storeConformance("memory, seen over a network without faults,", TRAITS, () => beginMemory(seen));
