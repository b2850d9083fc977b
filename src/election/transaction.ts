// The next commit of a node. Every commit is a heartbeat too: it insists on the own session's version and writes the next
// one, so that a node has one lease, one chain of versions, and never two requests that could overtake each other.
// Whatever else is due rides along: releasing, candidacies, claims of addresses, taking, breaking.

import { MAX_TXN_BYTES, MAX_TXN_GUARDS, MAX_TXN_WRITES } from "../base/bounds.ts";
import { type Reason, type ReasonCode, reason } from "../base/reasons.ts";
import { elapsedMs, type Instant } from "../base/time.ts";
import type { Guard, Revision, Txn, Write } from "../ports/store.ts";
import { claimAddresses, versionOf } from "./address-claims.ts";
import { type Claimed, claimsOf } from "./claims.ts";
import { validUntil } from "./lease.ts";
import {
  effectiveCandidacy,
  ineligibleReason,
  isTrusted,
  ownership,
  ownToken,
  takeDueAt,
  trustedAt,
} from "./questions.ts";
import { handoverTarget } from "./ranking.ts";
import {
  type CandidateRecord,
  type ChangedRecord,
  type ElectionRecord,
  encodeValue,
  type EpochRecord,
  type HistoryRecord,
  type LossRecord,
  nextSeq,
  type SessionRecord,
} from "./records.ts";
import { ownSession, publishedTtlMs, sessionVersion } from "./session.ts";
import type { Attempt, Moment, State } from "./state.ts";

/** Guards and writes that belong together, for one election or record. */
interface Mutation {
  readonly guards: readonly Guard[];
  readonly writes: readonly Write[];
  /** The election that it releases or hands over. */
  readonly releases?: string;
  /** The election whose loss it reports. */
  readonly reports?: string;
}

/** Builds the attempt that is due now; `heartbeatOnly`: the lease runs short, so nothing may ride along. */
export function buildAttempt(state: State, at: Moment, heartbeatOnly: boolean): Attempt {
  const number = state.attempts + 1;
  const builder = new TxnBuilder();
  builder.add(sessionMutation(state, number, at));
  const goesAlone = heartbeatOnly || ownSession(state) === undefined;
  const [taken, complete] = goesAlone ? [[], false] : addDue(state, builder, at);
  const endsSession = state.stopping && complete && holdsNothingBut(state, taken);
  if (endsSession) builder.overwrite({ key: state.keys.session(state.self.node), value: null });
  // The marker tells everybody that there is something to be read besides sessions.
  else if (taken.length > 0) builder.overwrite({ key: state.keys.changed, value: encodeValue<ChangedRecord>({}) });
  return {
    number,
    sentAt: at.now,
    txn: builder.txn(),
    incarnation: state.identity.kind === "ready" ? state.identity.incarnation : "",
    sessionVersion: sessionVersion(state),
    releases: new Set(taken.flatMap((mutation) => mutation.releases ?? [])),
    reports: taken.flatMap((mutation) => mutation.reports ?? []),
    heartbeatOnly: taken.length === 0,
    endsSession,
  };
}

/** Adds what is due, in the order of its urgency, as long as it fits; tells whether all of it did. */
function addDue(state: State, builder: TxnBuilder, at: Moment): [taken: readonly Mutation[], complete: boolean] {
  const taken: Mutation[] = [];
  const fits = (mutation: Mutation | undefined): boolean => {
    if (mutation === undefined) return true;
    if (!builder.add(mutation)) return false;
    taken.push(mutation);
    return true;
  };
  const each = (elections: Set<string>, make: MakeMutation): boolean => {
    for (const election of elections) {
      const mutation = make(state, election, at);
      if (mutation === undefined) elections.delete(election);
      if (!fits(mutation)) return false;
    }
    return true;
  };
  const { release, candidate, claim, take } = state.due;
  const complete =
    each(release, releaseMutation) &&
    each(candidate, candidateMutation) &&
    fits(epochMutation(state, at)) &&
    each(claim, claimMutation) &&
    each(take, takeMutation) &&
    [...state.lossReports.keys()].every((election) => fits(lossMutation(state, election)));
  return [taken, complete];
}

type MakeMutation = (state: State, election: string, at: Moment) => Mutation | undefined;

/** Whether, once these are committed, nothing of this node is left but its session, in the store and on the host. */
function holdsNothingBut(state: State, taken: readonly Mutation[]): boolean {
  if (state.tenures.size > 0) return false;
  const releasing = new Set(taken.flatMap((mutation) => mutation.releases ?? []));
  for (const election of state.mirror.heldBy.get(state.self.node) ?? [])
    if (ownToken(state, election) !== undefined && !releasing.has(election)) return false;
  return true;
}

function sessionMutation(state: State, heartbeat: number, at: Moment): Mutation {
  const key = state.keys.session(state.self.node);
  const { incarnation } = state.identity.kind === "ready" ? state.identity : { incarnation: "" };
  const { processId, host } = state.self;
  const ttlMs = publishedTtlMs(state, at.now);
  const value = encodeValue<SessionRecord>({ incarnation, processId, heartbeat, ttlMs, wallMs: at.wallMs, host });
  return { guards: [{ key, version: sessionVersion(state) }], writes: [{ key, value }] };
}

/** What this node holds but shall not, once the host has released it: to the best other candidate, or to nobody. */
export function releaseMutation(state: State, election: string, at: Moment): Mutation | undefined {
  const token = ownToken(state, election);
  if (token === undefined || state.tenures.has(election)) return undefined;
  const why = ineligibleReason(state, election);
  if (why === undefined) return undefined;
  const { node } = state.self;
  const wanted = state.stepDowns.get(election)?.to ?? null;
  // Others may have the same addresses configured: whoever can have them takes it.
  const next =
    why.code === "address-claimed"
      ? undefined
      : (handoverTarget(state.mirror, election, node, wanted, at.now) ??
        handoverTarget(state.mirror, election, node, null, at.now));
  const change = { to: next ?? null, reason: why, token, vacantMs: 0 };
  return {
    guards: [{ key: state.keys.election(election), version: token }],
    writes: ownershipChange(state, election, change, at),
    releases: election,
  };
}

/** An election that is free, or whose holder has been silent for its whole lease, whose session ends with it. */
export function takeMutation(state: State, election: string, at: Moment): Mutation | undefined {
  if (at.now < takeDueAt(state, election, at.now) || state.identity.kind !== "ready") return undefined;
  const found = ownership(state, election);
  const claim = claimAddresses(state, election, state.candidacies.get(election), at.now);
  if (found.kind === "unreadable" || claim.taken.length > 0) return undefined;
  const to = { node: state.self.node, incarnation: state.identity.incarnation };
  const again = found.kind === "held" && found.holder === to.node && found.incarnation === to.incarnation;
  const broken = found.kind === "held" && !again ? [{ key: state.keys.session(found.holder), value: null }] : [];
  const why =
    found.kind === "vacant" ? found.reason : again ? reason("store-restored") : reason("holder-silent", found.holder);
  const token = state.mirror.elections.get(election)?.version ?? null;
  const change = {
    to,
    reason: why,
    token,
    vacantMs: again ? openLossMs(state, election, at.now) : vacantMs(state, election, at),
  };
  return {
    guards: [...found.guards, ...claim.guards],
    writes: [...broken, ...claim.writes, ...ownershipChange(state, election, change, at)],
  };
}

/** How long this node has not held what the store still named it for. */
function openLossMs(state: State, election: string, now: Instant): number {
  const loss = state.openLosses.get(election);
  return loss === undefined ? 0 : elapsedMs(loss.at.now, now);
}

/** How long nobody has held an election, as seen here: since its release, or since the lease of its silent holder ended. */
function vacantMs(state: State, election: string, at: Moment): number | null {
  const record = state.mirror.elections.get(election);
  if (record?.value == null) return null;
  if (record.value.holder === null) {
    const seenMs = elapsedMs(record.seenAt, at.now);
    // Of what was free before this node looked, wall clocks alone can tell.
    const isOlder = record.seenAt <= state.mirror.epochSeenAt;
    return isOlder ? Math.max(seenMs, at.wallMs - record.value.sinceWallMs) : seenMs;
  }
  const session = state.mirror.sessions.get(record.value.holder);
  if (session?.value == null) return session === undefined ? null : elapsedMs(session.seenAt, at.now);
  const { ttlMs } = session.value;
  return Math.max(0, elapsedMs(validUntil(session.seenAt, { ...state.timings, validityMs: ttlMs }), at.now));
}

interface OwnershipChange {
  readonly to: { readonly node: string; readonly incarnation: string } | null;
  readonly reason: Reason;
  readonly token: Revision | null;
  readonly vacantMs: number | null;
}

function ownershipChange(
  state: State,
  election: string,
  { to, reason: why, token, vacantMs: vacant }: OwnershipChange,
  at: Moment,
): readonly Write[] {
  const last = state.mirror.elections.get(election)?.value ?? null;
  const seq = nextSeq(last?.seq ?? 0);
  const record = encodeValue<ElectionRecord>({
    holder: to?.node ?? null,
    incarnation: to?.incarnation ?? null,
    seq,
    sinceWallMs: at.wallMs,
    reason: why,
    vacantMs: vacant,
    previousToken: token === null ? null : String(token),
    waitMs: 0,
  });
  const history = encodeValue<HistoryRecord>({
    seq,
    wallMs: at.wallMs,
    from: last?.holder ?? null,
    to: to?.node ?? null,
    reason: why,
    lastedMs: last === null ? null : Math.max(0, at.wallMs - last.sinceWallMs),
    vacantMs: vacant,
  });
  return [
    { key: state.keys.election(election), value: record },
    { key: state.keys.history(election, seq), value: history },
  ];
}

/** The candidate record that the store should have of this node, where it has another one, or none. */
export function candidateMutation(state: State, election: string): Mutation | undefined {
  // It rides along with the release that is about to come, which must not wait for an answer to this.
  if (state.tenures.get(election)?.phase === "closing" || state.identity.kind !== "ready") return undefined;
  const candidacy = effectiveCandidacy(state, election);
  const known = state.mirror.candidates.get(election)?.get(state.self.node);
  const key = state.keys.candidate(election, state.self.node);
  if (candidacy === undefined) {
    if (known === undefined || known.value === null) return undefined;
    return { guards: [], writes: [{ key, value: null }] };
  }
  const {
    priority,
    preempt,
    preemptDelayMs,
    addresses,
    macs,
    interface: link,
    ineligible,
    lastResort,
    spread,
  } = candidacy;
  const wanted: Omit<CandidateRecord, "format"> = {
    incarnation: state.identity.incarnation,
    priority,
    eligible: ineligible === null,
    reason: ineligible?.text ?? "",
    lastResort,
    answers: ineligible?.code === ("own-address" satisfies ReasonCode),
    spread,
    preempt,
    preemptDelayMs,
    addresses: [...addresses],
    macs: [...macs],
    interface: link,
  };
  if (known?.value != null && isSame(wanted, known.value)) return undefined;
  return {
    guards: addressGuards(state, election, wanted),
    writes: [{ key, value: encodeValue<CandidateRecord>(wanted) }],
  };
}

/**
 * What a holder publishes to have from now on, another election may have claimed while it was not published: it insists on
 * the records of these addresses as it knows them.
 */
function addressGuards(
  state: State,
  election: string,
  { incarnation, ...wanted }: Pick<CandidateRecord, "incarnation"> & Claimed,
): readonly Guard[] {
  if (ownToken(state, election) === undefined) return [];
  const { mirror, keys, self } = state;
  const known = mirror.candidates.get(election)?.get(self.node)?.value;
  const published = new Set(known?.incarnation === incarnation ? claimsOf(known) : []);
  return claimsOf(wanted)
    .filter((address) => !published.has(address))
    .map((address) => ({ key: keys.address(address), version: versionOf(mirror.addresses.get(address)) }));
}

function isSame(a: Omit<CandidateRecord, "format">, b: Omit<CandidateRecord, "format">): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.priority === b.priority &&
    a.eligible === b.eligible &&
    a.reason === b.reason &&
    a.lastResort === b.lastResort &&
    a.answers === b.answers &&
    a.spread === b.spread &&
    a.preempt === b.preempt &&
    a.preemptDelayMs === b.preemptDelayMs &&
    a.interface === b.interface &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, index) => address === b.addresses[index]) &&
    a.macs.length === b.macs.length &&
    a.macs.every((mac, index) => mac === b.macs[index])
  );
}

/** Addresses of an election of this node that its records do not have yet: it was handed over, or changed in place. */
export function claimMutation(state: State, election: string, at: Moment): Mutation | undefined {
  if (ownToken(state, election) === undefined || ineligibleReason(state, election) !== undefined) return undefined;
  if (!isTrusted(state)) return undefined;
  const { guards, writes } = claimAddresses(state, election, state.candidacies.get(election), at.now);
  return writes.length > 0 ? { guards, writes } : undefined;
}

/** Settles the fleet on the store's epoch. */
export function epochMutation(state: State, at: Moment): Mutation | undefined {
  const { epoch, settledEpoch } = state.mirror;
  if (epoch === null || isTrusted(state) || at.now < trustedAt(state) || state.stopping) return undefined;
  const key = state.keys.epoch;
  const version = settledEpoch === null || settledEpoch.value === null ? null : settledEpoch.version;
  return { guards: [{ key, version }], writes: [{ key, value: encodeValue<EpochRecord>({ epoch }) }] };
}

/** What a former holder knows of the end of its tenure, beside what its successor could see. */
function lossMutation(state: State, election: string): Mutation | undefined {
  const report = state.lossReports.get(election);
  if (report === undefined) return undefined;
  const value = encodeValue<LossRecord>({ node: state.self.node, ...report });
  return { guards: [], writes: [{ key: state.keys.loss(election, report.seq), value }], reports: election };
}

/** The marker of changes, or the end of the session, which is written over what is there, in bytes. */
const MARKER_BYTES = 1_024;

/** Most bytes that a guard or write can have: three for each unit of UTF-16. */
function mostBytes(part: Guard | Write): number {
  return 3 * (part.key.length + ("value" in part ? (part.value?.length ?? 0) : 0));
}

/** Collects mutations up to the size of one commit; each key is guarded and written once. */
class TxnBuilder {
  private readonly guards = new Map<string, Guard>();
  private readonly writes = new Map<string, Write>();
  private bytes = 0;

  /** Adds a mutation, or leaves it for the next commit when it does not fit any more. */
  add({ guards, writes }: Mutation): boolean {
    const [moreGuards, moreWrites] = [
      guards.filter(({ key }) => !this.guards.has(key)),
      writes.filter(({ key }) => !this.writes.has(key)),
    ];
    // One write is kept for the marker of changes.
    if (this.guards.size + moreGuards.length > MAX_TXN_GUARDS) return false;
    if (this.writes.size + moreWrites.length > MAX_TXN_WRITES - 1) return false;
    const more = [...moreGuards, ...moreWrites].reduce((sum, part) => sum + mostBytes(part), 0);
    if (this.bytes + more > MAX_TXN_BYTES - MARKER_BYTES) return false;
    this.bytes += more;
    for (const guard of moreGuards) this.guards.set(guard.key, guard);
    for (const write of moreWrites) this.writes.set(write.key, write);
    return true;
  }

  /** Writes a key, also when it is written already. */
  overwrite(write: Write): void {
    this.writes.set(write.key, write);
  }

  txn(): Txn {
    return { guards: [...this.guards.values()], writes: [...this.writes.values()] };
  }
}
