// A VIP that is held changes in place: what it has not any more is closed and unbound, and then what it has gained is bound
// and opened. An address may move from one VIP to another, so that everything goes before anything comes.
//
// A reload may change thousands of VIPs at once. Each portion of them is one batch for the kernel, and between two portions
// the program does whatever else is due: a heartbeat never waits for all of them.

import { type Instant, later, NEVER } from "../base/time.ts";
import type { VipAddress } from "../base/vip.ts";
import { isGranted } from "../base/virtual-mac.ts";
import { lifetimeMs, open, setHolding } from "./holding.ts";
import type { VipDrop, VipEffect, VipGrant, VipState } from "./state.ts";

/** So many VIPs change in one go. */
const PORTION = 512;

/** Pause between two portions, in milliseconds. */
const PORTION_PAUSE_MS = 5;

/** Under this name the next portion is waited for. */
const WAKEUP = "change";

/** These may have other addresses than before. */
export function change(state: VipState, vips: Iterable<string>, now: Instant, effects: VipEffect[]): void {
  for (const vip of vips) {
    if (goneOf(state, vip).length > 0) state.shrinking.add(vip);
    else if (newOf(state, vip).length > 0) state.growing.add(vip);
  }
  // Where a portion is to come already, these wait for their turn.
  if (state.wakeups.at(WAKEUP) === NEVER) changePortion(state, now, effects);
}

/** Other addresses of held VIPs may be answered for than before. */
export function onConfirm(state: VipState, grants: readonly VipGrant[], now: Instant, effects: VipEffect[]): void {
  const held = grants.filter(({ vip }) => {
    const holding = state.holdings.get(vip);
    return holding !== undefined && holding.phase !== "closing";
  });
  for (const { vip, addresses } of held) state.granted.set(vip, new Set(addresses));
  change(
    state,
    held.map(({ vip }) => vip),
    now,
    effects,
  );
}

/** The next portion of what is to change. */
export function changePortion(state: VipState, now: Instant, effects: VipEffect[]): void {
  shrink(state, effects);
  if (state.shrinking.size === 0) grow(state, now, effects);
  const isDone = state.shrinking.size + state.growing.size === 0;
  state.wakeups.set(WAKEUP, isDone ? NEVER : later(now, PORTION_PAUSE_MS));
}

/** Addresses of these are gone: now what is new may come. */
export function onDropped(state: VipState, drops: readonly VipDrop[], now: Instant, effects: VipEffect[]): void {
  for (const { vip, addresses } of drops) {
    const holding = state.holdings.get(vip);
    if (holding?.phase !== "on") continue;
    setHolding(state, vip, { ...holding, addresses: without(holding.addresses, addresses) });
    state.growing.add(vip);
  }
  openMoved(
    state,
    drops.flatMap(({ addresses }) => addresses),
    now,
    effects,
  );
  effects.push({ type: "shrunk", vips: drops.map(({ vip }) => vip) });
  if (state.shrinking.size === 0) changePortion(state, now, effects);
}

/** What was closed may be another VIP's by a new configuration, and held: that is opened again. */
export function openMoved(state: VipState, closed: readonly VipAddress[], now: Instant, effects: VipEffect[]): void {
  const moved = new Set<string>();
  for (const { ip } of closed) {
    // The fence tells addresses apart, and not the interfaces that they are on.
    const vip = state.byAddress.get(ip) ?? "";
    const holding = state.holdings.get(vip);
    if (holding?.phase === "on" && holding.addresses.some((each) => each.ip === ip)) moved.add(vip);
  }
  openAgain(state, moved, now, effects);
}

/** Whether an address is to go from a VIP that is held on. */
export function isShrinking(state: VipState, vip: string): boolean {
  return goneOf(state, vip).length > 0;
}

/** The addresses of the first that are not among the others. */
export function without(addresses: readonly VipAddress[], others: readonly VipAddress[]): readonly VipAddress[] {
  const keys = new Set(others.map(addressKey));
  return addresses.filter((address) => !keys.has(addressKey(address)));
}

/** The addresses of a VIP that this host may answer for while it holds it, with the virtual MACs that they have. */
export function allowed(state: VipState, vip: string): readonly VipAddress[] {
  const granted = state.granted.get(vip);
  return (state.plans.get(vip)?.addresses ?? []).filter(
    (address) => granted !== undefined && isGranted(granted, address),
  );
}

function shrink(state: VipState, effects: VipEffect[]): void {
  const drops: VipDrop[] = [];
  for (const vip of portionOf(state.shrinking)) {
    const addresses = goneOf(state, vip);
    if (addresses.length > 0) drops.push({ vip, addresses });
    // A configuration that came meanwhile has them again, and may have more.
    else state.growing.add(vip);
  }
  if (drops.length > 0) effects.push({ type: "drop", drops });
}

function grow(state: VipState, now: Instant, effects: VipEffect[]): void {
  const grown: string[] = [];
  for (const vip of portionOf(state.growing)) {
    const holding = state.holdings.get(vip);
    // What is still being dropped must not be bound again: its turn comes when that is done.
    if (holding?.phase !== "on" || isShrinking(state, vip) || newOf(state, vip).length === 0) continue;
    setHolding(state, vip, { ...holding, addresses: allowed(state, vip) });
    grown.push(vip);
  }
  openAgain(state, grown, now, effects);
}

/** Binds and opens all that is held of these, in one transaction for each deadline. */
function openAgain(state: VipState, vips: Iterable<string>, now: Instant, effects: VipEffect[]): void {
  const byDeadline = new Map<number, string[]>();
  for (const vip of vips) {
    const deadline = state.holdings.get(vip)?.deadline;
    if (deadline === undefined || deadline === null) continue;
    const batch = byDeadline.get(deadline) ?? [];
    byDeadline.set(deadline, batch);
    batch.push(vip);
  }
  for (const [deadline, batch] of byDeadline) {
    effects.push({ type: "refresh", vips: batch, lifetimeMs: lifetimeMs(state, deadline, now) });
    open(state, batch, deadline, effects);
  }
}

/** Takes out the first of them. */
function portionOf(vips: Set<string>): readonly string[] {
  const portion: string[] = [];
  for (const vip of vips) {
    if (portion.length === PORTION) break;
    portion.push(vip);
  }
  for (const vip of portion) vips.delete(vip);
  return portion;
}

/** What a VIP that is held on has not any more. */
function goneOf(state: VipState, vip: string): readonly VipAddress[] {
  const holding = state.holdings.get(vip);
  // What is not planned any more is held as it is until it is lost.
  if (holding?.phase !== "on" || !state.plans.has(vip)) return [];
  return without(holding.addresses, allowed(state, vip));
}

/** What a VIP that is held on has to gain. */
function newOf(state: VipState, vip: string): readonly VipAddress[] {
  const holding = state.holdings.get(vip);
  return holding?.phase === "on" ? without(allowed(state, vip), holding.addresses) : [];
}

function addressKey(address: VipAddress): string {
  const { ip, prefix, interface: link, label = "", scope = "global", noPrefixRoute = false, virtualMac } = address;
  return `${ip}/${prefix} ${link} ${label} ${scope} ${noPrefixRoute} ${virtualMac?.parent ?? ""}`;
}
