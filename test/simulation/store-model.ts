// The coordination store as the contract in src/ports/store.ts has it: a linearizable register file, with a
// log for watches. It can lose its data or be restored to an older state; then it begins a new epoch.

import type { Change, CommitResult, Revision, Snapshot, StoredRecord, Txn } from "../../src/ports/store.ts";

/** One commit as it was applied. */
export interface Applied {
  readonly txn: Txn;
  readonly revision: Revision;
  /** The records that it wrote over. */
  readonly before: ReadonlyMap<string, StoredRecord | undefined>;
}

/** The epoch of a store that has never been put back. */
export const FIRST_EPOCH = "epoch-1";

/** How many commits back a restore may go, and a watch may begin. */
const LOG_LENGTH = 400;

/** The one store of a world. */
export class StoreModel {
  private records = new Map<string, StoredRecord>();
  private revision: Revision;
  private epochs = 1;
  private log: { readonly revision: Revision; readonly changes: readonly Change[] }[] = [];
  private backups: ReadonlyMap<string, StoredRecord>[] = [];
  private readonly followers = new Set<(changes: readonly Change[] | null) => void>();
  /** Told of every commit at the very moment when it is applied. */
  onApplied: (applied: Applied) => void = () => {};

  constructor(firstRevision: Revision) {
    this.revision = firstRevision;
  }

  get epoch(): string {
    return `epoch-${this.epochs}`;
  }

  record(key: string): StoredRecord | undefined {
    return this.records.get(key);
  }

  read(prefix: string): Snapshot {
    const records = [...this.records.values()].filter((record) => record.key.startsWith(prefix));
    return { revision: this.revision, epoch: this.epoch, records };
  }

  commit(txn: Txn): CommitResult {
    for (const { key, version } of txn.guards)
      if ((this.records.get(key)?.version ?? null) !== version) return { kind: "conflict" };
    this.revision += 1n;
    const before = new Map(txn.writes.map(({ key }) => [key, this.records.get(key)]));
    const changes = txn.writes.map(({ key, value }) => ({ key, value, version: this.revision }));
    this.backups = [...this.backups.slice(-LOG_LENGTH), new Map(this.records)];
    for (const { key, value, version } of changes)
      if (value === null) this.records.delete(key);
      else this.records.set(key, { key, value, version });
    this.log = [...this.log.slice(-LOG_LENGTH), { revision: this.revision, changes }];
    this.onApplied({ txn, revision: this.revision, before });
    for (const follow of [...this.followers]) follow(changes);
    return { kind: "committed", revision: this.revision, epoch: this.epoch };
  }

  /** Hands over each commit's changes after `since`; `null` when some cannot be told. The result ends it. */
  follow(prefix: string, since: Revision, onChanges: (changes: readonly Change[] | null) => void): () => void {
    const relevant = (changes: readonly Change[] | null): void => {
      const ours = changes === null ? null : changes.filter(({ key }) => key.startsWith(prefix));
      if (ours === null || ours.length > 0) onChanges(ours);
    };
    for (const { revision, changes } of this.log) if (revision > since) relevant(changes);
    this.followers.add(relevant);
    return () => this.followers.delete(relevant);
  }

  /** Another store with the same records, which goes its own way. */
  clone(): StoreModel {
    const other = new StoreModel(this.revision);
    other.records = new Map(this.records);
    other.epochs = this.epochs;
    return other;
  }

  /** Goes back by so many commits (all: empty), in a new epoch; the revision does not fall. */
  restore(commitsBack: number, revisionFalls: boolean): void {
    const back = this.backups.at(-commitsBack);
    const lost = back === undefined ? this.revision : BigInt(commitsBack);
    this.records = new Map(back ?? []);
    this.epochs += 1;
    this.backups = [];
    this.log = [];
    if (revisionFalls) this.revision -= lost;
    for (const follow of [...this.followers]) follow(null);
  }
}
