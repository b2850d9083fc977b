// A client without a queue, a retry or a re-send of its own, to wherever the URL says that the master is.

import { Redis } from "ioredis";
import { askNode } from "./cluster.ts";
import { masterConnector } from "./masters.ts";
import { askSentinel } from "./sentinel.ts";
import type { RedisOptions } from "./url.ts";

/** A server that owes an answer for so long is given up, in milliseconds. */
const SOCKET_MS = 1_000;
const CONNECT_MS = 1_000;

/** A server that still loads its data is asked again after this long, in milliseconds. */
const LOADING_MS = 200;

/** What a server says that is no master any more, or does not have vipd's slot: another one is looked for. */
const ELSEWHERE = /^(?:READONLY|MOVED|ASK|CLUSTERDOWN|MASTERDOWN)/u;

/** Connects, and goes on connecting anew whenever the connection breaks, until it is told to disconnect. */
export function makeRedis(options: RedisOptions): Redis {
  const { where, tls, username, password } = options;
  return new Redis({
    ...(where.kind === "host" && { host: where.host, port: where.port }),
    ...(where.kind === "unix" && { path: where.path }),
    ...(where.kind === "sentinel" && {
      Connector: masterConnector(where.sentinels, (whom) => askSentinel(whom, where, tls), tls),
    }),
    ...(where.kind === "cluster" && {
      Connector: masterConnector(where.nodes, (whom) => askNode(whom, options), tls),
    }),
    ...(tls !== null && { tls }),
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableAutoPipelining: false,
    connectTimeout: CONNECT_MS,
    disconnectTimeout: 100,
    socketTimeout: SOCKET_MS,
    maxLoadingRetryTime: LOADING_MS,
    retryStrategy: backOff,
    reconnectOnError: (error) => ELSEWHERE.test(error.message),
  });
}

/** How long the next attempt to connect waits, in milliseconds. */
function backOff(times: number): number {
  return Math.min(50 * times, 300);
}
