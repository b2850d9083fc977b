// A host for tests of the VIP machine: its kernel does at once what it is told, unless a test answers for it.

import { grantFor } from "../../../src/base/virtual-mac.ts";
import { type Instant, instant, later } from "../../../src/base/time.ts";
import type { AnnouncePolicy, VipAddress } from "../../../src/base/vip.ts";
import { nextVipWakeup, stepVips } from "../../../src/vip/machine.ts";
import {
  type Deadline,
  initialVips,
  type VipEffect,
  type VipEvent,
  type VipGrant,
  type VipPlan,
  type VipState,
} from "../../../src/vip/state.ts";
import { type Reason, reason } from "../../../src/base/reasons.ts";

export const START = instant(1_000_000);
/** The lease that a gain has when a test does not say otherwise. */
export const UNTIL = later(START, 3_000);
/** The number of the fence's first deadline. */
export const FIRST_NUMBER = 500;
export const ANNOUNCE: AnnouncePolicy = { burst: 3, repeatAfterMs: 5_000, refreshMs: 60_000 };
/** One announcement, and no other. */
export const ONCE: AnnouncePolicy = { burst: 1, repeatAfterMs: 0, refreshMs: 0 };
export const WHY: Reason = reason("step-down");

export function address(ip: string, link = "eth0", prefix = 24): VipAddress {
  return { family: 4, ip, prefix, interface: link };
}

export function plan(name: string, addresses: readonly VipAddress[], announce = ANNOUNCE): VipPlan {
  return { name, addresses, announce };
}

export const WEB = plan("web", [address("10.0.0.1")]);
export const DB = plan("db", [address("10.0.0.2", "eth1")]);

/** VIPs `vip-0`, `vip-1` and so on, each with an address of its own. */
export function manyPlans(count: number, announce = ONCE): readonly VipPlan[] {
  return Array.from({ length: count }, (_, index) =>
    plan(`vip-${index}`, [address(`10.1.${index >> 8}.${index & 255}`)], announce),
  );
}

/** What the kernel answers to an effect. */
export type Answer = (effect: VipEffect) => VipEvent | readonly VipEvent[];

/** The answers of a kernel to some kinds of effect. */
export type Answers = Partial<Record<VipEffect["type"], Answer>>;

/** No answer: it is still to come, or never comes. */
export const NOTHING: Answer = () => [];

/** A kernel that has no time: whatever is opened is too late. */
export const TOO_LATE: Answer = (effect) =>
  effect.type === "open" ? { type: "too-late", vips: effect.vips, deadline: effect.deadline, until: effect.until } : [];

/** A kernel that refuses to close the fence. */
export const FENCE_STUCK: Answer = (effect) =>
  effect.type === "close"
    ? effect.vips.map((vip): VipEvent => ({ type: "failed", vip, message: "EBUSY", isOpen: true }))
    : [];

/** Grants of VIPs with all addresses that their plans have. */
export function grantsOf({ plans }: VipState, vips: Iterable<string>): readonly VipGrant[] {
  return [...vips].map((vip) => ({ vip, addresses: grantFor(plans.get(vip)?.addresses ?? []) }));
}

export class Host {
  now: Instant = START;
  readonly state: VipState = initialVips(FIRST_NUMBER);
  /** Every effect, in order. */
  readonly effects: VipEffect[] = [];
  /** May be changed while a test runs. */
  answers: Answers;

  constructor(plans: readonly VipPlan[] = [WEB, DB], answers: Answers = {}) {
    this.answers = answers;
    this.post({ type: "plan", plans });
  }

  /** Hands in an event, and what the kernel answers; the result: all effects that came of it. */
  post(event: VipEvent): readonly VipEffect[] {
    const from = this.effects.length;
    const queue = [event];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const effects = stepVips(this.state, next, this.now);
      this.effects.push(...effects);
      for (const effect of effects) queue.push(...this.answer(effect));
    }
    return this.effects.slice(from);
  }

  /** Hands in a configuration, of which all addresses are granted. */
  plan(...plans: readonly VipPlan[]): readonly VipEffect[] {
    const planned = this.post({ type: "plan", plans });
    const held = [...this.state.holdings.keys()].filter((vip) => this.state.plans.has(vip));
    return [...planned, ...this.post({ type: "confirm", grants: grantsOf(this.state, held) })];
  }

  /** Moves on to the next wake-up, and ticks. */
  wake(): readonly VipEffect[] {
    this.now = nextVipWakeup(this.state);
    return this.post({ type: "tick" });
  }

  /** Ticks at every wake-up until `until`, and stands there. */
  wakeUntil(until: Instant): readonly VipEffect[] {
    const from = this.effects.length;
    while (nextVipWakeup(this.state) <= until) {
      this.now = instant(Math.max(this.now, nextVipWakeup(this.state)));
      this.post({ type: "tick" });
    }
    this.now = until;
    return this.effects.slice(from);
  }

  gain(vips: readonly string[] = ["web"], until = UNTIL, deadline = 0): readonly VipEffect[] {
    return this.post({ type: "gain", grants: grantsOf(this.state, vips), deadline, until });
  }

  extend(until: Instant, deadline = 0): readonly VipEffect[] {
    return this.post({ type: "extend", deadline, until });
  }

  lose(...vips: readonly string[]): readonly VipEffect[] {
    return this.post({ type: "lose", losses: vips.map((vip) => ({ vip, reason: WHY })) });
  }

  phase(vip = "web"): string | undefined {
    return this.state.holdings.get(vip)?.phase;
  }

  /** What is held of a VIP's addresses, in their order. */
  ips(vip = "web"): readonly string[] {
    return (this.state.holdings.get(vip)?.addresses ?? []).map(({ ip, prefix }) => `${ip}/${prefix}`);
  }

  deadline(number = 0): Deadline | undefined {
    return this.state.deadlines.get(number);
  }

  private answer(effect: VipEffect): readonly VipEvent[] {
    const answer = (this.answers[effect.type] ?? obey)(effect);
    return "type" in answer ? [answer] : answer;
  }
}

/** What a kernel answers that does as it is told. */
export function obey(effect: VipEffect): readonly VipEvent[] {
  switch (effect.type) {
    case "bind":
      return [{ type: "bound", vips: effect.vips }];
    case "open":
      return [{ type: "opened", vips: effect.vips, deadline: effect.deadline, until: effect.until }];
    case "close":
      return [{ type: "closed", vips: effect.vips }];
    case "drop":
      return [{ type: "dropped", drops: effect.drops }];
    default:
      return [];
  }
}

/** The kinds of the effects, in their order. */
export function types(effects: readonly VipEffect[]): readonly string[] {
  return effects.map(({ type }) => type);
}

/** The effects of one kind. */
export function only<T extends VipEffect["type"]>(
  effects: readonly VipEffect[],
  type: T,
): readonly Extract<VipEffect, { type: T }>[] {
  return effects.filter((effect): effect is Extract<VipEffect, { type: T }> => effect.type === type);
}
