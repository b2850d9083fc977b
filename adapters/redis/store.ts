// The Store over Redis: each call is one script that Redis runs whole, on a connection that never sends anything twice.

import { messageOf, VipdError } from "../../src/base/errors.ts";
import type {
  CallLimits,
  CommitResult,
  Revision,
  Snapshot,
  Store,
  StoredRecord,
  StoreGuarantees,
  StoreFinding,
  Txn,
  WatchEvent,
} from "../../src/ports/store.ts";
import { checkWithinBounds } from "../../src/ports/txn-bounds.ts";
import { boundedValue, tooMuchToRead } from "../common/bounds.ts";
import { newEpochBegan, openedForReading, unusedStore } from "../common/failures.ts";
import { timeIsUp, withTimeout } from "../common/with-timeout.ts";
import { makeRedis } from "./client.ts";
import { Connection, type ServerRun } from "./connection.ts";
import { caveatsOf, mayFailOver, findingsOn } from "./facts.ts";
import { commitFailure, type FailureContext, readFailure } from "./failures.ts";
import { MIN_TTL_MS } from "./limits.ts";
import { missingReplicas } from "./replication.ts";
import { CHANGES, COMMIT, READ } from "./scripts.ts";
import { nameOfPlace, type RedisOptions } from "./url.ts";
import { parseEntry, type Past, watchChanges } from "./watch.ts";

/** A fleet's view of a Redis. */
export class RedisStore implements Store {
  private readonly options: RedisOptions;
  private readonly connection: Connection;
  private readonly readOnly: boolean;
  private readonly ending = new AbortController();
  /** The epoch that callers were last told: a commit is for this one. */
  private epoch: string | undefined;

  /** `readOnly`: nothing is written. */
  constructor(options: RedisOptions, readOnly: boolean) {
    this.options = options;
    this.readOnly = readOnly;
    this.connection = new Connection(options);
  }

  /** By what the server has said of itself; before it has, the least. */
  get guarantees(): StoreGuarantees {
    const { facts } = this.connection;
    return {
      name: "redis",
      minTtlMs: MIN_TTL_MS,
      tokenDurable: facts?.aof === true,
      failoverSafe: facts !== undefined && !mayFailOver(this.options, facts),
      caveats: caveatsOf(this.options, facts),
    };
  }

  private get failing(): FailureContext {
    return { place: nameOfPlace(this.options), trouble: this.connection.trouble };
  }

  ready(timeoutMs: number): Promise<void> {
    return this.connection.ready(timeoutMs);
  }

  async read(prefix: string, limits: CallLimits): Promise<Snapshot> {
    const bounded = this.bounded(limits);
    try {
      return await withTimeout(bounded, async () => {
        const end = performance.now() + limits.timeoutMs;
        const found = (await this.ask(prefix, end)) ?? (await this.ask(prefix, end));
        if (found !== undefined) return found;
        if (this.readOnly) throw unusedStore("Redis holds no fleet that a vipd has used");
        throw new VipdError("store-unavailable", "Redis restarted repeatedly during the read");
      });
    } catch (error) {
      if (limits.signal?.aborted === true) throw new VipdError("aborted", "given up by the caller", {}, error);
      throw readFailure(error, this.failing);
    }
  }

  async commit(txn: Txn, limits: CallLimits): Promise<CommitResult> {
    checkWithinBounds(txn);
    const bounded = this.bounded(limits);
    if (this.readOnly) throw openedForReading("Redis");
    const end = performance.now() + limits.timeoutMs;
    const known = this.epoch;
    try {
      const run = await this.runFor(bounded);
      if (known !== undefined && known !== run.epoch) {
        this.epoch = run.epoch ?? undefined;
        throw newEpochBegan("Redis");
      }
      const restMs = end - performance.now();
      // What would be late is not sent.
      if (restMs <= 0) throw readFailure(timeIsUp(limits.timeoutMs), this.failing);
      const result = await withTimeout(bounded, () => this.send(txn, run, end), restMs);
      if (result.kind === "committed") this.epoch = result.epoch;
      return result;
    } catch (error) {
      throw commitFailure(error, this.failing);
    }
  }

  async *watch(prefix: string, since: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const either = AbortSignal.any([signal, this.ending.signal]);
    if (either.aborted) return;
    const subscriber = makeRedis(this.options);
    try {
      yield* watchChanges(prefix, since, { subscriber, catchUp: (from) => this.commitsSince(from) }, either);
    } catch (error) {
      if (!either.aborted) yield { kind: "gap", reason: readFailure(error, this.failing).message };
    }
  }

  async examine(limits: CallLimits): Promise<readonly StoreFinding[]> {
    try {
      const run = await this.runFor(this.bounded(limits));
      const clockMs = run.clockOffsetUs / 1e3 + performance.now() - Date.now();
      return findingsOn(this.options, run, clockMs);
    } catch (error) {
      throw readFailure(error, this.failing);
    }
  }

  close(): Promise<void> {
    this.ending.abort();
    this.connection.close();
    return Promise.resolve();
  }

  private bounded(limits: CallLimits): CallLimits {
    if (this.ending.signal.aborted) throw new VipdError("store-unavailable", "the store has been closed");
    if (limits.signal?.aborted === true) throw new VipdError("aborted", "given up before Redis was asked");
    const signal =
      limits.signal === undefined ? this.ending.signal : AbortSignal.any([limits.signal, this.ending.signal]);
    return { timeoutMs: limits.timeoutMs, signal };
  }

  /** What fails here fails before the commit is sent. */
  private async runFor(limits: CallLimits): Promise<ServerRun> {
    try {
      return await withTimeout(limits, () => this.connection.currentRun(!this.readOnly, limits.timeoutMs));
    } catch (error) {
      throw readFailure(error, this.failing);
    }
  }

  /** `undefined`: the server has restarted, or another one answers, since the connection was made. */
  private async ask(prefix: string, end: number): Promise<Snapshot | undefined> {
    const run = await this.connection.currentRun(!this.readOnly, end - performance.now());
    const { connectionNumber } = this.connection;
    // What only this server has may be gone after a failover: it must not settle whether a commit counts.
    const replicas = this.readOnly ? 0 : this.options.minReplicas;
    const answer = await this.connection.run(READ, [run.runId, prefix, replicas > 0 ? 1 : 0]);
    if (answer === null) {
      this.connection.forget();
      return undefined;
    }
    const [epoch = "", revision, ...pairs] = texts(answer);
    if (revision === undefined) throw tooMuchToRead("Redis", prefix);
    const missing = await missingReplicas(this.connection, { replicas, connectionNumber, end });
    if (missing !== undefined)
      throw new VipdError("store-unavailable", `Redis: what was read is not known to be replicated: ${missing}`);
    // Somebody else has begun it: before the next commit the server is asked anew.
    if (run.epoch !== null && epoch !== run.epoch) this.connection.forget();
    this.epoch = epoch;
    const records = Array.from({ length: pairs.length / 2 }, (_, i) =>
      recordOf(pairs[2 * i] ?? "", pairs[2 * i + 1] ?? ""),
    );
    return { revision: BigInt(revision), epoch, records };
  }

  private async send({ guards, writes }: Txn, run: ServerRun, end: number): Promise<CommitResult> {
    const { connectionNumber } = this.connection;
    const entry = `"changes":${JSON.stringify(writes.map(({ key, value }) => [key, value]))}}`;
    const answer = texts(
      await this.connection.run(COMMIT, [
        run.runId,
        run.epoch ?? "",
        Math.floor(end * 1e3 + run.clockOffsetUs),
        entry,
        guards.length,
        ...guards.flatMap(({ key, version }) => [key, version === null ? "" : String(version)]),
        ...writes.flatMap(({ key, value }) => [key, value === null ? "0" : "1", value ?? ""]),
      ]),
    );
    const [verdict, revision = "0", epoch = ""] = answer;
    if (verdict === "conflict") return { kind: "conflict" };
    if (verdict !== "ok") {
      this.connection.forget();
      if (verdict === "late")
        throw new VipdError("store-unavailable", "the commit reached Redis after its time, and was not applied");
      this.epoch = undefined;
      throw newEpochBegan("Redis");
    }
    const missing = await missingReplicas(this.connection, {
      replicas: this.options.minReplicas,
      connectionNumber,
      end,
    });
    if (missing !== undefined)
      throw new VipdError("outcome-unknown", `Redis: the commit is not known to be replicated: ${missing}`);
    return { kind: "committed", revision: BigInt(revision), epoch };
  }

  private async commitsSince(since: Revision): Promise<Past | undefined> {
    const answer = await this.connection.run(CHANGES, [String(since)]);
    if (answer === null) return undefined;
    const [epoch = "", ...log] = texts(answer);
    const entries = log.flatMap((text) => parseEntry(text) ?? []);
    const isWhole = entries.every((entry, i) => entry.revision === since + BigInt(i) + 1n && entry.epoch === epoch);
    return isWhole && entries.length === log.length ? { entries, epoch } : undefined;
  }
}

function recordOf(key: string, text: string): StoredRecord {
  const space = text.indexOf(" ");
  const version = text.slice(0, space);
  if (!/^\d{1,16}$/u.test(version))
    throw new VipdError("store-corrupt", `Redis: the record ${key} is not one that vipd wrote`, { key });
  const value = text.slice(space + 1);
  return { key, value: boundedValue(Buffer.byteLength(value), () => value), version: BigInt(version) };
}

function texts(answer: unknown): readonly string[] {
  if (Array.isArray(answer) && answer.every((part) => typeof part === "string")) return answer;
  throw new VipdError("store-corrupt", `Redis: an answer of an unknown form: ${messageOf(answer).slice(0, 100)}`);
}
