// The store's epoch: it goes on over a restart, and has another name when data may have been lost.

import { describe, expect, test } from "vitest";
import { isVipdError } from "../../src/base/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { committed, contents, type DelayedStore, type Harness, PATIENT, put, testWith } from "./harness.ts";
import { Follower } from "./follower.ts";
import type { Traits } from "./suite.ts";

/** Describes restarts and losses. */
export function describeEpochs(current: () => Harness, traits: Traits): void {
  describe("the epoch", () => {
    test(`over restarts of everything, data ${traits.restartKeepsData ? "stay" : "are gone"}, and revisions grow`, async () => {
      let store = await current().open();
      const { epoch } = await store.read("", PATIENT);
      let last = -1n;
      for (let lifetime = 0; lifetime < 4; lifetime += 1) {
        const revision = await put(store, `lifetime${lifetime}`, "1");
        expect(revision).toBeGreaterThan(last);
        last = revision;
        await current().restart();
        store = await current().open();
        const snapshot = await store.read("", PATIENT);
        if (traits.restartKeepsEpoch) expect(snapshot).toMatchObject({ epoch });
        else expect(snapshot.epoch).not.toBe(epoch);
        expect(snapshot.revision).toBeGreaterThanOrEqual(last);
        expect(Object.keys(contents(snapshot))).toHaveLength(traits.restartKeepsData ? lifetime + 1 : 0);
      }
    });

    test("revisions grow also when what was written is deleted before the restart", async () => {
      const store = await current().open();
      await put(store, "k", "1");
      const deleted = await put(store, "k", null);
      await current().restart();
      expect(await put(await current().open(), "k", "2")).toBeGreaterThan(deleted);
    });

    test("reads that commits overtake are of the same epoch", async () => {
      const store = await current().open();
      for (let i = 0; i < 20; i += 1)
        await committed(store, {
          guards: [],
          writes: Array.from({ length: 100 }, (_, k) => ({ key: `large/${i}/${k}`, value: "x".repeat(1_200) })),
        });
      const { epoch } = await store.read("", PATIENT);
      for (let i = 0; i < 10; i += 1) {
        const [slow] = await Promise.all([
          store.read("", PATIENT),
          ...Array.from({ length: 20 }, (_, k) => put(store, `quick${k}`, String(i))),
        ]);
        expect(slow.epoch).toBe(epoch);
      }
      expect((await store.read("quick", PATIENT)).epoch).toBe(epoch);
    });

    test("all stores name the same epoch, and a commit names it too", async () => {
      const stores = [await current().open(), await current().open(), await current().open()];
      const epochs = await Promise.all(stores.map(async (store) => (await store.read("", PATIENT)).epoch));
      expect(new Set(epochs).size).toBe(1);
      const result = await (await current().open()).commit({ guards: [], writes: [{ key: "k", value: "1" }] }, PATIENT);
      expect(result).toMatchObject({ kind: "committed", epoch: epochs[0] });
    });

    describe.each(traits.losses)("%s", (loss) => {
      test("a new epoch begins, at a higher revision", async () => {
        const store = await current().open();
        await put(store, "k", "1");
        const revision = await put(store, "k", "2");
        const { epoch } = await store.read("", PATIENT);
        await lose(current(), loss);
        const after = await (await current().open()).read("", PATIENT);
        expect(after.epoch).not.toBe(epoch);
        expect(after.revision).toBeGreaterThan(revision);
      });

      test("a store that stays open serves the old data no more, and finds its way to the new", async () => {
        const store = await current().open();
        const version = await put(store, "k", "1");
        const { epoch } = await store.read("", PATIENT);
        await lose(current(), loss);
        const other = await current().open();
        const { epoch: newEpoch } = await other.read("", PATIENT);
        const txn = { guards: [{ key: "k", version }], writes: [{ key: "k", value: "lost" }] };
        const attempt = await store.commit(txn, PATIENT).catch((error: unknown) => error);
        expect(isVipdError(attempt) || (attempt as { kind: string }).kind === "conflict").toBe(true);
        const seen = await store.read("", PATIENT).catch(() => store.read("", PATIENT));
        expect(seen.epoch).toBe(newEpoch);
        expect(newEpoch).not.toBe(epoch);
        expect(contents(await other.read("", PATIENT))["k"]).not.toBe("lost");
      });

      testWith(traits.delayedLosses.includes(loss))(
        "a commit that was on its way when the new epoch began is not applied in it",
        async () => {
          const { store, hold, holds, release } = await openDelayed(current());
          await put(store, "k", "1");
          const before = await store.read("", PATIENT);
          await hold();
          const txn = { guards: [{ key: "late", version: null }], writes: [{ key: "late", value: "1" }] };
          const outcome = store.commit(txn, PATIENT).catch((error: unknown) => error);
          await holds();
          await lose(current(), loss);
          const other = await current().open();
          expect((await other.read("", PATIENT)).epoch).not.toBe(before.epoch);
          await release();
          expect(await outcome).not.toMatchObject({ kind: "committed" });
          // What is sent after it on the same way arrives after it.
          const readAgain = (): Promise<string | undefined> => epochSeenBy(store);
          await expect.poll(readAgain, { timeout: 5_000 }).not.toBeOneOf([before.epoch, undefined]);
          expect(contents(await other.read("", PATIENT))).not.toHaveProperty("late");
        },
      );

      test("a watch tells a gap and ends", async () => {
        const store = await current().open();
        const follower = new Follower(store, "", await put(store, "k", "1"));
        await put(store, "k", "2");
        await follower.until(({ changes }) => changes.length > 0);
        await lose(current(), loss);
        const other = await current().open();
        await put(other, "k", "3");
        await follower.until(({ gaps }) => gaps.length > 0);
        await follower.ended;
      });
    });
  });
}

function openDelayed(harness: Harness): Promise<DelayedStore> {
  if (harness.openDelayed === undefined) throw new Error("the harness cannot keep requests on their way");
  return harness.openDelayed();
}

/** The epoch that a read tells; `undefined` when it fails. */
function epochSeenBy(store: Store): Promise<string | undefined> {
  return store.read("", PATIENT).then(
    ({ epoch }) => epoch,
    () => undefined,
  );
}

async function lose(harness: Harness, loss: string): Promise<void> {
  const action = harness.losses[loss];
  if (action === undefined) throw new Error(`the harness knows no loss "${loss}"`);
  await action(harness);
}
