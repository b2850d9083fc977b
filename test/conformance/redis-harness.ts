// A Redis, or several that belong together, under the conformance suite. They serve all tests of a file: each begins with
// nothing in them.

import { afterAll, beforeAll } from "vitest";
import { openStore } from "../../src/stores/index.ts";
import { CHANNEL, KEYS, LOG_LENGTH } from "../../adapters/redis/scripts.ts";
import type { Store } from "../../src/ports/store.ts";
import { RedisServer } from "../servers/redis.ts";
import type { RedisGroup } from "../servers/redis-groups.ts";
import { Proxy } from "../servers/proxy.ts";
import { type Harness, proxied } from "./harness.ts";
import { storeConformance, type Traits } from "./suite.ts";

const TRAITS = {
  processes: true,
  block: true,
  outage: true,
  losses: ["the data are wiped", "everything is flushed", "the records alone are lost"],
  delayedLosses: ["everything is flushed", "the records alone are lost"],
  restartKeepsEpoch: false,
};

/** Runs the suite on several servers. They tell each other's addresses: so a client does not stay behind a proxy. */
export function redisConformance(name: string, start: () => Promise<RedisGroup>): void {
  describeGroup(name, start, { ...TRAITS, restartKeepsData: true, delayedLosses: [] });
}

/** Runs the suite on one server. */
export function singleRedisConformance(name: string, args: readonly string[], { restartKeepsData = true } = {}): void {
  describeGroup(name, () => startAlone(args), { ...TRAITS, restartKeepsData });
}

function describeGroup(name: string, start: () => Promise<RedisGroup>, traits: Traits): void {
  let group: RedisGroup | undefined;
  beforeAll(async () => {
    group = await start();
    await group.ready();
  });
  afterAll(async () => {
    await group?.close();
  });
  storeConformance(name, traits, async () => {
    if (group === undefined) throw new Error("no Redis runs");
    await (await group.master()).command("FLUSHALL");
    return harnessOf(group);
  });
}

/** One server is a group too. */
async function startAlone(args: readonly string[]): Promise<RedisGroup> {
  const server = await RedisServer.start(args);
  return {
    url: server.url,
    servers: [server],
    ready: () => Promise.resolve(),
    master: () => Promise.resolve(server),
    close: () => server.close(),
  };
}

function harnessOf(group: RedisGroup): Harness {
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
  const { servers } = group;
  const killAll = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.kill())));
  const startAll = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.startAgain()));
    await group.ready();
  };
  const wakeAll = async (): Promise<void> => {
    for (const server of servers) server.signal("SIGCONT");
  };
  return {
    open: () => openAt(group.url),
    url: group.url,
    restart: async () => {
      await closeAll();
      await killAll();
      await startAll();
    },
    block: {
      reads: true,
      start: async () => {
        await Promise.all(servers.map((server) => server.stop()));
        return wakeAll;
      },
    },
    foreignPut: async (key, value) => foreignPut(await group.master(), key, value),
    openDelayed: async () => {
      const proxy = await Proxy.start(servers[0]?.port ?? 0);
      proxies.push(proxy);
      return proxied(await openAt(`redis://127.0.0.1:${proxy.port}`), proxy);
    },
    outage: { begin: killAll, end: startAll },
    losses: {
      "the data are wiped": async () => {
        await killAll();
        for (const server of servers) server.wipe();
        await startAll();
      },
      "everything is flushed": async () => void (await (await group.master()).command("FLUSHALL")),
      "the records alone are lost": async () => void (await (await group.master()).command("DEL", "{vipd}:records")),
    },
    historyLength: 2 * LOG_LENGTH + 2,
    cleanUp: closeAll,
  };
}

/** As the script COMMIT does it, without its bounds. */
async function foreignPut(server: RedisServer, key: string, value: string): Promise<void> {
  const [records, meta, log] = KEYS;
  const epoch = await server.command("HGET", meta, "epoch");
  const revision = String(await server.command("HINCRBY", meta, "revision", "1"));
  await server.command("HSET", records, key, `${revision} ${value}`);
  const entry = JSON.stringify({ revision, epoch, changes: [[key, value]] });
  await server.command("LPUSH", log, entry);
  await server.command("PUBLISH", CHANNEL, entry);
}
