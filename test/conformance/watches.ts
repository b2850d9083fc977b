// Watches: every change in the order of revisions, or a gap.

import { describe, expect, test } from "vitest";
import type { Change, Revision, Store } from "../../src/ports/store.ts";
import { Follower } from "./follower.ts";
import { committed, type Harness, PATIENT, put } from "./harness.ts";

/** Describes the watches of the store. */
export function describeWatches(current: () => Harness): void {
  const begin = async (prefix = ""): Promise<{ store: Store; other: Store; follower: Follower }> => {
    const [store, other] = [await current().open(), await current().open()];
    const { revision } = await store.read("", PATIENT);
    return { store, other, follower: new Follower(store, prefix, revision) };
  };

  describe("watches", () => {
    test("own changes and those of others are told, in the order of their commits", async () => {
      const { store, other, follower } = await begin();
      const told: Change[] = [];
      for (const [index, writer] of [store, other, other, store].entries()) {
        const [key, value] = [`k${index}`, String(index)];
        told.push({ key, value, version: await put(writer, key, value) });
        await follower.until(({ changes }) => changes.length > index);
      }
      expect(follower.changes).toEqual(told);
      await follower.stop();
    });

    test("a deletion is told with its revision", async () => {
      const { store, other, follower } = await begin();
      await put(store, "k", "1");
      await follower.until(({ changes }) => changes.length === 1);
      const version = await put(other, "k", null);
      await follower.until(({ changes }) => changes.length === 2);
      expect(follower.changes[1]).toEqual({ key: "k", value: null, version });
      await follower.stop();
    });

    test("nothing outside of the prefix is told", async () => {
      const { other, follower } = await begin("a/");
      for (const key of ["a", "a0", "A/b", "b/a/", "a.", "%/b"]) await put(other, key, "1");
      await put(other, "a/b", "1");
      await follower.until(({ changes }) => changes.length > 0);
      expect(follower.changes.map(({ key }) => key)).toEqual(["a/b"]);
      await follower.stop();
    });

    test("a watch begins right after the revision that it is given", async () => {
      const store = await current().open();
      await put(store, "a", "1");
      const since = await put(store, "b", "1");
      const version = await put(store, "c", "1");
      const follower = new Follower(store, "", since);
      await follower.until(({ changes }) => changes.length > 0);
      expect(follower.changes).toEqual([{ key: "c", value: "1", version }]);
      await follower.stop();
    });

    test("a watch that begins in the past, while commits go on, tells all of them in their order", async () => {
      const store = await current().open();
      const since = await put(store, "begin", "1");
      const told: Revision[] = [];
      for (let i = 0; i < 30; i += 1) told.push(await put(store, `past${i}`, "1"));
      const follower = new Follower(store, "", since);
      for (let i = 0; i < 60; i += 1) told.push(await put(store, `now${i}`, "1"));
      await follower.until(({ changes }) => changes.length >= told.length);
      const last = await put(store, "end", "1");
      await follower.until(({ changes }) => changes.at(-1)?.version === last);
      expect(withoutRepeats(follower.changes).map(({ version }) => version)).toEqual([...told, last]);
      await follower.stop();
    });

    test("all writes of one commit are told", async () => {
      const { other, follower } = await begin();
      const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
      await committed(other, { guards: [], writes: keys.map((key) => ({ key, value: "1" })) });
      await follower.until(({ changes }) => changes.length >= keys.length);
      expect(follower.changes.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
      await follower.stop();
    });

    test("under a stream of commits all changes arrive, in the order of their commits", async () => {
      const { store, other, follower } = await begin();
      const done: Change[] = [];
      const present = new Set<string>();
      for (let round = 0; round < 300; round += 1) {
        const [key, value] = [`k${round % 7}`, round % 11 === 0 ? null : String(round)];
        const version = await put(round % 2 === 0 ? store : other, key, value);
        // Deleting what is not there need not be told.
        if (value !== null || present.has(key)) done.push({ key, value, version });
        if (value === null) present.delete(key);
        else present.add(key);
      }
      const last = { key: "end", value: "1", version: await put(other, "end", "1") };
      await follower.until(({ changes }) => changes.some(({ key }) => key === "end"));
      const revisions = new Set([...done, last].map(({ version }) => version));
      expect(withoutRepeats(follower.changes).filter(({ version }) => revisions.has(version))).toEqual([...done, last]);
      await follower.stop();
    });

    test("a change is told also when its record has changed again since", async () => {
      const store = await current().open();
      const since = await put(store, "begin", "1");
      const done: Change[] = [];
      for (const value of ["1", "2", null, "3", "4"])
        done.push({ key: "k", value, version: await put(store, "k", value) });
      const follower = new Follower(store, "k", since);
      await follower.until(({ changes }) => changes.at(-1)?.version === done.at(-1)?.version);
      expect(withoutRepeats(follower.changes)).toEqual(done);
      await follower.stop();
    });

    test("changes of concurrent commits are told in the order of their revisions", async () => {
      const { store, other, follower } = await begin();
      const revisions = await Promise.all(
        Array.from({ length: 60 }, (_, i) => put(i % 2 === 0 ? store : other, `k${i}`, "1")),
      );
      await follower.until(({ changes }) => new Set(changes.map(({ key }) => key)).size === revisions.length);
      const sorted = revisions.toSorted((a, b) => (a < b ? -1 : 1));
      expect(withoutRepeats(follower.changes).map(({ version }) => version)).toEqual(sorted);
      await follower.stop();
    });

    test("several watches of one store tell the same, each for its prefix", async () => {
      const store = await current().open();
      const { revision } = await store.read("", PATIENT);
      const followers = ["", "a/", "b/"].map((prefix) => new Follower(store, prefix, revision));
      await put(store, "a/1", "1");
      await put(store, "b/1", "1");
      const expected = [2, 1, 1];
      await Promise.all(
        followers.map((follower, index) => follower.until(({ changes }) => changes.length === expected[index])),
      );
      await Promise.all(followers.map((follower) => follower.stop()));
    });

    test("a watch from before the remembered history tells a gap and ends", async () => {
      const store = await current().open();
      const since = await put(store, "kept", "1");
      for (let round = 0; round < current().historyLength; round += 2) {
        await put(store, `gone${round}`, "1");
        await put(store, `gone${round}`, null);
      }
      await put(store, "last", "1");
      await current().forgetHistory?.();
      const follower = new Follower(store, "", since);
      await follower.until(({ changes, gaps }) => gaps.length > 0 || changes.some(({ key }) => key === "last"));
      expect(follower).toMatchObject({ changes: [], gaps: [expect.any(String)] });
      await follower.ended;
    }, 30_000);

    test("a watch from a revision that the store has not reached tells a gap and ends", async () => {
      const store = await current().open();
      const { revision } = await store.read("", PATIENT);
      const follower = new Follower(store, "", revision + 1_000n);
      await follower.until(({ gaps }) => gaps.length === 1);
      await follower.ended;
    });

    test("a watch ends without an error when its signal aborts: before, at its start, and later", async () => {
      const store = await current().open();
      const { revision } = await store.read("", PATIENT);
      for await (const event of store.watch("", revision, AbortSignal.abort()))
        expect(event, "nothing is told").toBeUndefined();
      await new Follower(store, "", revision).stop();
      const later = new Follower(store, "", revision);
      await put(store, "k", "1");
      await later.until(({ changes }) => changes.length === 1);
      await later.stop();
    });

    test("a watch ends when its store is closed; those of other stores go on", async () => {
      const { store, other, follower } = await begin();
      const otherFollower = new Follower(other, "", (await other.read("", PATIENT)).revision);
      await store.close();
      await follower.ended;
      await put(other, "k", "1");
      await otherFollower.until(({ changes }) => changes.length === 1);
      await otherFollower.stop();
    });
  });
}

/** A change may be told more than once; what counts is when it came first. */
function withoutRepeats(changes: readonly Change[]): readonly Change[] {
  const seen = new Set<string>();
  return changes.filter(({ key, version }) => {
    const name = `${version} ${key}`;
    if (seen.has(name)) return false;
    seen.add(name);
    return true;
  });
}
