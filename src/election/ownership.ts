// Who owns an election, by what the mirror knows: somebody, nobody, or it cannot be judged. And whether a node is alive.

import { type Instant, later } from "../base/time.ts";
import { type Reason, reason } from "../base/reasons.ts";
import type { Guard, Revision } from "../ports/store.ts";
import type { Keys } from "./keys.ts";
import { observerWaitMs } from "./lease.ts";
import type { Mirror, Observed } from "./mirror.ts";
import type { ElectionRecord, SessionRecord } from "./records.ts";

/** The ownership of one election, with the guards that whoever takes it must insist on. */
export type Ownership =
  | {
      readonly kind: "held";
      readonly holder: string;
      readonly incarnation: string;
      readonly token: Revision;
      /** When this observer may break the holder's session, unless it sees another heartbeat. */
      readonly breakableAt: Instant;
      readonly guards: readonly Guard[];
    }
  | {
      readonly kind: "vacant";
      /** Since when this observer knows it to be free. */
      readonly since: Instant;
      /** Who held it last, where its record still names somebody. */
      readonly last: string | null;
      /** Why whoever takes it now takes it. */
      readonly reason: Reason;
      readonly guards: readonly Guard[];
    }
  /** Its record, or the session of its holder, cannot be read: nobody touches it. */
  | { readonly kind: "unreadable" };

/** Judges an election. `fallbackTtlMs`: what a session is taken to last whose own record does not parse. */
export function ownershipOf(mirror: Mirror, keys: Keys, election: string, fallbackTtlMs: number): Ownership {
  const record = mirror.elections.get(election);
  const own: Guard = {
    key: keys.election(election),
    version: record?.value === null ? null : (record?.version ?? null),
  };
  if (record === undefined || record.value === null) {
    const since = record?.seenAt ?? mirror.epochSeenAt;
    return { kind: "vacant", since, last: null, reason: reason("first-holder"), guards: [own] };
  }
  if (record.value === undefined) return { kind: "unreadable" };
  const { holder, incarnation } = record.value;
  if (holder === null || incarnation === null) return free(record.seenAt, record.value, own);
  return ofHolder(mirror, keys, { record, holder, incarnation, own }, fallbackTtlMs);
}

function free(seenAt: Instant, { reason: why, waitMs }: ElectionRecord, own: Guard): Ownership {
  const since = waitMs > 0 ? later(seenAt, observerWaitMs(waitMs)) : seenAt;
  return { kind: "vacant", since, last: null, reason: reason("vacant", why.text), guards: [own] };
}

interface Named {
  readonly record: Observed<ElectionRecord>;
  readonly holder: string;
  readonly incarnation: string;
  readonly own: Guard;
}

function ofHolder(mirror: Mirror, keys: Keys, named: Named, fallbackTtlMs: number): Ownership {
  const { record, holder, incarnation, own } = named;
  const session = mirror.sessions.get(holder);
  const version = session?.value === null ? null : (session?.version ?? null);
  const guards = [own, { key: keys.session(holder), version }];
  // A session that is not tracked may be alive.
  if (session === undefined && mirror.overflow.has("nodes")) return { kind: "unreadable" };
  const since = session !== undefined && session.seenAt > record.seenAt ? session.seenAt : record.seenAt;
  if (session === undefined || session.value === null)
    return { kind: "vacant", since, last: holder, reason: reason("holder-left", holder), guards };
  if (session.value !== undefined && session.value.incarnation !== incarnation)
    return { kind: "vacant", since, last: holder, reason: reason("holder-restarted", holder), guards };
  const breakable = breakableAt(session, fallbackTtlMs);
  return { kind: "held", holder, incarnation, token: record.version, breakableAt: breakable, guards };
}

/** When an observer may break a session, unless it sees another heartbeat. */
export function breakableAt(session: Observed<SessionRecord>, fallbackTtlMs: number): Instant {
  return later(session.seenAt, observerWaitMs(session.value?.ttlMs ?? fallbackTtlMs));
}

/** Whether a node is alive: a heartbeat was seen within its lease. */
export function isAlive(mirror: Mirror, node: string, now: Instant): boolean {
  const session = mirror.sessions.get(node);
  return session?.value != null && now < breakableAt(session, session.value.ttlMs);
}
