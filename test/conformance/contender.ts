// A client that competes: it raises two counters together by compare-and-swap, and notes when each of its
// operations began and ended, by the machine's monotonic clock, which all processes share.

import { isVipdError } from "../../src/base/errors.ts";
import type { Revision, Store } from "../../src/ports/store.ts";

/** One operation that surely ended, for the check of the whole history. Times are nanoseconds of CLOCK_MONOTONIC. */
export interface Operation {
  readonly kind: "read" | "commit";
  readonly began: bigint;
  readonly ended: bigint;
  readonly revision: Revision;
  /** The counter that was read, or written. */
  readonly count: number;
}

const LEFT = "left";
const RIGHT = "right";
const TIMEOUT_MS = 5_000;

/** Raises both counters under `prefix` so many times, against whoever does the same. */
export async function contend(store: Store, prefix: string, times: number): Promise<readonly Operation[]> {
  const operations: Operation[] = [];
  for (let done = 0; done < times;) {
    const read = await readCounters(store, prefix);
    operations.push(read.operation);
    const raised = await raise(store, prefix, read);
    if (raised === "conflict") continue;
    if (raised !== "unavailable") operations.push(raised);
    if (raised !== "unavailable") done += 1;
  }
  return operations;
}

interface Counters {
  readonly operation: Operation;
  readonly versions: readonly (Revision | null)[];
}

/** Reads both counters, and insists that they are equal: no commit is ever seen by halves. */
export async function readCounters(store: Store, prefix: string): Promise<Counters> {
  const began = process.hrtime.bigint();
  const snapshot = await store.read(prefix, { timeoutMs: TIMEOUT_MS });
  const ended = process.hrtime.bigint();
  const [left, right] = [LEFT, RIGHT].map((name) => snapshot.records.find(({ key }) => key === prefix + name));
  if (left?.value !== right?.value) throw new Error(`half a commit was seen: ${left?.value} and ${right?.value}`);
  const operation = {
    kind: "read",
    began,
    ended,
    revision: snapshot.revision,
    count: Number(left?.value ?? 0),
  } as const;
  return { operation, versions: [left?.version ?? null, right?.version ?? null] };
}

async function raise(
  store: Store,
  prefix: string,
  { operation, versions }: Counters,
): Promise<Operation | "conflict" | "unavailable"> {
  const count = operation.count + 1;
  const guards = [LEFT, RIGHT].map((name, index) => ({ key: prefix + name, version: versions[index] ?? null }));
  const writes = [LEFT, RIGHT].map((name) => ({ key: prefix + name, value: String(count) }));
  const began = process.hrtime.bigint();
  try {
    const result = await store.commit({ guards, writes }, { timeoutMs: TIMEOUT_MS });
    const ended = process.hrtime.bigint();
    return result.kind === "conflict" ? "conflict" : { kind: "commit", began, ended, revision: result.revision, count };
  } catch (error) {
    if (isVipdError(error, "store-unavailable")) return "unavailable";
    throw error;
  }
}

/** What is wrong with a history, given all its commits; empty when it is linearizable. */
export function faultsOf(operations: readonly Operation[]): readonly string[] {
  const commits = operations.filter(({ kind }) => kind === "commit").sort(byRevision);
  const faults = commits.flatMap((commit, index) =>
    commit.count === index + 1 ? [] : [`commit ${index + 1} wrote ${commit.count}`],
  );
  for (const read of operations.filter(({ kind }) => kind === "read")) {
    const before = commits.filter(({ revision }) => revision <= read.revision).length;
    if (read.count !== before) faults.push(`a read at ${read.revision} saw ${read.count}, not ${before}`);
  }
  return [...faults, ...disorderOf(operations)];
}

/** Whoever began after another had ended must be at a revision that is not lower, and a commit at a higher one. */
function disorderOf(operations: readonly Operation[]): readonly string[] {
  const byBegin = operations.toSorted((a, b) => Number(a.began - b.began));
  const byEnd = operations.toSorted((a, b) => Number(a.ended - b.ended));
  const faults: string[] = [];
  let highest = -1n;
  let next = 0;
  for (const operation of byBegin) {
    for (; next < byEnd.length && (byEnd[next] as Operation).ended < operation.began; next += 1) {
      const { revision } = byEnd[next] as Operation;
      if (revision > highest) highest = revision;
    }
    const isBehind = operation.kind === "commit" ? operation.revision <= highest : operation.revision < highest;
    if (isBehind) faults.push(`a ${operation.kind} at ${operation.revision} began after ${highest} had ended`);
  }
  return faults;
}

function byRevision(a: Operation, b: Operation): number {
  return Number(a.revision - b.revision);
}
