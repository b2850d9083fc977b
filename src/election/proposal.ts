// The next commit of a node. Every commit is a heartbeat too: it insists on the own session's version and writes
// the next one, so that a node has one lease, one chain of versions, and never two requests that could
// overtake each other. What else is due rides along: candidacies, giving up, taking over, breaking.

import { MAX_TXN_OPERATIONS } from "../base/bounds.ts";
import type { Guard, Txn, Write } from "../ports/store.ts";
import { successor } from "./ranking.ts";
import {
  type CandidateRecord,
  type ElectionRecord,
  encodeValue,
  type FleetRecord,
  type HistoryRecord,
  type SessionRecord,
} from "./records.ts";
import { ownSession, sessionVersion } from "./session.ts";
import type { Attempt, Moment, State } from "./state.ts";
import { ineligibleReason, ownToken, standing, takeDueAt, trusted, trustedAt, wantedCandidate } from "./tenure.ts";

/** Guards and writes that belong together, for one election or record. */
interface Mutation {
  readonly guards: readonly Guard[];
  readonly writes: readonly Write[];
  /** The election that the mutation releases away. */
  readonly releases?: string;
}

/** Builds the attempt that is due now; `heartbeatOnly`: the lease runs short, so nothing may ride along. */
export function propose(state: State, at: Moment, heartbeatOnly: boolean): Attempt {
  const number = state.attempts + 1;
  const mutations = heartbeatOnly || ownSession(state) === undefined ? [] : dueMutations(state, at);
  const builder = new TxnBuilder();
  builder.add(sessionMutation(state, number, at));
  const taken = mutations.filter((mutation) => builder.add(mutation));
  const endsSession =
    state.stopping && !heartbeatOnly && taken.length === mutations.length && isLastTransaction(state, mutations);
  if (endsSession) builder.overwrite({ key: state.keys.session(state.self.node), value: null });
  return {
    number,
    sentAt: at.now,
    txn: builder.txn(),
    incarnation: state.identity.kind === "ready" ? state.identity.incarnation : "",
    sessionVersion: sessionVersion(state),
    releases: new Set(taken.flatMap((mutation) => mutation.releases ?? [])),
    heartbeatOnly: taken.length === 0,
    endsSession,
  };
}

/** Whether anything but a heartbeat waits to be written. */
export function hasDueMutations(state: State, at: Moment): boolean {
  if (ownSession(state) === undefined) return false;
  return (state.stopping && state.tenures.size === 0) || dueMutations(state, at).length > 0;
}

function dueMutations(state: State, at: Moment): readonly Mutation[] {
  const mutations: Mutation[] = [];
  const elections = new Set([...state.candidacies.keys(), ...state.mirror.elections.keys()]);
  for (const election of elections) mutations.push(...giveMutation(state, election, at));
  for (const election of state.mirror.candidates.keys()) elections.add(election);
  for (const election of elections) mutations.push(...candidateMutation(state, election, at));
  mutations.push(...fleetMutation(state, at));
  for (const election of state.candidacies.keys()) mutations.push(...takeMutation(state, election, at));
  return mutations;
}

function sessionMutation(state: State, heartbeat: number, at: Moment): Mutation {
  const key = state.keys.session(state.self.node);
  const { incarnation } = state.identity.kind === "ready" ? state.identity : { incarnation: "" };
  const { processId, ttlMs, host } = state.self;
  const value = encodeValue<SessionRecord>({ incarnation, processId, heartbeat, ttlMs, wallMs: at.wallMs, host });
  return { guards: [{ key, version: sessionVersion(state) }], writes: [{ key, value }] };
}

/** What this node holds but shall not, once the host has let go: to the best other candidate, or to nobody. */
function giveMutation(state: State, election: string, at: Moment): readonly Mutation[] {
  const token = ownToken(state, election);
  if (token === undefined || state.tenures.has(election)) return [];
  const reason = ineligibleReason(state, election, at.now);
  if (reason === undefined) return [];
  const wanted = state.stepDowns.get(election)?.to ?? null;
  const next =
    successor(state.mirror, election, state.self.node, wanted, at.now) ??
    successor(state.mirror, election, state.self.node, null, at.now);
  const guards = [{ key: state.keys.election(election), version: token }];
  return [{ guards, writes: ownershipChange(state, election, next ?? null, reason, at), releases: election }];
}

function takeMutation(state: State, election: string, at: Moment): readonly Mutation[] {
  if (at.now < takeDueAt(state, election, at.now) || state.identity.kind !== "ready") return [];
  const found = standing(state, election);
  if (found.kind === "unreadable") return [];
  const self = { node: state.self.node, incarnation: state.identity.incarnation };
  const again = found.kind === "held" && found.holder === self.node && found.incarnation === self.incarnation;
  const silent = found.kind === "held" ? `${found.holder} was silent for its whole lease` : found.reason;
  const writes = ownershipChange(
    state,
    election,
    self,
    again ? "taken anew: the store was put back to an older state" : silent,
    at,
  );
  const broken = found.kind === "held" && !again ? [{ key: state.keys.session(found.holder), value: null }] : [];
  return [{ guards: found.guards, writes: [...broken, ...writes] }];
}

function ownershipChange(
  state: State,
  election: string,
  to: { readonly node: string; readonly incarnation: string } | null,
  reason: string,
  at: Moment,
): readonly Write[] {
  const last = state.mirror.elections.get(election)?.value ?? null;
  const seq = (last?.seq ?? 0) + 1;
  const record = encodeValue<ElectionRecord>({
    holder: to?.node ?? null,
    incarnation: to?.incarnation ?? null,
    seq,
    sinceWallMs: at.wallMs,
    reason,
  });
  const history = encodeValue<HistoryRecord>({
    seq,
    wallMs: at.wallMs,
    from: last?.holder ?? null,
    to: to?.node ?? null,
    reason,
  });
  return [
    { key: state.keys.election(election), value: record },
    { key: state.keys.history(election, seq), value: history },
  ];
}

function candidateMutation(state: State, election: string, at: Moment): readonly Mutation[] {
  // It rides along with the giving up that is about to come, which must not wait for an answer to this.
  if (state.tenures.get(election)?.phase === "closing") return [];
  const wanted = wantedCandidate(state, election, at.now);
  const seen = state.mirror.candidates.get(election)?.get(state.self.node);
  const known = seen?.value === undefined ? undefined : seen.value;
  if (wanted === null && (seen === undefined || seen.value === null)) return [];
  if (wanted !== null && known != null && isSame(wanted, known)) return [];
  const value = wanted === null ? null : encodeValue<CandidateRecord>(wanted);
  return [{ guards: [], writes: [{ key: state.keys.candidate(election, state.self.node), value }] }];
}

/** Asked at every step for every election: so no text is made for it. */
function isSame(a: Omit<CandidateRecord, "format">, b: Omit<CandidateRecord, "format">): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.priority === b.priority &&
    a.eligible === b.eligible &&
    a.reason === b.reason &&
    a.preempt === b.preempt &&
    a.preemptDelayMs === b.preemptDelayMs &&
    a.interface === b.interface &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, index) => address === b.addresses[index])
  );
}

function fleetMutation(state: State, at: Moment): readonly Mutation[] {
  const { epoch, fleet } = state.mirror;
  if (epoch === null || trusted(state) || at.now < trustedAt(state) || state.stopping) return [];
  const key = state.keys.fleet();
  const version = fleet === null || fleet.value === null ? null : fleet.version;
  return [{ guards: [{ key, version }], writes: [{ key, value: encodeValue<FleetRecord>({ epoch }) }] }];
}

/** Whether, once these mutations are written, nothing of this node is left but its session, in the store and on the host. */
function isLastTransaction(state: State, mutations: readonly Mutation[]): boolean {
  if (state.tenures.size > 0) return false;
  const giving = new Set(mutations.flatMap((mutation) => mutation.releases ?? []));
  return [...state.mirror.elections.keys()].every(
    (election) => ownToken(state, election) === undefined || giving.has(election),
  );
}

/** Collects mutations up to the size of one commit; each key is guarded and written once. */
class TxnBuilder {
  private readonly guards = new Map<string, Guard>();
  private readonly writes = new Map<string, Write>();

  /** Adds a mutation, or endsSession it for the next commit when it does not fit any more. */
  add(mutation: Mutation): boolean {
    const guards = mutation.guards.filter((guard) => !this.guards.has(guard.key));
    const writes = mutation.writes.filter((write) => !this.writes.has(write.key));
    if (this.guards.size + guards.length + this.writes.size + writes.length > MAX_TXN_OPERATIONS) return false;
    for (const guard of guards) this.guards.set(guard.key, guard);
    for (const write of writes) this.writes.set(write.key, write);
    return true;
  }

  /** Writes another value to a key that is written already. */
  overwrite(write: Write): void {
    this.writes.set(write.key, write);
  }

  txn(): Txn {
    return { guards: [...this.guards.values()], writes: [...this.writes.values()] };
  }
}
