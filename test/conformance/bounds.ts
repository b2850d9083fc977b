// Bounds of what is read: another program may write to the store, and more than any vipd would.

import { describe, expect, test } from "vitest";
import { MAX_READ_BYTES, MAX_RECORDS, MAX_TXN_WRITES, MAX_VALUE_BYTES } from "../../src/base/bounds.ts";
import type { Revision, Store, Txn } from "../../src/ports/store.ts";
import { Follower } from "./follower.ts";
import { committed, contents, type Harness, PATIENT, put, thrownBy } from "./harness.ts";

/** So much in one commit: etcd takes 1.5 MiB by default. */
const PORTION = Math.floor(2 ** 20 / MAX_VALUE_BYTES);
const PORTIONS = Math.floor(MAX_READ_BYTES / (PORTION * MAX_VALUE_BYTES)) + 1;
const BULKY = { timeoutMs: 30_000 };

/** Describes how the store bears records that are too long, or too many. */
export function describeBounds(current: () => Harness): void {
  describe("bounds", () => {
    test.each([
      ["by one byte", "x".repeat(MAX_VALUE_BYTES + 1)],
      ["by one byte, though not by its characters", `${"ü".repeat(MAX_VALUE_BYTES / 2)}x`],
      ["by far", "x".repeat(4 * MAX_VALUE_BYTES)],
    ])("a value that is too long %s is left out of reads and watches; all else is told", async (_what, value) => {
      const store = await current().open();
      const { follower, revision } = await beginFollowing(store);
      await current().foreignPut("long", value);
      const last = await put(store, "after", "x".repeat(MAX_VALUE_BYTES));
      const snapshot = await store.read("", PATIENT);
      expect(contents(snapshot)).toEqual({ before: "1", long: "", after: "x".repeat(MAX_VALUE_BYTES) });
      const { version } = snapshot.records.find(({ key }) => key === "long") ?? { version: 0n };
      await follower.until(({ changes }) => changes.at(-1)?.version === last);
      expect(follower.changes.find(({ key }) => key === "long")).toEqual({ key: "long", value: "", version });
      await follower.stop();
      const late = new Follower(store, "", revision);
      await late.until(({ changes }) => changes.at(-1)?.version === last);
      expect(late.changes).toEqual(follower.changes);
      await late.stop();
    });

    test("a record whose value is too long can be guarded by its version, and overwritten", async () => {
      const store = await current().open();
      await put(store, "begin", "1");
      await current().foreignPut("long", "x".repeat(MAX_VALUE_BYTES + 1));
      const [record] = (await store.read("long", PATIENT)).records;
      const guards = [{ key: "long", version: record?.version ?? null }];
      await committed(store, { guards, writes: [{ key: "long", value: "short" }] });
      expect(contents(await store.read("long", PATIENT))).toEqual({ long: "short" });
    });

    test("a read of too much fails with store-corrupt; a watch of too much brings it all or tells a gap", async () => {
      const store = await current().open();
      const since = await put(store, "small", "1");
      await fill(store);
      expect(await thrownBy(() => store.read("big/", BULKY))).toMatchObject({ code: "store-corrupt" });
      expect((await store.read("big/0/", BULKY)).records).toHaveLength(PORTION);
      const follower = new Follower(store, "big/", since);
      await follower.until(({ gaps, changes }) => gaps.length > 0 || changes.length === PORTIONS * PORTION, 20_000);
      await follower.stop();
      await put(store, "small", "2");
      expect(contents(await store.read("small", PATIENT))).toEqual({ small: "2" });
    }, 120_000);

    test("a read of the greatest number of records brings them all; of one more it fails with store-corrupt", async () => {
      const store = await current().open();
      const keys = Array.from({ length: MAX_RECORDS }, (_, i) => `many/${i}`);
      while (keys.length > 0) {
        const portions = Array.from({ length: 8 }, () => keys.splice(0, MAX_TXN_WRITES));
        await Promise.all(portions.map((some) => store.commit(writing(some, ""), BULKY)));
      }
      expect((await store.read("many/", BULKY)).records).toHaveLength(MAX_RECORDS);
      await put(store, "many/x", "");
      expect(await thrownBy(() => store.read("many/", BULKY))).toMatchObject({ code: "store-corrupt" });
      expect((await store.read("many/x", PATIENT)).records).toHaveLength(1);
    }, 120_000);
  });
}

/** A watch that has told its first change. One that begins while others commit may tell a gap instead, and then begins anew. */
async function beginFollowing(store: Store): Promise<{ readonly follower: Follower; readonly revision: Revision }> {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const { revision } = await store.read("", PATIENT);
    const follower = new Follower(store, "", revision);
    await put(store, "before", "1");
    await follower.until(({ gaps, changes }) => gaps.length + changes.length > 0);
    if (follower.gaps.length === 0) return { follower, revision };
    await follower.stop();
  }
  throw new Error("three watches in a row told a gap");
}

/** Writes records of more than MAX_READ_BYTES together, each within its bounds. */
async function fill(store: Store): Promise<void> {
  const value = "x".repeat(MAX_VALUE_BYTES);
  for (let portion = 0; portion < PORTIONS; portion += 1) {
    const keys = Array.from({ length: PORTION }, (_, i) => `big/${portion}/${i}`);
    expect((await store.commit(writing(keys, value), BULKY)).kind).toBe("committed");
  }
}

function writing(keys: readonly string[], value: string): Txn {
  return { guards: [], writes: keys.map((key) => ({ key, value })) };
}
