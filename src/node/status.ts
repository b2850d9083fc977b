// What a daemon shows of itself and its fleet.

import { fleetParts, historyViews } from "../admin/fleet-view.ts";
import type { ElectionView, SessionView, StatusView, StoreView } from "../admin/views.ts";
import { parseHistory } from "../election/records.ts";
import { redactUrl } from "../config/store-url.ts";
import { elapsedMs, type Instant } from "../base/time.ts";
import { giveUpAt } from "../election/lease.ts";
import { warnings } from "../election/notices.ts";
import { ownSession } from "../election/session.ts";
import type { State } from "../election/state.ts";
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
  const fleet = fleetParts(state.mirror, state.keys, state.self.ttlMs, now, { kind: "watcher" });
  return {
    version: parts.version,
    node: state.self.node,
    fleet: state.self.fleet,
    incarnation: state.identity.kind === "ready" ? state.identity.incarnation : "",
    session: sessionView(state, now),
    store: storeView(parts),
    fence: parts.fence,
    ttlMs: state.self.ttlMs,
    elections: fleet.elections.map((election) => ({ ...election, ...ownPart(parts, election.name) })),
    nodes: fleet.nodes,
    warnings: [...warnings(state), ...fleet.warnings, ...conflicts(parts.holdings)],
  };
}

/** One election with its history, read from the store; `null` when there is none of that name. */
export async function electionWithHistory(
  parts: StatusParts,
  name: string,
  timeoutMs: number,
): Promise<ElectionView | null> {
  const view = statusView(parts).elections.find((election) => election.name === name);
  if (view === undefined) return null;
  const snapshot = await parts.store.read(parts.election.keys.historyOf(name), { timeoutMs });
  return { ...view, history: historyViews(snapshot.records.flatMap((record) => parseHistory(record.value) ?? [])) };
}

function sessionView(state: State, now: Instant): SessionView {
  const validForMs = Math.max(0, Math.round(elapsedMs(now, giveUpAt(state.validUntil, state.timings))));
  if (ownSession(state) === undefined) return { state: "absent", validForMs: 0 };
  return leaseCovers(state, now) ? { state: "live", validForMs } : { state: "lapsed", validForMs: 0 };
}

function storeView({ store, storeUrl, election }: StatusParts): StoreView {
  const { name, minTtlMs, tokenDurable, failoverSafe, caveats } = store.guarantees;
  const lastError = election.storeError;
  return {
    url: redactUrl(storeUrl),
    ok: lastError === null,
    lastError,
    guarantees: { name, minTtlMs, tokenDurable, failoverSafe, caveats },
  };
}

type OwnPart = Pick<ElectionView, "role" | "validForMs" | "priority" | "eligible" | "conflict">;

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
    holding.phase === "on" && holding.conflict !== null
      ? [`somebody else answers for ${vip}: ${holding.conflict}`]
      : [],
  );
}
