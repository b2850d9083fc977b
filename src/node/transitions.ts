// The states of this node's VIPs in keepalived's words, told once each time they change: to hooks, webhooks and mail.
//
// MASTER: this host answers for the VIP. BACKUP: it could, and another one does, or nobody yet. FAULT: it could not.
// STOP: vipd has stopped, and the VIP is gone. While a VIP is on its way, neither here nor gone, and until its checks have
// looked, nothing is told.

import { type Reason, reason } from "../base/reasons.ts";
import type { VipConfig } from "../config/types.ts";
import type { HookEvent, HookState } from "../hooks/event.ts";
import type { Clock } from "../ports/clock.ts";
import type { Holding } from "../vip/state.ts";

/** Tells somebody of a transition; returns at once. */
export type TellTransition = (event: HookEvent) => void;

/** What telling transitions needs. */
export interface TransitionsDeps {
  readonly clock: Clock;
  readonly node: string;
  readonly tell: TellTransition;
  readonly holdingOf: (vip: string) => Holding | undefined;
  /** Why this node could not hold it; `null`: it could. */
  readonly ineligibleReason: (vip: string) => Reason | null;
  /** In decimal; empty: it has none. */
  readonly tokenOf: (vip: string) => string;
  /** The effective priority. */
  readonly priorityOf: (vip: VipConfig) => number;
}

/** Follows the VIPs of a node. */
export class Transitions {
  private readonly deps: TransitionsDeps;
  private readonly told = new Map<string, HookState>();
  /** Why a VIP was gained or lost last. */
  private readonly why = new Map<string, Reason>();
  /** Until it is known what a former process held, only what is held is told: a restart is no change of state. */
  private isSettled = false;
  private isStopping = false;

  constructor(deps: TransitionsDeps) {
    this.deps = deps;
  }

  /** A VIP is about to be gained or lost for this reason. */
  because(vip: string, why: Reason): void {
    this.why.set(vip, why);
  }

  /** What a former process held is known from now on. */
  atRest(): void {
    this.isSettled = true;
  }

  /** Looks at these VIPs, and tells what is news. */
  look(vips: readonly VipConfig[]): void {
    if (this.isStopping) return;
    for (const vip of vips) {
      const state = this.stateOf(vip.name);
      if (state === undefined || state === this.told.get(vip.name)) continue;
      if (state !== "MASTER" && !this.isSettled) continue;
      const why = this.reasonFor(vip.name, state);
      this.tell(vip, state, why);
      this.told.set(vip.name, state);
    }
  }

  /** The daemon stops: what it gives up for that is told as a stop, and only once. */
  silence(): void {
    this.isStopping = true;
  }

  /** Somebody else answers for a VIP that this host answers for. */
  conflict(vip: VipConfig, others: string): void {
    this.tell(vip, "CONFLICT", reason("conflict", others));
  }

  /** These VIPs are gone, for good: the daemon stops, or has them no more. */
  stop(vips: readonly VipConfig[], why: Reason): void {
    for (const vip of vips) {
      if (this.told.get(vip.name) !== undefined) this.tell(vip, "STOP", why);
      this.told.delete(vip.name);
      this.why.delete(vip.name);
    }
  }

  private stateOf(vip: string): HookState | undefined {
    const holding = this.deps.holdingOf(vip);
    if (holding !== undefined) return holding.phase === "on" ? "MASTER" : undefined;
    const why = this.deps.ineligibleReason(vip);
    if (why?.code === "check-pending") return undefined;
    return why === null || why.code === "starting" ? "BACKUP" : "FAULT";
  }

  private reasonFor(vip: string, state: HookState): Reason {
    const why = this.why.get(vip);
    this.why.delete(vip);
    const against = this.deps.ineligibleReason(vip);
    if (state === "FAULT" && against !== null) return against;
    return why ?? reason(this.told.has(vip) ? "fit-again" : "started");
  }

  private tell(vip: VipConfig, state: HookState, why: Reason): void {
    const { deps } = this;
    deps.tell({
      election: vip.name,
      state,
      previous: this.told.get(vip.name) ?? null,
      token: deps.tokenOf(vip.name),
      addresses: vip.addresses.map(({ ip, prefix }) => `${ip}/${prefix}`),
      reason: why,
      node: deps.node,
      priority: deps.priorityOf(vip),
      wallMs: deps.clock.wallMs(),
    });
  }
}
