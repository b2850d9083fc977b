// A connection for one question.

import { Redis } from "ioredis";
import { ASK_MS } from "./masters.ts";
import type { Address, RedisOptions } from "./url.ts";

/** Connects, asks, and hangs up: within ASK_MS for connecting and as much for each answer, without a second try. */
export async function askOnce<T>(
  whom: Address,
  { tls, username, password }: Pick<RedisOptions, "tls" | "username" | "password">,
  ask: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis({
    ...whom,
    ...(tls !== null && { tls }),
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    connectTimeout: ASK_MS,
    commandTimeout: ASK_MS,
    retryStrategy: null,
  });
  let why: Error | undefined;
  redis.on("error", (error: Error) => {
    why = error;
  });
  try {
    return await ask(redis);
  } catch (error) {
    // Why there is no connection says more than that there is none.
    throw why ?? error;
  } finally {
    redis.disconnect();
  }
}
