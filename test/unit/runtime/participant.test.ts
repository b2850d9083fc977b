import { afterEach, describe, expect, test } from "vitest";
import { faultyStore, MemoryBackend, NO_FAULTS, openMemoryStore } from "../../../adapters/memory/index.ts";
import { VipdError } from "../../../src/base/errors.ts";
import { seededRandom } from "../../../src/base/random.ts";
import type { Candidacy } from "../../../src/election/state.ts";
import type { Store } from "../../../src/ports/store.ts";
import { type HostEffect, Participant } from "../../../src/runtime/participant.ts";
import { VirtualTimers } from "./virtual-timers.ts";

const TTL_MS = 3_000;
const WISH: Candidacy = {
  priority: 100,
  eligible: true,
  reason: "",
  preempt: true,
  preemptDelayMs: 0,
  addresses: [],
  interface: null,
};
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
  const self = { node, fleet: "f", host: "h", processId: `life-${node}`, ttlMs: TTL_MS };
  const participant: Participant = new Participant(
    { self, incarnation: `${node}-0`, adopt: false },
    {
      store,
      timers,
      entropy: { uniqueId: () => `${node}-${(made += 1)}` },
      perform: (effect) => {
        effects.push(effect);
        if (effect.type === "lose") participant.post({ type: "let-go", election: effect.election });
        if (effect.type === "renew-incarnation")
          participant.post({ type: "incarnation", incarnation: `${node}-${(made += 1)}` });
      },
    },
  );
  running.push(participant);
  participant.post({ type: "candidacy", election: "web", candidacy: WISH });
  participant.start();
  return { participant, effects, holds: () => participant.state.tenures.get("web")?.phase === "on" };
}

/** A backend whose fleet has settled on its epoch. */
function settledBackend(): MemoryBackend {
  const backend = new MemoryBackend({ epoch: "e" });
  backend.commit({
    guards: [],
    writes: [{ key: "/vipd/f/live/fleet", value: JSON.stringify({ format: 1, epoch: "e" }) }],
  });
  return backend;
}

/** A store of which one method does something else. */
function altered(store: Store, change: Partial<Store>): Store {
  return {
    guarantees: store.guarantees,
    read: (prefix, limits) => store.read(prefix, limits),
    commit: (txn, limits) => store.commit(txn, limits),
    watch: (prefix, since, signal) => store.watch(prefix, since, signal),
    close: () => store.close(),
    ...change,
  };
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
  const hang = (): Promise<never> => new Promise(() => {});

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
    const late = (ms: number): Promise<void> =>
      new Promise((resolve) => timers.at((timers.now() + ms) as ReturnType<VirtualTimers["now"]>, resolve));
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
])("a commit that fails by %s", async (_name, error, doubtful) => {
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
  expect(a.participant.state.inDoubtAttempts.length > 0).toBe(doubtful);
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
      dropChance: 0.2,
      gapChance: 0.05,
      repeatChance: 0.1,
      reorderChance: 0.2,
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
