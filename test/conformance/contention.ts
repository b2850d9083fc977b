// Contention: several clients at once, in one process and in several, one of them killed at any instruction.

import { describe, expect, test } from "vitest";
import { contend, faultsOf, readCounters } from "./contender.ts";
import { contents, type Harness, PATIENT, put, testWith } from "./harness.ts";
import { Remote } from "./remote.ts";
import type { Traits } from "./suite.ts";

const CONTENDERS = 4;
const TIMES = 100;

/** Describes what happens when several clients want the same. */
export function describeContention(current: () => Harness, traits: Traits): void {
  describe("contention", () => {
    test("of many commits with the same guard, begun together, exactly one is applied", async () => {
      const stores = await Promise.all(Array.from({ length: 8 }, () => current().open()));
      for (let round = 0; round < 10; round += 1) {
        const key = `k${round}`;
        const attempt = async (store: (typeof stores)[number], index: number): Promise<string[]> => {
          const txn = { guards: [{ key, version: null }], writes: [{ key, value: String(index) }] };
          return (await store.commit(txn, PATIENT)).kind === "committed" ? [String(index)] : [];
        };
        const winners = (await Promise.all(stores.map(attempt))).flat();
        expect(winners).toHaveLength(1);
        expect(contents(await (stores[0] as (typeof stores)[number]).read(key, PATIENT))).toEqual({
          [key]: winners[0],
        });
      }
    });

    test("stores of one process lose no update, and their history is linearizable", async () => {
      const stores = await Promise.all(Array.from({ length: CONTENDERS }, () => current().open()));
      const histories = await Promise.all(stores.map((store) => contend(store, "c/", TIMES)));
      const { operation } = await readCounters(await current().open(), "c/");
      expect(operation.count).toBe(CONTENDERS * TIMES);
      expect(faultsOf(histories.flat())).toEqual([]);
    }, 30_000);

    testWith(traits.processes)(
      "processes lose no update, and their history is linearizable",
      async () => {
        await withRemotes(current(), CONTENDERS, async (remotes) => {
          const histories = await Promise.all(remotes.map((remote) => remote.contend("c/", TIMES)));
          const { operation } = await readCounters(await current().open(), "c/");
          expect(operation.count).toBe(CONTENDERS * TIMES);
          expect(faultsOf(histories.flat())).toEqual([]);
        });
      },
      60_000,
    );

    testWith(traits.processes)(
      "a process sees at once what another one has committed",
      async () => {
        await withRemotes(current(), 2, async (remotes) => {
          const store = await current().open();
          for (let round = 0; round < 60; round += 1) {
            const [writer, reader] = round % 2 === 0 ? remotes : remotes.toReversed();
            const result = await writer?.commit({ guards: [], writes: [{ key: "k", value: String(round) }] });
            const snapshot = await reader?.read("k");
            expect(result?.kind).toBe("committed");
            expect(snapshot && contents(snapshot)).toEqual({ k: String(round) });
            expect(contents(await store.read("k", PATIENT))).toEqual({ k: String(round) });
          }
        });
      },
      30_000,
    );

    testWith(traits.processes)(
      "a process that is killed leaves no half of a commit, and nobody waiting",
      async () => {
        for (let round = 0; round < 3; round += 1) {
          await withRemotes(current(), 2, async ([victim, survivor]) => {
            const store = await current().open();
            const prefix = `c${round}/`;
            const fighting = victim?.contend(prefix, 1_000_000).catch(() => undefined);
            while ((await readCounters(store, prefix)).operation.count < 20 + round)
              await new Promise((resolve) => setTimeout(resolve, 1));
            await victim?.kill();
            await fighting;
            const { operation } = await readCounters(store, prefix);
            await survivor?.contend(prefix, 20);
            // The last commit of the victim may have been on its way: it is applied whole, or not at all.
            const counted = (await readCounters(store, prefix)).operation.count - operation.count;
            expect([20, 21]).toContain(counted);
            await put(store, "k", "1");
          });
        }
      },
      30_000,
    );
  });
}

async function withRemotes(
  harness: Harness,
  count: number,
  run: (remotes: readonly Remote[]) => Promise<void>,
): Promise<void> {
  const { url } = harness;
  if (url === undefined) throw new Error("the store has no URL for other processes");
  const remotes = await Promise.all(Array.from({ length: count }, () => Remote.start(url)));
  try {
    await run(remotes);
  } finally {
    await Promise.all(remotes.map((remote) => remote.kill()));
  }
}
