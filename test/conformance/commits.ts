// Commits: compare-and-swap, whole or not at all, within bounds.

import { describe, expect, test } from "vitest";
import { AssertionError } from "../../src/base/assert.ts";
import {
  MAX_KEY_BYTES,
  MAX_TXN_BYTES,
  MAX_TXN_GUARDS,
  MAX_TXN_WRITES,
  MAX_VALUE_BYTES,
} from "../../src/base/bounds.ts";
import { VipdError } from "../../src/base/errors.ts";
import type { Revision, Store, Txn } from "../../src/ports/store.ts";
import { committed, contents, type Harness, PATIENT, put, thrownBy } from "./harness.ts";

/** Brings the record "k" into some state, and says which version a guard shall insist on. */
interface GuardCase {
  readonly name: string;
  readonly prepare: (store: Store) => Promise<Revision | null>;
  readonly kind: "committed" | "conflict";
}

const GUARDS: readonly GuardCase[] = [
  { name: "none, and there is none", prepare: async () => null, kind: "committed" },
  { name: "none, but there is one", prepare: async (store) => (await put(store, "k", "1"), null), kind: "conflict" },
  { name: "the version that is there", prepare: (store) => put(store, "k", "1"), kind: "committed" },
  {
    name: "an older version",
    prepare: async (store) => before(await put(store, "k", "1"), () => put(store, "k", "2")),
    kind: "conflict",
  },
  {
    name: "an older version of the same value",
    prepare: async (store) => before(await put(store, "k", "1"), () => put(store, "k", "1")),
    kind: "conflict",
  },
  {
    name: "a version that is not there yet",
    prepare: async (store) => (await put(store, "k", "1")) + 1n,
    kind: "conflict",
  },
  { name: "a version, but there never was a record", prepare: async () => 1n, kind: "conflict" },
  {
    name: "a version, but it was deleted",
    prepare: async (store) => before(await put(store, "k", "1"), () => put(store, "k", null)),
    kind: "conflict",
  },
  {
    name: "the revision of the deletion",
    prepare: async (store) => (await put(store, "k", "1"), put(store, "k", null)),
    kind: "conflict",
  },
  {
    name: "none, and it was deleted",
    prepare: async (store) => (await put(store, "k", "1"), await put(store, "k", null), null),
    kind: "committed",
  },
  {
    name: "the version before it was deleted and made anew",
    prepare: async (store) =>
      before(await put(store, "k", "1"), async () => (await put(store, "k", null), put(store, "k", "1"))),
    kind: "conflict",
  },
];

const BEYOND_BOUNDS: Readonly<Record<string, Txn>> = {
  "too many guards": { guards: many(MAX_TXN_GUARDS + 1, (key) => ({ key, version: null })), writes: [] },
  "too many writes": { guards: [], writes: many(MAX_TXN_WRITES + 1, (key) => ({ key, value: "" })) },
  "too many bytes": {
    guards: [],
    writes: many(Math.ceil(MAX_TXN_BYTES / MAX_VALUE_BYTES), (key) => ({ key, value: "x".repeat(MAX_VALUE_BYTES) })),
  },
  "a key that is too long": { guards: [], writes: [{ key: "k".repeat(MAX_KEY_BYTES + 1), value: "" }] },
  "a key that is too long in bytes": { guards: [], writes: [{ key: "ü".repeat(MAX_KEY_BYTES / 2 + 1), value: "" }] },
  "a value that is too long": { guards: [], writes: [{ key: "k", value: "x".repeat(MAX_VALUE_BYTES + 1) }] },
  "a value that is too long in bytes": {
    guards: [],
    writes: [{ key: "k", value: "ü".repeat(MAX_VALUE_BYTES / 2 + 1) }],
  },
  "a key written twice": {
    guards: [],
    writes: [
      { key: "k", value: "1" },
      { key: "k", value: "2" },
    ],
  },
};

/** Describes the commits of the store. */
export function describeCommits(current: () => Harness): void {
  describe("commits", () => {
    test.each(GUARDS)("a guard insists on $name: $kind", async ({ prepare, kind }) => {
      const store = await current().open();
      const version = await prepare(store);
      const before = await store.read("", PATIENT);
      const writes = [
        { key: "k", value: "new" },
        { key: "other", value: "new" },
      ];
      const result = await store.commit({ guards: [{ key: "k", version }], writes }, PATIENT);
      const after = await store.read("", PATIENT);
      expect(result.kind).toBe(kind);
      if (result.kind === "committed") expect(after).toMatchObject({ revision: result.revision, epoch: result.epoch });
      expect(contents(after)).toEqual(kind === "committed" ? { k: "new", other: "new" } : contents(before));
    });

    test("a guard holds for a record that the commit does not write", async () => {
      const store = await current().open();
      const version = await put(store, "guarded", "1");
      const txn = { guards: [{ key: "guarded", version }], writes: [{ key: "k", value: "1" }] };
      expect((await store.commit(txn, PATIENT)).kind).toBe("committed");
      await put(store, "guarded", "2");
      expect((await store.commit(txn, PATIENT)).kind).toBe("conflict");
    });

    test("one guard that fails keeps all writes from being applied", async () => {
      const store = await current().open();
      const version = await put(store, "a", "1");
      const guards = [
        { key: "a", version },
        { key: "b", version },
      ];
      const writes = [
        { key: "a", value: null },
        { key: "b", value: "2" },
        { key: "c", value: "2" },
      ];
      expect(await store.commit({ guards, writes }, PATIENT)).toEqual({ kind: "conflict" });
      expect((await store.read("", PATIENT)).records).toEqual([{ key: "a", value: "1", version }]);
    });

    test("a commit may have the greatest number of guards and writes, and all its writes have one revision", async () => {
      const store = await current().open();
      const revision = await committed(store, {
        guards: many(MAX_TXN_GUARDS, (key) => ({ key, version: null })),
        writes: many(MAX_TXN_WRITES, (key) => ({ key, value: "1" })),
      });
      const { records } = await store.read("", PATIENT);
      expect(records).toHaveLength(MAX_TXN_WRITES);
      expect(new Set(records.map(({ version }) => version))).toEqual(new Set([revision]));
    });

    test("a commit may have the greatest number of bytes", async () => {
      const store = await current().open();
      const keys = many(MAX_TXN_WRITES, (key) => key);
      const each = Math.floor(MAX_TXN_BYTES / MAX_TXN_WRITES);
      const guards = keys.map((key) => ({ key, version: null }));
      const writes = keys.map((key) => ({ key, value: "x".repeat(each - 2 * key.length) }));
      await committed(store, { guards, writes });
      expect((await store.read("", PATIENT)).records).toHaveLength(MAX_TXN_WRITES);
    });

    test("a deleted record is gone, and deleting what is not there is no error", async () => {
      const store = await current().open();
      await put(store, "k", "1");
      const first = await put(store, "k", null);
      expect((await store.read("", PATIENT)).records).toEqual([]);
      expect(await put(store, "k", null)).toBeGreaterThanOrEqual(first);
      expect((await store.read("", PATIENT)).records).toEqual([]);
    });

    test.each(Object.entries(BEYOND_BOUNDS))("%s: refused, and nothing is changed", async (_name, txn) => {
      const store = await current().open();
      const error = await thrownBy(() => store.commit(txn, PATIENT));
      expect(error instanceof AssertionError || error instanceof VipdError, String(error)).toBe(true);
      expect((await store.read("", PATIENT)).records).toEqual([]);
    });
  });
}

async function before(version: Revision, then: () => Promise<unknown>): Promise<Revision> {
  await then();
  return version;
}

function many<T>(count: number, make: (key: string) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(`k${index}`));
}
