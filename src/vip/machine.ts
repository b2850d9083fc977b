// The order of steps to gain, keep and lose a VIP. No clock, no I/O.
//
//   gain:  bind -> open the fence -> announce -> probe for a second answerer
//   keep:  extend the fence -> refresh the addresses' lifetime; put back what somebody removed; announce
//   lose:  close the fence -> unbind -> only then "released"
//
// Whatever goes wrong on the way ends in "lose". The fence is the safety: it opens only for the rest of a
// confirmed lease, and the kernel closes it without us. The address's own lifetime is the second layer.

import { unreachable } from "../base/assert.ts";
import { earliest, type Instant, later, NEVER } from "../base/time.ts";
import { afterAnnouncing, arrivalSchedule } from "./announcing.ts";
import type { Holding, VipEffect, VipEvent, VipPlan, VipState } from "./state.ts";

/** An address outlives its fence by this much, in milliseconds: whole seconds are all that the kernel takes. */
const LIFETIME_SLACK_MS = 1_000;

/** A fence that could not be set in time is tried again this often: a stall of the machine is no reason to move. */
const OPEN_TRIES = 3;

/** Pause before the kernel is asked again to close, in milliseconds. */
const CLOSE_RETRY_MS = 100;

type Step = readonly [VipState, readonly VipEffect[]];

/** A host without VIPs. */
export function initialVips(): VipState {
  return { plans: new Map(), holdings: new Map() };
}

/** Moves the VIPs by one event. */
export function stepVips(state: VipState, event: VipEvent, now: Instant): Step {
  switch (event.type) {
    case "tick":
      return ticked(state, now);
    case "plan":
      return planned(state, event.plans);
    case "gain":
      return gained(state, event.vip, event.until, now);
    case "extend":
      return extended(state, event.until);
    case "lose":
      return lost(state, event.vip, event.reason);
    case "opened":
      return each(state, event.vips, (next, vip) => opened(next, vip, event.until, now));
    case "too-late":
      return each(state, event.vips, (next, vip) => tooLate(next, vip, event.until));
    case "closed":
      return closed(state, event.vip);
    case "failed":
      return failed(state, event.vip, event.message, now);
    case "address-added":
      return addressAdded(state, event.ip, event.interface);
    case "address-removed":
      return addressRemoved(state, event.ip, event.interface, now);
    case "link-up":
      return each(state, heldOn(state, event.interface), (next, vip) => rescheduled(next, vip, now));
    case "resync":
      return each(state, [...state.plans.keys()], (next, vip) => compared(next, vip, now));
    case "probed":
      return probed(state, event.vip, event.others);
    default:
      return unreachable(event);
  }
}

/** When a "tick" is wanted at the latest. */
export function nextVipWakeup(state: VipState): Instant {
  const times = [...state.holdings.values()].map((holding) => {
    if (holding.phase === "on") return holding.schedule[0] ?? NEVER;
    return holding.phase === "closing" ? holding.retryAt : NEVER;
  });
  return earliest(...times);
}

function ticked(state: VipState, now: Instant): Step {
  return each(state, [...state.holdings.keys()], (next, vip) => {
    const holding = next.holdings.get(vip);
    if (holding?.phase === "on" && (holding.schedule[0] ?? NEVER) <= now) return announced(next, vip, holding, now);
    if (holding?.phase === "closing" && holding.retryAt <= now) return closeAgain(next, vip, holding, now);
    return [next, []];
  });
}

function announced(state: VipState, vip: string, holding: Extract<Holding, { phase: "on" }>, now: Instant): Step {
  const policy = planOf(state, vip)?.announce;
  if (policy === undefined) return [state, []];
  const schedule = afterAnnouncing(holding.schedule, policy, now);
  const refresh: readonly VipEffect[] = holding.schedule.length === 1 ? [{ type: "probe", vip }] : [];
  return [withHolding(state, vip, { ...holding, schedule }), [{ type: "announce", vip }, ...refresh]];
}

function closeAgain(state: VipState, vip: string, holding: Extract<Holding, { phase: "closing" }>, now: Instant): Step {
  if (now <= later(holding.until, LIFETIME_SLACK_MS * 2))
    return [withHolding(state, vip, { ...holding, retryAt: NEVER }), [{ type: "close", vip }]];
  const text = "the kernel would not let go of it; its own timeouts have closed it";
  return [
    withHolding(state, vip, undefined),
    [
      { type: "note", vip, level: "warning", text },
      { type: "released", vip, reason: holding.reason },
    ],
  ];
}

/** Plans that changed are adopted at once; addresses that are no longer planned were let go before. */
function planned(state: VipState, plans: readonly VipPlan[]): Step {
  const next = { ...state, plans: new Map(plans.map((plan) => [plan.name, plan])) };
  return [next, []];
}

function gained(state: VipState, vip: string, until: Instant, now: Instant): Step {
  const plan = planOf(state, vip);
  if (plan === undefined || state.holdings.has(vip)) return [state, []];
  const lifetimeMs = until - now + LIFETIME_SLACK_MS;
  return [
    withHolding(state, vip, { phase: "opening", addresses: plan.addresses, until, tries: 1 }),
    [
      { type: "bind", vip, lifetimeMs },
      { type: "open", vips: [vip], until },
    ],
  ];
}

function extended(state: VipState, until: Instant): Step {
  const vips = [...state.holdings].filter(([, holding]) => holding.phase === "on").map(([vip]) => vip);
  return [state, vips.length === 0 ? [] : [{ type: "open", vips, until }]];
}

function opened(state: VipState, vip: string, until: Instant, now: Instant): Step {
  const holding = state.holdings.get(vip);
  const plan = planOf(state, vip);
  if (plan === undefined || holding === undefined || holding.phase === "closing") return [state, []];
  const lifetimeMs = until - now + LIFETIME_SLACK_MS;
  if (holding.phase === "on")
    return [withHolding(state, vip, { ...holding, until, tries: 1 }), [{ type: "bind", vip, lifetimeMs }]];
  const schedule = afterAnnouncing(arrivalSchedule(plan.announce, now), plan.announce, now);
  return [
    withHolding(state, vip, { phase: "on", addresses: holding.addresses, until, tries: 1, schedule, conflict: null }),
    [
      { type: "announce", vip },
      { type: "held", vip },
      { type: "probe", vip },
    ],
  ];
}

/** The process was held up between arming and opening. What was open is open still, for the rest of its time. */
function tooLate(state: VipState, vip: string, until: Instant): Step {
  const holding = state.holdings.get(vip);
  if (holding === undefined || holding.phase === "closing") return [state, []];
  if (holding.tries < OPEN_TRIES)
    return [withHolding(state, vip, { ...holding, tries: holding.tries + 1 }), [{ type: "open", vips: [vip], until }]];
  const reason = "this host was too slow to hold it within the lease";
  return chain(lost(state, vip, reason), (next) => [next, [{ type: "unfit", vip, reason }]]);
}

/** What is lost without having been held is what an earlier process left: nobody here knows when that ends by itself. */
function lost(state: VipState, vip: string, reason: string): Step {
  const holding = state.holdings.get(vip);
  if (holding?.phase === "closing") return [state, []];
  const addresses = holding?.addresses ?? planOf(state, vip)?.addresses ?? [];
  const closing: Holding = { phase: "closing", addresses, until: holding?.until ?? NEVER, reason, retryAt: NEVER };
  return [withHolding(state, vip, closing), [{ type: "close", vip }]];
}

function closed(state: VipState, vip: string): Step {
  const holding = state.holdings.get(vip);
  const reason = holding?.phase === "closing" ? holding.reason : "it was not held";
  return [withHolding(state, vip, undefined), [{ type: "released", vip, reason }]];
}

function failed(state: VipState, vip: string, message: string, now: Instant): Step {
  const holding = state.holdings.get(vip);
  if (holding === undefined) return [state, [{ type: "note", vip, level: "warning", text: message }]];
  if (holding.phase === "closing")
    return [
      withHolding(state, vip, { ...holding, retryAt: later(now, CLOSE_RETRY_MS) }),
      [{ type: "note", vip, level: "warning", text: message }],
    ];
  return chain(lost(state, vip, message), (next) => [next, [{ type: "unfit", vip, reason: message }]]);
}

/** Somebody bound the VIP by hand, or it came back: it goes, unless we hold it. */
function addressAdded(state: VipState, ip: string, link: string): Step {
  const vip = vipWith(state, ip, link);
  return vip === undefined || state.holdings.has(vip) ? [state, []] : [state, [{ type: "sweep", vip }]];
}

function addressRemoved(state: VipState, ip: string, link: string, now: Instant): Step {
  const vip = vipWith(state, ip, link);
  const holding = vip === undefined ? undefined : state.holdings.get(vip);
  if (vip === undefined || holding?.phase !== "on") return [state, []];
  const back: VipEffect[] = [
    { type: "note", vip, level: "warning", text: `somebody removed ${ip} from ${link}: put back` },
    { type: "bind", vip, lifetimeMs: holding.until - now + LIFETIME_SLACK_MS },
  ];
  return chain([state, back], (next) => rescheduled(next, vip, now));
}

function compared(state: VipState, vip: string, now: Instant): Step {
  const holding = state.holdings.get(vip);
  if (holding === undefined) return [state, [{ type: "sweep", vip }]];
  if (holding.phase !== "on") return [state, []];
  return [state, [{ type: "bind", vip, lifetimeMs: holding.until - now + LIFETIME_SLACK_MS }]];
}

function rescheduled(state: VipState, vip: string, now: Instant): Step {
  const holding = state.holdings.get(vip);
  const plan = planOf(state, vip);
  if (holding?.phase !== "on" || plan === undefined) return [state, []];
  const schedule = afterAnnouncing(arrivalSchedule(plan.announce, now), plan.announce, now);
  return [withHolding(state, vip, { ...holding, schedule }), [{ type: "announce", vip }]];
}

function probed(state: VipState, vip: string, others: readonly string[]): Step {
  const holding = state.holdings.get(vip);
  if (holding?.phase !== "on") return [state, []];
  const conflict = others.length === 0 ? null : others.join(", ");
  if (conflict === holding.conflict) return [state, []];
  const next = withHolding(state, vip, { ...holding, conflict });
  if (conflict === null)
    return [next, [{ type: "note", vip, level: "info", text: "nobody else answers for it any more" }]];
  return [next, [{ type: "note", vip, level: "warning", text: `somebody else answers for it: ${conflict}` }]];
}

function planOf(state: VipState, vip: string): VipPlan | undefined {
  return state.plans.get(vip);
}

function vipWith(state: VipState, ip: string, link: string): string | undefined {
  for (const plan of state.plans.values())
    if (plan.addresses.some((address) => address.ip === ip && address.interface === link)) return plan.name;
  return undefined;
}

function heldOn(state: VipState, link: string): readonly string[] {
  return [...state.plans.values()]
    .filter((plan) => plan.addresses.some((address) => address.interface === link))
    .map((plan) => plan.name);
}

function withHolding(state: VipState, vip: string, holding: Holding | undefined): VipState {
  const holdings = new Map(state.holdings);
  if (holding === undefined) holdings.delete(vip);
  else holdings.set(vip, holding);
  return { ...state, holdings };
}

function each(state: VipState, vips: readonly string[], move: (state: VipState, vip: string) => Step): Step {
  return vips.reduce<Step>((sum, vip) => chain(sum, (next) => move(next, vip)), [state, []]);
}

function chain([state, effects]: Step, move: (state: VipState) => Step): Step {
  const [next, more] = move(state);
  return [next, [...effects, ...more]];
}
