// The Store over etcd. Each call asks one endpoint after the other at most once, within its limits; a commit moves on
// only when the one before surely did not take it.

import type { IKeyValue, ITxnResponse } from "etcd3";
import { MAX_RECORDS } from "../../src/base/bounds.ts";
import { VipdError } from "../../src/base/errors.ts";
import type {
  CallLimits,
  CommitResult,
  Revision,
  Snapshot,
  Store,
  StoredRecord,
  StoreGuarantees,
  StoreRemark,
  Txn,
  WatchEvent,
} from "../../src/ports/store.ts";
import { assureWithinBounds } from "../../src/ports/txn-bounds.ts";
import { within } from "../common/within.ts";
import { Compaction, COMPACTION_KEY } from "./compaction.ts";
import { type Attempt, type Endpoint, Endpoints } from "./endpoints.ts";
import { judgeMembers, wordOf } from "./examine.ts";
import { commitFailure, fateOf, readFailure } from "./failures.ts";
import { absent, atRevision, commitRequest, readRequest } from "./requests.ts";
import { inward, newTimeline, outward, parseTimeline, type Timeline, TIMELINE_KEY } from "./timeline.ts";
import type { EtcdOptions } from "./url.ts";
import { watchEndpoint } from "./watch.ts";

/** A look at etcd's revision before a watch ends by then, in milliseconds. */
const LOOK_MS = 2_000;

const OWN_KEYS = new Set([TIMELINE_KEY.toString(), COMPACTION_KEY.toString()]);

/** A fleet's view of an etcd. */
export class EtcdStore implements Store {
  private readonly options: EtcdOptions;
  private readonly endpoints: Endpoints;
  private readonly compaction: Compaction | undefined;
  private readonly ending = new AbortController();
  private readonly looksOnly: boolean;
  private timeline: Timeline | undefined;
  /** The greatest revision of etcd's own that this client has seen, and on which timeline. */
  private seen = 0n;
  private seenOn = "";

  /** `looksOnly`: nothing is written. */
  constructor(options: EtcdOptions, looksOnly: boolean) {
    this.options = options;
    this.endpoints = new Endpoints(options);
    this.looksOnly = looksOnly;
    this.compaction =
      options.compact === "auto" && !looksOnly ? new Compaction(this.endpoints, options.retentionMs) : undefined;
  }

  get guarantees(): StoreGuarantees {
    const trouble = this.compaction?.trouble ?? null;
    return {
      name: "etcd",
      minTtlMs: 500,
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
          () => true,
          (endpoint, attempt) => readOn(endpoint, prefix, attempt),
        );
        const snapshot = this.accept(response, floor);
        if (snapshot !== undefined) return snapshot;
        await this.beginTimeline(response, bounded);
      }
    } catch (error) {
      if (limits.signal?.aborted === true) throw new VipdError("aborted", "given up by the caller", {}, error);
      throw readFailure(error, this.endpoints.address);
    }
  }

  async commit(txn: Txn, limits: CallLimits): Promise<CommitResult> {
    assureWithinBounds(txn);
    const bounded = this.bounded(limits);
    const timeline = this.timeline ?? (await this.firstTimeline(limits));
    try {
      const movable = (error: unknown): boolean => ["unsent", "dropped", "signed-out"].includes(fateOf(error));
      const { succeeded, header } = await this.endpoints.call(bounded, movable, ({ client }, attempt) =>
        client.kv.txn({ ...commitRequest(txn, timeline), failure: [] }, attempt),
      );
      if (!succeeded) {
        // A guard may have failed because the timeline is another: the next call finds out.
        this.timeline = undefined;
        return { kind: "conflict" };
      }
      this.note(header.revision);
      return { kind: "committed", revision: outward(timeline, header.revision), epoch: timeline.epoch };
    } catch (error) {
      throw commitFailure(error, this.endpoints.address);
    }
  }

  async *watch(prefix: string, since: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const either = AbortSignal.any([signal, this.ending.signal]);
    const { timeline } = this;
    if (either.aborted) return;
    if (timeline === undefined) {
      yield { kind: "gap", reason: "etcd's timeline is not known yet" };
      return;
    }
    const isOwn = (key: string): boolean => OWN_KEYS.has(key);
    try {
      // etcd would wait for a revision that is still to come; here it is one that was lost.
      if (BigInt(inward(timeline, since)) > this.seen)
        await this.read(TIMELINE_KEY.toString(), { timeoutMs: LOOK_MS, signal: either });
      if (BigInt(inward(timeline, since)) > this.seen) {
        yield { kind: "gap", reason: "etcd is behind what has been seen of it" };
        return;
      }
      yield* watchEndpoint(this.endpoints.use(), { prefix, since, timeline, isOwn }, either);
    } catch (error) {
      if (!either.aborted) yield { kind: "gap", reason: readFailure(error, this.endpoints.address).message };
    }
  }

  /** Asks every endpoint; one that does not answer is a remark, not an error. */
  async examine(limits: CallLimits): Promise<readonly StoreRemark[]> {
    const bounded = this.bounded(limits);
    const deadline = Date.now() + limits.timeoutMs;
    const members = await Promise.all(
      this.endpoints
        .all()
        .map(({ address, client }) =>
          wordOf(address, () => within(bounded, () => client.maintenance.status({ deadline }))),
        ),
    );
    const baseMs = this.timeline === undefined ? null : Number(this.timeline.base / 1_000n);
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

  /** Before the first read a commit has no timeline to insist on. It reads, and surely commits nothing if that fails. */
  private async firstTimeline(limits: CallLimits): Promise<Timeline> {
    await this.read(TIMELINE_KEY.toString(), limits);
    if (this.timeline === undefined) throw new VipdError("store-unavailable", "etcd's timeline is not known");
    return this.timeline;
  }

  /** The snapshot of an answer; `undefined` when a new timeline is due first. `floor`: what was seen before it was asked. */
  private accept(response: ITxnResponse, floor: { readonly seen: bigint; readonly on: string }): Snapshot | undefined {
    const { header } = response;
    const [range, marker] = response.responses.map((part) => part.response_range);
    const record = marker?.kvs[0];
    if (range === undefined || record === undefined) return undefined;
    const timeline = parseTimeline(record, header);
    if (timeline === undefined) return undefined;
    if (timeline.epoch === floor.on && BigInt(header.revision) < floor.seen) return undefined;
    if (timeline.epoch !== this.seenOn) {
      this.seen = 0n;
      this.seenOn = timeline.epoch;
    }
    this.timeline = timeline;
    this.note(header.revision);
    if (range.kvs.length > MAX_RECORDS + 1)
      throw new VipdError("store-corrupt", `etcd: more than ${MAX_RECORDS} records`);
    const records = range.kvs.map((kv) => recordOf(kv, timeline)).filter(({ key }) => !OWN_KEYS.has(key));
    return { revision: outward(timeline, header.revision), epoch: timeline.epoch, records };
  }

  private note(revision: string): void {
    const seen = BigInt(revision);
    if (seen > this.seen) this.seen = seen;
  }

  /** Writes the record of a new timeline, unless somebody else has done so meanwhile. */
  private async beginTimeline(response: ITxnResponse, limits: CallLimits): Promise<void> {
    if (this.looksOnly) throw new VipdError("store-unavailable", "etcd holds no fleet that a vipd has used");
    const record = response.responses[1]?.response_range.kvs[0];
    const compare = [record === undefined ? absent(TIMELINE_KEY) : atRevision(TIMELINE_KEY, record.mod_revision)];
    const success = [{ request_put: { key: TIMELINE_KEY, value: newTimeline(Date.now(), response.header) } }];
    await this.endpoints.call(
      limits,
      () => true,
      ({ client }, attempt) => client.kv.txn({ compare, success, failure: [] }, attempt),
    );
  }
}

function readOn({ client }: Endpoint, prefix: string, attempt: Attempt): Promise<ITxnResponse> {
  return client.kv.txn({ compare: [], success: readRequest(prefix), failure: [] }, attempt);
}

function recordOf(kv: IKeyValue, timeline: Timeline): StoredRecord {
  return {
    key: kv.key.toString("utf8"),
    value: kv.value.toString("utf8"),
    version: outward(timeline, kv.mod_revision),
  };
}
