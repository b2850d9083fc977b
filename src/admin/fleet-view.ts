// The view of a fleet from a survey of its records: the same for a daemon and for a passer-by at the store.

import { redactUrl } from "../config/store-url.ts";
import { parseHistory } from "../election/records.ts";
import type { Survey, SurveyedElection, SurveyedNode } from "../election/survey.ts";
import type { Snapshot, Store } from "../ports/store.ts";
import type { CandidateView, ElectionView, HistoryView, NodeView, StoreView } from "./views.ts";

/** What only the observing node knows of an election; a passer-by knows nothing of it. */
export type OwnPart = Pick<ElectionView, "role" | "validForMs" | "priority" | "eligible" | "conflict">;

/** What a passer-by knows. */
export const NO_PART: OwnPart = { role: null, validForMs: null, priority: null, eligible: null, conflict: null };

/** The view of one election. */
export function electionView(seen: SurveyedElection, nodes: readonly SurveyedNode[], part: OwnPart): ElectionView {
  const holder = nodes.find((node) => node.node === seen.holder);
  const telling = seen.candidates.find((candidate) => candidate.node === seen.holder) ?? seen.candidates[0];
  return {
    name: seen.name,
    addresses: telling?.addresses ?? [],
    interface: telling?.interface ?? null,
    holder: seen.holder,
    holderAlive: holder?.alive ?? null,
    token: seen.token === null ? null : String(seen.token),
    sinceWallMs: seen.sinceWallMs,
    lastBeatAgeMs: holder?.seenAgoMs ?? null,
    ttlMs: holder?.ttlMs ?? null,
    reason: seen.reason,
    candidates: seen.candidates.map(candidateView),
    history: [],
    ...part,
  };
}

/** The view of all nodes. */
export function nodeViews(surveyed: Survey): readonly NodeView[] {
  return surveyed.nodes.map(({ node, alive, seenAgoMs, ttlMs, host, version }) => ({
    node,
    alive,
    lastBeatAgeMs: seenAgoMs,
    ttlMs,
    host,
    beat: String(version),
  }));
}

/** The view of the store. */
export function storeView(url: string, store: Store, trouble: string | null): StoreView {
  return { url: redactUrl(url), ok: trouble === null, lastError: trouble, guarantees: store.guarantees };
}

/** An election's history from a read of its prefix, newest first; entries that do not parse are left out. */
export function historyViews(snapshot: Snapshot): readonly HistoryView[] {
  return snapshot.records
    .flatMap((record) => {
      const entry = parseHistory(record.value);
      return entry === undefined ? [] : [{ entry, version: record.version }];
    })
    .sort((a, b) => b.entry.seq - a.entry.seq)
    .map(({ entry, version }) => ({ atWallMs: entry.wallMs, node: entry.to, token: String(version), reason: entry.reason }));
}

/** Nodes that would bind other addresses for the same election: one sentence for each election. */
export function differences(surveyed: Survey): readonly string[] {
  return surveyed.elections.flatMap(({ name, candidates }) => {
    const sets = new Set(candidates.map((candidate) => [...candidate.addresses].sort().join(" ")));
    return sets.size < 2 ? [] : [`the nodes do not agree on the addresses of ${name}: ${[...sets].join(" | ")}`];
  });
}

function candidateView(candidate: SurveyedElection["candidates"][number]): CandidateView {
  const { node, priority, eligible, alive, reason } = candidate;
  return { node, priority, eligible, alive, reason: reason === "" ? null : reason };
}
