// Views for tests: complete, and easy to vary.

import type {
  ElectionView,
  FleetView,
  HistoryView,
  LossView,
  NodeView,
  IneligibleReasonView,
  StatusView,
  StoreView,
} from "../../../src/admin/views.ts";

const STORE: StoreView = {
  url: "sqlite:/var/lib/vipd/fleet.db",
  ok: true,
  lastError: null,
  guarantees: { name: "sqlite", minTtlMs: 500, tokenDurable: true, failoverSafe: true, caveats: [] },
};

/** An election that web1 holds, as seen from outside the fleet. */
export function electionView(change: Partial<ElectionView> = {}): ElectionView {
  return {
    name: "web",
    addresses: ["10.0.0.10/24", "2001:db8::10/64"],
    interface: "eth0",
    role: null,
    holder: "web1",
    holderAlive: true,
    token: "41",
    sinceWallMs: 1_000_000_000_000 - 133_000,
    lastHeartbeatAgeMs: 400,
    ttlMs: 3000,
    validForMs: null,
    priority: null,
    eligible: null,
    reasonCode: "vacant",
    reason: "it was free: web2 stepped down",
    elector: null,
    ineligibleReasons: [],
    devices: [],
    routing: [],
    conflict: null,
    candidates: [
      { node: "web1", priority: 150, eligible: true, alive: true, reason: null },
      { node: "web2", priority: 100, eligible: true, alive: true, reason: null },
      { node: "web3", priority: 50, eligible: false, alive: true, reason: "eth0 is down" },
    ],
    history: [],
    ...change,
  };
}

/** A loss after which somebody else took it, as web2 reported it. */
export function lossView(change: Partial<LossView> = {}): LossView {
  return {
    atWallMs: Date.UTC(2026, 10, 21, 10, 4, 59),
    reasonCode: "lease-expired",
    reason: "the lease expired before a heartbeat was confirmed",
    heldAgainAfterMs: null,
    interruptions: 0,
    interruptedMs: 0,
    ...change,
  };
}

/** web1 took it from web2, which said nothing of its loss. */
export function historyView(change: Partial<HistoryView> = {}): HistoryView {
  return {
    atWallMs: Date.UTC(2026, 10, 21, 10, 9, 8),
    from: "web2",
    to: "web1",
    token: "41",
    reasonCode: "step-down",
    reason: "step-down was requested",
    lastedMs: 133_000,
    vacantMs: 0,
    loss: null,
    interruption: null,
    ...change,
  };
}

export function ineligibleReasonView(change: Partial<IneligibleReasonView> = {}): IneligibleReasonView {
  return {
    source: "link",
    reasonCode: "link-down",
    reason: "eth0 is down",
    sinceMs: 4_000,
    forMs: null,
    ...change,
  };
}

export function nodeView(change: Partial<NodeView> = {}): NodeView {
  return {
    node: "web1",
    alive: true,
    lastHeartbeatAgeMs: 400,
    ttlMs: 3000,
    host: "web1.example",
    sessionVersion: "57",
    ...change,
  };
}

export function fleetView(change: Partial<FleetView> = {}): FleetView {
  return {
    fleet: "main",
    store: STORE,
    elections: [
      electionView(),
      electionView({
        name: "db",
        addresses: ["10.0.0.11/24"],
        holder: null,
        holderAlive: null,
        token: null,
        lastHeartbeatAgeMs: null,
        reasonCode: "first-holder",
        reason: "nobody had held it before",
        candidates: [],
      }),
    ],
    nodes: [
      nodeView(),
      nodeView({ node: "web2", host: "web2.example", lastHeartbeatAgeMs: 12, sessionVersion: "58" }),
      nodeView({ node: "web3", host: "web3.example", alive: false, lastHeartbeatAgeMs: 754_000, sessionVersion: "9" }),
    ],
    warnings: [],
    ...change,
  };
}

/** The same fleet as web1's daemon sees it. */
export function statusView(change: Partial<StatusView> = {}): StatusView {
  const fleet = fleetView();
  return {
    ...fleet,
    elections: fleet.elections.map((view) => ({
      ...view,
      role: view.holder === "web1" ? ("holder" as const) : ("candidate" as const),
      validForMs: view.holder === "web1" ? 2100 : null,
      priority: 150,
      eligible: true,
      elector: "lease",
      ineligibleReasons: view.holder === "web1" ? [] : [ineligibleReasonView()],
    })),
    version: "0.1.0",
    node: "web1",
    incarnation: "0123456789abcdef",
    session: { state: "live", validForMs: 2100 },
    fence: { kind: "netdev", flushProof: true, caveats: [] },
    ttlMs: 3000,
    checks: [],
    realServers: [],
    wakeups: [],
    ...change,
  };
}
