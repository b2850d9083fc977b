// One node's part in a fleet's elections, joined to stores that keep their word, and to some that do not.

import { afterEach, describe, expect, test } from "vitest";
import { faultyStore, NO_FAULTS, openMemoryStore } from "../../servers/memory/index.ts";
import { VipdError } from "../../../src/base/errors.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { later } from "../../../src/base/time.ts";
import type { Store } from "../../../src/ports/store.ts";
import { type HostEffect, Participant } from "../../../src/runtime/participant.ts";
import { storeCalls } from "../../../src/runtime/store-calls.ts";
import { candidacy, ELECTION, FLEET, TTL_MS } from "../election/samples.ts";
import { altered, hang, settledBackend } from "./stores.ts";
import { VirtualTimers } from "./virtual-timers.ts";

const running: Participant[] = [];

afterEach(() => {
  for (const participant of running.splice(0)) participant.close();
});

interface Started {
  readonly participant: Participant;
  readonly effects: readonly HostEffect[];
  holds(): boolean;
}

function start(store: Store, timers: VirtualTimers, node = "a"): Started {
  const effects: HostEffect[] = [];
  let made = 0;
  const self = { node, fleet: FLEET, host: "h", processId: `process-${node}`, ttlMs: TTL_MS, knownTtlMs: 0 };
  const participant: Participant = new Participant(
    { self, incarnation: `${node}-0`, adopt: false },
    {
      calls: storeCalls(store, timers),
      timers,
      perform: (effect) => {
        effects.push(effect);
        if (effect.type === "lose")
          participant.post({ type: "released", elections: effect.losses.map(({ election }) => election) });
        if (effect.type === "renew-incarnation")
          participant.post({ type: "incarnation", incarnation: `${node}-${(made += 1)}` });
      },
    },
  );
  running.push(participant);
  participant.post({ type: "candidacies", changes: new Map([[ELECTION, candidacy()]]) });
  participant.start();
  return { participant, effects, holds: () => participant.state.tenures.get(ELECTION)?.phase === "on" };
}

test("a participant acquires, heartbeats, and hands over to the next one when it stops", async () => {
  const [backend, timers] = [settledBackend(), new VirtualTimers()];
  const first = start(openMemoryStore(backend), timers, "a");
  await timers.advance(10);
  const second = start(openMemoryStore(backend), timers, "b");
  await timers.advance(20_000);
  expect([first.holds(), second.holds()]).toEqual([true, false]);
  first.participant.post({ type: "stop" });
  await timers.advance(20);
  expect([first.holds(), second.holds()]).toEqual([false, true]);
  expect(first.effects.at(-1)).toEqual({ type: "stopped" });
});

describe("a store that does not keep its word", () => {
  test("a read that never settles is given up, and asked again", async () => {
    const [backend, timers] = [settledBackend(), new VirtualTimers()];
    const store = openMemoryStore(backend);
    let reads = 0;
    const a = start(
      altered(store, { read: (prefix, limits) => ((reads += 1) === 1 ? hang() : store.read(prefix, limits)) }),
      timers,
    );
    await timers.advance(5_000);
    expect(a.holds()).toBe(true);
  });

  test("a commit that never settles counts as of unknown outcome", async () => {
    const [backend, timers] = [settledBackend(), new VirtualTimers()];
    const store = openMemoryStore(backend);
    let commits = 0;
    const a = start(
      altered(store, { commit: (txn, limits) => ((commits += 1) === 5 ? hang() : store.commit(txn, limits)) }),
      timers,
    );
    await timers.advance(30_000);
    expect(a.holds()).toBe(true);
    expect(a.effects.map(({ type }) => type)).not.toContain("lose");
  });

  test("an answer that comes after it was given up is dropped", async () => {
    const [backend, timers] = [settledBackend(), new VirtualTimers()];
    const store = openMemoryStore(backend);
    const late = (ms: number): Promise<void> => new Promise((resolve) => timers.at(later(timers.now(), ms), resolve));
    const slow = altered(store, {
      commit: async (txn, limits) => {
        const result = await store.commit(txn, limits);
        await late(2_000);
        return result;
      },
    });
    const a = start(slow, timers);
    await timers.advance(30_000);
    expect(a.participant.state.attempts).toBeGreaterThan(5);
  });

  test.each<[string, Partial<Store>]>([
    [
      "a watch that throws",
      { watch: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("broken")) }) }) },
    ],
    ["a watch that ends at once", { watch: async function* () {} }],
    [
      "a watch that only tells gaps",
      {
        watch: async function* () {
          yield { kind: "gap", reason: "always" };
        },
      },
    ],
    ["a watch that hangs", { watch: () => ({ [Symbol.asyncIterator]: () => ({ next: hang }) }) }],
  ])("%s costs promptness, not the election, and no storm of reads", async (_name, change) => {
    const [backend, timers] = [settledBackend(), new VirtualTimers()];
    const store = openMemoryStore(backend);
    let reads = 0;
    const counted = altered(store, { ...change, read: (prefix, limits) => ((reads += 1), store.read(prefix, limits)) });
    const a = start(counted, timers);
    await timers.advance(10);
    const b = start(openMemoryStore(backend), timers, "b");
    await timers.advance(10_000);
    expect([a.holds(), b.holds()]).toEqual([true, false]);
    expect(reads).toBeLessThan(100);
    b.participant.close();
    await timers.advance(10_000);
    expect(a.holds()).toBe(true);
  });

  test.each<[string, () => Promise<never>]>([
    ["refuses", () => Promise.reject(new VipdError("store-unavailable", "no"))],
    ["throws what is no VipdError", () => Promise.reject(new TypeError("what"))],
    ["says that it is corrupt", () => Promise.reject(new VipdError("store-corrupt", "bad"))],
  ])("one that %s ends the holding in time, and all goes on when it works again", async (_name, fail) => {
    const [backend, timers] = [settledBackend(), new VirtualTimers()];
    const store = openMemoryStore(backend);
    let broken = false;
    const a = start(
      altered(store, {
        read: (prefix, limits) => (broken ? fail() : store.read(prefix, limits)),
        commit: (txn, limits) => (broken ? fail() : store.commit(txn, limits)),
      }),
      timers,
    );
    await timers.advance(5_000);
    broken = true;
    await timers.advance(TTL_MS);
    expect(a.holds()).toBe(false);
    broken = false;
    await timers.advance(TTL_MS);
    expect(a.holds()).toBe(true);
  });
});

test.each<[string, Error, boolean]>([
  ["store-unavailable: it surely was not applied", new VipdError("store-unavailable", "no"), false],
  ["outcome-unknown", new VipdError("outcome-unknown", "who knows"), true],
  ["timeout", new VipdError("timeout", "late"), true],
  ["aborted", new VipdError("aborted", "enough"), true],
  ["no VipdError", new TypeError("what"), true],
])("a commit that fails by %s", async (_name, error, inDoubt) => {
  const [backend, timers] = [settledBackend(), new VirtualTimers()];
  const store = openMemoryStore(backend);
  let broken = false;
  const fragile = altered(store, {
    read: (prefix, limits) => (broken ? Promise.reject(new VipdError("timeout", "late")) : store.read(prefix, limits)),
    commit: (txn, limits) => (broken ? Promise.reject(error) : store.commit(txn, limits)),
  });
  const a = start(fragile, timers);
  await timers.advance(100);
  broken = true;
  await timers.advance(TTL_MS / 2);
  expect(a.participant.state.inDoubtAttempts.length > 0).toBe(inDoubt);
});

describe("the watch", () => {
  /** A participant, and the revisions from which its watches began. */
  function watched(change: (store: Store) => Partial<Store> = () => ({})): {
    timers: VirtualTimers;
    started: Started;
    begun: { readonly since: bigint; readonly atMs: number; readonly signal: AbortSignal }[];
  } {
    const [backend, timers] = [settledBackend(), new VirtualTimers()];
    const plain = openMemoryStore(backend);
    const store = altered(plain, change(plain));
    const begun: { since: bigint; atMs: number; signal: AbortSignal }[] = [];
    const began = timers.now();
    const started = start(
      altered(store, {
        watch: (prefix, since, signal) => {
          begun.push({ since, atMs: timers.now() - began, signal });
          return store.watch(prefix, since, signal);
        },
      }),
      timers,
    );
    return { timers, started, begun };
  }

  test("begins where the first read of everything ends, and stays while it works", async () => {
    const { timers, started, begun } = watched();
    await timers.advance(60_000);
    expect(started.holds()).toBe(true);
    expect(begun.map(({ since, atMs }) => [since, atMs])).toEqual([[1n, 0]]);
  });

  test("that has ended begins anew behind a read of everything, after a pause", async () => {
    let ends = 1;
    const { timers, started, begun } = watched((store) => ({
      watch: async function* (prefix, since, signal) {
        if (ends-- > 0) yield { kind: "gap", reason: "compacted" };
        else yield* store.watch(prefix, since, signal);
      },
    }));
    await timers.advance(10_000);
    expect(begun.map(({ atMs }) => atMs)).toEqual([0, started.participant.state.timings.retryEveryMs]);
    expect(begun[1]?.since).toBeGreaterThan(begun[0]?.since ?? 0n);
  });

  test("that does not bring what a read has shown is ended, and another one begins", async () => {
    const { timers, started, begun } = watched(() => ({
      watch: () => ({ [Symbol.asyncIterator]: () => ({ next: hang }) }),
    }));
    await timers.advance(10 * TTL_MS);
    expect(started.holds()).toBe(true);
    expect(begun.length).toBeGreaterThan(1);
    expect(begun.length).toBeLessThan(30);
    expect(begun.slice(0, -1).every(({ signal }) => signal.aborted)).toBe(true);
  });

  test("ends with the participant", async () => {
    const { timers, started, begun } = watched();
    await timers.advance(100);
    started.participant.close();
    expect(begun.map(({ signal }) => signal.aborted)).toEqual([true]);
  });
});

test("a closed participant sends nothing more, and does nothing more", async () => {
  const [backend, timers] = [settledBackend(), new VirtualTimers()];
  const a = start(openMemoryStore(backend), timers);
  await timers.advance(100);
  a.participant.close();
  const { revision } = backend;
  const effects = a.effects.length;
  await timers.advance(60_000);
  expect(backend.revision).toBe(revision);
  expect(a.effects).toHaveLength(effects);
  expect(timers.waiting).toBe(0);
});

test.each([1, 2, 3, 4, 5])(
  "through a bad network two participants never hold together, and one does in the end (seed %i)",
  async (seed) => {
    const [backend, timers, random] = [settledBackend(), new VirtualTimers(), seededRandom(seed)];
    const bad = {
      delayMs: [1, 30] as const,
      lossChance: 0.1,
      silenceChance: 0.1,
      lateMs: 4_000,
      stallChance: 0.02,
      gapChance: 0.05,
      repeatChance: 0.1,
    };
    const faults = { ...NO_FAULTS, ...bad };
    const fleet = ["a", "b"].map((node) =>
      start(faultyStore(openMemoryStore(backend), { timers, random, faults }), timers, node),
    );
    let held = 0;
    for (let step = 0; step < 3_000; step += 1) {
      await timers.advance(20);
      const holders = fleet.filter((one) => one.holds()).length;
      expect(holders).toBeLessThanOrEqual(1);
      held += holders;
    }
    expect(held).toBeGreaterThan(1_500);
    Object.assign(faults, NO_FAULTS);
    await timers.advance(10 * TTL_MS);
    expect(fleet.filter((one) => one.holds())).toHaveLength(1);
  },
  20_000,
);
