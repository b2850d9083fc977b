// Several Redis servers that belong together: a master with replicas that Sentinels watch, and a cluster of masters.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePorts, HERE, killed, type Machine, spawnAt, waitFor } from "./machine.ts";
import { DURABLE, RedisServer } from "./redis.ts";

/** A group of servers on the loopback interface. */
export interface RedisGroup {
  readonly url: string;
  /** Waits until the group takes commits as it should. */
  ready(): Promise<void>;
  /** The server that has vipd's data and takes commits. */
  master(): Promise<RedisServer>;
  readonly servers: readonly RedisServer[];
  close(): Promise<void>;
}

const SENTINEL_PORT = 26_379;
const NAME = "vipd-test";
const QUORUM = 2;

/** How Sentinels watch. */
export interface SentinelSetup {
  /** A master is taken for dead after so long a silence, in milliseconds. */
  readonly downAfterMs: number;
  readonly minReplicas?: number;
  /** A server and a Sentinel at each. */
  readonly places?: readonly Machine[];
  /** A Sentinel alone at each. */
  readonly witnesses?: readonly Machine[];
}

/** A master with replicas, watched by as many Sentinels, and by the witnesses. */
export async function startSentinelGroup(setup: SentinelSetup): Promise<RedisGroup> {
  const { downAfterMs, minReplicas = 1, places = [HERE, HERE, HERE], witnesses = [] } = setup;
  const posts = [...places, ...witnesses];
  const [masterPlace = HERE, ...replicaPlaces] = places;
  const master = await RedisServer.start(DURABLE, masterPlace);
  const replicas = replicaPlaces.map((place) =>
    RedisServer.start([...DURABLE, "--replicaof", masterPlace.ip, String(master.port)], place),
  );
  const servers = [master, ...(await Promise.all(replicas))];
  const directory = mkdtempSync(join(tmpdir(), "vds-"));
  const isRemote = masterPlace.namespace !== undefined;
  const ports = isRemote ? posts.map(() => SENTINEL_PORT) : await freePorts(posts.length);
  const sentinels = posts.map((place, i) => {
    const file = writeSentinelConfig(directory, { place, port: ports[i] ?? 0, master, downAfterMs });
    return spawnAt(place, "redis-server", [file, "--sentinel"]);
  });
  const known = async (): Promise<RedisServer | undefined> => {
    const address = await masterAddress(posts, ports);
    return servers.find(({ place, port }) => address === `${place.ip} ${port}`);
  };
  return {
    url: `redis+sentinel://${posts.map(({ ip }, i) => `${ip}:${ports[i]}`).join(",")}/${NAME}?minReplicas=${minReplicas}`,
    servers,
    master: async () => {
      const found = await known();
      if (found === undefined) throw new Error("Sentinel names no master of ours");
      return found;
    },
    ready: () =>
      waitFor("the Sentinels know a master with its replicas", async () => {
        const info = String(await (await known())?.command("INFO", "replication").catch(() => ""));
        return info.includes("role:master") && (info.match(/state=online/gu) ?? []).length === servers.length - 1;
      }),
    close: async () => {
      await Promise.all([...sentinels.map(killed), ...servers.map((server) => server.close())]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface SentinelConfig {
  readonly place: Machine;
  readonly port: number;
  readonly master: RedisServer;
  readonly downAfterMs: number;
}

function writeSentinelConfig(directory: string, { place, port, master, downAfterMs }: SentinelConfig): string {
  const file = join(directory, `${place.ip}-${port}.conf`);
  const lines = [
    `port ${port}`,
    `bind ${place.ip}`,
    "protected-mode no",
    `dir ${directory}`,
    `sentinel monitor ${NAME} ${master.place.ip} ${master.port} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

/** The address of the master that most Sentinels name; empty when none answers. One may be cut off, and not know better. */
async function masterAddress(places: readonly Machine[], ports: readonly number[]): Promise<string> {
  const votes = new Map<string, number>();
  for (const [i, place] of places.entries()) {
    const named = await askSentinel(place, ports[i] ?? 0).catch(() => "");
    if (named !== "") votes.set(named, (votes.get(named) ?? 0) + 1);
  }
  return [...votes].toSorted(([, x], [, y]) => y - x)[0]?.[0] ?? "";
}

async function askSentinel({ ip, namespace }: Machine, port: number): Promise<string> {
  const words = ["SENTINEL", "get-master-addr-by-name", NAME] as const;
  if (namespace !== undefined) {
    const cli = ["timeout", "2", "redis-cli", "-h", ip, "-p", String(port), ...words] as const;
    return namespace
      .exec(...cli)
      .trim()
      .replace("\n", " ");
  }
  const redis = new Redis({ port, retryStrategy: null, maxRetriesPerRequest: 0, commandTimeout: 1_000 });
  redis.on("error", () => {});
  try {
    const answer = await redis.call(...words);
    return Array.isArray(answer) ? answer.join(" ") : "";
  } finally {
    redis.disconnect();
  }
}

const SLOTS = 16_384;
const BUS_PORT = 16_379;

const MASTERS = 3;

/** A cluster of three masters, between which the slots are shared out; further places are replicas of who has vipd's. */
export async function startRedisCluster(
  places: readonly Machine[] = [HERE, HERE, HERE],
  options = "",
): Promise<RedisGroup> {
  const isRemote = places[0]?.namespace !== undefined;
  const buses = isRemote ? places.map(() => BUS_PORT) : await freePorts(places.length);
  const clustered = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
  const servers = await Promise.all(
    places.map((place, i) => RedisServer.start([...DURABLE, ...clustered, "--cluster-port", String(buses[i])], place)),
  );
  const [first] = servers;
  if (first === undefined) throw new Error("no node");
  const masters = servers.slice(0, MASTERS);
  const share = (i: number): number => Math.ceil((i * SLOTS) / MASTERS);
  await Promise.all(
    masters.map((server, i) => server.command("CLUSTER", "ADDSLOTSRANGE", String(share(i)), String(share(i + 1) - 1))),
  );
  for (const [i, { place, port }] of servers.entries())
    await first.command("CLUSTER", "MEET", place.ip, String(port), String(buses[i]));
  const isWhole = async (server: RedisServer): Promise<boolean> => {
    const info = String(await server.command("CLUSTER", "INFO").catch(() => ""));
    return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${servers.length}`);
  };
  const slot = Number(await first.command("CLUSTER", "KEYSLOT", "{vipd}"));
  const owner = masters.findLast((_server, i) => share(i) <= slot) ?? first;
  const group: RedisGroup = {
    url: `redis+cluster://${servers.map(({ place, port }) => `${place.ip}:${port}`).join(",")}${options}`,
    servers,
    master: () => Promise.resolve(owner),
    ready: () =>
      waitFor("every node sees the whole cluster", async () =>
        (await Promise.all(servers.map(isWhole))).every(Boolean),
      ),
    close: async () => void (await Promise.all(servers.map((server) => server.close()))),
  };
  await group.ready();
  const replicas = servers.slice(MASTERS);
  const id = String(await owner.command("CLUSTER", "MYID"));
  for (const replica of replicas) await replica.command("CLUSTER", "REPLICATE", id);
  await waitFor("the replicas are connected", async () => {
    const info = String(await owner.command("INFO", "replication"));
    return (info.match(/state=online/gu) ?? []).length === replicas.length;
  });
  return group;
}
