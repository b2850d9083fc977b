// The epoch of an etcd, in a record of its own: a name, what is added to etcd's revisions, and the cluster that it began in.
// A new epoch begins when the record is missing (an etcd that is new, or lost its data), when it is of another cluster
// (a backup was put back into a new one), and when revisions have fallen (a backup was put back in place). Its base is the
// wall clock's microseconds, which no etcd outruns by commits: so revisions only grow.

import type { IKeyValue, IResponseHeader } from "etcd3";
import { randomUUID } from "node:crypto";
import { VipdError } from "../../src/base/errors.ts";
import type { Revision } from "../../src/ports/store.ts";

/** Where the record stands, beside the fleets. */
export const EPOCH_KEY = Buffer.from("/vipd-epoch");

/** An epoch as this client knows it. */
export interface EpochRecord {
  /** Names it, together with the cluster. */
  readonly name: string;
  readonly base: bigint;
  /** etcd's revision of the record: every commit insists on it. */
  readonly modRevision: string;
}

/** Reads the record; `undefined` when it is of another cluster. Throws "store-corrupt" when it is not of this form. */
export function parseEpoch(record: IKeyValue, header: IResponseHeader): EpochRecord | undefined {
  const match = /^1 ([0-9a-f-]{36}) (\d{1,20}) (\d{1,20})$/u.exec(record.value.toString("utf8"));
  if (match === null)
    throw new VipdError(
      "store-corrupt",
      `etcd: the record ${EPOCH_KEY.toString()} is not of a form that this vipd knows`,
    );
  if (match[3] !== header.cluster_id) return undefined;
  return {
    name: `${header.cluster_id}/${match[1] ?? ""}`,
    base: BigInt(match[2] ?? 0),
    modRevision: record.mod_revision,
  };
}

/** Whether an answer comes from the cluster in which the epoch began. */
export function isOfCluster({ name }: EpochRecord, { cluster_id: cluster }: IResponseHeader): boolean {
  return name.startsWith(`${cluster}/`);
}

/** The text of a new epoch that begins now, in the cluster that the header is of. */
export function newEpoch(wallMs: number, { cluster_id: cluster }: IResponseHeader): Buffer {
  return Buffer.from(`1 ${randomUUID()} ${BigInt(wallMs) * 1_000n} ${cluster}`);
}

/** etcd's revision as the core sees it. */
export function outward({ base }: EpochRecord, revision: string): Revision {
  return base + BigInt(revision);
}

/** The core's revision as etcd has it; "0" for one of before this epoch, which no record has. */
export function inward({ base }: EpochRecord, revision: Revision): string {
  return revision > base ? String(revision - base) : "0";
}
