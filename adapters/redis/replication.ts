// What `minReplicas` asks for: that so many replicas have what was written on a connection, and were this master's replicas
// when it was written. A master whose replica was promoted never hears of it again.

import type { Connection } from "./connection.ts";
import { plainWords } from "./words.ts";

/** Redis answers so often while it waits, lest the client take its silence for a dead server. In milliseconds. */
const PORTION_MS = 500;

/** Redis's own limit ends before the caller's, so that its answer comes in time to be told. */
const SHARE = 0.8;

/** What is waited for. */
export interface Replication {
  /** So many replicas; 0: nothing is waited for. */
  readonly replicas: number;
  /** The connection on which it was written. */
  readonly connectionNumber: number;
  /** Until when, on performance.now(). */
  readonly end: number;
}

/** Waits until the replicas have what was last written. The result: why that is not known; `undefined`: they have it. */
export async function missingReplicas(
  connection: Connection,
  { replicas, connectionNumber, end }: Replication,
): Promise<string | undefined> {
  if (replicas === 0) return undefined;
  if (connectionNumber !== connection.connectionNumber) return "the connection broke";
  const last = end - (end - performance.now()) * (1 - SHARE);
  try {
    for (;;) {
      const restMs = last - performance.now();
      const count = await connection.redis.wait(replicas, Math.max(1, Math.floor(Math.min(PORTION_MS, restMs))));
      if (connectionNumber !== connection.connectionNumber) return "the connection broke";
      if (count >= replicas) return undefined;
      if (restMs <= PORTION_MS) {
        connection.lookAnew();
        return `${count} of ${replicas} replicas have confirmed it in time`;
      }
    }
  } catch (error) {
    connection.lookAnew();
    return `its replicas were not heard: ${plainWords(error)}`;
  }
}
