// What this node knows of the store's records, and since when, on its own clock. Reads and watches both
// feed it. It may lag, never lie: every record in it was once in the store, and newer versions win over
// older ones in whatever order they come. So a decision made on it is proposed to the store with guards on
// the versions that it rests on.

import type { Instant } from "../base/time.ts";
import type { Change, Revision, Snapshot, StoredRecord, Write } from "../ports/store.ts";
import {
  type CandidateRecord,
  type ElectionRecord,
  type FleetRecord,
  type Keys,
  type Parsed,
  parseValue,
  type SessionRecord,
} from "./records.ts";

/** A record, or the fact that it was deleted (`value: null`), or that it does not parse (`undefined`). */
export interface Seen<T> {
  readonly version: Revision;
  readonly value: T | null | undefined;
  /** When this very version was first received: an observer counts from here. */
  readonly seenAt: Instant;
  /** Whether it was surely written after this node had begun to look: what a first read brings may be from the dead. */
  readonly fresh: boolean;
}

/** The fleet as this node knows it. */
export interface Mirror {
  /** Names the store's epoch; `null` before the first read. */
  readonly epoch: string | null;
  readonly epochSeenAt: Instant;
  /** Everything up to this revision is known. */
  readonly revision: Revision;
  readonly fleet: Seen<FleetRecord> | null;
  readonly sessions: ReadonlyMap<string, Seen<SessionRecord>>;
  readonly elections: ReadonlyMap<string, Seen<ElectionRecord>>;
  /** By election, then by node. */
  readonly candidates: ReadonlyMap<string, ReadonlyMap<string, Seen<CandidateRecord>>>;
  /** Keys whose values do not parse: somebody wrote what is not ours. */
  readonly unreadable: ReadonlySet<string>;
}

/** A mirror before its first read: it knows nothing. */
export function emptyMirror(at: Instant): Mirror {
  return {
    epoch: null,
    epochSeenAt: at,
    revision: -1n,
    fleet: null,
    sessions: new Map(),
    elections: new Map(),
    candidates: new Map(),
    unreadable: new Set(),
  };
}

/** Takes in a read. A new epoch forgets everything, and observation starts anew. */
export function withSnapshot(mirror: Mirror, keys: Keys, snapshot: Snapshot, at: Instant): Mirror {
  const fresh = mirror.epoch !== snapshot.epoch;
  const base = fresh ? { ...emptyMirror(at), epoch: snapshot.epoch } : mirror;
  const draft = new Draft(base, keys, at);
  const present = new Set(snapshot.records.map((record) => record.key));
  for (const record of snapshot.records) draft.put(record);
  draft.dropMissing(present, snapshot.revision);
  return { ...draft.done(), revision: snapshot.revision > base.revision ? snapshot.revision : base.revision };
}

/** Takes in changes from a watch; what is older than what is known changes nothing. */
export function withChanges(mirror: Mirror, keys: Keys, changes: readonly Change[], at: Instant): Mirror {
  const news = changes.filter((change) => change.version > mirror.revision);
  if (news.length === 0) return mirror;
  const draft = new Draft(mirror, keys, at);
  for (const change of news) draft.put(change);
  return draft.done();
}

/** Takes in the writes of an own commit that surely happened at `revision`. */
export function withWrites(
  mirror: Mirror,
  keys: Keys,
  writes: readonly Write[],
  revision: Revision,
  at: Instant,
): Mirror {
  const draft = new Draft(mirror, keys, at);
  for (const write of writes) draft.put({ ...write, version: revision });
  return draft.done();
}

/** A copy of a mirror while it is being changed; nobody else sees it before it is done. */
class Draft {
  private readonly keys: Keys;
  private readonly at: Instant;
  private readonly mirror: Mirror;
  private fleet: Mirror["fleet"];
  private readonly sessions: Map<string, Seen<SessionRecord>>;
  private readonly elections: Map<string, Seen<ElectionRecord>>;
  private readonly candidates: Map<string, ReadonlyMap<string, Seen<CandidateRecord>>>;
  private readonly unreadable: Set<string>;

  constructor(mirror: Mirror, keys: Keys, at: Instant) {
    this.mirror = mirror;
    this.keys = keys;
    this.at = at;
    this.fleet = mirror.fleet;
    this.sessions = new Map(mirror.sessions);
    this.elections = new Map(mirror.elections);
    this.candidates = new Map(mirror.candidates);
    this.unreadable = new Set(mirror.unreadable);
  }

  put(record: Change | StoredRecord): void {
    const place = this.keys.place(record.key);
    if (place === undefined) return;
    const known = this.known(place);
    if (known !== undefined && known.version >= record.version) return;
    const parsed = record.value === null ? null : parseValue(place, record.value);
    const fresh = this.mirror.revision >= 0n && record.version > this.mirror.revision;
    this.set(place, { version: record.version, value: parsed, seenAt: this.at, fresh });
    if (parsed === undefined) this.unreadable.add(record.key);
    else this.unreadable.delete(record.key);
  }

  /** What a read at `revision` did not bring is gone, unless it is known to be newer than that read. */
  dropMissing(present: ReadonlySet<string>, revision: Revision): void {
    const gone = <T>(key: string, seen: Seen<T>): boolean => !present.has(key) && seen.version <= revision;
    const tombstone = { version: revision, value: null, seenAt: this.at, fresh: true };
    for (const [node, seen] of this.sessions)
      if (gone(this.keys.session(node), seen)) this.sessions.set(node, seen.value === null ? seen : tombstone);
    for (const [election, seen] of this.elections)
      if (gone(this.keys.election(election), seen))
        this.elections.set(election, seen.value === null ? seen : tombstone);
    for (const [election, nodes] of this.candidates) {
      const staying = [...nodes].filter(([node, seen]) => !gone(this.keys.candidate(election, node), seen));
      if (staying.length < nodes.size) this.candidates.set(election, new Map(staying));
    }
    if (this.fleet !== null && gone(this.keys.fleet(), this.fleet)) this.fleet = null;
    for (const key of this.unreadable) if (!present.has(key)) this.unreadable.delete(key);
  }

  done(): Mirror {
    return {
      ...this.mirror,
      fleet: this.fleet,
      sessions: this.sessions,
      elections: this.elections,
      candidates: this.candidates,
      unreadable: this.unreadable,
    };
  }

  private known(place: NonNullable<ReturnType<Keys["place"]>>): Seen<unknown> | undefined {
    switch (place.kind) {
      case "fleet":
        return this.fleet ?? undefined;
      case "session":
        return this.sessions.get(place.node);
      case "election":
        return this.elections.get(place.election);
      case "candidate":
        return this.candidates.get(place.election)?.get(place.node);
    }
  }

  private set(place: NonNullable<ReturnType<Keys["place"]>>, seen: Seen<Parsed>): void {
    const as = <T>(): Seen<T> => ({ ...seen, value: seen.value == null ? seen.value : (seen.value.value as T) });
    if (place.kind === "fleet") this.fleet = as<FleetRecord>();
    if (place.kind === "session") this.sessions.set(place.node, as<SessionRecord>());
    if (place.kind === "election") this.elections.set(place.election, as<ElectionRecord>());
    if (place.kind === "candidate") {
      const nodes = new Map(this.candidates.get(place.election));
      this.candidates.set(place.election, nodes.set(place.node, as<CandidateRecord>()));
    }
  }
}
