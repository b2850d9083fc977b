// The state of one virtual router, the events that move it, and the effects it asks for.

import { type Reason, type ReasonCode, reason } from "../base/reasons.ts";
import { type Instant, later } from "../base/time.ts";
import type { VrrpAdvert } from "../base/vrrp.ts";
import type { VrrpFault } from "../wire/vrrp-fault.ts";
import type { HeardAdvert } from "./judge.ts";
import { NO_NOTES, type Note, type Notes } from "./notes.ts";
import type { VrrpRouter } from "./router.ts";

/** Another router that speaks as the master. */
export interface Rival {
  /** Canonical text. */
  readonly source: string;
  readonly priority: number;
  readonly heardAt: Instant;
}

/** What a router that does not speak knows of the master. */
export interface Listening {
  /** When silence means that there is no master. */
  readonly masterDownAt: Instant;
  /** From then on a master that need not be obeyed is replaced, when it is heard. */
  readonly preemptFrom: Instant;
  /** The master's interval: learned in version 3, configured in version 2. */
  readonly masterIntervalMs: number;
  /** The last one that was heard as master, with priority 0 when it said farewell; `null`: none was heard. */
  readonly master: Rival | null;
  /** A master of lower priority is obeyed until then; `null`: none was heard. */
  readonly preemptDelayUntil: Instant | null;
  /** This router stepped down: until then it leaves masters of lower priority alone. */
  readonly preemptSuppressedUntil: Instant;
  /** It is about to take over, and has asked the integrator to drain the sockets; `null`: it is not. */
  readonly takeover: Takeover | null;
  /** The time ran out while this host slept, and was given once more. */
  readonly overslept: boolean;
}

/** A takeover that waits for the sockets to be drained. */
export interface Takeover {
  readonly askedAt: Instant;
  readonly why: Extract<ReasonCode, "master-down" | "master-left" | "lower-master">;
}

/** A master's holding. */
export interface Holding {
  /** When its first advert left. */
  readonly since: Instant;
  /** The end of the lease that its adverts give. */
  readonly validUntil: Instant;
  /** Another router that goes on as master; `null`: there is none. */
  readonly rival: Rival | null;
  readonly rivalGoneAt: Instant;
}

/** What is known of whether a former master answers still. `at`: when that began. */
export interface Inquiry {
  /** The wire is asked then (`NEVER`: when the claim has left); it was asked; nobody answers or may, and the sockets are drained. */
  readonly kind: "due" | "asked" | "over";
  readonly at: Instant;
  /** Until the next question, in milliseconds. */
  readonly pauseMs: number;
}

/** A master that is known to live, and that a claim replaces. */
export interface Former {
  /** As it was heard last. */
  readonly rival: Rival;
  /** By no advert that was heard may anybody hold from then on. */
  readonly lapsesAt: Instant;
  readonly inquiry: Inquiry;
}

/** What a router that speaks has to remember. */
export interface Speaking {
  /** When it became the master. */
  readonly claimedAt: Instant;
  /** Adverts that were sent earlier than this had other contents. */
  readonly spokeAt: Instant;
  /** No answer to other masters before this. */
  readonly silentUntil: Instant;
}

/** It speaks as master, and holds nothing before an advert has left and the former master has let go. */
export interface Claiming {
  readonly kind: "claiming";
  readonly speaking: Speaking;
  /** Its last advert; `null`: none has left. */
  readonly sentAt: Instant | null;
  /** Who must have let go before it holds anything; `null`: nobody is known to live. */
  readonly former: Former | null;
}

/** Where a router stands. keepalived's words are BACKUP, MASTER and FAULT. */
export type Phase =
  /** The startup delay. */
  | { readonly kind: "initialize"; readonly startAt: Instant }
  | { readonly kind: "backup"; readonly listening: Listening }
  | Claiming
  | { readonly kind: "master"; readonly speaking: Speaking; readonly holding: Holding }
  /** It speaks no more, and waits for the host to let go. */
  | {
      readonly kind: "releasing";
      readonly next: "backup" | "fault" | "stopped";
      /** Why it goes to `next`. */
      readonly change: Reason;
      /** Whether an advert of priority 0 follows. */
      readonly farewell: boolean;
      readonly listening: Listening;
      /** The end of the back-off, for "fault". */
      readonly until: Instant;
    }
  /** It may not hold the addresses, or could not, and then tries again at `until`. */
  | { readonly kind: "fault"; readonly until: Instant }
  | { readonly kind: "stopped" };

/** Everything a virtual router knows. Immutable. */
export interface VrrpState {
  readonly router: VrrpRouter;
  /** The effective priority. */
  readonly priority: number;
  /** Why the host may not hold the addresses; `null`: it may. */
  readonly ineligible: Reason | null;
  readonly phase: Phase;
  /** The last change of phase. */
  readonly change: Reason;
  readonly changedAt: Instant;
  /** How often in a row the host could not hold the addresses. */
  readonly failures: number;
  readonly notes: Notes;
}

/** What happens to a virtual router. */
export type VrrpEvent =
  | { readonly type: "tick" }
  /** A well-formed and authentic advert of this router id. */
  | ({ readonly type: "advert" } & HeardAdvert)
  /** A packet of this router id that is no such advert. */
  | { readonly type: "refused"; readonly fault: VrrpFault; readonly source: string }
  /** All that had arrived when "drain" was asked for has been handed in. */
  | { readonly type: "drained" }
  /** Whether nobody answers for the addresses: what was asked at `askedAt`. `false`: somebody does, or nobody knows. */
  | { readonly type: "answered"; readonly askedAt: Instant; readonly isSilent: boolean }
  /** An advert left; `at` was read before it was handed to the socket. */
  | { readonly type: "sent"; readonly at: Instant }
  | { readonly type: "send-failed"; readonly message: string }
  /** The sender fell silent by itself, since this program gave no sign of life in time. */
  | { readonly type: "silenced" }
  /** The effective priority, 1 to 254; without effect for an owner. */
  | { readonly type: "priority"; readonly priority: number }
  /** Whether the host may hold the addresses: a reason speaks against it, `null` says that nothing does. */
  | { readonly type: "fitness"; readonly ineligible: Reason | null }
  /** The host confirms: the fence is closed and the addresses are gone. It answers "lose". */
  | { readonly type: "released" }
  /** The host could not hold the addresses, or no longer. */
  | { readonly type: "unable" }
  /** The host let go of the addresses since it was too slow to extend its hold on them. */
  | { readonly type: "too-slow" }
  /** The former master has given way to this router, as the integrator knows by another channel. */
  | { readonly type: "given-way" }
  | { readonly type: "step-down"; readonly reason: Reason }
  | { readonly type: "stop"; readonly reason: Reason }
  /** Another configuration; id, version and family stay. The priority becomes the configured one again. */
  | { readonly type: "configure"; readonly router: VrrpRouter };

/** What a virtual router asks of its surroundings, to be done in order. */
export type VrrpEffect =
  /** From now on send this advert, the first time at once, then once an interval, until "hush" or another "speak". */
  | { readonly type: "speak"; readonly advert: VrrpAdvert }
  /** Send no advert any more. */
  | { readonly type: "hush" }
  /** Send this advert once, after all that was asked for before. */
  | { readonly type: "say"; readonly advert: VrrpAdvert }
  /** Hold the addresses: the right to do so lasts until `until`. */
  | { readonly type: "gain"; readonly until: Instant }
  /** They may be held until `until`: that is sooner than before when the interval became shorter. */
  | { readonly type: "extend"; readonly until: Instant }
  /** Stop holding them now; confirm with "released". */
  | { readonly type: "lose"; readonly change: Reason }
  /** Announce the addresses anew: a neighbour or a switch may have learned otherwise. */
  | { readonly type: "announce" }
  /** Hand in what the sockets have, then "drained". */
  | { readonly type: "drain" }
  /** Ask the wire whether any other host answers for the addresses, then hand in "answered". */
  | { readonly type: "ask"; readonly askedAt: Instant }
  /** Two masters see each other; this one goes on. */
  | { readonly type: "conflict-begins"; readonly rival: Rival }
  | { readonly type: "conflict-ends"; readonly rival: Rival }
  /** For logs, status and hooks. */
  | { readonly type: "moved"; readonly from: Phase["kind"]; readonly to: Phase["kind"]; readonly change: Reason }
  | Note
  /** It has left the wire. */
  | { readonly type: "stopped" };

/** A step's outcome. */
export type VrrpStep = readonly [VrrpState, readonly VrrpEffect[]];

/** A virtual router at its start. The first "tick" begins it. */
export function initialVrrp(router: VrrpRouter, now: Instant): VrrpState {
  return {
    router,
    priority: router.priority,
    ineligible: null,
    phase: { kind: "initialize", startAt: later(now, router.startupDelayMs) },
    change: reason("started"),
    changedAt: now,
    failures: 0,
    notes: NO_NOTES,
  };
}
