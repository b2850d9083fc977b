// What this node knows of the store's records, and since when, on its own clock. Reads, watches and own commits feed it.
// It may lag, never lie: every record in it was once in the store, and newer versions win over older ones in whatever
// order they come. So a decision made on it is proposed to the store with guards on the versions that it rests on.
//
// It is changed in place, and owned by one machine. What a change may bear on is noted in `touched`, so that nobody
// has to look through thousands of elections for the one that has changed.

import { MAX_CANDIDATES, MAX_ELECTIONS, MAX_NODES } from "../base/bounds.ts";
import type { Instant } from "../base/time.ts";
import type { Change, Revision, Snapshot, StoredRecord, Write } from "../ports/store.ts";
import { Claims, claimsOf } from "./claims.ts";
import type { Keys, RecordKey } from "./keys.ts";
import {
  type AddressRecord,
  type CandidateRecord,
  type ElectionRecord,
  type EpochRecord,
  type LiveRecords,
  parseValue,
  type SessionRecord,
} from "./records.ts";
import { Tombstones } from "./tombstones.ts";
import { Touched } from "./touched.ts";

/** A record as it was observed. */
export interface Observed<T> {
  readonly version: Revision;
  /** `null`: it was deleted; `undefined`: it does not parse. */
  readonly value: T | null | undefined;
  /** When this very version was first received: an observer counts from here. */
  readonly seenAt: Instant;
  /** Whether it was surely written after this node had begun to look: what a first read brings may be from the dead. */
  readonly fresh: boolean;
}

/** Which part of the records a snapshot holds: all live ones, or those that every node reads often. */
export type ReadScope = "all" | "fleet";

/** The fleet as one node knows it. */
export class Mirror {
  /** Names the store's epoch; `null`: not known. */
  epoch: string | null = null;
  epochSeenAt: Instant;
  /** Everything up to this revision is known: of all records, and of those under the fleet's own prefix. */
  revision: Revision = -1n;
  fleetRevision: Revision = -1n;
  /** The greatest version of a change that a watch has brought. A watch is in order: nothing before it is missing. */
  newestChange: Revision = -1n;
  settledEpoch: Observed<EpochRecord> | null = null;
  changed: Revision = -1n;
  readonly sessions = new Map<string, Observed<SessionRecord>>();
  readonly elections = new Map<string, Observed<ElectionRecord>>();
  /** By election, then by node. */
  readonly candidates = new Map<string, Map<string, Observed<CandidateRecord>>>();
  /** By address. */
  readonly addresses = new Map<string, Observed<AddressRecord>>();
  /** Keys whose values do not parse: somebody wrote what is not ours. */
  readonly unreadable = new Set<string>();
  /** What is not tracked, because there is too much of it: for a warning. */
  readonly overflow = new Set<"nodes" | "elections" | "candidates">();
  /** Which elections a node holds by the records, and which it is a candidate for. */
  readonly heldBy = new Map<string, Set<string>>();
  readonly wantedBy = new Map<string, Set<string>>();
  /** Which elections claim an address, through which nodes. */
  readonly claims = new Claims();
  readonly touched = new Touched();
  /** By election of a spread group: the node that it belongs on. */
  assigned: ReadonlyMap<string, string> = new Map();
  private readonly tombstones = new Tombstones();
  private readonly keys: Keys;
  private readonly self: string | null;
  private readonly ownKey: string | null;

  /** `self`: the node whose own session is tracked however many others there are. */
  constructor(keys: Keys, at: Instant, self: string | null = null) {
    this.keys = keys;
    this.self = self;
    this.ownKey = self === null ? null : keys.session(self);
    this.epochSeenAt = at;
  }

  /** Takes in a read. A new epoch forgets everything, and observation starts anew. The result: whether it told something of others that was not known. */
  applySnapshot(snapshot: Snapshot, scope: ReadScope, at: Instant): boolean {
    if (this.epoch !== snapshot.epoch) this.forget(snapshot.epoch, at);
    const present = new Set<string>();
    let isNews = false;
    for (const record of snapshot.records) {
      present.add(record.key);
      if (this.put(record, at, snapshot.revision) && record.key !== this.ownKey) isNews = true;
    }
    this.dropMissing(present, scope, snapshot.revision);
    this.dropTombstones(snapshot.revision);
    if (snapshot.revision > this.fleetRevision) this.fleetRevision = snapshot.revision;
    if (scope === "all" && snapshot.revision > this.revision) this.revision = snapshot.revision;
    return isNews;
  }

  /** Takes in changes from a watch; what is older than what is known changes nothing. */
  applyChanges(changes: readonly Change[], at: Instant): void {
    for (const change of changes) {
      if (change.version > this.newestChange) this.newestChange = change.version;
      this.put(change, at, null);
    }
  }

  /** Takes in the writes of an own commit that surely happened at `revision`. */
  applyWrites(writes: readonly Write[], revision: Revision, at: Instant): void {
    for (const { key, value } of writes) this.put({ key, value, version: revision }, at, null);
  }

  /** What was read counts no more, until it is read anew: the store began another epoch. */
  distrust(): void {
    this.epoch = null;
    this.touched.everything = true;
  }

  /** Whether a commit that changed more than sessions has not been seen here. */
  get lags(): boolean {
    return this.changed > this.revision && this.changed > this.newestChange;
  }

  private forget(epoch: string, at: Instant): void {
    this.epoch = epoch;
    this.epochSeenAt = at;
    this.revision = -1n;
    this.fleetRevision = -1n;
    this.newestChange = -1n;
    this.settledEpoch = null;
    this.changed = -1n;
    for (const part of [this.sessions, this.elections, this.candidates, this.addresses, this.heldBy, this.wantedBy])
      part.clear();
    this.unreadable.clear();
    this.overflow.clear();
    this.claims.clear();
    this.tombstones.clear();
    this.touched.everything = true;
    this.touched.roster = true;
  }

  /** `readAt`: the revision of the read that the record is of; `null`: it is of a watch, or of an own commit. */
  private put({ key, value, version }: Change | StoredRecord, at: Instant, readAt: Revision | null): boolean {
    const place = this.keys.parse(key);
    if (place === undefined) return false;
    const horizon = this.horizonOf(place);
    const known = this.known(place);
    // Everything up to the horizon was read: news of before, which may be of another epoch, tell nothing.
    if (readAt === null && version <= horizon) return false;
    if (known === undefined ? value === null || this.isFull(place) : isNoNews(known.version, version, readAt))
      return false;
    const fresh = horizon >= 0n && version > horizon;
    const parsed = value === null ? null : parseValue(place.kind, value);
    this.tombstones.note(key, place, version, value === null);
    this.noteReadable(key, parsed !== undefined);
    this.set(place, { version, value: parsed, seenAt: at, fresh });
    return true;
  }

  private noteReadable(key: string, readable: boolean): void {
    if (readable !== this.unreadable.has(key)) return;
    if (readable) this.unreadable.delete(key);
    else this.unreadable.add(key);
    this.touched.roster = true;
  }

  /** Up to which revision the records of a kind are known whole. */
  private horizonOf({ kind }: RecordKey): Revision {
    return kind === "session" || kind === "epoch" || kind === "changed" ? this.fleetRevision : this.revision;
  }

  private known(place: RecordKey): { readonly version: Revision } | undefined {
    switch (place.kind) {
      case "epoch":
        return this.settledEpoch ?? undefined;
      case "changed":
        return { version: this.changed };
      case "session":
        return this.sessions.get(place.node);
      case "election":
        return this.elections.get(place.election);
      case "candidate":
        return this.candidates.get(place.election)?.get(place.node);
      case "address":
        return this.addresses.get(place.address);
    }
  }

  /** Whether one more record of a kind is one too many; it is not taken in then. */
  private isFull(place: RecordKey): boolean {
    const what = this.overflowOf(place);
    if (what === undefined) return false;
    if (!this.overflow.has(what)) this.touched.roster = true;
    this.overflow.add(what);
    return true;
  }

  private overflowOf(place: RecordKey): "nodes" | "elections" | "candidates" | undefined {
    const deleted = this.tombstones.beside(place);
    if (place.kind === "session")
      return this.sessions.size - deleted >= MAX_NODES && place.node !== this.self ? "nodes" : undefined;
    if (place.kind === "election" && this.elections.size - deleted >= MAX_ELECTIONS) return "elections";
    if (place.kind !== "candidate") return undefined;
    const candidates = this.candidates.get(place.election);
    if (candidates === undefined) return this.candidates.size >= MAX_ELECTIONS ? "elections" : undefined;
    return candidates.size - deleted >= MAX_CANDIDATES ? "candidates" : undefined;
  }

  private set(place: RecordKey, observed: Observed<LiveRecords[RecordKey["kind"]]>): void {
    switch (place.kind) {
      case "epoch":
        this.settledEpoch = observed as Observed<EpochRecord>;
        this.touched.everything = true;
        return;
      case "changed":
        this.changed = observed.version;
        return;
      case "session":
        return this.setSession(place.node, observed as Observed<SessionRecord>);
      case "election":
        return this.setElection(place.election, observed as Observed<ElectionRecord>);
      case "candidate":
        return this.setCandidate(place.election, place.node, observed as Observed<CandidateRecord>);
      case "address":
        this.addresses.set(place.address, observed as Observed<AddressRecord>);
        this.touchClaims(place.address);
    }
  }

  private setSession(node: string, observed: Observed<SessionRecord>): void {
    const before = this.sessions.get(node);
    this.sessions.set(node, observed);
    const heartbeat =
      before?.value != null &&
      observed.value?.incarnation === before.value.incarnation &&
      before.fresh === observed.fresh;
    if (!heartbeat) {
      this.touched.nodes.add(node);
      this.touched.contenders = true;
    }
    if (!heartbeat || before.value?.ttlMs !== observed.value?.ttlMs) this.touched.roster = true;
    this.touched.heartbeats.add(node);
  }

  private setElection(election: string, observed: Observed<ElectionRecord>): void {
    const before = this.elections.get(election)?.value?.holder ?? null;
    const holder = observed.value?.holder ?? null;
    if (before !== null && before !== holder) removeFrom(this.heldBy, before, election);
    if (holder !== null) addTo(this.heldBy, holder, election);
    if (holder !== null && holder !== before) this.touched.takers.add(holder);
    this.elections.set(election, observed);
    this.touched.elections.add(election);
  }

  private setCandidate(election: string, node: string, observed: Observed<CandidateRecord>): void {
    const nodes = this.candidates.get(election) ?? new Map<string, Observed<CandidateRecord>>();
    this.candidates.set(election, nodes);
    const before = claimsIn(nodes.get(node));
    nodes.set(node, observed);
    this.touched.contenders = true;
    if (observed.value == null) removeFrom(this.wantedBy, node, election);
    else addTo(this.wantedBy, node, election);
    this.noteClaims(election, node, before, claimsIn(observed));
    this.touched.elections.add(election);
  }

  private noteClaims(election: string, node: string, before: readonly string[], now: readonly string[]): void {
    const sharing = this.claims.replace(election, node, before, now);
    for (const other of sharing) this.touched.elections.add(other);
    if (sharing.size > 1) this.touched.roster = true;
  }

  /** What a read at `revision` did not bring is gone, unless it is known to be newer than that read. */
  private dropMissing(present: ReadonlySet<string>, scope: ReadScope, revision: Revision): void {
    const gone = (key: string, { version }: { readonly version: Revision }): boolean =>
      version <= revision && !present.has(key);
    for (const [node, seen] of this.sessions) if (gone(this.keys.session(node), seen)) this.dropSession(node);
    if (this.settledEpoch !== null && gone(this.keys.epoch, this.settledEpoch)) {
      this.settledEpoch = null;
      this.touched.everything = true;
    }
    if (scope === "all") {
      for (const [election, seen] of this.elections)
        if (gone(this.keys.election(election), seen)) this.dropElection(election);
      for (const [election, nodes] of this.candidates)
        for (const [node, seen] of nodes)
          if (gone(this.keys.candidate(election, node), seen)) this.dropCandidate(election, node);
      for (const [address, seen] of this.addresses)
        if (gone(this.keys.address(address), seen)) this.dropAddress(address);
    }
    const covered = (key: string): boolean => scope === "all" || key.startsWith(this.keys.fleet);
    for (const key of this.unreadable)
      if (covered(key) && !present.has(key)) {
        this.unreadable.delete(key);
        this.touched.roster = true;
      }
  }

  /**
   * A deletion need not be remembered once a read was no older than it, for reads come one after the other, and once the
   * watch, which is in order, has passed it: then nothing of before it can come any more.
   */
  private dropTombstones(revision: Revision): void {
    const passed = revision < this.newestChange ? revision : this.newestChange;
    for (const place of this.tombstones.until(passed)) {
      if (place.kind === "candidate") this.dropCandidate(place.election, place.node);
      else if (place.kind === "election") this.dropElection(place.election);
      else if (place.kind === "address") this.dropAddress(place.address);
    }
  }

  private dropSession(node: string): void {
    this.tombstones.drop(this.keys.session(node));
    if (this.sessions.get(node)?.value !== null) this.touched.nodes.add(node);
    this.sessions.delete(node);
    this.touched.contenders = true;
    this.touched.roster = true;
  }

  private dropElection(election: string): void {
    this.tombstones.drop(this.keys.election(election));
    const holder = this.elections.get(election)?.value?.holder;
    if (holder != null) removeFrom(this.heldBy, holder, election);
    this.elections.delete(election);
    this.touched.elections.add(election);
  }

  private dropCandidate(election: string, node: string): void {
    this.tombstones.drop(this.keys.candidate(election, node));
    const nodes = this.candidates.get(election);
    const before = claimsIn(nodes?.get(node));
    nodes?.delete(node);
    this.touched.contenders = true;
    if (nodes?.size === 0) this.candidates.delete(election);
    removeFrom(this.wantedBy, node, election);
    this.noteClaims(election, node, before, []);
    this.touched.elections.add(election);
  }

  private dropAddress(address: string): void {
    this.tombstones.drop(this.keys.address(address));
    this.addresses.delete(address);
    this.touchClaims(address);
  }

  /** Another election answers for an address: what claims it is judged anew. */
  private touchClaims(address: string): void {
    const elections = [...this.claims.electionsOf(address)];
    for (const election of elections) this.touched.elections.add(election);
    if (elections.length > 1) this.touched.roster = true;
  }
}

function claimsIn(candidate: Observed<CandidateRecord> | undefined): readonly string[] {
  return candidate?.value == null ? [] : claimsOf(candidate.value);
}

function addTo(index: Map<string, Set<string>>, key: string, value: string): void {
  const values = index.get(key);
  if (values === undefined) index.set(key, new Set([value]));
  else values.add(value);
}

function removeFrom(index: Map<string, Set<string>>, key: string, value: string): void {
  const values = index.get(key);
  values?.delete(value);
  if (values?.size === 0) index.delete(key);
}

/**
 * Whether what is known of a record is as new as this. A read shows everything up to its revision: what is known of before that,
 * and is not there, came by a watch that was still of another epoch.
 */
function isNoNews(known: Revision, version: Revision, readAt: Revision | null): boolean {
  if (known <= version) return known === version;
  return readAt === null || known > readAt;
}
