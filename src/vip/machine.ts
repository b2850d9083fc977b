// The order of steps to gain, keep and lose VIPs. No clock, no I/O.
//
//   gain:  bind, set the routes -> open the fence -> announce -> probe for a second answerer
//   keep:  extend the deadline; now and then refresh the addresses' lifetimes; put back what somebody removed; announce
//   lose:  close the fence -> remove the routes -> unbind -> only then "released"
//
// Whatever goes wrong on the way ends in "lose". The fence is the safety: it opens only for the rest of a confirmed
// lease, and the kernel closes it without us. The address's own lifetime is the second layer.
//
// All that is gained or lost at once is one batch for the kernel; what costs time for each VIP (announcements, refreshed
// lifetimes) comes in slices, so that a heartbeat never waits for thousands of them.

import { unreachable } from "../base/assert.ts";
import { type Reason, reason } from "../base/reasons.ts";
import { elapsedMs, type Instant, later, NEVER } from "../base/time.ts";
import { wireInterface } from "../base/virtual-mac.ts";
import type { VipAddress } from "../base/vip.ts";
import { afterAnnouncing, arrivalSchedule } from "./announcing.ts";
import { allowed, change, changePortion, isShrinking, onConfirm, onDropped, openMoved, without } from "./changing.ts";
import { onHeard, onProbed, probeAgain } from "./conflicts.ts";
import {
  heldUnder,
  LIFETIME_SLACK_MS,
  lifetimeMs,
  open,
  openUntil,
  setHolding,
  takeNumber,
  untilOf,
} from "./holding.ts";
import { PUT_BACK_MS, reroutedVips, route, routeSoon, routingTexts } from "./routing.ts";
import type { VipEffect, VipEvent, VipGrant, VipLoss, VipPlan, VipState } from "./state.ts";

/** The lifetimes of addresses are refreshed this often, in milliseconds. */
const REFRESH_EVERY_MS = 20_000;

/** Lifetimes that differ by less than this may be refreshed as one: well within what an address has beyond its next refresh. */
const SHARED_LIFETIME_MS = 2_000;

/** A fence that could not be set in time is tried again so often: a stall of the machine is no reason to move. */
const OPEN_TRIES = 3;

/** Pause before the kernel is asked again to close, in milliseconds. */
const CLOSE_RETRY_MS = 100;

/** So many VIPs are announced, and so many are refreshed, in one go. */
const SLICE = 128;

/** Pause between two slices of refreshing, in milliseconds. */
const SLICE_PAUSE_MS = 20;

type Effects = VipEffect[];

/** Moves the VIPs by one event. */
export function stepVips(state: VipState, event: VipEvent, now: Instant): readonly VipEffect[] {
  const effects: Effects = [];
  move(state, event, now, effects);
  return effects;
}

/** When a "tick" is wanted at the latest. */
export function nextVipWakeup(state: VipState): Instant {
  return state.wakeups.next();
}

function move(state: VipState, event: VipEvent, now: Instant, effects: Effects): void {
  switch (event.type) {
    case "tick":
      return onTick(state, now, effects);
    case "plan":
      return onPlan(state, event.plans, now, effects);
    case "gain":
      return onGain(state, event, now, effects);
    case "confirm":
      return onConfirm(state, event.grants, now, effects);
    case "extend":
      return onExtend(state, event, effects);
    case "lose":
      return lose(state, event.losses, effects);
    case "bound":
      return onBound(state, event.vips, effects);
    case "opened":
      return onOpened(state, event, now, effects);
    case "too-late":
      return onTooLate(state, event, effects);
    case "closed":
      return onClosed(state, event.vips, now, effects);
    case "dropped":
      return onDropped(state, event.drops, now, effects);
    case "failed":
      return onFailed(state, event, now, effects);
    case "extend-failed":
      return loseAllUnder(state, event.deadline, reason("hold-failed", event.message), effects);
    case "address-added":
    case "address-removed":
      return onAddress(state, event, now, effects);
    case "routing-removed":
      return routeSoon(state, event.vip, later(now, PUT_BACK_MS));
    case "link-up":
      return onLinkUp(state, event.interface, now, effects);
    case "announce-anew":
      announceAnew(state, event.vip, now);
      return announce(state, [event.vip], now, effects);
    case "resync":
      return onResync(state, now, effects);
    case "heard":
      return onHeard(state, event.vip, event.others, now, effects);
    case "probed":
      return onProbed(state, event.vip, event.others, now, effects);
    default:
      return unreachable(event);
  }
}

function onTick(state: VipState, now: Instant, effects: Effects): void {
  const announced: string[] = [];
  const closing: string[] = [];
  const probed: string[] = [];
  const routed: string[] = [];
  for (const name of state.wakeups.takeDue(now, SLICE)) {
    const [what = "", vip = ""] = name.split(" ");
    if (what === "announce") announced.push(vip);
    else if (what === "close") closing.push(vip);
    else if (what === "probe") probed.push(vip);
    else if (what === "route") routed.push(vip);
    else if (what === "change") changePortion(state, now, effects);
    else refreshSlice(state, now, effects);
  }
  announce(state, announced, now, effects);
  probeAgain(state, probed, now, effects);
  route(state, routed, effects);
  for (const vip of closing) closeAgain(state, vip, now, effects);
}

/** Announces what is due, and probes for other answerers with the slow refresh. */
function announce(state: VipState, vips: readonly string[], now: Instant, effects: Effects): void {
  const due: string[] = [];
  const probed: string[] = [];
  for (const vip of vips) {
    const holding = state.holdings.get(vip);
    const policy = state.plans.get(vip)?.announce;
    if (holding?.phase !== "on" || policy === undefined) continue;
    if (holding.schedule.length === 1) probed.push(vip);
    setHolding(state, vip, { ...holding, schedule: afterAnnouncing(holding.schedule, policy, now) });
    due.push(vip);
  }
  if (due.length > 0) effects.push({ type: "announce", vips: due });
  if (probed.length > 0) effects.push({ type: "probe", vips: probed });
}

/** Deadlines that lie close together share a batch for the kernel, and the shortest of their lifetimes. */
function refreshSlice(state: VipState, now: Instant, effects: Effects): void {
  const batches = new Map<number, { readonly vips: string[]; shortestMs: number }>();
  for (const vip of state.refreshing.splice(0, SLICE)) {
    const holding = state.holdings.get(vip);
    if (holding?.phase !== "on") continue;
    const ms = lifetimeMs(state, holding.deadline, now);
    const about = Math.floor(ms / SHARED_LIFETIME_MS);
    const batch = batches.get(about) ?? { vips: [], shortestMs: ms };
    batches.set(about, batch);
    batch.vips.push(vip);
    batch.shortestMs = Math.min(batch.shortestMs, ms);
  }
  for (const { vips, shortestMs } of batches.values()) effects.push({ type: "refresh", vips, lifetimeMs: shortestMs });
  state.wakeups.set("refresh", state.refreshing.length === 0 ? NEVER : later(now, SLICE_PAUSE_MS));
}

function closeAgain(state: VipState, vip: string, now: Instant, effects: Effects): void {
  const holding = state.holdings.get(vip);
  if (holding?.phase !== "closing") return;
  if (now <= later(holding.until, LIFETIME_SLACK_MS + 2_000)) {
    effects.push({ type: "close", vips: [vip] });
    return;
  }
  const text = "the kernel would not release it; its own timeouts have closed it";
  effects.push({ type: "note", vip, level: "warning", text });
  setHolding(state, vip, undefined);
  effects.push({ type: "released", losses: [{ vip, reason: holding.reason }] });
}

/** A VIP that is held changes in place: what its plan has lost goes, then what it has gained is bound and opened. */
function onPlan(state: VipState, plans: readonly VipPlan[], now: Instant, effects: Effects): void {
  const routedBefore = routingTexts(state);
  state.plans.clear();
  state.byPlace.clear();
  state.byAddress.clear();
  state.byLink.clear();
  state.wires.clear();
  for (const plan of plans) {
    state.plans.set(plan.name, plan);
    for (const address of plan.addresses) {
      const { ip, interface: link } = address;
      state.wires.add(wireInterface(address));
      state.byPlace.set(`${ip} ${link}`, plan.name);
      state.byAddress.set(ip, plan.name);
      const vips = state.byLink.get(link) ?? new Set();
      state.byLink.set(link, vips.add(plan.name));
    }
  }
  change(state, state.holdings.keys(), now, effects);
  const changed = reroutedVips(state, routedBefore);
  // Where addresses go first, their routes are set when that is done.
  const shrinking = new Set(changed.filter((vip) => isShrinking(state, vip)));
  for (const vip of shrinking) routeSoon(state, vip, now);
  route(
    state,
    changed.filter((vip) => !shrinking.has(vip)),
    effects,
  );
}

type Gain = Extract<VipEvent, { type: "gain" }>;

function onGain(state: VipState, { grants, deadline, until }: Gain, now: Instant, effects: Effects): void {
  const isNew = ({ vip }: VipGrant): boolean => state.plans.has(vip) && !state.holdings.has(vip);
  const gained = grants.filter(isNew).map(({ vip, addresses }) => {
    state.granted.set(vip, new Set(addresses));
    return vip;
  });
  if (gained.length === 0) return;
  if (!state.deadlines.has(deadline)) {
    const refreshAt = later(now, REFRESH_EVERY_MS);
    state.deadlines.set(deadline, { number: takeNumber(state), isTainted: false, until, failures: 0, refreshAt });
  }
  for (const vip of gained) setHolding(state, vip, { phase: "opening", addresses: allowed(state, vip), deadline });
  effects.push({ type: "bind", vips: gained, lifetimeMs: elapsedMs(now, until) + LIFETIME_SLACK_MS });
  const known = state.deadlines.get(deadline);
  if (known !== undefined && known.until < until) state.deadlines.set(deadline, { ...known, until });
}

/** What the kernel has bound is opened in one transaction for each deadline. */
function onBound(state: VipState, vips: readonly string[], effects: Effects): void {
  const byDeadline = new Map<number, string[]>();
  for (const vip of vips) {
    const holding = state.holdings.get(vip);
    if (holding?.phase !== "opening") continue;
    const batch = byDeadline.get(holding.deadline) ?? [];
    byDeadline.set(holding.deadline, batch);
    batch.push(vip);
  }
  for (const [deadline, batch] of byDeadline) open(state, batch, deadline, effects);
}

function onExtend(state: VipState, { deadline, until }: Extract<VipEvent, { type: "extend" }>, effects: Effects): void {
  openUntil(state, [], deadline, until, effects);
}

type Opened = Extract<VipEvent, { type: "opened" | "too-late" }>;

function onOpened(state: VipState, { vips, deadline, until }: Opened, now: Instant, effects: Effects): void {
  const known = state.deadlines.get(deadline);
  if (known === undefined) return;
  const refresh = known.refreshAt <= now;
  const refreshAt = refresh ? later(now, REFRESH_EVERY_MS) : known.refreshAt;
  state.deadlines.set(deadline, { ...known, until, failures: 0, refreshAt });
  if (refresh) startRefresh(state, deadline, now);
  const held: string[] = [];
  for (const vip of vips) {
    const holding = state.holdings.get(vip);
    const policy = state.plans.get(vip)?.announce;
    if (policy === undefined || holding === undefined || holding.phase === "closing") continue;
    const { addresses } = holding;
    if (holding.phase === "opening") held.push(vip);
    setHolding(state, vip, { phase: "on", addresses, deadline, schedule: arrivalSchedule(policy, now) });
  }
  // The first slice at once; for the others it is due now.
  announce(state, vips.slice(0, SLICE), now, effects);
  if (held.length > 0) effects.push({ type: "held", vips: held }, { type: "probe", vips: held });
}

/** The round of another deadline may not be over yet: then these come after it. */
function startRefresh(state: VipState, deadline: number, now: Instant): void {
  const waiting = new Set(state.refreshing);
  for (const [vip, holding] of state.holdings)
    if (holding.phase === "on" && holding.deadline === deadline && !waiting.has(vip)) state.refreshing.push(vip);
  if (waiting.size === 0 && state.refreshing.length > 0) state.wakeups.set("refresh", now);
}

/** The process was held up between arming and opening. What was open is open still, for the rest of its time. */
function onTooLate(state: VipState, { vips, deadline, until }: Opened, effects: Effects): void {
  const known = state.deadlines.get(deadline);
  if (known === undefined) return;
  const failures = known.failures + 1;
  state.deadlines.set(deadline, { ...known, failures });
  if (failures < OPEN_TRIES) effects.push({ type: "open", vips, deadline, number: known.number, until });
  else loseAllUnder(state, deadline, reason("too-slow"), effects);
}

function loseAllUnder(state: VipState, deadline: number, why: Reason, effects: Effects): void {
  const vips = heldUnder(state, deadline);
  lose(
    state,
    vips.map((vip) => ({ vip, reason: why })),
    effects,
  );
  for (const vip of vips) effects.push({ type: "hold-failed", vip, reason: why });
}

/** What is lost without having been held is what a former process left: nobody here knows when that ends by itself. */
function lose(state: VipState, losses: readonly VipLoss[], effects: Effects): void {
  const closing: string[] = [];
  for (const { vip, reason: why, left = [] } of losses) {
    const holding = state.holdings.get(vip);
    if (holding?.phase === "closing") continue;
    const known = holding?.addresses ?? state.plans.get(vip)?.addresses ?? [];
    const addresses = [...known, ...without(left, known)];
    const until = holding === undefined ? NEVER : untilOf(state, holding.deadline);
    const deadline = holding?.deadline ?? null;
    setHolding(state, vip, { phase: "closing", addresses, until, reason: why, deadline });
    closing.push(vip);
  }
  if (closing.length > 0) effects.push({ type: "close", vips: closing });
}

function onClosed(state: VipState, vips: readonly string[], now: Instant, effects: Effects): void {
  const losses: VipLoss[] = [];
  const closed: VipAddress[] = [];
  for (const vip of vips) {
    const holding = state.holdings.get(vip);
    if (holding?.phase !== "closing") continue;
    losses.push({ vip, reason: holding.reason });
    closed.push(...holding.addresses);
    setHolding(state, vip, undefined);
  }
  openMoved(state, closed, now, effects);
  if (losses.length > 0) effects.push({ type: "released", losses });
  if (state.holdings.size === 0) state.deadlines.clear();
}

type Failed = Extract<VipEvent, { type: "failed" }>;

function onFailed(state: VipState, { vip, message, isOpen = false }: Failed, now: Instant, effects: Effects): void {
  const holding = state.holdings.get(vip);
  if (isOpen && holding?.deadline != null) taint(state, holding.deadline);
  if (holding === undefined || holding.phase === "closing") {
    effects.push({ type: "note", vip, level: "warning", text: message });
    if (holding !== undefined) state.wakeups.set(`close ${vip}`, later(now, CLOSE_RETRY_MS));
    return;
  }
  const why = reason("hold-failed", message);
  lose(state, [{ vip, reason: why }], effects);
  effects.push({ type: "hold-failed", vip, reason: why });
}

/** What could not be closed is open under this number for as long as it is extended: so it is extended no more. */
function taint(state: VipState, deadline: number): void {
  const known = state.deadlines.get(deadline);
  if (known !== undefined) state.deadlines.set(deadline, { ...known, isTainted: true });
}

type AddressEvent = Extract<VipEvent, { type: "address-added" | "address-removed" }>;

/** Somebody bound the VIP by hand, or it came back: it goes, unless we hold it. Somebody removed it: it comes back. */
function onAddress(state: VipState, { type, ip, interface: link }: AddressEvent, now: Instant, effects: Effects): void {
  const vip = state.byPlace.get(`${ip} ${link}`);
  if (vip === undefined) return;
  const holding = state.holdings.get(vip);
  if (type === "address-added") {
    if (holding === undefined) effects.push({ type: "sweep", vips: [vip] });
    return;
  }
  if (holding?.phase !== "on") return;
  effects.push(
    { type: "note", vip, level: "warning", text: `somebody removed ${ip} from ${link}: put back` },
    { type: "refresh", vips: [vip], lifetimeMs: lifetimeMs(state, holding.deadline, now) },
  );
  announceAnew(state, vip, now);
  announce(state, [vip], now, effects);
}

function onLinkUp(state: VipState, link: string, now: Instant, effects: Effects): void {
  const vips = [...(state.byLink.get(link) ?? [])].filter((vip) => state.holdings.get(vip)?.phase === "on");
  for (const vip of vips) announceAnew(state, vip, now);
  announce(state, vips.slice(0, SLICE), now, effects);
}

function announceAnew(state: VipState, vip: string, now: Instant): void {
  const holding = state.holdings.get(vip);
  const policy = state.plans.get(vip)?.announce;
  if (holding?.phase === "on" && policy !== undefined)
    setHolding(state, vip, { ...holding, schedule: arrivalSchedule(policy, now) });
}

function onResync(state: VipState, now: Instant, effects: Effects): void {
  const idle = [...state.plans.keys()].filter((vip) => !state.holdings.has(vip));
  if (idle.length > 0) effects.push({ type: "sweep", vips: idle });
  state.refreshing.length = 0;
  for (const [vip, holding] of state.holdings) if (holding.phase === "on") state.refreshing.push(vip);
  refreshSlice(state, now, effects);
}
