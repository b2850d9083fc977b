// What who-owns finds out.

import type { ElectionView, FleetView } from "../admin/views.ts";

/** What was found for one address. */
export interface WireFinding {
  readonly ip: string;
  readonly agrees: boolean;
  /** For people. */
  readonly text: string;
  /** Hardware addresses of other hosts that answer. */
  readonly answeredBy: readonly string[];
  readonly boundHere: boolean;
}

/** What was found for all addresses of a VIP. */
export interface WireVerdict {
  readonly agrees: boolean;
  readonly findings: readonly WireFinding[];
}

/** Everything that who-owns found out. */
export interface Owner {
  readonly view: FleetView;
  readonly election: ElectionView;
  readonly via: "daemon" | "store";
  /** Whether a new heartbeat of the holder was seen; `null`: not asked for. */
  readonly confirmed: boolean | null;
  /** Who held it when the heartbeat was waited for, where another one (or nobody) does now; `null`: it has not moved. */
  readonly formerHolder: string | null;
  /** What the wire says; `null`: not asked for. */
  readonly wire: WireVerdict | null;
}
