// Calls to a store: each is answered exactly once and in time, whatever the adapter does.

import { describe, expect, test } from "vitest";
import { MemoryBackend, openMemoryStore } from "../../servers/memory/index.ts";
import { VipdError } from "../../../src/base/errors.ts";
import type { CommitResult, Snapshot, Store, Txn, WatchEvent } from "../../../src/ports/store.ts";
import {
  type CommitOutcome,
  type ReadResult,
  type StoreCalls,
  storeCalls,
  type WatchNews,
} from "../../../src/runtime/store-calls.ts";
import { altered, hang } from "./stores.ts";
import { settlePromises, VirtualTimers } from "./virtual-timers.ts";

const LIMIT_MS = 500;
/** An adapter has this much longer before it is taken to have failed. */
const SLACK_MS = 100;
const WRITE: Txn = { guards: [], writes: [{ key: "/k", value: "1" }] };

interface Begun {
  readonly timers: VirtualTimers;
  readonly calls: StoreCalls;
  readonly backend: MemoryBackend;
}

function begin(change: Partial<Store> = {}, log?: Parameters<typeof storeCalls>[2]): Begun {
  const timers = new VirtualTimers();
  const backend = new MemoryBackend({ epoch: "e" });
  return { timers, backend, calls: storeCalls(altered(openMemoryStore(backend), change), timers, log) };
}

/** A promise that a test settles. */
function pending<T>(): {
  promise: Promise<T>;
  settle: (value: T) => Promise<void>;
  fail: (error: unknown) => Promise<void>;
} {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  return {
    promise,
    settle: (value) => {
      resolve(value);
      return settlePromises();
    },
    fail: (error) => {
      reject(error);
      return settlePromises();
    },
  };
}

describe("a read", () => {
  test("that works brings the records", async () => {
    const { calls, backend } = begin();
    backend.commit(WRITE);
    const results: ReadResult[] = [];
    calls.read("/", LIMIT_MS, (result) => results.push(result));
    await settlePromises();
    expect(results).toEqual([{ kind: "read", snapshot: backend.read("/") }]);
  });

  test.each<[string, unknown, string]>([
    ["refused", new VipdError("store-unavailable", "connection refused"), "connection refused"],
    ["no VipdError", new TypeError("what"), "what"],
    ["no error at all", "a string", "a string"],
  ])("that fails says why: %s", async (_name, error, message) => {
    const { calls, timers } = begin({ read: () => Promise.reject(error) });
    const results: ReadResult[] = [];
    calls.read("/", LIMIT_MS, (result) => results.push(result));
    await settlePromises();
    expect(results).toEqual([{ kind: "failed", message }]);
    expect(timers.waiting).toBe(0);
  });

  test("that fails tells the client library's own words to the debug log alone", async () => {
    const lines: unknown[] = [];
    const failure = new VipdError("store-unavailable", "connection refused", {}, new Error("connect ECONNREFUSED"));
    const log = { debug: (fields: unknown, message: string): void => void lines.push([fields, message]) };
    const results: ReadResult[] = [];
    const { calls } = begin({ read: () => Promise.reject(failure) }, log);
    calls.read("/", LIMIT_MS, (result) => results.push(result));
    await settlePromises();
    expect(results).toEqual([{ kind: "failed", message: "connection refused" }]);
    expect(lines).toEqual([[{ cause: "connect ECONNREFUSED" }, "connection refused"]]);
  });

  test("that is never answered has failed when its limit and a little more have passed", async () => {
    const answer = pending<Snapshot>();
    const { calls, timers, backend } = begin({ read: () => answer.promise });
    const results: ReadResult[] = [];
    calls.read("/", LIMIT_MS, (result) => results.push(result));
    await timers.advance(LIMIT_MS + SLACK_MS - 1);
    expect(results).toEqual([]);
    await timers.advance(1);
    expect(results).toEqual([{ kind: "failed", message: "the store did not settle a request within 500 ms" }]);
    await answer.settle(backend.read("/"));
    expect(results, "an answer that comes later is dropped").toHaveLength(1);
  });

  test("tells the store its limit, and gives up with the calls", () => {
    const limits: [number, AbortSignal | undefined][] = [];
    const { calls } = begin({
      read: (_prefix, { timeoutMs, signal }) => {
        limits.push([timeoutMs, signal]);
        return hang();
      },
    });
    calls.read("/", LIMIT_MS, () => {});
    expect(limits[0]?.[0]).toBe(LIMIT_MS);
    expect(limits[0]?.[1]?.aborted).toBe(false);
    calls.close();
    expect(limits[0]?.[1]?.aborted).toBe(true);
  });
});

describe("a commit", () => {
  async function outcomesOf(change: Partial<Store>): Promise<readonly CommitOutcome[]> {
    const { calls } = begin(change);
    const outcomes: CommitOutcome[] = [];
    calls.commit(WRITE, LIMIT_MS, (outcome) => outcomes.push(outcome));
    await settlePromises();
    return outcomes;
  }

  test("that is applied tells its revision and epoch", async () => {
    expect(await outcomesOf({})).toEqual([{ kind: "committed", revision: 1n, epoch: "e" }]);
  });

  test("that finds something else in place is a conflict", async () => {
    expect(await outcomesOf({ commit: () => Promise.resolve({ kind: "conflict" }) })).toEqual([{ kind: "conflict" }]);
  });

  test.each<[string, Error, CommitOutcome["kind"]]>([
    ["store-unavailable: it surely was not applied", new VipdError("store-unavailable", "no"), "refused"],
    ["outcome-unknown", new VipdError("outcome-unknown", "no"), "unknown"],
    ["timeout", new VipdError("timeout", "no"), "unknown"],
    ["aborted", new VipdError("aborted", "no"), "unknown"],
    ["store-corrupt", new VipdError("store-corrupt", "no"), "unknown"],
    ["no VipdError", new TypeError("no"), "unknown"],
  ])("that fails by %s", async (_name, error, kind) => {
    expect(await outcomesOf({ commit: () => Promise.reject(error) })).toEqual([{ kind, message: "no" }]);
  });

  test("that is never answered may have been applied; an answer that comes later changes nothing", async () => {
    const answer = pending<CommitResult>();
    const { calls, timers } = begin({ commit: () => answer.promise });
    const outcomes: CommitOutcome[] = [];
    calls.commit(WRITE, LIMIT_MS, (outcome) => outcomes.push(outcome));
    await timers.advance(LIMIT_MS + SLACK_MS);
    expect(outcomes).toEqual([{ kind: "unknown", message: "the store did not settle a request within 500 ms" }]);
    await answer.settle({ kind: "committed", revision: 9n, epoch: "e" });
    expect(outcomes).toHaveLength(1);
  });

  test("that fails after it was given up is no unhandled rejection", async () => {
    const answer = pending<CommitResult>();
    const { calls, timers } = begin({ commit: () => answer.promise });
    const outcomes: CommitOutcome[] = [];
    calls.commit(WRITE, LIMIT_MS, (outcome) => outcomes.push(outcome));
    await timers.advance(LIMIT_MS + SLACK_MS);
    await answer.fail(new VipdError("store-unavailable", "too late"));
    expect(outcomes.map(({ kind }) => kind)).toEqual(["unknown"]);
  });
});

describe("a watch", () => {
  /** A store whose watch a test feeds. */
  class FakeWatch {
    readonly signals: AbortSignal[] = [];
    private readonly queue: (WatchEvent | "end" | Error)[] = [];
    private wake: () => void = () => {};

    async *watch(_prefix: string, _since: bigint, signal: AbortSignal): AsyncGenerator<WatchEvent> {
      this.signals.push(signal);
      signal.addEventListener("abort", () => this.wake());
      for (;;) {
        const next = this.queue.shift();
        if (next === "end") return;
        if (next instanceof Error) throw next;
        if (next !== undefined) yield next;
        else if (signal.aborted) return;
        else await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }

    bring(next: WatchEvent | "end" | Error): Promise<void> {
      this.queue.push(next);
      this.wake();
      return settlePromises();
    }
  }

  function watching(): { feed: FakeWatch; news: WatchNews[]; stop: () => void; calls: StoreCalls } {
    const feed = new FakeWatch();
    const { calls } = begin({ watch: (prefix, since, signal) => feed.watch(prefix, since, signal) });
    const news: WatchNews[] = [];
    const stop = calls.watch("/", 0n, (each) => news.push(each));
    return { feed, news, stop, calls };
  }

  const change = (value: string): WatchEvent => ({ kind: "changes", changes: [{ key: "/k", value, version: 1n }] });

  test("tells changes in their order", async () => {
    const { feed, news } = watching();
    await feed.bring(change("1"));
    await feed.bring(change("2"));
    expect(news).toEqual([change("1"), change("2")]);
  });

  test.each<{ name: string; last: WatchEvent | "end" | Error; reason: string }>([
    { name: "tells a gap", last: { kind: "gap", reason: "compacted" }, reason: "compacted" },
    { name: "ends", last: "end", reason: "the watch ended" },
    { name: "throws", last: new Error("broken"), reason: "broken" },
  ])("that $name has ended, which is told once, and nothing after it", async ({ last, reason }) => {
    const { feed, news } = watching();
    await feed.bring(change("1"));
    await feed.bring(last);
    await feed.bring(change("2"));
    expect(news).toEqual([change("1"), { kind: "ended", reason }]);
    expect(feed.signals[0]?.aborted, "the adapter's side is ended with it").toBe(true);
  });

  test.each<[string, (watch: { stop: () => void; calls: StoreCalls }) => void]>([
    ["was stopped", ({ stop }) => stop()],
    ["whose calls were closed", ({ calls }) => calls.close()],
  ])("that %s tells nothing more, not even its end", async (_name, end) => {
    const { feed, news, stop, calls } = watching();
    await feed.bring(change("1"));
    end({ stop, calls });
    await feed.bring(change("2"));
    await feed.bring(new Error("broken"));
    expect(news).toEqual([change("1")]);
    expect(feed.signals[0]?.aborted).toBe(true);
  });

  test("that is stopped does not end another one", async () => {
    const { calls, backend } = begin();
    const news: string[] = [];
    const stop = calls.watch("/", 0n, () => news.push("first"));
    calls.watch("/", 0n, () => news.push("second"));
    stop();
    backend.commit(WRITE);
    await settlePromises();
    expect(news).toEqual(["second"]);
  });
});

test("after the close no callback is called, whatever was under way", async () => {
  const [read, commit] = [pending<Snapshot>(), pending<CommitResult>()];
  const { calls, timers, backend } = begin({ read: () => read.promise, commit: () => commit.promise });
  let called = 0;
  calls.read("/", LIMIT_MS, () => (called += 1));
  calls.commit(WRITE, LIMIT_MS, () => (called += 1));
  calls.close();
  await read.settle(backend.read("/"));
  await commit.fail(new VipdError("aborted", "closed"));
  await timers.advance(10_000);
  expect(called).toBe(0);
  expect(timers.waiting).toBe(0);
});
