// A store's data in memory, shared by the Stores that are opened on it: records, a bounded log of their changes, and an
// epoch. Everything is synchronous, so that a test says exactly when a commit is applied.

import { boundedValue, ReadBudget, TOO_MUCH_AT_ONCE, tooMuchToRead } from "../../../adapters/common/bounds.ts";
import { type FoundChanges, Waiters } from "../../../adapters/common/watch.ts";
import { MAX_PENDING_CHANGES } from "../../../src/base/bounds.ts";
import type { Change, CommitResult, Revision, Snapshot, StoredRecord, Txn, Write } from "../../../src/ports/store.ts";
import { checkWithinBounds } from "../../../src/ports/txn-bounds.ts";

/** What a backend begins with. */
export interface MemoryOptions {
  /** Names the first epoch; another one for each backend when not given. */
  readonly epoch?: string;
  /** The revision before the first commit. */
  readonly revision?: Revision;
  /** How many changes are remembered for watches that lag behind; up to twice as many. */
  readonly logLength?: number;
}

/** The data of one memory store. */
export class MemoryBackend {
  private readonly logLength: number;
  private readonly records = new Map<string, StoredRecord>();
  private readonly waiters = new Waiters();
  private readonly firstEpoch: string;
  private epochs = 1;
  private log: Change[] = [];
  private lastRevision: Revision;
  private forgotten: Revision;

  constructor({ epoch = crypto.randomUUID(), revision = 0n, logLength = MAX_PENDING_CHANGES }: MemoryOptions = {}) {
    this.firstEpoch = epoch;
    this.lastRevision = revision;
    this.forgotten = revision;
    this.logLength = logLength;
  }

  /** Names the epoch that the data is on. */
  get epoch(): string {
    return this.epochs === 1 ? this.firstEpoch : `${this.firstEpoch}.${this.epochs}`;
  }

  get revision(): Revision {
    return this.lastRevision;
  }

  /** All records under `prefix`, in the order of their keys. Throws "store-corrupt" when they are too many. */
  read(prefix: string): Snapshot {
    const found = [...this.records.values()].filter(({ key }) => key.startsWith(prefix));
    const records = found.map((record) => ({ ...record, value: bounded(record.value) }));
    const budget = new ReadBudget();
    if (!records.every(({ key, value }) => budget.take(key.length + Buffer.byteLength(value))))
      throw tooMuchToRead("memory", prefix);
    records.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { revision: this.lastRevision, epoch: this.epoch, records };
  }

  /** Applies a transaction whole, or finds it in conflict. Asserts that it is within the bounds. */
  commit(txn: Txn): CommitResult {
    checkWithinBounds(txn);
    if (txn.guards.some(({ key, version }) => (this.records.get(key)?.version ?? null) !== version))
      return { kind: "conflict" };
    return { kind: "committed", revision: this.apply(txn.writes), epoch: this.epoch };
  }

  /** Writes without any bound, as another program than vipd might. */
  apply(writes: readonly Write[]): Revision {
    this.lastRevision += 1n;
    const version = this.lastRevision;
    this.remember(writes.flatMap(({ key, value }) => this.write({ key, value, version })));
    this.waiters.tell();
    return version;
  }

  /** The changes under `prefix` after `since` on the epoch `epoch`, oldest first. */
  changesAfter(prefix: string, since: Revision, epoch: string): FoundChanges {
    const gap = (reason: string): FoundChanges => ({ kind: "gap", reason });
    if (epoch !== this.epoch) return gap("the store began a new epoch");
    if (since < this.forgotten) return gap("the store no longer knows all changes since then");
    if (since > this.lastRevision) return gap("the store is behind what has been seen of it");
    const from = this.log.findLastIndex(({ version }) => version <= since) + 1;
    const changes = this.log
      .slice(from)
      .filter(({ key }) => key.startsWith(prefix))
      .map((change) => (change.value === null ? change : { ...change, value: bounded(change.value) }));
    const budget = new ReadBudget();
    return changes.every(({ key, value }) => budget.take(key.length + Buffer.byteLength(value ?? "")))
      ? { kind: "changes", changes, revision: this.lastRevision }
      : gap(TOO_MUCH_AT_ONCE);
  }

  /** Settles at the next change of anything, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void> {
    return this.waiters.next(signal);
  }

  /** The data are put back to `records` as they once were (to nothing, say), and a new epoch begins at a higher revision. */
  beginEpoch(records: readonly StoredRecord[] = []): void {
    this.epochs += 1;
    this.lastRevision += 1n;
    this.forgotten = this.lastRevision;
    this.log = [];
    this.records.clear();
    for (const record of records) this.records.set(record.key, record);
    this.waiters.tell();
  }

  private write(change: Change): readonly Change[] {
    const { key, value, version } = change;
    if (value !== null) this.records.set(key, { key, value, version });
    else if (!this.records.delete(key)) return [];
    return [change];
  }

  private remember(changes: readonly Change[]): void {
    this.log.push(...changes);
    // Cut only now and then: a cut costs as much as the log is long.
    if (this.log.length <= this.logLength * 2) return;
    const surplus = this.log.splice(0, this.log.length - this.logLength);
    this.forgotten = surplus.at(-1)?.version ?? this.forgotten;
  }
}

function bounded(value: string): string {
  return boundedValue(Buffer.byteLength(value), () => value);
}
