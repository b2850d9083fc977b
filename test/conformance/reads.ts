// Reads: exactly what is under the prefix, exactly as it was written.

import { describe, expect, test } from "vitest";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../../src/base/bounds.ts";
import { committed, contents, type Harness, PATIENT, put } from "./harness.ts";

/** Keys around the border of a prefix, and characters that mean something to query languages. */
const KEYS = [
  "a",
  "a!",
  "a.",
  "a/",
  "a/b",
  "a/b/c",
  "a/%",
  "a/_",
  "a/*",
  "a/[b]",
  "a/'",
  "a/\\",
  "a/~",
  "a0",
  "aa/b",
  "A/b",
  "b/a/b",
  "%/b",
  "_/b",
];
const PREFIXES = ["", "a", "a/", "a/b", "a/%", "a/_", "a/*", "a/[", "a/'", "a/\\", "%", "_", "A", "a/b/c/d", "nothing"];

const VALUES: Readonly<Record<string, string>> = {
  "an empty text": "",
  JSON: '{"a":[1,"2\\n"]}',
  "quotes and comments": `'"; -- /* */ \\ \``,
  "many scripts": "Grüße, 你好, שלום, 🧭",
  "line ends and tabs": "a\r\n\tb\n",
  "the greatest length": "x".repeat(MAX_VALUE_BYTES),
};

/** Describes the reads of the store. */
export function describeReads(current: () => Harness): void {
  describe("reads", () => {
    test("an empty store has no records, and an epoch with a name", async () => {
      const store = await current().open();
      const { records, epoch, revision } = await store.read("", PATIENT);
      expect(records).toEqual([]);
      expect(epoch).not.toBe("");
      expect(revision).toBeGreaterThanOrEqual(0n);
    });

    test("a read brings the keys that begin with its prefix, and no other", async () => {
      const store = await current().open();
      await committed(store, { guards: [], writes: KEYS.map((key) => ({ key, value: key })) });
      for (const prefix of PREFIXES) {
        const { records } = await store.read(prefix, PATIENT);
        const expected = KEYS.filter((key) => key.startsWith(prefix)).toSorted();
        expect(records.map(({ key }) => key).toSorted(), `prefix "${prefix}"`).toEqual(expected);
      }
    });

    test.each(Object.entries(VALUES))("%s comes back as it was written", async (_name, value) => {
      const store = await current().open();
      await put(store, "k", value);
      expect(contents(await store.read("k", PATIENT))).toEqual({ k: value });
    });

    test("the longest key comes back as it was written", async () => {
      const store = await current().open();
      const key = "k/".repeat(MAX_KEY_BYTES / 2);
      await put(store, key, "v");
      expect(contents(await store.read("k/k/", PATIENT))).toEqual({ [key]: "v" });
    });

    test("the version of a record is the revision that wrote it last", async () => {
      const store = await current().open();
      const first = await put(store, "a", "1");
      const second = await put(store, "b", "1");
      const third = await put(store, "a", "2");
      const { revision, records } = await store.read("", PATIENT);
      const versions = Object.fromEntries(records.map(({ key, version }) => [key, version]));
      expect(versions).toEqual({ a: third, b: second });
      expect(second).toBeGreaterThan(first);
      expect(third).toBeGreaterThan(second);
      expect(revision).toBe(third);
    });

    test("a store sees at once what another one has committed", async () => {
      const [one, other] = [await current().open(), await current().open()];
      for (let round = 0; round < 20; round += 1) {
        const revision = await put(one, "k", String(round));
        const snapshot = await other.read("k", PATIENT);
        expect(contents(snapshot)).toEqual({ k: String(round) });
        expect(snapshot.revision).toBeGreaterThanOrEqual(revision);
      }
    });
  });
}
