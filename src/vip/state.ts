// What a host does for its VIPs: the state, the events that move it, and the effects it asks of the kernel.
//
// The state is owned by the machine, which changes it in place: a host may hold thousands of VIPs.

import type { Reason } from "../base/reasons.ts";
import type { RoutingEntry } from "../base/routing.ts";
import type { Instant } from "../base/time.ts";
import type { AnnouncePolicy, VipAddress } from "../base/vip.ts";
import { Wakeups } from "../base/wakeups.ts";
import type { Schedule } from "./announcing.ts";

/** A VIP as this host would hold it. */
export interface VipPlan {
  readonly name: string;
  readonly addresses: readonly VipAddress[];
  readonly announce: AnnouncePolicy;
  /** Routes and rules that come and go with it; absent: none. */
  readonly routing?: readonly RoutingEntry[];
}

/**
 * What the host does for one VIP; no entry: the fence is closed and no address of it is bound. `addresses` are those
 * that were bound and opened: a new plan may have others, but what was opened is what must be closed.
 */
export type Holding =
  /** About to be bound, or bound and about to be opened. */
  | { readonly phase: "opening"; readonly addresses: readonly VipAddress[]; readonly deadline: number }
  /** Bound, open, announced. */
  | {
      readonly phase: "on";
      readonly addresses: readonly VipAddress[];
      readonly deadline: number;
      readonly schedule: Schedule;
    }
  /** Closing, or the kernel refused that and is asked again. The kernel closes by itself at `until`. */
  | {
      readonly phase: "closing";
      readonly addresses: readonly VipAddress[];
      readonly until: Instant;
      readonly reason: Reason;
      /** Under which deadline it may be open still; `null`: under one of a former process. */
      readonly deadline: number | null;
    };

/** A deadline that the VIPs of one lease share, by the number that their elector has for it. */
export interface Deadline {
  /** The fence's own number. An address that the kernel would not close stays open under it: so it is extended no more, and another one takes its place. */
  readonly number: number;
  readonly isTainted: boolean;
  /** The fence is open until then for all that is open under it. */
  readonly until: Instant;
  /** How often in a row it could not be extended in time. */
  readonly failures: number;
  /** When the lifetimes of its addresses are refreshed. */
  readonly refreshAt: Instant;
}

/** Stations that answer for one VIP. */
export interface Conflict {
  /** For people: the first few hardware addresses, and how many more. */
  readonly text: string;
  /** Hardware addresses, at most MAX_KNOWN (conflicts.ts). */
  readonly stations: ReadonlySet<string>;
  readonly heardAt: Instant;
  /** What the log was told last, and when. */
  readonly noted: { readonly text: string; readonly at: Instant };
  /** When this host last announced itself against them. */
  readonly defendedAt: Instant;
}

/** All VIPs of the host. */
export interface VipState {
  readonly plans: Map<string, VipPlan>;
  readonly holdings: Map<string, Holding>;
  /** By VIP that is held: the addresses that may be answered for, without prefixes, and the virtual MACs. */
  readonly granted: Map<string, ReadonlySet<string>>;
  readonly deadlines: Map<number, Deadline>;
  /** By VIP that is held: others that answer for it too. */
  readonly conflicts: Map<string, Conflict>;
  /** The fence's number of the next deadline: no former process had it. */
  nextNumber: number;
  /** By address and interface, and by address: the VIP that has it; by interface: the VIPs that live there. */
  readonly byPlace: Map<string, string>;
  readonly byAddress: Map<string, string>;
  readonly byLink: Map<string, Set<string>>;
  /** The interfaces on whose wires VIPs are answered for: with a virtual MAC those below its device. */
  readonly wires: Set<string>;
  /** VIPs whose lifetimes are still to be refreshed in this round. */
  readonly refreshing: string[];
  /** VIPs that are held and have addresses to let go; and those that have some to gain, once all of these are gone. */
  readonly shrinking: Set<string>;
  readonly growing: Set<string>;
  readonly wakeups: Wakeups;
}

/** What happens to VIPs. */
export type VipEvent =
  | { readonly type: "tick" }
  /** These are the VIPs of this host from now on; what is held and not among them stays held until it is lost. */
  | { readonly type: "plan"; readonly plans: readonly VipPlan[] }
  | { readonly type: "gain"; readonly grants: readonly VipGrant[]; readonly deadline: number; readonly until: Instant }
  /** Other addresses of held VIPs may be answered for than before. */
  | { readonly type: "confirm"; readonly grants: readonly VipGrant[] }
  /** The lease grew: all that is held under the deadline may be held until then. */
  | { readonly type: "extend"; readonly deadline: number; readonly until: Instant }
  | { readonly type: "lose"; readonly losses: readonly VipLoss[] }
  /** Their addresses are bound. */
  | { readonly type: "bound"; readonly vips: readonly string[] }
  /** The deadline is `until`, and these are open under it. */
  | { readonly type: "opened"; readonly vips: readonly string[]; readonly deadline: number; readonly until: Instant }
  /** The fence could not be opened or extended in time; it is as before. */
  | { readonly type: "too-late"; readonly vips: readonly string[]; readonly deadline: number; readonly until: Instant }
  /** Their fences are closed and no address of theirs is bound. */
  | { readonly type: "closed"; readonly vips: readonly string[] }
  /** Addresses of VIPs that are held on are closed, and not bound any more. */
  | { readonly type: "dropped"; readonly drops: readonly VipDrop[] }
  /** The kernel refused a step. `isOpen`: it refused to close the fence. */
  | { readonly type: "failed"; readonly vip: string; readonly message: string; readonly isOpen?: boolean }
  /** The kernel refused to set a deadline. */
  | { readonly type: "extend-failed"; readonly deadline: number; readonly message: string }
  | { readonly type: "address-added"; readonly ip: string; readonly interface: string }
  | { readonly type: "address-removed"; readonly ip: string; readonly interface: string }
  /** A route or a rule of the VIP's is gone. */
  | { readonly type: "routing-removed"; readonly vip: string }
  | { readonly type: "link-up"; readonly interface: string }
  /** Neighbours may have learned another way to a held VIP. */
  | { readonly type: "announce-anew"; readonly vip: string }
  /** The kernel's news may have been lost: compare everything. */
  | { readonly type: "resync" }
  /** Hardware addresses of others that claim the VIP, heard without having asked. */
  | { readonly type: "heard"; readonly vip: string; readonly others: readonly string[] }
  /** Hardware addresses of others that answered for the VIP; none: a probe found nobody. */
  | { readonly type: "probed"; readonly vip: string; readonly others: readonly string[] };

/** A VIP, and the addresses of it that this host may answer for, without prefixes. */
export interface VipGrant {
  readonly vip: string;
  readonly addresses: readonly string[];
}

/** Addresses that a VIP has not any more, while it is held on. */
export interface VipDrop {
  readonly vip: string;
  readonly addresses: readonly VipAddress[];
}

/** A VIP that must not be held any more. */
export interface VipLoss {
  readonly vip: string;
  readonly reason: Reason;
  /** What is still bound for it although its plan, if it has one, does not name it: a former process had another file. */
  readonly left?: readonly VipAddress[];
}

/** What is asked of the kernel, in order; each is answered by events before the next external one. */
export type VipEffect =
  /** Add their addresses, or refresh their lifetimes, then their routes: "bound", and "failed" for each that the kernel refused. */
  | { readonly type: "bind"; readonly vips: readonly string[]; readonly lifetimeMs: number }
  /** Refresh lifetimes, and put back routes that are gone: only failures are answered. */
  | { readonly type: "refresh"; readonly vips: readonly string[]; readonly lifetimeMs: number }
  /** Make their routes and rules what their plans have: only failures are answered. */
  | { readonly type: "route"; readonly vips: readonly string[] }
  /** Open these under the fence's deadline `number`, and extend it: "opened", "too-late", "failed" or "extend-failed". */
  | {
      readonly type: "open";
      readonly vips: readonly string[];
      readonly deadline: number;
      readonly number: number;
      readonly until: Instant;
    }
  | { readonly type: "announce"; readonly vips: readonly string[] }
  | { readonly type: "probe"; readonly vips: readonly string[] }
  /** Close the fence, then remove routes, then unbind: "closed", and "failed" for each that the kernel refused. */
  | { readonly type: "close"; readonly vips: readonly string[] }
  /** Close and unbind some addresses of VIPs that are held on: "dropped", and "failed" for each that the kernel refused. */
  | { readonly type: "drop"; readonly drops: readonly VipDrop[] }
  /** Close and unbind what is not ours to hold, with whatever prefix somebody has bound it. */
  | { readonly type: "sweep"; readonly vips: readonly string[] }
  /** They answer now. */
  | { readonly type: "held"; readonly vips: readonly string[] }
  /** They have let addresses go, and are held on. */
  | { readonly type: "shrunk"; readonly vips: readonly string[] }
  /** They surely do not answer any more. */
  | { readonly type: "released"; readonly losses: readonly VipLoss[] }
  /** The host cannot hold it for now. */
  | { readonly type: "hold-failed"; readonly vip: string; readonly reason: Reason }
  /** Another station answers for it, or does not any more (`null`); told at most once a minute while it lasts. */
  | { readonly type: "conflict"; readonly vip: string; readonly others: string | null }
  | { readonly type: "note"; readonly vip: string; readonly level: "info" | "warning"; readonly text: string };

/** A host without VIPs. `firstNumber`: a number for the fence's first deadline that no former process had, 32 bits. */
export function initialVips(firstNumber: number): VipState {
  return {
    plans: new Map(),
    holdings: new Map(),
    granted: new Map(),
    deadlines: new Map(),
    conflicts: new Map(),
    nextNumber: firstNumber >>> 0,
    byPlace: new Map(),
    byAddress: new Map(),
    byLink: new Map(),
    wires: new Set(),
    refreshing: [],
    shrinking: new Set(),
    growing: new Set(),
    wakeups: new Wakeups(),
  };
}
