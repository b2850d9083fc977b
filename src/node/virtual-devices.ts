// The devices of virtual MACs on this host: there are those of the VIPs that are configured, and they are up while they carry
// an address.

import { messageOf } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { AddressPlace, AddressTable, VirtualDevice } from "../ports/host.ts";
import type { Logger } from "../ports/logger.ts";
import { placeOf } from "../vip/places.ts";

/**
 * Behind a release, until devices without an address are taken down, in milliseconds: it takes the kernel as many as ten, in
 * which others should hear of the release.
 */
const REST_MS = 50;

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
  private cancelRest: () => void = () => {};

  constructor(deps: VirtualDevicesDeps) {
    this.deps = deps;
  }

  /** Has the devices for these addresses; what the kernel refuses is told, and found out when one is needed. */
  keep(addresses: readonly AddressPlace[]): void {
    const { addresses: table, log } = this.deps;
    const devices = new Map<string, VirtualDevice>();
    for (const { interface: name, virtualMac } of addresses)
      if (virtualMac !== undefined) devices.set(name, { name, virtualMac });
    if (table.keepDevices === undefined || (devices.size === 0 && !this.mayBeThere)) return;
    try {
      const { troubles, others } = table.keepDevices([...devices.values()]);
      for (const trouble of troubles) log.warn({}, trouble);
      this.mayBeThere = devices.size > 0 || others;
    } catch (error) {
      const text = `the devices of virtual MACs cannot be brought up to date: ${messageOf(error)}`;
      log.warn({ error: messageOf(error) }, text);
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
