import { MemoryBackend, openMemoryStore } from "../../adapters/memory/index.ts";
import type { Store } from "../../src/ports/store.ts";
import type { Harness } from "./harness.ts";
import { storeConformance } from "./suite.ts";

const LOG_LENGTH = 200;

async function beginMemory(): Promise<Harness> {
  const backend = new MemoryBackend({ logLength: LOG_LENGTH });
  const stores: Store[] = [];
  const open = async (): Promise<Store> => {
    const store = openMemoryStore(backend);
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
      "older data come back": async () => backend.beginEpoch([{ key: "k", value: "0" }]),
    },
    historyLength: LOG_LENGTH * 3,
    cleanUp: closeAll,
  };
}

storeConformance("memory", { processes: false, block: false, outage: false, losses: ["all data are lost", "older data come back"] }, beginMemory);
