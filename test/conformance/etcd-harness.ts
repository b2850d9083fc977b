// An etcd under the conformance suite. One cluster serves all tests of a file: each begins with nothing in it.

import { afterAll, beforeAll } from "vitest";
import { openEtcdStore, parseEtcdUrl } from "../../adapters/etcd/index.ts";
import type { Store } from "../../src/ports/store.ts";
import type { EtcdCluster } from "../servers/etcd.ts";
import type { Harness } from "./harness.ts";
import { storeConformance } from "./suite.ts";

const TRAITS = {
  processes: true,
  block: true,
  outage: true,
  losses: ["every member loses its data"],
  restartKeepsEpoch: true,
  restartKeepsData: true,
};

/** Runs the suite on a cluster that `start` makes; `afterLoss`: what must be set up anew when all data are gone. */
export function etcdConformance(
  name: string,
  start: () => Promise<EtcdCluster>,
  afterLoss: (cluster: EtcdCluster) => void = () => {},
): void {
  let cluster: EtcdCluster | undefined;
  beforeAll(async () => {
    cluster = await start();
  });
  afterAll(async () => {
    await cluster?.close();
  });
  storeConformance(name, TRAITS, () => {
    if (cluster === undefined) throw new Error("no etcd runs");
    cluster.erase();
    return Promise.resolve(harnessOf(cluster, afterLoss));
  });
}

function harnessOf(cluster: EtcdCluster, afterLoss: (cluster: EtcdCluster) => void): Harness {
  const stores: Store[] = [];
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
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
      await cluster.startAll();
    },
    block: {
      reads: true,
      start: () => {
        cluster.signal("SIGSTOP");
        return Promise.resolve(() => Promise.resolve(cluster.signal("SIGCONT")));
      },
    },
    outage: { begin: () => cluster.kill(), end: () => cluster.startAll() },
    losses: {
      "every member loses its data": async () => {
        await cluster.wipe();
        await cluster.startAll();
        afterLoss(cluster);
      },
    },
    historyLength: 2,
    forgetHistory: () => Promise.resolve(cluster.compact()),
    cleanUp: closeAll,
  };
}
