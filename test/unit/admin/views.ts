// Views for tests: complete, and easy to vary.

import type { ElectionView, FleetView, NodeView, StatusView, StoreView } from "../../../src/admin/views.ts";

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
    reason: "acquired: it was free",
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

export function nodeView(change: Partial<NodeView> = {}): NodeView {
  return {
    node: "web1",
    alive: true,
    lastHeartbeatAgeMs: 400,
    ttlMs: 3000,
    host: "web1.example",
    heartbeat: "57",
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
        reason: "never held",
        candidates: [],
      }),
    ],
    nodes: [
      nodeView(),
      nodeView({ node: "web2", host: "web2.example", lastHeartbeatAgeMs: 12, heartbeat: "58" }),
      nodeView({ node: "web3", host: "web3.example", alive: false, lastHeartbeatAgeMs: 754_000, heartbeat: "9" }),
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
    })),
    version: "0.1.0",
    node: "web1",
    incarnation: "0123456789abcdef",
    session: { state: "live", validForMs: 2100 },
    fence: { kind: "netdev", flushProof: true, caveats: [] },
    ttlMs: 3000,
    ...change,
  };
}
