// A connection to a master that was deposed behind its back: those who know better end it, though the server goes on answering.

import { Redis } from "ioredis";
import { afterEach, expect, test } from "vitest";
import { type Ask, masterConnector } from "../../adapters/redis/masters.ts";
import type { Address } from "../../adapters/redis/url.ts";
import { HERE } from "../servers/machine.ts";
import { RedisServer } from "../servers/redis.ts";

const WITNESSES: readonly Address[] = [1, 2, 3].map((port) => ({ host: "witness", port }));

const servers: RedisServer[] = [];
let redis: Redis | undefined;

afterEach(async () => {
  redis?.disconnect();
  redis = undefined;
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(): Promise<RedisServer> {
  const server = await RedisServer.start([]);
  servers.push(server);
  return server;
}

test("the connection goes to the new master once more than half name it, and stays as long as they do not", async () => {
  const [before, after] = [await start(), await start()];
  let converts = 0;
  let rounds = 0;
  // The first witness fails throughout; of the others so many name the new master.
  const ask: Ask = ({ port }) => {
    rounds += port === 1 ? 1 : 0;
    if (port === 1) return Promise.reject(new Error("out of reach"));
    const { port: named } = port <= 1 + converts ? after : before;
    return Promise.resolve({ master: { host: HERE.ip, port: named }, others: [] });
  };
  const client = new Redis({
    Connector: masterConnector(WITNESSES, ask, null),
    retryStrategy: () => 50,
    maxRetriesPerRequest: 0,
  });
  redis = client;
  const ends: string[] = [];
  client.on("error", (error: Error) => ends.push(error.message));
  const connected = async (): Promise<number> =>
    Number(/tcp_port:(\d+)/u.exec(await client.info("server").catch(() => ""))?.[1] ?? 0);
  await expect.poll(connected, { timeout: 5_000 }).toBe(before.port);
  converts = 1;
  const seen = rounds;
  await expect.poll(() => rounds, { timeout: 15_000 }).toBeGreaterThan(seen + 1);
  expect(await connected()).toBe(before.port);
  expect(ends).toEqual([]);
  converts = 2;
  await expect.poll(connected, { timeout: 15_000, interval: 200 }).toBe(after.port);
  expect(ends).toContain(`127.0.0.1:${after.port} has become the master`);
});
