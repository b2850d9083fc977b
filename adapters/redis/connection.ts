// A connection to Redis without a queue, a retry or a re-send of its own, and what is known of the server behind it: which
// life of it this is, and how far its clock is from ours.

import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { VipdError } from "../../src/base/errors.ts";
import { BEGIN, KEYS, type Script } from "./scripts.ts";
import type { RedisOptions } from "./url.ts";

/** A server that owes an answer for so long is given up, in milliseconds. */
const SOCKET_MS = 1_000;
const CONNECT_MS = 1_000;

/** A server's life, as this connection found it. */
export interface Life {
  /** Names the process and its place in replication: another one may have lost data. */
  readonly run: string;
  /** The server's clock in microseconds, less performance.now() in the same unit, at most by half a round trip wrong. */
  readonly clockOffsetUs: number;
}

/** One connection that is made anew whenever it breaks. */
export class Connection {
  readonly redis: Redis;
  private lastError: string | undefined;
  private life: Life | undefined;

  constructor(options: RedisOptions) {
    this.redis = makeRedis(options);
    this.redis.on("error", (error: Error) => (this.lastError = error.message));
    this.redis.on("ready", () => (this.lastError = undefined));
    this.redis.on("close", () => this.forget());
  }

  /** Why there is no connection; `undefined`: there is one, or nothing is known. */
  get trouble(): string | undefined {
    return this.lastError;
  }

  /** Settles when the connection stands, or after the time; calls fail until it does. */
  async ready(timeoutMs: number): Promise<void> {
    if (this.redis.status === "ready") return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.redis.once("ready", () => (clearTimeout(timer), resolve()));
    });
  }

  /**
   * The server's life, as soon as there is a connection; callers limit the wait. The next call finds it out again after
   * `forget`. Begins an epoch where one is due, if it may.
   */
  async currentLife(mayBegin: boolean): Promise<Life> {
    if (this.redis.status !== "ready") await new Promise<void>((resolve) => this.redis.once("ready", () => resolve()));
    this.life ??= await this.greet(mayBegin);
    return this.life;
  }

  forget(): void {
    this.life = undefined;
  }

  /** Runs a script; one that the server does not know yet is sent whole, which nothing can have applied before. */
  async run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.redis.evalsha(script.sha, KEYS.length, ...KEYS, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return this.redis.eval(script.text, KEYS.length, ...KEYS, ...args);
    }
  }

  close(): void {
    this.redis.disconnect();
  }

  private async greet(mayBegin: boolean): Promise<Life> {
    const info = await this.redis.info("server");
    const replication = await this.redis.info("replication");
    const run = `${field(info, "run_id")}/${field(replication, "master_replid")}`;
    const from = performance.now();
    const [seconds, micros] = await this.redis.time();
    const middle = (from + performance.now()) / 2;
    if (mayBegin) await this.run(BEGIN, [run, randomUUID()]);
    return { run, clockOffsetUs: Number(seconds) * 1e6 + Number(micros) - middle * 1e3 };
  }
}

function field(info: string, name: string): string {
  const value = new RegExp(`^${name}:(\\w+)`, "mu").exec(info)?.[1];
  if (value === undefined)
    throw new VipdError("store-corrupt", `Redis does not tell its ${name}: what answers is no Redis that vipd knows`);
  return value;
}

/** A client of the kind that the facts about ioredis ask for; also for subscribers. */
export function makeRedis({ where, tls, username, password }: RedisOptions): Redis {
  return new Redis({
    ...(where.kind === "host" && { host: where.host, port: where.port }),
    ...(where.kind === "unix" && { path: where.path }),
    ...(where.kind === "sentinel" && { sentinels: [...where.sentinels], name: where.name }),
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
    retryStrategy: (times) => Math.min(50 * times, 300),
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  });
}
