// The bounds that every store holds commits to: who breaks them has a bug, whatever the store would bear.

import { assert } from "../base/assert.ts";
import { MAX_KEY_BYTES, MAX_TXN_BYTES, MAX_TXN_GUARDS, MAX_TXN_WRITES, MAX_VALUE_BYTES } from "../base/bounds.ts";
import type { Txn } from "./store.ts";

const utf8 = new TextEncoder();

/** Asserts the bounds of src/base/bounds.ts, and that no key is written twice. */
export function checkWithinBounds({ guards, writes }: Txn): void {
  assert(guards.length <= MAX_TXN_GUARDS, `a commit has at most ${MAX_TXN_GUARDS} guards`);
  assert(writes.length <= MAX_TXN_WRITES, `a commit has at most ${MAX_TXN_WRITES} writes`);
  assert(new Set(writes.map(({ key }) => key)).size === writes.length, "a commit writes each key at most once");
  let all = 0;
  for (const { key } of [...guards, ...writes]) {
    const bytes = bytesOf(key);
    assert(bytes <= MAX_KEY_BYTES, `${key} is a key of at most ${MAX_KEY_BYTES} bytes`);
    all += bytes;
  }
  for (const { key, value } of writes) {
    const bytes = value === null ? 0 : bytesOf(value);
    assert(bytes <= MAX_VALUE_BYTES, `the value of ${key} has at most ${MAX_VALUE_BYTES} bytes`);
    all += bytes;
  }
  assert(all <= MAX_TXN_BYTES, `a commit has at most ${MAX_TXN_BYTES} bytes`);
}

function bytesOf(text: string): number {
  return utf8.encode(text).length;
}
