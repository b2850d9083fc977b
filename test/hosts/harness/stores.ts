// Stores on machines of their own at the switch.

import { EtcdCluster, type EtcdSetup } from "../../servers/etcd.ts";
import { DURABLE, RedisServer } from "../../servers/redis.ts";
import type { Lan } from "./lan.ts";

/** An etcd of so many members, each on a machine of its own; it does not run yet. */
export function makeEtcd(lan: Lan, size: number, setup: Omit<EtcdSetup, "places" | "tls"> = {}): Promise<EtcdCluster> {
  return EtcdCluster.make({ ...setup, places: Array.from({ length: size }, () => lan.addServer()) });
}

/** An etcd that runs. */
export async function startEtcd(lan: Lan, size: number, args: readonly string[] = []): Promise<EtcdCluster> {
  const cluster = await makeEtcd(lan, size, { args });
  await cluster.startAll();
  return cluster;
}

/** A Redis that writes everything down. */
export function startRedis(lan: Lan): Promise<RedisServer> {
  return RedisServer.start(DURABLE, lan.addServer());
}
