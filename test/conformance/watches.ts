// Watches: a hint, but an honest one. What they tell is true, and what they cannot tell they say.

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

    test("a watch that begins in the past, while commits go on, tells each of them once", async () => {
      const store = await current().open();
      const since = await put(store, "begin", "1");
      const told: Revision[] = [];
      for (let i = 0; i < 30; i += 1) told.push(await put(store, `past${i}`, "1"));
      const follower = new Follower(store, "", since);
      for (let i = 0; i < 60; i += 1) told.push(await put(store, `now${i}`, "1"));
      await follower.until(({ changes }) => changes.length >= told.length);
      const last = await put(store, "end", "1");
      await follower.until(({ changes }) => changes.at(-1)?.version === last);
      const versions = follower.changes.map(({ version }) => version).toSorted((a, b) => (a < b ? -1 : 1));
      expect(versions).toEqual([...told, last]);
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

    test("under a stream of commits every change told is true, and the last state of each key arrives", async () => {
      const { store, other, follower } = await begin();
      const truth = new Set<string>();
      for (let round = 0; round < 300; round += 1) {
        const [key, value] = [`k${round % 7}`, round % 11 === 0 ? null : String(round)];
        const version = await put(round % 2 === 0 ? store : other, key, value);
        truth.add(JSON.stringify([key, value, String(version)]));
      }
      await put(other, "end", "1");
      await follower.until(({ changes }) => changes.some(({ key }) => key === "end"));
      const told = follower.changes.filter(({ key }) => key !== "end");
      const falsehoods = told.filter(
        ({ key, value, version }) => !truth.has(JSON.stringify([key, value, String(version)])),
      );
      expect(falsehoods).toEqual([]);
      expect(lastOf(told)).toEqual(lastOf([...truth].map(parsed)));
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

function lastOf(changes: readonly Change[]): Record<string, string | null> {
  return Object.fromEntries(changes.map(({ key, value }) => [key, value]));
}

function parsed(text: string): Change {
  const [key, value, version] = JSON.parse(text) as [string, string | null, string];
  return { key, value, version: BigInt(version) };
}
