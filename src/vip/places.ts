// Which addresses belong to which VIP of this host, and which of them are held.

import type { VipAddress } from "../base/vip.ts";
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
