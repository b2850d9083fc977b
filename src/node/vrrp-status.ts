// What a daemon shows of the VIPs that VRRP decides about. There is no record of them anywhere: it is what this node holds
// and hears.

import type { CandidateView, ElectionView, HistoryView, StatusView } from "../admin/views.ts";
import { elapsedMs, type Instant } from "../base/time.ts";
import type { VipConfig } from "../config/types.ts";
import type { CheckState } from "../health/check.ts";
import { checkViews } from "./check-views.ts";
import type { FenceInfo } from "../ports/host.ts";
import type { RealServerState } from "../ports/real-server.ts";
import type { VipState } from "../vip/state.ts";
import type { Eligibility } from "./eligibility.ts";
import { conflicts, deviceViews, ineligibleReasonViews, routingViews, type StatusParts } from "./status.ts";
import type { VrrpElection } from "./vrrp-election.ts";
import type { VrrpElector } from "./vrrp-elector.ts";
import { type Machines, wakeupViews } from "./wakeup-views.ts";

/** What the views are made of. */
export interface VrrpStatusParts {
  readonly version: string;
  readonly node: string;
  readonly host: string;
  readonly fleet: string;
  readonly ttlMs: number;
  readonly fence: FenceInfo;
  readonly elector: VrrpElector;
  readonly vips: readonly VipConfig[];
  readonly isInPlace: StatusParts["isInPlace"];
  readonly checks: ReadonlyMap<string, CheckState>;
  readonly realServers: readonly RealServerState[];
  readonly holdings: VipState;
  readonly eligibility: Eligibility;
  readonly now: Instant;
  /** Whether wake-ups are shown. */
  readonly debug: boolean;
}

/** The machines of VRRP, by VIP. */
export function routersOf({ all }: VrrpElector): Machines["routers"] {
  return [...all].map(([vip, { state }]) => [vip, state] as const);
}

/** The status of a daemon without a store. */
export function statusWithoutStore(parts: VrrpStatusParts): StatusView {
  const { version, node, host, fleet, ttlMs, fence, holdings } = parts;
  const guarantees = { name: "vrrp", minTtlMs: 0, tokenDurable: false, failoverSafe: false, caveats: [] };
  const own = { node, alive: true, lastHeartbeatAgeMs: 0, ttlMs: null, host, sessionVersion: null };
  const bare: StatusView = {
    version,
    node,
    fleet,
    incarnation: "",
    session: { state: "absent", validForMs: 0 },
    store: { url: "", ok: true, lastError: null, guarantees },
    fence,
    ttlMs,
    elections: [],
    nodes: [own],
    warnings: conflicts(holdings),
    checks: checkViews(parts.checks, parts.vips, parts.now),
    realServers: parts.realServers,
    wakeups: parts.debug ? wakeupViews({ election: null, holdings, routers: routersOf(parts.elector) }, parts.now) : [],
  };
  return withVrrp(bare, parts);
}

/** A status with the VIPs of VRRP. */
export function withVrrp(view: StatusView, parts: VrrpStatusParts): StatusView {
  const { elector } = parts;
  if (elector.all.size === 0) return view;
  const leased = new Map(view.elections.map((election) => [election.name, election]));
  const elections = [...elector.all.values()].map((election): ElectionView => {
    const known = isMixed(election.name, parts) ? leased.get(election.name) : undefined;
    return known === undefined ? { ...viewOf(election, parts), history: [] } : mixedView(known, election, parts);
  });
  const names = new Set(elector.all.keys());
  const troubles = [...elector.all.values()].flatMap(({ name, trouble }) =>
    trouble === null ? [] : [`${name}: VRRP cannot take part: ${trouble}`],
  );
  return {
    ...view,
    elections: [...view.elections.filter(({ name }) => !names.has(name)), ...elections].toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    ),
    warnings: [...view.warnings, ...troubles],
  };
}

/** One VIP with the changes that this node has seen; `null`: VRRP does not decide about it. */
export function vrrpElectionView(name: string, parts: VrrpStatusParts): ElectionView | null {
  const election = parts.elector.all.get(name);
  return election === undefined || isMixed(name, parts) ? null : viewOf(election, parts);
}

function isMixed(name: string, { vips }: VrrpStatusParts): boolean {
  return vips.find((vip) => vip.name === name)?.vrrp?.kind === "lease+vrrp";
}

/** The store's view, and what VRRP says to it on the node that has the lease. */
function mixedView(view: ElectionView, { state, master }: VrrpElection, { node }: VrrpStatusParts): ElectionView {
  const both: ElectionView = { ...view, elector: "lease+vrrp" };
  if (view.role !== "holder" || state?.phase.kind === "master") return both;
  const who =
    master === null
      ? "it is not the VRRP master yet"
      : `the VRRP master ${master.source} (priority ${master.priority}) has the VIP`;
  return {
    ...both,
    role: "candidate",
    holder: master?.source ?? null,
    holderAlive: master === null ? null : true,
    token: null,
    reasonCode: "other-holder",
    reason: `${node} has the lease, and ${who}`,
  };
}

function viewOf(election: VrrpElection, parts: VrrpStatusParts): ElectionView {
  const { name, state, token, brings, master, history } = election;
  const { now, eligibility, holdings, vips, node, isInPlace } = parts;
  const vip = vips.find((other) => other.name === name);
  const phase = state?.phase;
  const holds = phase?.kind === "master";
  const ineligibleReasons = ineligibleReasonViews(eligibility, name, now);
  const why = state?.change;
  const spokenAt = holds ? election.lastSentAt : (master?.heardAt ?? null);
  const trouble = election.trouble ?? ineligibleReasons[0]?.reason ?? "it takes no part";
  return {
    name,
    addresses: vip?.addresses.map(({ ip, prefix }) => `${ip}/${prefix}`) ?? [],
    interface: vip?.vrrp?.interface ?? null,
    role: holds ? "holder" : state === null || phase?.kind === "fault" ? "idle" : "candidate",
    holder: holds ? node : (master?.source ?? null),
    holderAlive: holds || master !== null ? true : null,
    token: token === null ? null : String(token),
    sinceWallMs: history.last?.atWallMs ?? null,
    lastHeartbeatAgeMs: spokenAt === null ? null : Math.max(0, elapsedMs(spokenAt, now)),
    ttlMs: state === null ? null : 3 * state.router.intervalMs,
    validForMs: holds ? Math.max(0, elapsedMs(now, phase.holding.validUntil)) : null,
    priority: state?.priority ?? brings?.priority ?? null,
    eligible: brings === null ? null : brings.ineligible === null && election.trouble === null,
    reasonCode: why?.code ?? ineligibleReasons[0]?.reasonCode ?? "ineligible",
    reason: why?.text ?? trouble,
    elector: "vrrp",
    ineligibleReasons,
    devices: deviceViews(vip),
    routing: routingViews(vip, isInPlace),
    conflict: holdings.conflicts.get(name)?.text ?? null,
    candidates: candidatesOf(election, node, trouble),
    history: history.all.map(({ reason, token: at, ...change }): HistoryView => ({
      ...change,
      token: String(at),
      reasonCode: reason.code,
      reason: reason.text,
      lastedMs: null,
      vacantMs: null,
      loss: null,
      interruption: null,
    })),
  };
}

/** Backups are silent in VRRP: of the others, only the master is known. */
function candidatesOf(
  { state, brings, master }: VrrpElection,
  node: string,
  trouble: string,
): readonly CandidateView[] {
  const eligible = brings?.ineligible === null && state !== null;
  const priority = state?.priority ?? brings?.priority ?? 0;
  const own: CandidateView = { node, priority, eligible, alive: true, reason: eligible ? null : trouble };
  if (master === null) return [own];
  return [{ node: master.source, priority: master.priority, eligible: true, alive: true, reason: null }, own];
}
