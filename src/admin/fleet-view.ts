// The fleet's records -> what people are shown of them. Pure; a daemon adds what only it knows.

import { MAX_VIEW_TEXT } from "../base/bounds.ts";
import { clip } from "../base/text.ts";
import type { Instant } from "../base/time.ts";
import { type HistoryRecord, type LossRecord, parseHistory, parseLoss } from "../election/records.ts";
import { type Survey, survey, type Surveyed, type SurveyedElection, type SurveyedNode } from "../election/survey.ts";
import type { StoredRecord } from "../ports/store.ts";
import type { ElectionView, HistoryView, NodeView } from "./views.ts";

/** So many sentences of one kind are shown. */
const MAX_WARNINGS = 20;

/** How the observer knows about time. */
export type Perspective =
  /** It has watched for a while: ages count from when it first saw a heartbeat, on its own monotonic clock. */
  | { readonly kind: "watcher" }
  /** It has just come: ages are by the wall clocks, its own and the writers'; so a node can only be likely to be alive. */
  | { readonly kind: "passer-by"; readonly wallMs: number };

/** The parts of a FleetView that come from the records. */
export interface FleetParts {
  readonly elections: readonly ElectionView[];
  readonly nodes: readonly NodeView[];
  readonly warnings: readonly string[];
}

/** What the records say at `now`. */
export function fleetParts(fleet: Surveyed, now: Instant, from: Perspective): FleetParts {
  const surveyed = survey(fleet, now);
  const nodes = new Map(surveyed.nodes.map((node) => [node.node, nodeView(node, from)]));
  return {
    elections: surveyed.elections.map((election) => electionView(election, nodes, from)),
    nodes: [...nodes.values()],
    warnings: warningsOf(surveyed),
  };
}

/** An election's ownership changes, newest first, from the records of its history. */
export function historyViews(records: readonly StoredRecord[]): readonly HistoryView[] {
  const losses = new Map<number, LossRecord>();
  const changes: (readonly [HistoryRecord, bigint])[] = [];
  for (const { key, value, version } of records) {
    const loss = key.endsWith("-loss") ? parseLoss(value) : undefined;
    const change = key.endsWith("-loss") ? undefined : parseHistory(value);
    if (loss !== undefined) losses.set(loss.seq, loss);
    if (change !== undefined) changes.push([change, version]);
  }
  return changes
    .toSorted(([, a], [, b]) => (a > b ? -1 : 1))
    .map(([change, version], index) => ({
      ...historyView(change, version),
      loss: lossView(losses.get(change.seq - 1), change.from),
      interruption: index === 0 ? lossView(losses.get(change.seq), change.to) : null,
    }));
}

/** A former holder's report under another name would be somebody else's. */
function lossView(loss: LossRecord | undefined, holder: string | null): HistoryView["loss"] {
  if (loss === undefined || loss.node !== holder) return null;
  const { wallMs: atWallMs, reason, heldAgainAfterMs, interruptions, interruptedMs } = loss;
  return { atWallMs, reasonCode: reason.code, reason: reason.text, heldAgainAfterMs, interruptions, interruptedMs };
}

function historyView(change: HistoryRecord, version: bigint): Omit<HistoryView, "loss" | "interruption"> {
  const { wallMs, from, to, reason, lastedMs, vacantMs } = change;
  return {
    atWallMs: wallMs,
    from,
    to,
    token: String(version),
    reasonCode: reason.code,
    reason: reason.text,
    lastedMs,
    vacantMs,
  };
}

function nodeView(node: SurveyedNode, from: Perspective): NodeView {
  const ageMs = from.kind === "watcher" ? node.seenAgoMs : Math.max(0, from.wallMs - node.heartbeatWallMs);
  return {
    node: node.node,
    alive: node.alive && ageMs <= node.ttlMs,
    lastHeartbeatAgeMs: ageMs,
    ttlMs: node.ttlMs,
    host: node.host,
    sessionVersion: String(node.version),
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
    reasonCode: election.reason.code,
    reason: election.reason.text,
    elector: null,
    ineligibleReasons: [],
    devices: [],
    routing: [],
    conflict: null,
    candidates: election.candidates.map(({ node, priority, eligible, alive: isAlive, reason }) => ({
      node,
      priority,
      eligible,
      alive: isAlive && (nodes.get(node)?.alive ?? false),
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

function warningsOf({ unreadable, elections, collisions }: Survey): readonly string[] {
  const broken = unreadable
    .slice(0, MAX_WARNINGS)
    .map((key) => `the record ${clip(key, 200)} in the store cannot be read: it is left alone`);
  const differing = elections.flatMap(differences).slice(0, MAX_WARNINGS);
  return [...broken, ...collisions, ...differing].map((text) => clip(text, MAX_VIEW_TEXT));
}

/** Nodes that would bind different addresses for one VIP have different files. */
function differences({ name, candidates }: SurveyedElection): readonly string[] {
  const [first, ...others] = candidates;
  if (first === undefined) return [];
  const set = (addresses: readonly string[]): string => addresses.toSorted().join(", ");
  return others
    .filter((other) => set(other.addresses) !== set(first.addresses))
    .map(
      (other) => `${name}: ${first.node} would bind ${set(first.addresses)}, but ${other.node} ${set(other.addresses)}`,
    );
}
