// A Redis, or several that belong together, under the conformance suite. They serve all tests of a file: each begins with
// nothing in them.

import { afterAll, beforeAll } from "vitest";
import { openRedisStore, parseRedisUrl } from "../../adapters/redis/index.ts";
import { LOG_LENGTH } from "../../adapters/redis/scripts.ts";
import type { Store } from "../../src/ports/store.ts";
import { RedisServer } from "../servers/redis.ts";
import type { RedisGroup } from "../servers/redis-groups.ts";
import type { Harness } from "./harness.ts";
import { storeConformance } from "./suite.ts";

/** Runs the suite on the servers that `start` makes. */
export function redisConformance(
  name: string,
  start: () => Promise<RedisGroup>,
  { restartKeepsData = true } = {},
): void {
  const losses = ["the data are wiped", "everything is flushed", "the records alone are lost"];
  const traits = { processes: true, block: true, outage: true, losses, restartKeepsEpoch: false, restartKeepsData };
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
export async function startAlone(args: readonly string[]): Promise<RedisGroup> {
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
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  };
  const { servers } = group;
  const killAll = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.kill())));
  const startAll = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.startAgain()));
    await group.ready();
  };
  const signal = (name: NodeJS.Signals): void => {
    for (const server of servers) server.signal(name);
  };
  return {
    open: async () => {
      const store = await openRedisStore(parseRedisUrl(group.url));
      stores.push(store);
      return store;
    },
    url: group.url,
    restart: async () => {
      await closeAll();
      await killAll();
      await startAll();
    },
    block: {
      reads: true,
      start: () => {
        signal("SIGSTOP");
        return Promise.resolve(() => Promise.resolve(signal("SIGCONT")));
      },
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
