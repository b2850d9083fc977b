// What a host does for its VIPs: the state, the events that move it, and the effects it asks of the kernel.

import type { VipAddress } from "../base/vip.ts";
import type { Instant } from "../base/time.ts";
import type { AnnouncePolicy, Schedule } from "./announcing.ts";

/** A VIP as this host would hold it. */
export interface VipPlan {
  readonly name: string;
  readonly addresses: readonly VipAddress[];
  readonly announce: AnnouncePolicy;
}

/**
 * What the host does for one VIP; no entry: the fence is closed and no address of it is bound. `addresses` are those
 * that it began with: a new plan may have others, but what was opened is what must be closed.
 */
export type Holding =
  /** Bound; the fence is about to open. */
  | {
      readonly phase: "opening";
      readonly addresses: readonly VipAddress[];
      readonly until: Instant;
      readonly tries: number;
    }
  /** Bound, open until `until`, announced. */
  | {
      readonly phase: "on";
      readonly addresses: readonly VipAddress[];
      readonly until: Instant;
      readonly tries: number;
      readonly schedule: Schedule;
      readonly conflict: string | null;
    }
  /** Closing, or the kernel refused that; tried again at `retryAt`. The kernel closes by itself at `until`. */
  | {
      readonly phase: "closing";
      readonly addresses: readonly VipAddress[];
      readonly until: Instant;
      readonly reason: string;
      readonly retryAt: Instant;
    };

/** All VIPs of the host. Immutable. */
export interface VipState {
  readonly plans: ReadonlyMap<string, VipPlan>;
  readonly holdings: ReadonlyMap<string, Holding>;
}

/** What happens to VIPs. */
export type VipEvent =
  | { readonly type: "tick" }
  /** These are the VIPs of this host from now on; what is held and not among them must have been lost before. */
  | { readonly type: "plan"; readonly plans: readonly VipPlan[] }
  | { readonly type: "gain"; readonly vip: string; readonly until: Instant }
  /** The lease grew: all that is held may be held until then. */
  | { readonly type: "extend"; readonly until: Instant }
  | { readonly type: "lose"; readonly vip: string; readonly reason: string }
  /** The fence is open for these until `until`. */
  | { readonly type: "opened"; readonly vips: readonly string[]; readonly until: Instant }
  /** The fence could not be opened or extended in time; it is as before. */
  | { readonly type: "too-late"; readonly vips: readonly string[]; readonly until: Instant }
  /** The fence is closed and no address is bound. */
  | { readonly type: "closed"; readonly vip: string }
  /** The kernel refused a step. */
  | { readonly type: "failed"; readonly vip: string; readonly message: string }
  | { readonly type: "address-added"; readonly ip: string; readonly interface: string }
  | { readonly type: "address-removed"; readonly ip: string; readonly interface: string }
  | { readonly type: "link-up"; readonly interface: string }
  /** The kernel's news may have been lost: compare everything. */
  | { readonly type: "resync" }
  /** Hardware addresses of others that answered for the VIP. */
  | { readonly type: "probed"; readonly vip: string; readonly others: readonly string[] };

/** What is asked of the kernel, in order; each is answered by an event before the next external one. */
export type VipEffect =
  /** Add these addresses, or refresh their lifetime. */
  | { readonly type: "bind"; readonly vip: string; readonly lifetimeMs: number }
  /** Open or extend the fence for all of these at once: "opened", "too-late" or "failed". */
  | { readonly type: "open"; readonly vips: readonly string[]; readonly until: Instant }
  | { readonly type: "announce"; readonly vip: string }
  | { readonly type: "probe"; readonly vip: string }
  /** Close the fence, then unbind: "closed" or "failed". */
  | { readonly type: "close"; readonly vip: string }
  /** Unbind what is not ours to hold. */
  | { readonly type: "sweep"; readonly vip: string }
  /** It answers now. */
  | { readonly type: "held"; readonly vip: string }
  /** It surely does not answer any more. */
  | { readonly type: "released"; readonly vip: string; readonly reason: string }
  /** The host cannot hold it for now. */
  | { readonly type: "unfit"; readonly vip: string; readonly reason: string }
  | { readonly type: "note"; readonly vip: string; readonly level: "info" | "warning"; readonly text: string };
