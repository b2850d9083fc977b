// What the election needs from a coordination store: a linearizable set of versioned records, a commit
// of many records at once by compare-and-swap, and a watch that is only a hint.
//
// What an adapter owes the core:
// - no hidden retry, queue or re-send; every call settles by its time limit or its signal;
// - a commit is applied whole or not at all, at one revision, greater than all before it;
// - a read sees every commit that had settled before the read began (linearizable);
// - revisions never fall, also over restarts and lost data; the versions of records are revisions;
// - a commit that was sent before a new epoch began is never applied in it;
// - a commit that may have been applied, or may be applied later, throws "outcome-unknown", never
//   "store-unavailable", which promises that it was not and will not be applied;
// - a watch brings every change after its beginning, in the order of revisions, at least once, however late; when it
//   cannot, it says so with a gap and ends;
// - a record longer than MAX_VALUE_BYTES, and a read of more than MAX_RECORDS or MAX_READ_BYTES, costs neither memory nor
//   time: the value is left out ("" in its place), and the read fails with "store-corrupt".

/** The store's logical time: one more for each commit. The version of a record is the revision that wrote it. */
export type Revision = bigint;

/** One record. `value` is JSON text made by the election's codec; the store does not look into it. */
export interface StoredRecord {
  readonly key: string;
  readonly value: string;
  readonly version: Revision;
}

/** All records under a prefix at one revision. */
export interface Snapshot {
  readonly revision: Revision;
  /** Names the store's epoch: it changes when data may have been lost or replaced. */
  readonly epoch: string;
  readonly records: readonly StoredRecord[];
}

/** A condition of a commit: the record is still at this version; `null`: there is none. */
export interface Guard {
  readonly key: string;
  readonly version: Revision | null;
}

/** A write of a commit; `value: null` deletes (deleting what is not there is no error). */
export interface Write {
  readonly key: string;
  readonly value: string | null;
}

/** Guards and writes, all or nothing. At most MAX_TXN_GUARDS, MAX_TXN_WRITES and MAX_TXN_BYTES; each key is written at most once. */
export interface Txn {
  readonly guards: readonly Guard[];
  readonly writes: readonly Write[];
}

/** How a commit that surely happened, or surely did not, ended. */
export type CommitResult =
  | { readonly kind: "committed"; readonly revision: Revision; readonly epoch: string }
  | { readonly kind: "conflict" };

/** A change seen by a watch; `value: null` is a deletion at revision `version`. */
export interface Change {
  readonly key: string;
  readonly value: string | null;
  readonly version: Revision;
}

/** What a watch brings: changes, or word that some were missed, so that only a read helps. */
export type WatchEvent =
  | { readonly kind: "changes"; readonly changes: readonly Change[] }
  | { readonly kind: "gap"; readonly reason: string };

/** The limits of one call. */
export interface CallLimits {
  /** The call settles within this many milliseconds. */
  readonly timeoutMs: number;
  /** Aborting settles the call at once with "aborted" (a read) or "outcome-unknown" (a commit that was sent). */
  readonly signal?: AbortSignal;
}

/** What a store promises, shown by vipctl and the docs; nothing is assumed. */
export interface StoreGuarantees {
  /** The adapter, for people: `sqlite`, `etcd`. */
  readonly name: string;
  /** Shortest lease that makes sense on this store, in milliseconds. */
  readonly minTtlMs: number;
  /** Whether tokens keep growing over a restart and a loss of the store's data. */
  readonly tokenDurable: boolean;
  /** Whether a failover inside the store keeps every commit that it has confirmed. */
  readonly failoverSafe: boolean;
  /** Sentences for people: what this store cannot promise. */
  readonly caveats: readonly string[];
}

/** What an examined store is like, for vipctl doctor and the log. */
export interface StoreFinding {
  readonly text: string;
  /** What to do about it; `null`: nothing. */
  readonly fix: string | null;
}

/** A coordination store. All failures are VipdErrors: "store-unavailable", "outcome-unknown", "store-corrupt", "timeout", "aborted". */
export interface Store {
  readonly guarantees: StoreGuarantees;
  /** All records whose key begins with `prefix`, linearizable. */
  read(prefix: string, limits: CallLimits): Promise<Snapshot>;
  commit(txn: Txn, limits: CallLimits): Promise<CommitResult>;
  /**
   * Changes under `prefix` with a version greater than `since`, the caller's own included, until `signal`
   * aborts; then it ends without an error. A watch that cannot go on yields a gap and ends.
   */
  watch(prefix: string, since: Revision, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /** Asks the servers behind it what they are and how they run; absent where there is no server. */
  examine?(limits: CallLimits): Promise<readonly StoreFinding[]>;
  /** Ends every watch and call; further calls fail with "store-unavailable". */
  close(): Promise<void>;
}
