// Faults of a network as tests use them: each one alone, and drawn from a seed.

import { afterEach, describe, expect, test } from "vitest";
import { type Faults, faultyStore, MemoryBackend, NO_FAULTS, openMemoryStore } from "../../servers/memory/index.ts";
import { isVipdError } from "../../../src/base/errors.ts";
import { seededRandom } from "../../../src/base/random.ts";
import type { Store, Txn, WatchEvent } from "../../../src/ports/store.ts";
import { settlePromises, VirtualTimers } from "../runtime/virtual-timers.ts";

const LIMITS = { timeoutMs: 100 };
const WRITE: Txn = { guards: [], writes: [{ key: "k", value: "1" }] };
const open: Store[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
});

function begin(faults: Partial<Faults>, seed = 1): { backend: MemoryBackend; timers: VirtualTimers; store: Store } {
  const backend = new MemoryBackend({ epoch: "e" });
  const timers = new VirtualTimers();
  const store = faultyStore(openMemoryStore(backend), {
    timers,
    random: seededRandom(seed),
    faults: { ...NO_FAULTS, ...faults },
    epoch: () => backend.epoch,
  });
  open.push(store);
  return { backend, timers, store };
}

/** How a call ends, and after how many milliseconds; `undefined` while it has not. */
function outcomeOf(call: Promise<unknown>, timers: VirtualTimers): { current: string | undefined; afterMs: number } {
  const outcome = { current: undefined as string | undefined, afterMs: 0 };
  const began = timers.now();
  const settle = (how: string): void => {
    outcome.current = how;
    outcome.afterMs = timers.now() - began;
  };
  call.then(
    () => settle("done"),
    (error: unknown) => settle(isVipdError(error) ? error.code : String(error)),
  );
  return outcome;
}

describe("calls", () => {
  const cases: readonly {
    name: string;
    faults: Partial<Faults>;
    read: string;
    commit: string;
    afterMs: number;
    applied: boolean;
  }[] = [
    { name: "no faults", faults: {}, read: "done", commit: "done", afterMs: 0, applied: true },
    {
      name: "delay both ways",
      faults: { delayMs: [10, 10] },
      read: "done",
      commit: "done",
      afterMs: 20,
      applied: true,
    },
    {
      name: "lost before the send",
      faults: { lossChance: 1 },
      read: "store-unavailable",
      commit: "store-unavailable",
      afterMs: 0,
      applied: false,
    },
    {
      name: "an answer that comes too late",
      faults: { delayMs: [60, 60] },
      read: "timeout",
      commit: "outcome-unknown",
      afterMs: 100,
      applied: true,
    },
    {
      name: "a request that comes too late",
      faults: { delayMs: [150, 150] },
      read: "timeout",
      commit: "outcome-unknown",
      afterMs: 100,
      applied: true,
    },
  ];
  test.each(cases)("$name", async ({ faults, read, commit, afterMs, applied }) => {
    const { backend, timers, store } = begin(faults);
    const outcomes = [outcomeOf(store.read("", LIMITS), timers), outcomeOf(store.commit(WRITE, LIMITS), timers)];
    await timers.advance(1_000);
    expect(outcomes).toEqual([
      { current: read, afterMs },
      { current: commit, afterMs },
    ]);
    expect(backend.revision).toBe(applied ? 1n : 0n);
    expect(timers.waiting).toBe(0);
  });

  test("a commit without an answer was applied, was not, or is applied after its deadline", async () => {
    const fates = { applied: 0, lost: 0, late: 0 };
    for (let seed = 0; seed < 60; seed += 1) {
      const { backend, timers, store } = begin({ silenceChance: 1, lateMs: 500 }, seed);
      const outcome = outcomeOf(store.commit(WRITE, LIMITS), timers);
      await timers.advance(99);
      expect(outcome.current).toBeUndefined();
      const early = backend.revision;
      await timers.advance(1);
      expect(outcome.current).toBe("outcome-unknown");
      await timers.advance(600);
      if (early === 1n) fates.applied += 1;
      else if (backend.revision === 1n) fates.late += 1;
      else fates.lost += 1;
    }
    expect(Math.min(...Object.values(fates))).toBeGreaterThan(5);
  });

  test("a read without an answer ends by its deadline", async () => {
    const { timers, store } = begin({ silenceChance: 1 });
    const outcome = outcomeOf(store.read("", LIMITS), timers);
    await timers.advance(100);
    expect(outcome).toEqual({ current: "timeout", afterMs: 100 });
  });

  test.each<{ way: string; end: (store: Store, abort: AbortController) => unknown; read: string; applied: boolean }>([
    { way: "an abort", end: (_store, abort) => abort.abort(), read: "aborted", applied: true },
    { way: "a close", end: (store) => store.close(), read: "store-unavailable", applied: false },
  ])("$way settles calls at once", async ({ end, read, applied }) => {
    const { backend, timers, store } = begin({ delayMs: [20, 20] });
    const abort = new AbortController();
    const limits = { ...LIMITS, signal: abort.signal };
    const outcomes = [outcomeOf(store.read("", limits), timers), outcomeOf(store.commit(WRITE, limits), timers)];
    await timers.advance(5);
    await end(store, abort);
    await timers.advance(100);
    expect(outcomes).toEqual([
      { current: read, afterMs: 5 },
      { current: "outcome-unknown", afterMs: 5 },
    ]);
    expect(backend.revision, "what was sent goes on its way, unless the store behind is closed too").toBe(
      applied ? 1n : 0n,
    );
  });
});

describe("watches", () => {
  async function told(faults: Partial<Faults>, commits: number, seed = 1): Promise<string[]> {
    const { backend, store } = begin(faults, seed);
    const abort = new AbortController();
    const events: WatchEvent[] = [];
    const ended = (async () => {
      for await (const event of store.watch("", 0n, abort.signal)) events.push(event);
    })();
    for (let index = 1; index <= commits; index += 1) {
      backend.commit({ guards: [], writes: [{ key: "k", value: String(index) }] });
      await settlePromises();
    }
    abort.abort();
    await ended;
    return events.map((event) => (event.kind === "gap" ? "gap" : event.changes.map(({ value }) => value).join("+")));
  }

  test.each<{ name: string; faults: Partial<Faults>; events: string[] }>([
    { name: "without faults brings every change", faults: {}, events: ["1", "2", "3", "4"] },
    { name: "that stalls brings nothing more", faults: { stallChance: 1 }, events: [] },
    { name: "that loses a change ends with a gap", faults: { gapChance: 1 }, events: ["gap"] },
    {
      name: "may bring a change twice",
      faults: { repeatChance: 1 },
      events: ["1", "1", "2", "2", "3", "3", "4", "4"],
    },
  ])("a watch $name", async ({ faults, events }) => {
    expect(await told(faults, 4)).toEqual(events);
  });

  test("the same seed gives the same faults, another seed others", async () => {
    const faults = { stallChance: 0.02, gapChance: 0.02, repeatChance: 0.2 };
    const first = await told(faults, 50, 7);
    expect(await told(faults, 50, 7)).toEqual(first);
    expect(await told(faults, 50, 8)).not.toEqual(first);
  });
});

test.each([
  ["applied in the epoch that it was sent in", false, "done", true],
  ["refused when a new epoch began meanwhile", true, "store-unavailable", false],
])("a commit that is on its way is %s", async (_what, loses, result, applied) => {
  const { backend, timers, store } = begin({ delayMs: [20, 20] });
  const outcome = outcomeOf(store.commit(WRITE, LIMITS), timers);
  await timers.advance(5);
  if (loses) backend.beginEpoch();
  await timers.advance(100);
  expect(outcome.current).toBe(result);
  expect(backend.read("").records).toHaveLength(applied ? 1 : 0);
});
