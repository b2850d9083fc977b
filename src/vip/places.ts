// Which addresses belong to which VIP of this host, and which of them are held.

import type { VipAddress } from "../base/vip.ts";
import { grantFor, isGranted } from "../base/virtual-mac.ts";
import type { AddressPlace } from "../ports/host.ts";
import type { VipState } from "./state.ts";

/** The VIP that has an address on an interface. */
export function vipAt({ byPlace }: VipState, address: AddressPlace): string | undefined {
  return byPlace.get(placeOf(address));
}

/** What is held of a VIP's addresses, or would be. */
export function addressesOf({ holdings, plans }: VipState, vip: string): readonly VipAddress[] {
  return holdings.get(vip)?.addresses ?? plans.get(vip)?.addresses ?? [];
}

/**
 * Addresses that are bound or open here although no plan names them, or the virtual MAC that they have, for this VIP: others
 * must not have them yet.
 */
export function addressesLeft({ holdings, plans }: VipState, vip: string): readonly VipAddress[] {
  const holding = holdings.get(vip);
  if (holding === undefined || holding.phase === "opening") return [];
  if (holding.phase === "closing") return holding.addresses;
  const planned = new Set(grantFor(plans.get(vip)?.addresses ?? []));
  return holding.addresses.filter((address) => !isGranted(planned, address));
}

/** The addresses of the VIPs that are configured, or not released yet. */
export function wantedAddresses({ holdings, plans }: VipState): readonly AddressPlace[] {
  return [...plans.values(), ...holdings.values()].flatMap(({ addresses }): readonly AddressPlace[] => addresses);
}

/** The addresses that this host answers for, or is about to. */
export function* heldAddresses({ holdings }: VipState): Generator<VipAddress> {
  for (const holding of holdings.values()) if (holding.phase !== "closing") yield* holding.addresses;
}

/** Each address on an interface once. */
export function uniquePlaces(addresses: readonly AddressPlace[]): readonly AddressPlace[] {
  return [...new Map(addresses.map((address) => [placeOf(address), address])).values()];
}

/** Names an address on an interface, whatever its prefix. */
export function placeOf({ ip, interface: link }: AddressPlace): string {
  return `${ip} ${link}`;
}
