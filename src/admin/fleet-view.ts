// The fleet's records -> what people are shown of them. Pure; a daemon adds what only it knows.

import type { Instant } from "../base/time.ts";
import type { Mirror } from "../election/mirror.ts";
import type { HistoryRecord, Keys } from "../election/records.ts";
import { type Survey, survey, type SurveyedElection, type SurveyedNode } from "../election/survey.ts";
import type { ElectionView, HistoryView, NodeView } from "./views.ts";

/** How the observer knows about time. */
export type Perspective =
  /** It has watched for a while: ages count from when it first saw a heartbeat, on its own monotonic clock. */
  | { readonly kind: "watcher" }
  /** It has just come: ages are by the wall clocks, its own and the writers'; so life can only be likely. */
  | { readonly kind: "passer-by"; readonly wallMs: number };

/** The parts of a FleetView that come from the records. */
export interface FleetParts {
  readonly elections: readonly ElectionView[];
  readonly nodes: readonly NodeView[];
  readonly warnings: readonly string[];
}

/** What the records say at `now`. `ttlMs`: what a session is taken to last whose own record does not parse. */
export function fleetParts(mirror: Mirror, keys: Keys, ttlMs: number, now: Instant, from: Perspective): FleetParts {
  const surveyed = survey(mirror, keys, ttlMs, now);
  const nodes = new Map(surveyed.nodes.map((node) => [node.node, nodeView(node, mirror, from)]));
  return {
    elections: surveyed.elections.map((election) => electionView(election, nodes, from)),
    nodes: [...nodes.values()],
    warnings: warningsOf(surveyed),
  };
}

/** Ownership changes, newest first. */
export function historyViews(records: readonly HistoryRecord[]): readonly HistoryView[] {
  return records
    .toSorted((a, b) => b.seq - a.seq)
    .map(({ wallMs, to, reason }) => ({ atWallMs: wallMs, node: to, token: null, reason }));
}

function nodeView(node: SurveyedNode, mirror: Mirror, from: Perspective): NodeView {
  const ageMs = from.kind === "watcher" ? node.seenAgoMs : Math.max(0, from.wallMs - node.heartbeatWallMs);
  return {
    node: node.node,
    alive: node.alive && ageMs <= node.ttlMs,
    lastHeartbeatAgeMs: ageMs,
    ttlMs: node.ttlMs,
    host: node.host,
    heartbeat: mirror.sessions.get(node.node)?.version.toString() ?? null,
  };
}

function electionView(
  election: SurveyedElection,
  nodes: ReadonlyMap<string, NodeView>,
  from: Perspective,
): ElectionView {
  const holder = election.holder === null ? undefined : nodes.get(election.holder);
  const [best] = election.candidates;
  const shown = election.candidates.find((candidate) => candidate.node === election.holder) ?? best;
  return {
    name: election.name,
    addresses: shown?.addresses ?? [],
    interface: shown?.interface ?? null,
    role: null,
    holder: election.holder,
    holderAlive: election.holder === null ? null : alive(holder, from),
    token: election.token?.toString() ?? null,
    sinceWallMs: election.sinceWallMs,
    lastHeartbeatAgeMs: holder?.lastHeartbeatAgeMs ?? null,
    ttlMs: holder?.ttlMs ?? null,
    validForMs: null,
    priority: null,
    eligible: null,
    reason: election.reason,
    conflict: null,
    candidates: election.candidates.map(({ node, priority, eligible, alive: shows, reason }) => ({
      node,
      priority,
      eligible,
      alive: shows && (nodes.get(node)?.alive ?? false),
      reason: eligible ? null : reason,
    })),
    history: [],
  };
}

/** Clocks may differ: to a passer-by a late heartbeat is a doubt, not a death. */
function alive(holder: NodeView | undefined, from: Perspective): boolean | null {
  if (holder?.alive === true) return true;
  return from.kind === "watcher" && holder !== undefined ? false : null;
}

function warningsOf(surveyed: Survey): readonly string[] {
  const unreadable = surveyed.unreadable.map(
    (key) => `the record ${key} in the store does not parse: it is left alone`,
  );
  return [...unreadable, ...surveyed.elections.flatMap(differences)];
}

/** Nodes that would bind different addresses for one VIP have different files. */
function differences(election: SurveyedElection): readonly string[] {
  const [first, ...others] = election.candidates;
  if (first === undefined) return [];
  const set = (addresses: readonly string[]): string => addresses.toSorted().join(", ");
  return others
    .filter((other) => set(other.addresses) !== set(first.addresses))
    .map(
      (other) =>
        `${election.name}: ${first.node} would bind ${set(first.addresses)}, but ${other.node} ${set(other.addresses)}`,
    );
}
