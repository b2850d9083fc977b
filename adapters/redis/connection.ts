// A connection to Redis without a queue, a retry or a re-send of its own, and what is known of the server behind it: which
// run it is, and how far its clock is from ours.

import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { makeRedis } from "./client.ts";
import { parseInfo, type ServerFacts } from "./facts.ts";
import { BEGIN, KEYS, type Script } from "./scripts.ts";
import type { RedisOptions } from "./url.ts";
import { isSilence } from "./words.ts";

/** One run of a server, as this connection found it. */
export interface ServerRun extends ServerFacts {
  /** The epoch that was found, or begun; `null`: it was not asked for. */
  readonly epoch: string | null;
  /** The server's clock in microseconds, less performance.now() in the same unit, at most by half a round trip wrong. */
  readonly clockOffsetUs: number;
}

/** One connection that is made anew whenever it breaks. */
export class Connection {
  readonly redis: Redis;
  private readonly hasWitnesses: boolean;
  private lastError: Error | undefined;
  /** Calls that wait for the connection. */
  private readonly waiting = new Set<() => void>();
  private serverRun: ServerRun | undefined;
  /** Counts the connections that have ended, one after the other. */
  private ended = 0;
  private stood = false;
  private lastFacts: ServerFacts | undefined;

  constructor(options: RedisOptions) {
    this.hasWitnesses = options.where.kind === "sentinel" || options.where.kind === "cluster";
    this.redis = makeRedis(options);
    this.redis.on("error", (error: Error) => {
      this.lastError = error;
      this.failed();
    });
    this.redis.on("ready", () => {
      this.stood = true;
      this.lastError = undefined;
      this.tell();
    });
    this.redis.on("close", () => {
      this.forget();
      this.ended += 1;
      // One that stood has ended: the next attempt begins now.
      if (this.stood) this.stood = false;
      else this.failed();
    });
  }

  /** Why there is no connection; `undefined`: there is one, or nothing is known. */
  get trouble(): Error | undefined {
    return this.lastError;
  }

  /** What was last known of the server. */
  get facts(): ServerFacts | undefined {
    return this.lastFacts;
  }

  /** Names the connection that stands: WAIT waits for what was written on the same one, and for nothing on another. */
  get connectionNumber(): number {
    return this.ended;
  }

  /** Settles when the connection stands, when the next attempt to make it is refused, or after the time; calls fail until it does. */
  async ready(timeoutMs: number): Promise<void> {
    if (this.redis.status === "ready") return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.waiting.add(done);
    });
  }

  /**
   * The server's run, as soon as there is a connection, within the time; callers limit the whole. The next call finds it out
   * again after `forget`. Begins an epoch where one is due, if it may.
   */
  async currentRun(mayBegin: boolean, timeoutMs: number): Promise<ServerRun> {
    await this.ready(timeoutMs);
    this.serverRun ??= await this.greet(mayBegin);
    return this.serverRun;
  }

  forget(): void {
    this.serverRun = undefined;
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

  /** A master without its replicas may be none any more: where others know better, they are asked. */
  lookAnew(): void {
    if (this.hasWitnesses && this.redis.status === "ready") this.redis.disconnect(true);
  }

  close(): void {
    this.redis.disconnect();
    this.tell();
  }

  /** Who is refused is told at once; where nothing answers, the next attempt may fare better. */
  private failed(): void {
    if (this.lastError === undefined || !isSilence(this.lastError)) this.tell();
  }

  private tell(): void {
    for (const done of [...this.waiting]) done();
  }

  private async greet(mayBegin: boolean): Promise<ServerRun> {
    const facts = parseInfo(await this.redis.info(), await this.fsync());
    const from = performance.now();
    const [seconds, micros] = await this.redis.time();
    const middle = (from + performance.now()) / 2;
    const begun = mayBegin ? await this.run(BEGIN, [facts.runId, randomUUID()]) : undefined;
    this.lastFacts = facts;
    const epoch = Array.isArray(begun) && typeof begun[0] === "string" ? begun[0] : null;
    return { ...facts, epoch, clockOffsetUs: Number(seconds) * 1e6 + Number(micros) - middle * 1e3 };
  }

  /** Many do not let their users ask for settings: then it is not known. */
  private async fsync(): Promise<string | null> {
    try {
      const answer = await this.redis.config("GET", "appendfsync");
      return Array.isArray(answer) && typeof answer[1] === "string" ? answer[1] : null;
    } catch (error) {
      if (error instanceof Error && error.name === "ReplyError") return null;
      throw error;
    }
  }
}
