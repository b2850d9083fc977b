// The whole fleet as one node, or a passer-by with a snapshot, sees it: for people, in one plain structure.

import { elapsedMs, type Instant } from "../base/time.ts";
import type { Revision } from "../ports/store.ts";
import type { Mirror, Seen } from "./mirror.ts";
import type { CandidateRecord, Keys, SessionRecord } from "./records.ts";
import { isAlive, standingOf } from "./standing.ts";

/** A node of the fleet. */
export interface SurveyedNode {
  readonly node: string;
  readonly host: string;
  /** A heartbeat was seen within its lease, by this observer's clock. */
  readonly alive: boolean;
  readonly ttlMs: number;
  /** Since this observer first saw its last heartbeat, in milliseconds. */
  readonly seenAgoMs: number;
  /** When the last heartbeat was written, by the node's own wall clock. */
  readonly heartbeatWallMs: number;
  /** The version of its session's record: another one means another heartbeat. */
  readonly version: Revision;
}

/** A candidate of an election. */
export interface SurveyedCandidate {
  readonly node: string;
  readonly priority: number;
  readonly eligible: boolean;
  readonly reason: string;
  readonly alive: boolean;
  readonly addresses: readonly string[];
  readonly interface: string | null;
}

/** An election of the fleet. */
export interface SurveyedElection {
  readonly name: string;
  /** Who the store says holds it, with a session that stands; `null`: it is free. */
  readonly holder: string | null;
  readonly token: Revision | null;
  readonly sinceWallMs: number | null;
  /** Why it last changed hands, or why it cannot be told who holds it. */
  readonly reason: string;
  readonly candidates: readonly SurveyedCandidate[];
}

/** Everything. */
export interface Survey {
  readonly nodes: readonly SurveyedNode[];
  readonly elections: readonly SurveyedElection[];
  readonly unreadable: readonly string[];
}

/** Looks over a mirror at `now`; `ttlMs` is what a session is taken to last that does not parse. */
export function survey(mirror: Mirror, keys: Keys, ttlMs: number, now: Instant): Survey {
  const nodes = [...mirror.sessions].flatMap(([node, seen]) => surveyNode(mirror, node, seen, now));
  const names = new Set([...mirror.elections.keys(), ...mirror.candidates.keys()]);
  const elections = [...names].sort().flatMap((name) => surveyElection(mirror, keys, name, ttlMs, now));
  return { nodes: nodes.sort((a, b) => (a.node < b.node ? -1 : 1)), elections, unreadable: [...mirror.unreadable] };
}

function surveyNode(mirror: Mirror, node: string, seen: Seen<SessionRecord>, now: Instant): readonly SurveyedNode[] {
  const { value } = seen;
  if (value == null) return [];
  const alive = isAlive(mirror, node, now);
  return [
    {
      node,
      host: value.host,
      alive,
      ttlMs: value.ttlMs,
      seenAgoMs: elapsedMs(seen.seenAt, now),
      heartbeatWallMs: value.wallMs,
      version: seen.version,
    },
  ];
}

function surveyElection(
  mirror: Mirror,
  keys: Keys,
  name: string,
  ttlMs: number,
  now: Instant,
): readonly SurveyedElection[] {
  const candidates = [...(mirror.candidates.get(name) ?? [])]
    .flatMap(([node, seen]) => surveyCandidate(mirror, node, seen, now))
    .sort((a, b) => b.priority - a.priority || (a.node < b.node ? -1 : 1));
  const record = mirror.elections.get(name);
  if (record?.value == null && record?.value !== undefined && candidates.length === 0) return [];
  const standing = standingOf(mirror, keys, name, ttlMs);
  const held = standing.kind === "held";
  const reason =
    standing.kind === "unreadable"
      ? "its record does not parse"
      : held
        ? (record?.value?.reason ?? "")
        : standing.reason;
  return [
    {
      name,
      holder: held ? standing.holder : null,
      token: held ? standing.token : null,
      sinceWallMs: record?.value?.sinceWallMs ?? null,
      reason,
      candidates,
    },
  ];
}

function surveyCandidate(
  mirror: Mirror,
  node: string,
  seen: Seen<CandidateRecord>,
  now: Instant,
): readonly SurveyedCandidate[] {
  const { value } = seen;
  if (value == null) return [];
  const { priority, eligible, reason, addresses } = value;
  const alive = isAlive(mirror, node, now) && mirror.sessions.get(node)?.value?.incarnation === value.incarnation;
  return [{ node, priority, eligible, reason, alive, addresses, interface: value.interface }];
}
