// One address may be configured under two election names: while an address is moved from one VIP to another, or by
// mistake. Each election has one holder, but the address would have two. So an address belongs to one election, by a
// record of its own that whoever takes the election guards, or writes.
//
// It can be claimed for another election when nobody who is alive answers for it under the former one, or will: when
// that is held by a node that publishes that it does not have the address, or when it is free, or its holder dead, and
// no candidate of it is alive. Whoever claims it insists on all of that in the same commit. So a holder answers for an
// address only while the store has its own candidacy with that address.
//
// A virtual MAC belongs to one election in the same way, by a record of its own: whoever answers for an address with it has
// both.

import { type Instant, later } from "../base/time.ts";
import { isVirtualRouterMac, virtualMacFamily } from "../base/virtual-mac.ts";
import type { Guard, Revision, Write } from "../ports/store.ts";
import { type Claimed, claimsOf, ipOf, NOTHING } from "./claims.ts";
import type { Mirror, Observed } from "./mirror.ts";
import { breakableAt, isAlive, ownershipOf } from "./ownership.ts";
import { type AddressRecord, encodeValue } from "./records.ts";
import type { State } from "./state.ts";

/** An address, or a virtual MAC, that another election has. */
export interface TakenAddress {
  readonly address: string;
  readonly election: string;
  /** Who keeps it there. */
  readonly node: string;
  /** At least until then, unless something changes. */
  readonly until: Instant;
}

/** What an election must have committed so that its addresses are its own, and which are not to be had. */
export interface AddressClaims {
  readonly guards: readonly Guard[];
  readonly writes: readonly Write[];
  readonly taken: readonly TakenAddress[];
}

/** Judges the addresses and the virtual MACs of an election. */
export function claimAddresses(
  state: State,
  election: string,
  claimed: Claimed = NOTHING,
  now: Instant,
): AddressClaims {
  const guards: Guard[] = [];
  const writes: Write[] = [];
  const taken: TakenAddress[] = [];
  for (const address of claimsOf(claimed)) {
    const key = state.keys.address(address);
    const record = state.mirror.addresses.get(address);
    const own: Guard = { key, version: versionOf(record) };
    const owner = record?.value?.election;
    const claimant = owner === election ? NOBODY : claimantFor(state, { election, owner, address }, record, now);
    if ("node" in claimant) {
      taken.push({ address, election: owner ?? "", ...claimant });
      continue;
    }
    guards.push(own, ...claimant.guards);
    writes.push(...claimant.writes);
    if (owner !== election) writes.push({ key, value: encodeValue<AddressRecord>({ election }) });
  }
  return { guards, writes, taken };
}

/** What a holder may answer for. */
export interface Confirmation {
  readonly addresses: readonly string[];
  /** Whether a read, or the outcome of a request that is under way, may bring more. */
  readonly isPending: boolean;
}

/**
 * The addresses of an election that its holder may answer for: the store says that they are the election's, and that
 * this node's candidacy has them; and nothing is under way that may change the latter.
 */
export function confirmAddresses(state: State, election: string): Confirmation {
  const { mirror, keys, self, confirmedRevision, identity } = state;
  const wanted = claimsOf(state.candidacies.get(election) ?? NOTHING);
  const candidate = mirror.candidates.get(election)?.get(self.node);
  if (wanted.length === 0 || candidate?.value == null || identity.kind !== "ready")
    return { addresses: [], isPending: false };
  if (candidate.value.incarnation !== identity.incarnation) return { addresses: [], isPending: false };
  const key = keys.candidate(election, self.node);
  const attempts = state.inFlight === null ? state.inDoubtAttempts : [...state.inDoubtAttempts, state.inFlight];
  const changing = attempts.some(({ txn }) => txn.writes.some((write) => write.key === key));
  if (changing || candidate.version > confirmedRevision) return { addresses: [], isPending: true };
  const published = new Set(claimsOf(candidate.value));
  const records = wanted.map((address) => ({ address, record: mirror.addresses.get(address) }));
  const own = records.filter(({ address, record }) => published.has(address) && record?.value?.election === election);
  const confirmed = own.filter(({ record }) => record !== undefined && record.version <= confirmedRevision);
  return { addresses: confirmed.map(({ address }) => address), isPending: confirmed.length < own.length };
}

/**
 * Whether the store says that an address is this election's. A store that was restored may say nothing of it any more: then
 * another election may take it. A record that cannot be read nobody takes from under its holder.
 */
export function isStillOwn({ mirror }: State, election: string, address: string): boolean {
  const record = mirror.addresses.get(address);
  return record !== undefined && (record.value === undefined || record.value?.election === election);
}

/** Whether one address of a candidacy could be answered for, with the virtual MACs of its family, when these are its own. */
export function isAnswerable({ addresses, macs }: Claimed, isOwn: (address: string) => boolean): boolean {
  return addresses.map(ipOf).some((ip) => {
    const family = virtualMacFamily(ip.includes(":") ? 6 : 4);
    return isOwn(ip) && macs.filter((mac) => mac.startsWith(family)).every(isOwn);
  });
}

type Claimant =
  | { readonly node: string; readonly until: Instant }
  | { readonly guards: readonly Guard[]; readonly writes: readonly Write[] };

const NOBODY: Claimant = { guards: [], writes: [] };

/** The version by which a record is guarded: of what is there, also when it cannot be read. */
export function versionOf(record: Observed<unknown> | undefined): Revision | null {
  return record === undefined || record.value === null ? null : record.version;
}

interface AddressClaim {
  readonly election: string;
  readonly owner: string | undefined;
  readonly address: string;
}

function claimantFor(
  state: State,
  { election, owner, address }: AddressClaim,
  record: Observed<AddressRecord> | undefined,
  now: Instant,
): Claimant {
  if (owner !== undefined) return claimantOf(state, owner, address, now);
  // Nobody has it, or the record cannot be read: then it may be any other election's whose candidates have it.
  if (record === undefined || record.value === null) return NOBODY;
  for (const other of state.mirror.claims.electionsOf(address))
    for (const node of other === election ? [] : state.mirror.claims.nodesOf(address, other))
      if (isCandidate(state.mirror, other, node, now)) return { node, until: silentAt(state.mirror, node, now) };
  return NOBODY;
}

/** Who keeps an address for the election that has it; else what must be committed to take it away. */
function claimantOf(state: State, owner: string, address: string, now: Instant): Claimant {
  const { mirror, keys } = state;
  const found = ownershipOf(mirror, keys, owner, state.longestTtlMs);
  if (found.kind === "unreadable") return { node: owner, until: later(now, state.longestTtlMs) };
  if (found.kind === "held" && now < found.breakableAt) {
    const candidate = mirror.candidates.get(owner)?.get(found.holder);
    const released =
      candidate?.value?.incarnation === found.incarnation && !claimsOf(candidate.value).includes(address);
    if (!released) return { node: found.holder, until: found.breakableAt };
    const guards = [
      { key: keys.election(owner), version: found.token },
      { key: keys.candidate(owner, found.holder), version: candidate.version },
    ];
    return { guards, writes: [] };
  }
  // A holder that cannot be seen may be left: nobody takes the election itself before that.
  if (found.kind === "vacant" && now < found.since) return { node: owner, until: found.since };
  for (const node of mirror.claims.nodesOf(address, owner))
    if (mayTakeIt(mirror, owner, node, now)) return { node, until: silentAt(mirror, node, now) };
  const broken = found.kind === "held" ? [{ key: keys.session(found.holder), value: null }] : [];
  return { guards: found.guards, writes: broken };
}

/** Whether a node is alive and has this candidacy since its present start. */
export function isCandidate(mirror: Mirror, election: string, node: string, now: Instant): boolean {
  const record = mirror.candidates.get(election)?.get(node)?.value;
  return (
    record != null && isAlive(mirror, node, now) && mirror.sessions.get(node)?.value?.incarnation === record.incarnation
  );
}

/** Whoever cannot hold the election as it is now would leave the address to nobody; when it can, it will ask for it. */
function mayTakeIt(mirror: Mirror, election: string, node: string, now: Instant): boolean {
  const record = mirror.candidates.get(election)?.get(node)?.value;
  return record != null && (record.eligible || record.lastResort) && isCandidate(mirror, election, node, now);
}

/** Until when a node counts as alive, unless another heartbeat is seen. */
export function silentAt(mirror: Mirror, node: string, now: Instant): Instant {
  const session = mirror.sessions.get(node);
  return session?.value == null ? now : breakableAt(session, session.value.ttlMs);
}

/** Two elections that claim one address, or one virtual MAC, through nodes that are alive: a sentence for each. */
export function addressCollisions(mirror: Mirror, now: Instant): readonly string[] {
  const found: string[] = [];
  for (const address of mirror.claims.contested) {
    const claims = [...mirror.claims.electionsOf(address)].flatMap((election) => {
      const nodes = [...mirror.claims.nodesOf(address, election)].filter((node) =>
        isCandidate(mirror, election, node, now),
      );
      return nodes.length === 0 ? [] : [`${election} on ${nodes.slice(0, 8).join(", ")}`];
    });
    if (claims.length < 2) continue;
    const owner = mirror.addresses.get(address)?.value?.election;
    const does = isVirtualRouterMac(address) ? "sends with it" : "answers for it";
    const who = owner === undefined ? `nobody ${does}` : `only the holder of ${owner} ${does}`;
    found.push(`${address} is configured under ${claims.length} names: ${claims.join("; ")}; ${who}`);
    if (found.length === MAX_COLLISIONS) break;
  }
  return found;
}

/** So many collisions are told. */
const MAX_COLLISIONS = 20;
