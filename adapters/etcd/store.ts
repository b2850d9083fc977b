// The Store over etcd. Each call asks one endpoint after the other at most once, within its limits; a commit moves on
// only when the one before surely did not take it.

import type { IKeyValue, ITxnResponse } from "etcd3";
import { VipdError } from "../../src/base/errors.ts";
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
import { boundedValue, ReadBudget, tooMuchToRead } from "../common/bounds.ts";
import { newEpochBegan, openedForReading, unusedStore } from "../common/failures.ts";
import { withTimeout } from "../common/with-timeout.ts";
import { Compaction, COMPACTION_KEY } from "./compaction.ts";
import { type Call, type Endpoint, Endpoints } from "./endpoints.ts";
import { judgeMembers, wordOf } from "./examine.ts";
import { commitFailure, fateOf, readFailure } from "./failures.ts";
import { absent, atRevision, commitRequest, readRequest } from "./requests.ts";
import { inward, isOfCluster, newEpoch, outward, parseEpoch, type EpochRecord, EPOCH_KEY } from "./epoch.ts";
import type { EtcdOptions } from "./url.ts";
import { watchEndpoint } from "./watch.ts";
import { MIN_TTL_MS } from "./limits.ts";

/** A look at etcd's revision before a watch ends by then, in milliseconds. */
const LOOK_MS = 2_000;

const OWN_KEYS = new Set([EPOCH_KEY.toString(), COMPACTION_KEY.toString()]);

/** A fleet's view of an etcd. */
export class EtcdStore implements Store {
  private readonly options: EtcdOptions;
  private readonly endpoints: Endpoints;
  private readonly compaction: Compaction | undefined;
  private readonly ending = new AbortController();
  private readonly readOnly: boolean;
  private epoch: EpochRecord | undefined;
  /** The greatest revision of etcd's own that this client has seen, and on which epoch. */
  private seen = 0n;
  private seenOn = "";

  /** `readOnly`: nothing is written. */
  constructor(options: EtcdOptions, readOnly: boolean) {
    this.options = options;
    this.endpoints = new Endpoints(options);
    this.readOnly = readOnly;
    this.compaction =
      options.compact === "auto" && !readOnly ? new Compaction(this.endpoints, options.retentionMs) : undefined;
  }

  get guarantees(): StoreGuarantees {
    const trouble = this.compaction?.trouble ?? null;
    return {
      name: "etcd",
      minTtlMs: MIN_TTL_MS,
      tokenDurable: true,
      failoverSafe: true,
      caveats: [
        "a change of etcd's leader takes about a second: a shorter lease does not outlast it, and the VIP moves",
        "after a backup was put back, tokens may repeat when no node of before is left to notice: restore with --bump-revision",
        ...(trouble === null ? [] : [trouble]),
      ],
    };
  }

  async read(prefix: string, limits: CallLimits): Promise<Snapshot> {
    const bounded = this.bounded(limits);
    try {
      for (;;) {
        // Commits that settle while this read is on its way may be newer than it: that is no fallen revision.
        const floor = { seen: this.seen, on: this.seenOn };
        const response = await this.endpoints.call(
          bounded,
          (error) => fateOf(error) !== "answer-too-long",
          (endpoint, attempt) => readOn(endpoint, prefix, attempt),
        );
        const snapshot = this.accept(response, prefix, floor);
        if (snapshot !== undefined) return snapshot;
        await this.beginEpoch(response, bounded);
      }
    } catch (error) {
      if (limits.signal?.aborted === true) throw new VipdError("aborted", "given up by the caller", {}, error);
      if (fateOf(error) === "answer-too-long") throw tooMuchToRead("etcd", prefix);
      throw readFailure(error, this.endpoints.address);
    }
  }

  async commit(txn: Txn, limits: CallLimits): Promise<CommitResult> {
    checkWithinBounds(txn);
    const bounded = this.bounded(limits);
    if (this.readOnly) throw openedForReading("etcd");
    const known = this.seenOn;
    const epoch = this.epoch ?? (await this.firstEpoch(limits));
    if (known !== "" && known !== epoch.name) throw newEpochBegan("etcd");
    // A commit that only deletes what is not there does not count as one to etcd.
    const least = this.seen + (txn.writes.some(({ value }) => value !== null) ? 1n : 0n);
    try {
      const movable = (error: unknown): boolean => ["unsent", "dropped", "signed-out"].includes(fateOf(error));
      const { succeeded, header, responses } = await this.endpoints.call(bounded, movable, ({ client }, attempt) =>
        client.kv.txn(commitRequest(txn, epoch), attempt),
      );
      if (!succeeded) {
        const [marker] = responses[0]?.response_range?.kvs ?? [];
        if (marker?.mod_revision === epoch.modRevision) return { kind: "conflict" };
        this.epoch = undefined;
        throw newEpochBegan("etcd");
      }
      if (BigInt(header.revision) < least || !isOfCluster(epoch, header)) {
        this.epoch = undefined;
        throw new VipdError("outcome-unknown", "etcd: an older state was put back, and no new epoch had begun yet");
      }
      this.note(header.revision);
      return { kind: "committed", revision: outward(epoch, header.revision), epoch: epoch.name };
    } catch (error) {
      throw commitFailure(error, this.endpoints.address);
    }
  }

  async *watch(prefix: string, since: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const either = AbortSignal.any([signal, this.ending.signal]);
    const { epoch } = this;
    if (either.aborted) return;
    if (epoch === undefined) {
      yield { kind: "gap", reason: "etcd's epoch is not known yet" };
      return;
    }
    const isOwn = (key: string): boolean => OWN_KEYS.has(key);
    try {
      // etcd would wait for a revision that is still to come; here it is one that was lost.
      if (BigInt(inward(epoch, since)) > this.seen)
        await this.read(EPOCH_KEY.toString(), { timeoutMs: LOOK_MS, signal: either });
      if (BigInt(inward(epoch, since)) > this.seen) {
        yield { kind: "gap", reason: "etcd is behind what has been seen of it" };
        return;
      }
      yield* watchEndpoint(this.endpoints.use(), { prefix, since, epoch, isOwn }, either);
    } catch (error) {
      if (!either.aborted) yield { kind: "gap", reason: readFailure(error, this.endpoints.address).message };
    }
  }

  /** Asks every endpoint; one that does not answer is a remark, not an error. */
  async examine(limits: CallLimits): Promise<readonly StoreFinding[]> {
    const bounded = this.bounded(limits);
    const deadline = Date.now() + limits.timeoutMs;
    const members = await Promise.all(
      this.endpoints
        .all()
        .map(({ address, client }) =>
          wordOf(address, () => withTimeout(bounded, () => client.maintenance.status({ deadline }))),
        ),
    );
    const baseMs = this.epoch === undefined ? null : Number(this.epoch.base / 1_000n);
    return judgeMembers(members, this.options, { baseMs, wallMs: Date.now() });
  }

  close(): Promise<void> {
    this.ending.abort();
    this.compaction?.stop();
    this.endpoints.close();
    return Promise.resolve();
  }

  private bounded(limits: CallLimits): CallLimits {
    if (this.ending.signal.aborted) throw new VipdError("store-unavailable", "the store has been closed");
    if (limits.signal?.aborted === true) throw new VipdError("aborted", "given up before etcd was asked");
    const signal =
      limits.signal === undefined ? this.ending.signal : AbortSignal.any([limits.signal, this.ending.signal]);
    return { timeoutMs: limits.timeoutMs, signal };
  }

  /** Before the first read a commit has no epoch to insist on. It reads, and surely commits nothing if that fails. */
  private async firstEpoch(limits: CallLimits): Promise<EpochRecord> {
    await this.read(EPOCH_KEY.toString(), limits);
    if (this.epoch === undefined) throw new VipdError("store-unavailable", "etcd's epoch is not known");
    return this.epoch;
  }

  /** The snapshot of an answer; `undefined` when a new epoch is due first. `floor`: what was seen before it was asked. */
  private accept(
    response: ITxnResponse,
    prefix: string,
    floor: { readonly seen: bigint; readonly on: string },
  ): Snapshot | undefined {
    const { header } = response;
    const [range, marker] = response.responses.map((part) => part.response_range);
    const record = marker?.kvs[0];
    if (range === undefined || record === undefined) return undefined;
    const epoch = parseEpoch(record, header);
    if (epoch === undefined) return undefined;
    if (epoch.name === floor.on && BigInt(header.revision) < floor.seen) return undefined;
    if (epoch.name !== this.seenOn) {
      this.seen = 0n;
      this.seenOn = epoch.name;
    }
    this.epoch = epoch;
    this.note(header.revision);
    const records = range.kvs.map((kv) => recordOf(kv, epoch)).filter(({ key }) => !OWN_KEYS.has(key));
    const budget = new ReadBudget();
    if (!records.every(({ key, value }) => budget.take(key.length + value.length))) throw tooMuchToRead("etcd", prefix);
    return { revision: outward(epoch, header.revision), epoch: epoch.name, records };
  }

  private note(revision: string): void {
    const seen = BigInt(revision);
    if (seen > this.seen) this.seen = seen;
  }

  /** Writes the record of a new epoch, unless somebody else has done so meanwhile. */
  private async beginEpoch(response: ITxnResponse, limits: CallLimits): Promise<void> {
    if (this.readOnly) throw unusedStore("etcd holds no fleet that a vipd has used");
    const record = response.responses[1]?.response_range.kvs[0];
    const compare = [record === undefined ? absent(EPOCH_KEY) : atRevision(EPOCH_KEY, record.mod_revision)];
    const success = [{ request_put: { key: EPOCH_KEY, value: newEpoch(Date.now(), response.header) } }];
    await this.endpoints.call(
      limits,
      () => true,
      ({ client }, attempt) => client.kv.txn({ compare, success, failure: [] }, attempt),
    );
  }
}

function readOn({ client }: Endpoint, prefix: string, attempt: Call): Promise<ITxnResponse> {
  return client.kv.txn({ compare: [], success: readRequest(prefix), failure: [] }, attempt);
}

function recordOf(kv: IKeyValue, epoch: EpochRecord): StoredRecord {
  return {
    key: kv.key.toString("utf8"),
    value: boundedValue(kv.value.length, () => kv.value.toString("utf8")),
    version: outward(epoch, kv.mod_revision),
  };
}
