// When the routes of held VIPs are set, besides with their addresses: after a change of the plan, and when some are gone.

import { type RoutingEntry, routingText } from "../base/routing.ts";
import type { Instant } from "../base/time.ts";
import type { VipAddress } from "../base/vip.ts";
import type { VipEffect, VipState } from "./state.ts";

/** Routes that somebody removes are put back after this long: who removes them again and again is not raced. In milliseconds. */
export const PUT_BACK_MS = 200;

/** By VIP that has some: its routes and rules as text that is equal exactly when they are. */
export function routingTexts({ plans }: VipState): ReadonlyMap<string, string> {
  return new Map(
    [...plans.values()].flatMap(({ name, routing }) =>
      routing === undefined ? [] : [[name, routing.map(routingText).join("\n")] as const],
    ),
  );
}

/** The VIPs whose routes were others before. */
export function reroutedVips(state: VipState, before: ReadonlyMap<string, string>): readonly string[] {
  const texts = routingTexts(state);
  return [...state.plans.keys()].filter((vip) => texts.get(vip) !== before.get(vip));
}

/** Makes the routes of those VIPs that are held what their plans have. */
export function route(state: VipState, vips: readonly string[], effects: VipEffect[]): void {
  const held = vips.filter((vip) => state.holdings.get(vip)?.phase === "on");
  if (held.length > 0) effects.push({ type: "route", vips: held });
}

/** The same for one VIP, at that time or before. */
export function routeSoon({ wakeups, holdings }: VipState, vip: string, at: Instant): void {
  const name = `route ${vip}`;
  if (holdings.get(vip)?.phase === "on" && wakeups.at(name) > at) wakeups.set(name, at);
}

/** What of a VIP's routing can be set while these addresses are bound: what has a source among others waits for that. */
export function readyEntries(
  routing: readonly RoutingEntry[] = [],
  addresses: readonly VipAddress[],
): readonly RoutingEntry[] {
  if (routing.length === 0) return routing;
  const bound = new Set(addresses.map(({ ip }) => ip));
  return routing.filter((entry) => entry.kind === "rule" || entry.source === undefined || bound.has(entry.source));
}
