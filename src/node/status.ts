// What a daemon shows of itself and its fleet.

import { fleetParts, historyViews } from "../admin/fleet-view.ts";
import type {
  DeviceView,
  ElectionView,
  IneligibleReasonView,
  RoutingView,
  SessionView,
  StatusView,
  StoreView,
} from "../admin/views.ts";
import { MAX_VIEW_TEXT } from "../base/bounds.ts";
import { type RoutingEntry, routingText } from "../base/routing.ts";
import { redactUrl } from "../base/store-url.ts";
import { clip } from "../base/text.ts";
import { elapsedMs, type Instant, NEVER } from "../base/time.ts";
import { warnings } from "../election/conditions.ts";
import { giveUpAt } from "../election/lease.ts";
import { effectiveCandidacy, leaseCovers } from "../election/questions.ts";
import { ownSession } from "../election/session.ts";
import type { State } from "../election/state.ts";
import type { VipConfig } from "../config/types.ts";
import type { CheckState } from "../health/check.ts";
import type { FenceInfo } from "../ports/host.ts";
import type { RealServerState } from "../ports/real-server.ts";
import type { Store } from "../ports/store.ts";
import type { VipState } from "../vip/state.ts";
import { checkViews } from "./check-views.ts";
import type { Eligibility } from "./eligibility.ts";
import { type Machines, wakeupViews } from "./wakeup-views.ts";

/** What status is made of. */
export interface StatusParts {
  readonly version: string;
  readonly storeUrl: string;
  readonly store: Store;
  readonly fence: FenceInfo;
  readonly election: State;
  readonly holdings: VipState;
  readonly eligibility: Eligibility;
  readonly vips: readonly VipConfig[];
  /** Whether a route or a rule of a VIP is set. */
  readonly isInPlace: (vip: string, entry: RoutingEntry) => boolean;
  readonly checks: ReadonlyMap<string, CheckState>;
  readonly now: Instant;
  readonly realServers: readonly RealServerState[];
  /** Of VIPs that VRRP decides about, too. */
  readonly routers: Machines["routers"];
  /** Whether wake-ups are shown. */
  readonly debug: boolean;
}

/** The whole status. */
export function statusView(parts: StatusParts): StatusView {
  const { election: state, now } = parts;
  const { mirror, keys, self, identity } = state;
  const fleet = fleetParts({ mirror, keys, ttlMs: self.ttlMs }, now, { kind: "watcher" });
  const vips = new Map(parts.vips.map((vip) => [vip.name, vip]));
  return {
    version: parts.version,
    node: self.node,
    fleet: self.fleet,
    incarnation: identity.kind === "ready" ? identity.incarnation : "",
    session: sessionView(state, now),
    store: storeView(parts),
    fence: parts.fence,
    ttlMs: self.ttlMs,
    elections: fleet.elections.map((election) => ({
      ...election,
      ...ownPart(parts, election.name, vips.get(election.name)),
    })),
    nodes: fleet.nodes,
    warnings: warningsOf(parts, fleet.warnings),
    checks: checkViews(parts.checks, parts.vips, now),
    realServers: parts.realServers,
    wakeups: parts.debug ? wakeupViews({ election: state, holdings: parts.holdings, routers: parts.routers }, now) : [],
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
  return { ...view, history: historyViews(snapshot.records) };
}

function sessionView(state: State, now: Instant): SessionView {
  const validForMs = Math.max(0, Math.round(elapsedMs(now, giveUpAt(state.validUntil, state.timings))));
  if (ownSession(state) === undefined) return { state: "absent", validForMs: 0 };
  return leaseCovers(state, now) ? { state: "live", validForMs } : { state: "lapsed", validForMs: 0 };
}

function storeView({ store, storeUrl, election }: StatusParts): StoreView {
  const { name, minTtlMs, tokenDurable, failoverSafe, caveats } = store.guarantees;
  const lastError = election.outage === null ? null : clip(election.outage.lastError, MAX_VIEW_TEXT);
  return {
    url: redactUrl(storeUrl),
    ok: lastError === null,
    lastError,
    guarantees: { name, minTtlMs, tokenDurable, failoverSafe, caveats },
  };
}

type OwnPart = Pick<
  ElectionView,
  "role" | "validForMs" | "priority" | "eligible" | "conflict" | "devices" | "routing" | "elector" | "ineligibleReasons"
>;

/** The devices of a VIP's virtual MACs. */
export function deviceViews(vip: VipConfig | undefined): readonly DeviceView[] {
  const devices = (vip?.addresses ?? []).flatMap(({ interface: name, virtualMac }) =>
    virtualMac === undefined ? [] : [[name, { name, ...virtualMac }] as const],
  );
  return [...new Map(devices).values()];
}

/** The routes and rules of a VIP. */
export function routingViews(vip: VipConfig | undefined, isInPlace: StatusParts["isInPlace"]): readonly RoutingView[] {
  if (vip?.routing === undefined) return [];
  return vip.routing.map((entry) => ({ text: routingText(entry), inPlace: isInPlace(vip.name, entry) }));
}

function ownPart(parts: StatusParts, name: string, vip: VipConfig | undefined): OwnPart {
  const { election: state, holdings, eligibility, now, isInPlace } = parts;
  const candidacy = effectiveCandidacy(state, name);
  const tenure = state.tenures.get(name);
  const holds = tenure?.phase === "on";
  return {
    role: holds ? "holder" : candidacy?.ineligible === null ? "candidate" : "idle",
    validForMs: holds ? sessionView(state, now).validForMs : null,
    priority: candidacy?.priority ?? null,
    eligible: candidacy === undefined ? null : candidacy.ineligible === null,
    devices: deviceViews(vip),
    routing: routingViews(vip, isInPlace),
    conflict: holdings.conflicts.get(name)?.text ?? null,
    elector: candidacy === undefined ? null : "lease",
    ineligibleReasons: ineligibleReasonViews(eligibility, name, now),
  };
}

/** What this host has against holding a VIP. */
export function ineligibleReasonViews(
  eligibility: Eligibility,
  vip: string,
  now: Instant,
): readonly IneligibleReasonView[] {
  return eligibility.all(vip).map(({ source, reason, since, until }) => ({
    source,
    reasonCode: reason.code,
    reason: reason.text,
    sinceMs: elapsedMs(since, now),
    forMs: until === NEVER ? null : Math.max(0, elapsedMs(now, until)),
  }));
}

/** So many sentences are shown. */
const MAX_WARNINGS = 100;

function warningsOf({ election, holdings }: StatusParts, ofFleet: readonly string[]): readonly string[] {
  const all = [...new Set([...warnings(election), ...ofFleet, ...conflicts(holdings)])];
  const more = all.length - MAX_WARNINGS;
  const shown = more > 0 ? [...all.slice(0, MAX_WARNINGS), `and ${more} more warnings`] : all;
  return shown.map((text) => clip(text, MAX_VIEW_TEXT));
}

/** Sentences about VIPs that somebody else answers for, too. */
export function conflicts({ conflicts: found }: VipState): readonly string[] {
  return [...found].map(([vip, { text }]) => `somebody else answers for ${vip}: ${text}`);
}
