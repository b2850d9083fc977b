// An etcd under the conformance suite. One cluster serves all tests of a file: each begins with nothing in it.

import { afterAll, beforeAll } from "vitest";
import { EPOCH_KEY } from "../../adapters/etcd/epoch.ts";
import { openStore } from "../../src/stores/index.ts";
import type { Store } from "../../src/ports/store.ts";
import type { EtcdCluster } from "../servers/etcd.ts";
import { Proxy } from "../servers/proxy.ts";
import { type Harness, proxied } from "./harness.ts";
import { storeConformance } from "./suite.ts";

const TRAITS = {
  processes: true,
  block: true,
  outage: true,
  losses: ["every member loses its data", "every record is deleted", "the epoch's record is deleted"],
  delayedLosses: ["every record is deleted", "the epoch's record is deleted"],
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
  const proxies: Proxy[] = [];
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  };
  const openAt = async (url: string): Promise<Store> => {
    const store = await openStore(url);
    stores.push(store);
    return store;
  };
  return {
    open: () => openAt(cluster.url),
    url: cluster.url,
    restart: async () => {
      await closeAll();
      await cluster.kill();
      await cluster.startAll();
    },
    block: {
      reads: true,
      start: async () => {
        await cluster.stop();
        return () => Promise.resolve(cluster.signal("SIGCONT"));
      },
    },
    foreignPut: (key, value) => Promise.resolve(void cluster.ctl("put", key, value)),
    openDelayed: async () => {
      const [member] = cluster.members;
      const proxy = await Proxy.start(member?.client ?? 0);
      proxies.push(proxy);
      const url = cluster.urlOf(member === undefined ? [] : [{ ...member, client: proxy.port }]);
      return proxied(await openAt(url), proxy);
    },
    outage: { begin: () => cluster.kill(), end: () => cluster.startAll() },
    losses: {
      "every member loses its data": async () => {
        await cluster.wipe();
        await cluster.startAll();
        afterLoss(cluster);
      },
      "every record is deleted": () => Promise.resolve(cluster.erase()),
      "the epoch's record is deleted": () => Promise.resolve(void cluster.ctl("del", EPOCH_KEY.toString())),
    },
    historyLength: 2,
    forgetHistory: () => Promise.resolve(cluster.compact()),
    cleanUp: closeAll,
  };
}
