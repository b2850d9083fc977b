// Where an election stands, by what the mirror knows: mine, another's, free, or not to be judged.

import { type Instant, later } from "../base/time.ts";
import type { Guard, Revision } from "../ports/store.ts";
import { observerWaitMs } from "./lease.ts";
import type { Mirror, Seen } from "./mirror.ts";
import type { Keys, SessionRecord } from "./records.ts";

/** The standing of one election, with the guards that whoever takes it must insist on. */
export type Standing =
  | {
      readonly kind: "held";
      readonly holder: string;
      readonly incarnation: string;
      readonly token: Revision;
      readonly breakableAt: Instant;
      readonly guards: readonly Guard[];
    }
  | {
      readonly kind: "vacant";
      readonly since: Instant;
      readonly last: string | null;
      readonly reason: string;
      readonly guards: readonly Guard[];
    }
  /** Its record does not parse: nobody touches it. */
  | { readonly kind: "unreadable" };

/** Judges an election. `ttlMs`: what a session is taken to last whose own record does not parse. */
export function standingOf(mirror: Mirror, keys: Keys, election: string, ttlMs: number): Standing {
  const record = mirror.elections.get(election);
  const version = record === undefined || record.value === null ? null : record.version;
  const own: Guard = { key: keys.election(election), version };
  if (record === undefined || record.value === null)
    return {
      kind: "vacant",
      since: record?.seenAt ?? mirror.epochSeenAt,
      last: null,
      reason: "never held",
      guards: [own],
    };
  if (record.value === undefined) return { kind: "unreadable" };
  const { holder, incarnation, reason } = record.value;
  if (holder === null || incarnation === null)
    return { kind: "vacant", since: record.seenAt, last: null, reason, guards: [own] };
  const session = mirror.sessions.get(holder);
  const guards = [
    own,
    { key: keys.session(holder), version: session?.value === null ? null : (session?.version ?? null) },
  ];
  if (session === undefined || session.value === null) {
    const since = later(record.seenAt, Math.max(0, (session?.seenAt ?? record.seenAt) - record.seenAt));
    return { kind: "vacant", since, last: holder, reason: `${holder} is gone`, guards };
  }
  if (session.value !== undefined && session.value.incarnation !== incarnation) {
    const since = session.seenAt > record.seenAt ? session.seenAt : record.seenAt;
    return { kind: "vacant", since, last: holder, reason: `${holder} began anew`, guards };
  }
  return { kind: "held", holder, incarnation, token: record.version, breakableAt: breakableAt(session, ttlMs), guards };
}

/** When an observer may break a session, unless it sees a new heartbeat. */
export function breakableAt(session: Seen<SessionRecord>, fallbackTtlMs: number): Instant {
  return later(session.seenAt, observerWaitMs(session.value?.ttlMs ?? fallbackTtlMs));
}

/** Whether a node's session is alive: a heartbeat was seen within its lease. */
export function isAlive(mirror: Mirror, node: string, now: Instant): boolean {
  const session = mirror.sessions.get(node);
  return session?.value != null && now < breakableAt(session, session.value.ttlMs);
}
