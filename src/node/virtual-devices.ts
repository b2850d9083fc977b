// The devices of virtual MACs on this host: there are those of the VIPs that are configured, and they are up while they carry
// an address.

import { messageOf } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { VipAddress } from "../base/vip.ts";
import type { Timers } from "../ports/clock.ts";
import type { AddressPlace, AddressTable, VirtualDevice } from "../ports/host.ts";
import type { Logger } from "../ports/logger.ts";
import { placeOf } from "../vip/places.ts";
import type { VipState } from "../vip/state.ts";

/**
 * Behind a release, until devices without an address are taken down, in milliseconds: it takes the kernel as many as ten, in
 * which others should hear of the release.
 */
const REST_MS = 50;

/** Between two portions, in milliseconds: whatever else is due has its turn. */
const TURN_MS = 5;

/** What keeping devices works with. */
export interface VirtualDevicesDeps {
  readonly timers: Timers;
  readonly addresses: AddressTable;
  readonly log: Logger;
}

/** Keeps the devices of virtual MACs. */
export class VirtualDevices {
  private readonly deps: VirtualDevicesDeps;
  /** Whether there may be some: at first a former process may have left them. */
  private mayBeThere = true;
  /** What the kernel has refused and is not told again while it goes on. */
  private told: ReadonlySet<string> = new Set();
  private cancelRest: () => void = () => {};
  private cancelMore: () => void = () => {};

  constructor(deps: VirtualDevicesDeps) {
    this.deps = deps;
  }

  /**
   * Has the devices for these addresses, soon; what the kernel refuses is told, and found out when one is needed. Of hundreds
   * a portion is dealt with at once, and the others between what else is to be done.
   */
  keep(addresses: readonly AddressPlace[]): void {
    this.cancelMore();
    const devices = devicesOf(addresses);
    if (!this.keepSome(devices)) return;
    const { timers } = this.deps;
    this.cancelMore = timers.at(later(timers.now(), TURN_MS), () => this.keep(addresses));
  }

  /** The same, all at once: for a program that ends. */
  keepAll(addresses: readonly AddressPlace[]): void {
    this.cancelMore();
    const devices = devicesOf(addresses);
    while (this.keepSome(devices));
  }

  /** Whether there is more to do. */
  private keepSome(devices: readonly VirtualDevice[]): boolean {
    const { addresses: table, log } = this.deps;
    if (table.keepDevices === undefined || (devices.length === 0 && !this.mayBeThere)) return false;
    try {
      const { troubles, others, more } = table.keepDevices(devices);
      for (const trouble of troubles) if (!this.told.has(trouble)) log.warn({}, trouble);
      this.told = new Set(more ? [...this.told, ...troubles] : troubles);
      this.mayBeThere = devices.length > 0 || others || more;
      return more;
    } catch (error) {
      const text = `the devices of virtual MACs cannot be brought up to date: ${messageOf(error)}`;
      log.warn({ error: messageOf(error) }, text);
      return false;
    }
  }

  /** Something was released: soon its device goes down. */
  rest(wanted: () => readonly AddressPlace[]): void {
    if (!this.mayBeThere) return;
    const { timers } = this.deps;
    this.cancelRest();
    this.cancelRest = timers.at(later(timers.now(), REST_MS), () => this.keep(wanted()));
  }

  close(): void {
    this.cancelRest();
    this.cancelMore();
  }
}

/** The same addresses, without the virtual MACs that others, which are held on, have too: those stay open. */
export function withoutSharedMacs(
  addresses: readonly AddressPlace[],
  held: Iterable<AddressPlace>,
): readonly AddressPlace[] {
  const closed = new Set(addresses.map(placeOf));
  const kept = new Set([...held].flatMap((each) => (closed.has(placeOf(each)) ? [] : (each.virtualMac?.mac ?? []))));
  return addresses.map(({ virtualMac, ...address }) =>
    virtualMac === undefined || kept.has(virtualMac.mac) ? address : { ...address, virtualMac },
  );
}

/**
 * Addresses of VIPs that are not held, of those that are meant, whose virtual MAC no other planned address has: also where none
 * is bound any more something could leave with it.
 */
export function withIdleMac(
  { holdings, plans }: VipState,
  isMeant: (vip: string, address: VipAddress) => boolean,
): readonly VipAddress[] {
  const kept = new Set<string>();
  const idle: VipAddress[] = [];
  for (const { name, addresses } of plans.values())
    for (const address of addresses) {
      if (address.virtualMac === undefined) continue;
      if (holdings.has(name) || !isMeant(name, address)) kept.add(address.virtualMac.mac);
      else idle.push(address);
    }
  return idle.filter(({ virtualMac }) => virtualMac !== undefined && !kept.has(virtualMac.mac));
}

function devicesOf(addresses: readonly AddressPlace[]): readonly VirtualDevice[] {
  const devices = new Map<string, VirtualDevice>();
  for (const { interface: name, virtualMac } of addresses)
    if (virtualMac !== undefined) devices.set(name, { name, virtualMac });
  return [...devices.values()];
}
