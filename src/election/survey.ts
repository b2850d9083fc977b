// The fleet as one node, or a passer-by with a snapshot, sees it: for people, in one plain structure.

import { type Reason, reason } from "../base/reasons.ts";
import { elapsedMs, type Instant } from "../base/time.ts";
import type { Revision } from "../ports/store.ts";
import { addressCollisions } from "./address-claims.ts";
import type { Keys } from "./keys.ts";
import type { Mirror, Observed } from "./mirror.ts";
import { isAlive, ownershipOf } from "./ownership.ts";
import type { CandidateRecord } from "./records.ts";

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
  /** Why it is held, or free, or why that cannot be told. */
  readonly reason: Reason;
  readonly candidates: readonly SurveyedCandidate[];
}

/** Everything. */
export interface Survey {
  readonly nodes: readonly SurveyedNode[];
  readonly elections: readonly SurveyedElection[];
  readonly unreadable: readonly string[];
  /** Sentences about addresses that are configured under two names. */
  readonly collisions: readonly string[];
}

/** What a survey looks at; `ttlMs` is what a session is taken to last that does not parse. */
export interface Surveyed {
  readonly mirror: Mirror;
  readonly keys: Keys;
  readonly ttlMs: number;
}

/**
 * Looks over everything at `now`. An election that is free, and that no node names any more, is left out; when no node
 * runs, nobody can say what is configured, and all that was ever held is shown.
 */
export function survey(fleet: Surveyed, now: Instant): Survey {
  const { mirror } = fleet;
  const nodes = [...mirror.sessions.keys()].flatMap((node) => surveyNode(mirror, node, now) ?? []);
  const someoneRuns = nodes.some(({ alive }) => alive);
  const names = new Set([...mirror.elections.keys(), ...mirror.candidates.keys()]);
  const elections = [...names].sort().flatMap((name) => surveyElection(fleet, name, now) ?? []);
  return {
    nodes: nodes.sort((a, b) => (a.node < b.node ? -1 : 1)),
    elections: elections.filter((election) => !someoneRuns || isNamed(election)),
    unreadable: [...mirror.unreadable],
    collisions: addressCollisions(mirror, now),
  };
}

/** Whether somebody holds it or wants it, or nobody can tell. */
function isNamed({ holder, candidates, reason: { code } }: SurveyedElection): boolean {
  return holder !== null || candidates.length > 0 || code === "unreadable";
}

/** One node; `undefined` when it has no session that can be read. */
export function surveyNode(mirror: Mirror, node: string, now: Instant): SurveyedNode | undefined {
  const observed = mirror.sessions.get(node);
  if (observed?.value == null) return undefined;
  const { host, ttlMs, wallMs } = observed.value;
  const seenAgoMs = elapsedMs(observed.seenAt, now);
  const { version } = observed;
  return { node, host, alive: isAlive(mirror, node, now), ttlMs, seenAgoMs, heartbeatWallMs: wallMs, version };
}

/** One election; `undefined` when nobody ever held it and nobody wants it. */
export function surveyElection(fleet: Surveyed, name: string, now: Instant): SurveyedElection | undefined {
  const { mirror, keys, ttlMs } = fleet;
  const candidates = [...(mirror.candidates.get(name) ?? [])]
    .flatMap(([node, observed]) => surveyCandidate(mirror, node, observed, now))
    .sort((a, b) => b.priority - a.priority || (a.node < b.node ? -1 : 1));
  const record = mirror.elections.get(name)?.value;
  const sinceWallMs = record?.sinceWallMs ?? null;
  const found = ownershipOf(mirror, keys, name, ttlMs);
  if (found.kind === "held") {
    const { holder, token } = found;
    return { name, holder, token, sinceWallMs, reason: record?.reason ?? reason("first-holder"), candidates };
  }
  if (found.kind === "unreadable") {
    return { name, holder: null, token: null, sinceWallMs: null, reason: reason("unreadable"), candidates };
  }
  if (candidates.length === 0 && record == null) return undefined;
  const why = found.last === null ? (record?.reason ?? found.reason) : found.reason;
  return { name, holder: null, token: null, sinceWallMs, reason: why, candidates };
}

function surveyCandidate(
  mirror: Mirror,
  node: string,
  { value }: Observed<CandidateRecord>,
  now: Instant,
): readonly SurveyedCandidate[] {
  if (value == null) return [];
  const { priority, eligible, reason: why, addresses } = value;
  const alive = isAlive(mirror, node, now) && mirror.sessions.get(node)?.value?.incarnation === value.incarnation;
  return [{ node, priority, eligible, reason: why, alive, addresses, interface: value.interface }];
}
