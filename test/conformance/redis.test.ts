import { openRedisStore, parseRedisUrl } from "../../adapters/redis/index.ts";
import { LOG_LENGTH } from "../../adapters/redis/scripts.ts";
import type { Store } from "../../src/ports/store.ts";
import type { Harness } from "./harness.ts";
import { RedisServer } from "./redis/server.ts";
import { storeConformance } from "./suite.ts";

const LOSSES = ["the data are wiped", "everything is flushed"];

async function begin(): Promise<Harness> {
  const server = await RedisServer.start(["--appendonly", "yes", "--appendfsync", "always"]);
  const stores: Store[] = [];
  const closeAll = async (): Promise<void> => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  };
  const open = async (): Promise<Store> => {
    const store = await openRedisStore(parseRedisUrl(server.url));
    stores.push(store);
    return store;
  };
  return {
    open,
    url: server.url,
    restart: async () => {
      await closeAll();
      await server.kill();
      await server.startAgain();
    },
    block: {
      reads: true,
      start: () => {
        server.signal("SIGSTOP");
        return Promise.resolve(() => Promise.resolve(server.signal("SIGCONT")));
      },
    },
    outage: { begin: () => server.kill(), end: () => server.startAgain() },
    losses: {
      "the data are wiped": async () => {
        await server.kill();
        server.wipe();
        await server.startAgain();
      },
      "everything is flushed": async () => void (await server.command("FLUSHALL")),
    },
    historyLength: 2 * LOG_LENGTH + 2,
    cleanUp: async () => {
      await closeAll();
      await server.close();
    },
  };
}

storeConformance(
  "redis",
  { processes: true, block: true, outage: true, losses: LOSSES, restartKeepsEpoch: false },
  begin,
);
