// What a daemon shows of itself and its fleet.

import { differences, electionView, historyViews, nodeViews, type OwnPart, storeView } from "../admin/fleet-view.ts";
import type { ElectionView, SessionView, StatusView } from "../admin/views.ts";
import { elapsedMs, type Instant } from "../base/time.ts";
import { giveUpAt } from "../election/lease.ts";
import { warnings } from "../election/notices.ts";
import { ownSession } from "../election/session.ts";
import type { State } from "../election/state.ts";
import { survey } from "../election/survey.ts";
import { effectiveCandidacy, leaseCovers } from "../election/tenure.ts";
import type { FenceInfo } from "../ports/host.ts";
import type { Store } from "../ports/store.ts";
import type { VipState } from "../vip/state.ts";

/** What status is made of. */
export interface StatusParts {
  readonly version: string;
  readonly storeUrl: string;
  readonly store: Store;
  readonly fence: FenceInfo;
  readonly election: State;
  readonly holdings: VipState;
  readonly now: Instant;
}

/** The whole status. */
export function statusView(parts: StatusParts): StatusView {
  const { election: state, now } = parts;
  const surveyed = survey(state.mirror, state.keys, state.self.ttlMs, now);
  return {
    version: parts.version,
    node: state.self.node,
    fleet: state.self.fleet,
    incarnation: state.identity.kind === "ready" ? state.identity.incarnation : "",
    session: sessionView(state, now),
    store: storeView(parts.storeUrl, parts.store, state.storeTrouble),
    fence: parts.fence,
    ttlMs: state.self.ttlMs,
    elections: surveyed.elections.map((seen) => electionView(seen, surveyed.nodes, ownPart(parts, seen.name))),
    nodes: nodeViews(surveyed),
    warnings: [...warnings(state), ...differences(surveyed), ...conflicts(parts.holdings)],
  };
}

/** One election with its history, read from the store; `null` when there is none of that name. */
export async function electionWithHistory(parts: StatusParts, name: string, timeoutMs: number): Promise<ElectionView | null> {
  const view = statusView(parts).elections.find((election) => election.name === name);
  if (view === undefined) return null;
  const snapshot = await parts.store.read(parts.election.keys.historyOf(name), { timeoutMs });
  return { ...view, history: historyViews(snapshot) };
}

function sessionView(state: State, now: Instant): SessionView {
  const validForMs = Math.max(0, Math.round(elapsedMs(now, giveUpAt(state.validUntil, state.rhythm))));
  if (ownSession(state) === undefined) return { state: "absent", validForMs: 0 };
  return leaseCovers(state, now) ? { state: "live", validForMs } : { state: "lapsed", validForMs: 0 };
}

function ownPart({ election: state, holdings, now }: StatusParts, name: string): OwnPart {
  const candidacy = effectiveCandidacy(state, name, now);
  const tenure = state.tenures.get(name);
  const holding = holdings.holdings.get(name);
  const holds = tenure?.phase === "on";
  return {
    role: holds ? "holder" : candidacy?.eligible === true ? "candidate" : "idle",
    validForMs: holds ? sessionView(state, now).validForMs : null,
    priority: candidacy?.priority ?? null,
    eligible: candidacy?.eligible ?? null,
    conflict: holding?.phase === "on" ? holding.conflict : null,
  };
}

function conflicts(holdings: VipState): readonly string[] {
  return [...holdings.holdings].flatMap(([vip, holding]) =>
    holding.phase === "on" && holding.conflict !== null ? [`somebody else answers for ${vip}: ${holding.conflict}`] : [],
  );
}
