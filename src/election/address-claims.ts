// One address may be configured under two election names: while an address is moved from one VIP to another, or by
// mistake. Each election has one holder, but the address would have two. So an address belongs to one election, by a
// record of its own that whoever takes the election guards, or writes. It can be claimed for another election only
// when nobody who is alive holds the former one with that address, or is a candidate for it.

import { type Instant, later } from "../base/time.ts";
import type { Guard, Write } from "../ports/store.ts";
import { ipOf } from "./claims.ts";
import type { Mirror } from "./mirror.ts";
import { breakableAt, isAlive, ownershipOf } from "./ownership.ts";
import { type AddressRecord, encodeValue } from "./records.ts";
import type { State } from "./state.ts";

/** Whether an election may answer for its addresses. */
export type AddressClaim =
  /** It may, once these are committed; without writes: it may now. */
  | { readonly kind: "free"; readonly guards: readonly Guard[]; readonly writes: readonly Write[] }
  /** It may not: the address is another election's, at least until `until` unless something changes. */
  | {
      readonly kind: "taken";
      readonly ip: string;
      readonly election: string;
      readonly node: string;
      readonly until: Instant;
    };

/** Judges the addresses (in CIDR form) of an election. */
export function claimAddresses(
  state: State,
  election: string,
  addresses: readonly string[],
  now: Instant,
): AddressClaim {
  const guards: Guard[] = [];
  const writes: Write[] = [];
  for (const ip of new Set(addresses.map(ipOf))) {
    const key = state.keys.address(ip);
    const record = state.mirror.addresses.get(ip);
    guards.push({ key, version: record?.value === null ? null : (record?.version ?? null) });
    const owner = record?.value?.election;
    if (owner === election) continue;
    if (owner !== undefined) {
      const rival = rivalOf(state, owner, ip, now);
      if ("node" in rival) return { kind: "taken", ip, election: owner, ...rival };
      guards.push(...rival.guards);
      writes.push(...rival.writes);
    }
    writes.push({ key, value: encodeValue<AddressRecord>({ election }) });
  }
  return { kind: "free", guards, writes };
}

type Rival =
  | { readonly node: string; readonly until: Instant }
  | { readonly guards: readonly Guard[]; readonly writes: readonly Write[] };

/** Who keeps an address for the election that has it; else what must be committed to take it away. */
function rivalOf(state: State, owner: string, ip: string, now: Instant): Rival {
  const { mirror, keys } = state;
  for (const node of mirror.claims.nodesOf(ip, owner))
    if (isCandidate(mirror, owner, node, now)) return { node, until: silentAt(mirror, node, now) };
  const found = ownershipOf(mirror, keys, owner, state.longestTtlMs);
  if (found.kind === "unreadable") return { node: owner, until: later(now, state.longestTtlMs) };
  if (found.kind === "vacant") return { guards: [], writes: [] };
  const released = mirror.candidates.get(owner)?.get(found.holder)?.value;
  if (released != null && !released.addresses.some((address) => ipOf(address) === ip))
    return { guards: [], writes: [] };
  if (now < found.breakableAt) return { node: found.holder, until: found.breakableAt };
  return { guards: found.guards, writes: [{ key: keys.session(found.holder), value: null }] };
}

function isCandidate(mirror: Mirror, election: string, node: string, now: Instant): boolean {
  const record = mirror.candidates.get(election)?.get(node)?.value;
  return (
    record != null && isAlive(mirror, node, now) && mirror.sessions.get(node)?.value?.incarnation === record.incarnation
  );
}

function silentAt(mirror: Mirror, node: string, now: Instant): Instant {
  const session = mirror.sessions.get(node);
  return session?.value == null ? now : breakableAt(session, session.value.ttlMs);
}

/** Two elections that claim one address through nodes that are alive: a sentence for each. */
export function addressCollisions(mirror: Mirror, now: Instant): readonly string[] {
  const found: string[] = [];
  for (const ip of mirror.claims.contested()) {
    const claims = [...mirror.claims.electionsOf(ip)].flatMap((election) => {
      const nodes = [...mirror.claims.nodesOf(ip, election)].filter((node) => isCandidate(mirror, election, node, now));
      return nodes.length === 0 ? [] : [`${election} on ${nodes.slice(0, 8).join(", ")}`];
    });
    if (claims.length < 2) continue;
    const owner = mirror.addresses.get(ip)?.value?.election;
    const who = owner === undefined ? "nobody answers for it" : `only the holder of ${owner} answers for it`;
    found.push(`${ip} is configured under ${claims.length} names: ${claims.join("; ")}; ${who}`);
    if (found.length === MAX_COLLISIONS) break;
  }
  return found;
}

/** So many collisions are told. */
const MAX_COLLISIONS = 20;
