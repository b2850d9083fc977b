// What a daemon, or a reader of the store, tells people about the fleet. Plain data, safe as JSON: tokens are
// decimal text, ages are milliseconds, nothing is optional (`null`: unknown, or does not apply).

import type { CheckView } from "./check-view.ts";
import type { RealServerView } from "./real-server-view.ts";

/** The store as the observer sees it. */
export interface StoreView {
  /** Without user, password or secrets in its query. */
  readonly url: string;
  /** Whether the last call to it worked. */
  readonly ok: boolean;
  /** What it said when it last failed; `null` when it works. */
  readonly lastError: string | null;
  readonly guarantees: {
    readonly name: string;
    readonly minTtlMs: number;
    readonly tokenDurable: boolean;
    readonly failoverSafe: boolean;
    readonly caveats: readonly string[];
  };
}

/** A node's part in an election. */
export interface CandidateView {
  readonly node: string;
  /** Effective priority, 0 to 255. */
  readonly priority: number;
  readonly eligible: boolean;
  /** Its session is alive. */
  readonly alive: boolean;
  /** Why it is not eligible; `null` when it is. */
  readonly reason: string | null;
}

/** An ownership change. */
export interface HistoryView {
  readonly atWallMs: number;
  /** Who held it until then; `null`: nobody. */
  readonly from: string | null;
  /** Who held it from then on; `null`: nobody. */
  readonly to: string | null;
  /** Fencing token from then on, in decimal. */
  readonly token: string;
  /** A stable code, and a text for people. */
  readonly reasonCode: string;
  readonly reason: string;
  /** How long it had been held, or free, until then, by wall clocks; `null`: not known. */
  readonly lastedMs: number | null;
  /** How long nobody held it until then; `null`: not known. */
  readonly vacantMs: number | null;
  /** What the former holder itself said of its loss, when it lost it unwillingly; `null`: nothing. */
  readonly loss: LossView | null;
  /** What the holder since then said of having lost it, when nobody else has taken it after that: it may hold it again. */
  readonly interruption: LossView | null;
}

/** What a holder said of having lost an election. */
export interface LossView {
  readonly atWallMs: number;
  readonly reasonCode: string;
  readonly reason: string;
  /** How long nobody held it until the same node did again; `null`: it did not. */
  readonly heldAgainAfterMs: number | null;
  /** How often that has been under this ownership, and for how long in all. */
  readonly interruptions: number;
  readonly interruptedMs: number;
}

/** Why this node does not hold a VIP itself, by one source. */
export interface IneligibleReasonView {
  /**
   * Who says so: `link`, `hold-backoff`, `flapping`, `preempt-backoff`, `check`, `maintenance`, `startup`, `address`, `arp-settings`.
   */
  readonly source: string;
  readonly reasonCode: string;
  readonly reason: string;
  /** For how long it has lasted, and still lasts at most; `null`: until its source says otherwise. */
  readonly sinceMs: number;
  readonly forMs: number | null;
}

/** A device with a virtual MAC that carries addresses of a VIP on the observing node, while it holds it. */
export interface DeviceView {
  readonly name: string;
  readonly mac: string;
  /** The interface below it. */
  readonly parent: string;
}

/** A route or a rule that comes and goes with a VIP, by the observing node's configuration. */
export interface RoutingView {
  /** As `ip` writes it. */
  readonly text: string;
  /** Whether it is set here now: a node that does not hold the VIP has none of its. */
  readonly inPlace: boolean;
}

/** What the observing node does in an election; keepalived's words for the first two are MASTER and BACKUP. */
export type Role = "holder" | "candidate" | "idle";

/** One election, with the VIP that it moves. */
export interface ElectionView {
  readonly name: string;
  /** In CIDR form; empty for an election without a VIP. */
  readonly addresses: readonly string[];
  readonly interface: string | null;
  /** The part of the observing node; `null` when the observer is no node. */
  readonly role: Role | null;
  /** Who holds it by the store's record; `null`: it is free. */
  readonly holder: string | null;
  /** Whether the holder's session is alive; `null`: nobody holds it, or the observer cannot tell yet. */
  readonly holderAlive: boolean | null;
  /** Fencing token in decimal. */
  readonly token: string | null;
  /** Since when it is held, or free, by the wall clock of who wrote it. */
  readonly sinceWallMs: number | null;
  /** Age of the holder's last heartbeat. */
  readonly lastHeartbeatAgeMs: number | null;
  /** The holder's lease. */
  readonly ttlMs: number | null;
  /** How long the observing node may hold on without another heartbeat; `null` when it is not the holder. */
  readonly validForMs: number | null;
  /** The observing node's effective priority and eligibility; `null` when it is no candidate. */
  readonly priority: number | null;
  readonly eligible: boolean | null;
  /** Why it is held, or free: a stable code, and a text for people. */
  readonly reasonCode: string;
  readonly reason: string;
  /** Who decides: `lease`, `vrrp`, or both; `null`: the observer cannot tell. */
  readonly elector: string | null;
  /** Why the observing node does not hold it, by the node's own sources. */
  readonly ineligibleReasons: readonly IneligibleReasonView[];
  /** The devices with its virtual MACs, by the observing node's configuration. */
  readonly devices: readonly DeviceView[];
  /** Its routes and rules, by the observing node's configuration. */
  readonly routing: readonly RoutingView[];
  /** Hardware addresses of foreign stations that answer for the VIP. */
  readonly conflict: string | null;
  readonly candidates: readonly CandidateView[];
  /** The last ownership changes, newest first; empty in the view of the whole fleet. */
  readonly history: readonly HistoryView[];
}

/** One node of the fleet. */
export interface NodeView {
  readonly node: string;
  readonly alive: boolean;
  readonly lastHeartbeatAgeMs: number | null;
  readonly ttlMs: number | null;
  readonly host: string;
  /** Version of its session's record: another one means another heartbeat. `null`: not known. */
  readonly sessionVersion: string | null;
}

/** The fleet, from wherever it is seen. */
export interface FleetView {
  readonly fleet: string;
  readonly store: StoreView;
  readonly elections: readonly ElectionView[];
  readonly nodes: readonly NodeView[];
  /** Sentences that ask for somebody's help. */
  readonly warnings: readonly string[];
}

/** A node's session: its lease for all it holds. */
export interface SessionView {
  readonly state: "absent" | "live" | "lapsed";
  /** How long the lease surely lasts without another heartbeat; 0 when it does not. */
  readonly validForMs: number;
}

/** The kernel fence of a host. */
export interface FenceView {
  readonly kind: "netdev" | "inet";
  readonly flushProof: boolean;
  readonly caveats: readonly string[];
}

/** The fleet as a daemon sees it, with what only that daemon knows. */
export interface StatusView extends FleetView {
  readonly version: string;
  readonly node: string;
  readonly incarnation: string;
  readonly session: SessionView;
  readonly fence: FenceView;
  readonly ttlMs: number;
  /** What this node looks at. */
  readonly checks: readonly CheckView[];
  /** The VIPs of which this host is a real server, as they stood when the daemon last looked. */
  readonly realServers: readonly RealServerView[];
  /** Who wants to be woken and when: shown while the daemon logs at level debug. */
  readonly wakeups: readonly { readonly name: string; readonly inMs: number }[];
}

/** Asks the daemon to hand an election over. */
export interface StepDownRequest {
  readonly election: string;
  /** To whom; `null`: to the best candidate. */
  readonly to: string | null;
}

/** What came of it: `accepted` means that the handover is under way. */
export interface StepDownView {
  readonly accepted: boolean;
  /** Why not; or what happens now. */
  readonly reason: string;
}

/** Begins or ends maintenance: the node holds none of these until it is ended, also over restarts. */
export interface MaintenanceRequest {
  readonly on: boolean;
  /** The VIP; `null`: all of this node. */
  readonly vip: string | null;
  /** For people. */
  readonly reason: string;
}

/** What came of it. */
export interface MaintenanceView {
  readonly accepted: boolean;
  /** Why not; or what happens now. */
  readonly reason: string;
}

/** Which daemon it is. */
export interface VersionView {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
}

/** What a failed request is answered with. */
export interface FailureView {
  readonly error: { readonly code: string; readonly message: string };
}
