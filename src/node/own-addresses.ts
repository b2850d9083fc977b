// VIPs that are this host's own addresses, by a slip in the file or because the host got one later. Such a VIP is left out
// of everything that is done for VIPs: it is not held, not fenced and not removed, or the host would cut itself off.

import { hostConflicts, ownAddressMistake } from "../config/host-conflicts.ts";
import type { VipConfig } from "../config/types.ts";
import type { AddressTable, HostEvent } from "../ports/host.ts";

/** What the look-out works with. */
export interface OwnAddressesDeps {
  readonly addresses: AddressTable;
  /** A VIP that is held is none of the host's own: what came beside it is looked at once it is released. */
  readonly isHeld: (vip: string) => boolean;
}

/** Knows the VIPs that are the host's own addresses. */
export class OwnAddresses {
  private readonly deps: OwnAddressesDeps;
  private vips: readonly VipConfig[] = [];
  private ips: ReadonlySet<string> = new Set();
  /** By VIP, what is wrong. */
  private troubles: ReadonlyMap<string, string> = new Map();
  /** VIPs that were held when the host had an address of theirs. */
  private postponed: ReadonlySet<string> = new Set();

  constructor(deps: OwnAddressesDeps) {
    this.deps = deps;
  }

  /** Looks at the host for these VIPs from now on; the VIPs of which it says something else than before. */
  look(vips: readonly VipConfig[] = this.vips): ReadonlySet<string> {
    const before = this.troubles;
    this.vips = vips;
    const wanted = vips.flatMap(({ addresses }) => addresses);
    this.ips = new Set(wanted.map(({ ip }) => ip));
    const conflicts = hostConflicts(wanted, this.deps.addresses.addresses());
    const own = vips.flatMap(({ name, addresses }): readonly (readonly [string, string])[] => {
      const conflict = addresses.map(({ ip }) => conflicts.get(ip)).find((each) => each?.kind === "own");
      return conflict === undefined ? [] : [[name, ownAddressMistake(conflict.bound).problem]];
    });
    this.postponed = new Set(own.map(([name]) => name).filter((name) => this.deps.isHeld(name)));
    this.troubles = new Map(own.filter(([name]) => !this.postponed.has(name)));
    const names = new Set([...before.keys(), ...this.troubles.keys()]);
    return new Set([...names].filter((name) => before.get(name) !== this.troubles.get(name)));
  }

  /** Whether news of the kernel, or the release of VIPs, is a reason to look again. */
  concerns(event: HostEvent): boolean {
    if (event.kind === "overrun") return true;
    const isAddress = event.kind === "address-added" || event.kind === "address-removed";
    return isAddress && !event.address.ours && this.ips.has(event.address.ip);
  }

  /** Whether one of these was held when it would have been told. */
  isPostponed(released: readonly string[]): boolean {
    return released.some((name) => this.postponed.has(name));
  }

  /** Whether an address belongs to a VIP that is left out. */
  has(ip: string): boolean {
    return this.troubles.size > 0 && this.vips.some((vip) => this.troubles.has(vip.name) && hasIp(vip, ip));
  }

  /** Why this host must not hold a VIP; `undefined`: none of its addresses is the host's own. */
  troubleOf(vip: string): string | undefined {
    return this.troubles.get(vip);
  }
}

function hasIp({ addresses }: VipConfig, ip: string): boolean {
  return addresses.some((address) => address.ip === ip);
}
