// Several Redis servers that belong together: a master with replicas that Sentinels watch, and a cluster of masters.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePorts, killed, waitFor } from "./place.ts";
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

const NAME = "vipd-test";
const SENTINELS = 3;
const QUORUM = 2;

/** A master with two replicas, watched by three Sentinels that fail over after `downAfterMs` of silence. */
export async function startSentinelGroup(downAfterMs: number, minReplicas = 1): Promise<RedisGroup> {
  const master = await RedisServer.start(DURABLE);
  const replica = (): Promise<RedisServer> =>
    RedisServer.start([...DURABLE, "--replicaof", "127.0.0.1", String(master.port)]);
  const servers = [master, await replica(), await replica()];
  const directory = mkdtempSync(join(tmpdir(), "vds-"));
  const ports = await freePorts(SENTINELS);
  const sentinels = ports.map((port) => startSentinel(directory, port, master.port, downAfterMs));
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(",");
  const asked = (): Promise<string> => masterPort(ports);
  return {
    url: `redis+sentinel://${hosts}/${NAME}?minReplicas=${minReplicas}`,
    servers,
    master: async () => {
      const port = await asked();
      const found = servers.find((server) => String(server.port) === port);
      if (found === undefined) throw new Error("Sentinel names no master of ours");
      return found;
    },
    ready: () =>
      waitFor("the Sentinels know a master with its replicas", async () => {
        const port = await asked();
        const found = servers.find((server) => String(server.port) === port);
        const info = String(await found?.command("INFO", "replication").catch(() => ""));
        return info.includes("role:master") && (info.match(/state=online/gu) ?? []).length === servers.length - 1;
      }),
    close: async () => {
      await Promise.all([...sentinels.map(killed), ...servers.map((server) => server.close())]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function startSentinel(directory: string, port: number, master: number, downAfterMs: number): ChildProcess {
  const file = join(directory, `${port}.conf`);
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${directory}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${master} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" });
}

/** The port of the master that the first Sentinel that answers names; empty when none does. */
async function masterPort(ports: readonly number[]): Promise<string> {
  for (const port of ports) {
    const redis = new Redis({ port, retryStrategy: null, maxRetriesPerRequest: 0, commandTimeout: 1_000 });
    redis.on("error", () => {});
    try {
      const answer = await redis.call("SENTINEL", "get-master-addr-by-name", NAME);
      if (Array.isArray(answer)) return String(answer[1]);
    } catch {
      // The next one may know.
    } finally {
      redis.disconnect();
    }
  }
  return "";
}

const SLOTS = 16_384;
const NODES = 3;

/** A cluster of three masters, between which the slots are shared out. */
export async function startRedisCluster(): Promise<RedisGroup> {
  const buses = await freePorts(NODES);
  const servers = await Promise.all(
    buses.map((bus) =>
      RedisServer.start([
        ...DURABLE,
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        String(bus),
        "--cluster-node-timeout",
        "2000",
      ]),
    ),
  );
  const [first] = servers;
  if (first === undefined) throw new Error("no node");
  await Promise.all(
    servers.map((server, i) => {
      const [from, to] = [Math.ceil((i * SLOTS) / NODES), Math.ceil(((i + 1) * SLOTS) / NODES) - 1];
      return server.command("CLUSTER", "ADDSLOTSRANGE", String(from), String(to));
    }),
  );
  for (const [i, server] of servers.entries())
    await first.command("CLUSTER", "MEET", "127.0.0.1", String(server.port), String(buses[i]));
  const isWhole = async (server: RedisServer): Promise<boolean> =>
    /cluster_state:ok[\s\S]*cluster_known_nodes:3/u.test(
      String(await server.command("CLUSTER", "INFO").catch(() => "")),
    );
  const group = {
    url: `redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    servers,
    master: async () => {
      const slot = Number(await first.command("CLUSTER", "KEYSLOT", "{vipd}"));
      const owner = servers[Math.floor((slot * NODES) / SLOTS)];
      if (owner === undefined) throw new Error("nobody has the slot");
      return owner;
    },
    ready: () =>
      waitFor("every node sees the whole cluster", async () =>
        (await Promise.all(servers.map(isWhole))).every(Boolean),
      ),
    close: async () => void (await Promise.all(servers.map((server) => server.close()))),
  };
  await group.ready();
  return group;
}
