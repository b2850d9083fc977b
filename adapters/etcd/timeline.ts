// The timeline of an etcd, in a record of its own: a name, what is added to etcd's revisions, and the cluster that it began in.
// A new timeline begins when the record is missing (an etcd that is new, or lost its data), when it is of another cluster
// (a backup was put back into a new one), and when revisions have fallen (a backup was put back in place). Its base is the
// wall clock's microseconds, which no etcd outruns by commits: so revisions only grow.

import type { IKeyValue, IResponseHeader } from "etcd3";
import { randomUUID } from "node:crypto";
import { VipdError } from "../../src/base/errors.ts";
import type { Revision } from "../../src/ports/store.ts";

/** Where the record stands, beside the fleets. */
export const TIMELINE_KEY = Buffer.from("/vipd-timeline");

/** A timeline as this client knows it. */
export interface Timeline {
  /** Names it, together with the cluster. */
  readonly epoch: string;
  readonly base: bigint;
  /** etcd's revision of the record: every commit insists on it. */
  readonly modRevision: string;
}

/** Reads the record; `undefined` when it is of another cluster. Throws "store-corrupt" when it is not of this form. */
export function parseTimeline(record: IKeyValue, header: IResponseHeader): Timeline | undefined {
  const match = /^1 ([0-9a-f-]{36}) (\d{1,20}) (\d{1,20})$/u.exec(record.value.toString("utf8"));
  if (match === null)
    throw new VipdError(
      "store-corrupt",
      `etcd: the record ${TIMELINE_KEY.toString()} is not of a form that this vipd knows`,
    );
  if (match[3] !== header.cluster_id) return undefined;
  return {
    epoch: `${header.cluster_id}/${match[1] ?? ""}`,
    base: BigInt(match[2] ?? 0),
    modRevision: record.mod_revision,
  };
}

/** The text of a new timeline that begins now, in the cluster that the header is of. */
export function newTimeline(wallMs: number, { cluster_id: cluster }: IResponseHeader): Buffer {
  return Buffer.from(`1 ${randomUUID()} ${BigInt(wallMs) * 1_000n} ${cluster}`);
}

/** etcd's revision as the core sees it. */
export function outward({ base }: Timeline, revision: string): Revision {
  return base + BigInt(revision);
}

/** The core's revision as etcd has it; "0" for one of before this timeline, which no record has. */
export function inward({ base }: Timeline, revision: Revision): string {
  return revision > base ? String(revision - base) : "0";
}
