// The core's words in etcd's: ranges by prefix, guards as comparisons, writes as operations.

import type { ICompare, IRequestOp } from "etcd3";
import { MAX_RECORDS } from "../../src/base/bounds.ts";
import type { Guard, Txn } from "../../src/ports/store.ts";
import { inward, type EpochRecord, EPOCH_KEY } from "./epoch.ts";

/** Everything whose key begins with the prefix; etcd's own notation for all keys is a zero byte for both ends. */
export function rangeOf(prefix: string): { key: Buffer; range_end: Buffer } {
  const key = Buffer.from(prefix);
  const end = Buffer.from(key);
  for (let i = end.length - 1; i >= 0; i -= 1) {
    const byte = end[i] ?? 0xff;
    if (byte === 0xff) continue;
    end[i] = byte + 1;
    return { key, range_end: end.subarray(0, i + 1) };
  }
  return { key: Buffer.alloc(1), range_end: Buffer.alloc(1) };
}

/** The records under a prefix and the epoch, at one revision. */
export function readRequest(prefix: string): IRequestOp[] {
  return [{ request_range: { ...rangeOf(prefix), limit: MAX_RECORDS + 2 } }, { request_range: { key: EPOCH_KEY } }];
}

/** A commit on an epoch that is still the one that the guards' versions are of; when it fails, it brings the epoch's record. */
export function commitRequest(
  { guards, writes }: Txn,
  epoch: EpochRecord,
): { compare: ICompare[]; success: IRequestOp[]; failure: IRequestOp[] } {
  return {
    compare: [atRevision(EPOCH_KEY, epoch.modRevision), ...guards.map((guard) => comparison(guard, epoch))],
    success: writes.map(({ key, value }) =>
      value === null
        ? { request_delete_range: { key: Buffer.from(key) } }
        : { request_put: { key: Buffer.from(key), value: Buffer.from(value) } },
    ),
    failure: [{ request_range: { key: EPOCH_KEY } }],
  };
}

/** That a record is at a revision of etcd's. */
export function atRevision(key: Buffer, revision: string): ICompare {
  return { key, target: "Mod", result: "Equal", mod_revision: revision };
}

/** That there is no record. */
export function absent(key: Buffer): ICompare {
  return { key, target: "Create", result: "Equal", create_revision: "0" };
}

/** A version of before the epoch is one that no record has: such a guard must fail, not match an absent record. */
function comparison({ key, version }: Guard, epoch: EpochRecord): ICompare {
  if (version === null) return absent(Buffer.from(key));
  const revision = inward(epoch, version);
  return revision === "0"
    ? { key: Buffer.from(key), target: "Mod", result: "Less", mod_revision: "0" }
    : atRevision(Buffer.from(key), revision);
}
