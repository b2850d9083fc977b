import { openEtcdStore, parseEtcdUrl } from "../../adapters/etcd/index.ts";
import type { Store } from "../../src/ports/store.ts";
import { EtcdCluster } from "./etcd/server.ts";
import type { Harness } from "./harness.ts";
import { storeConformance } from "./suite.ts";

const LOSSES = ["every member loses its data"];

async function begin(size: number): Promise<Harness> {
  const cluster = await EtcdCluster.start(size);
  const stores: Store[] = [];
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  };
  const startAgain = async (): Promise<void> => {
    await cluster.startAll();
  };
  return {
    open: async () => {
      const store = await openEtcdStore(parseEtcdUrl(cluster.url));
      stores.push(store);
      return store;
    },
    url: cluster.url,
    restart: async () => {
      await closeAll();
      await cluster.kill();
      await startAgain();
    },
    block: {
      reads: true,
      start: () => {
        cluster.signal("SIGSTOP");
        return Promise.resolve(() => Promise.resolve(cluster.signal("SIGCONT")));
      },
    },
    outage: { begin: () => cluster.kill(), end: startAgain },
    losses: {
      "every member loses its data": async () => {
        await cluster.wipe();
        await startAgain();
      },
    },
    historyLength: 2,
    forgetHistory: () => Promise.resolve(cluster.compact()),
    cleanUp: async () => {
      await closeAll();
      await cluster.close();
    },
  };
}

const TRAITS = { processes: true, block: true, outage: true, losses: LOSSES, restartKeepsEpoch: true };

storeConformance("etcd", TRAITS, () => begin(1));
