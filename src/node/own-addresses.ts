// VIPs of which this host has an address that looks like its own, bound by something else than vipd. What counts is which
// was there first, the address or the guard:
//
//   own        the host had the address before vipd guarded it: a slip in the file. It is neither fenced nor removed, or
//              the host would cut itself off. So it answers for it, and no node of the fleet may hold the VIP.
//   served     the host is a real server of the VIP by hand (vipctl realserver): the address is on lo, and the kernel says
//              nothing of it. As a holder it would be silent, too; other nodes may hold the VIP.
//   intruder   vipd guarded the address when it came, so that another node may answer for it: it stays fenced, and is left
//              to whoever bound it.
//
// Neither VIP is held. What the kernel guards outlives the process, so that a restart makes no intruder the host's own.

import { type Reason, reason } from "../base/reasons.ts";
import { hostConflicts, ownAddressMistake } from "../config/host-conflicts.ts";
import type { VipConfig } from "../config/types.ts";
import type { AddressPlace, AddressTable, BoundAddress, Fence, HostEvent } from "../ports/host.ts";
import type { VipPlan } from "../vip/state.ts";

/** What the look-out works with. */
export interface OwnAddressesDeps {
  readonly addresses: AddressTable;
  readonly fence: Pick<Fence, "guardedAddresses">;
  /** A VIP that is held is none of the host's own: what came beside it is looked at once it is released. */
  readonly isHeld: (vip: string) => boolean;
}

interface Found {
  readonly kind: "own" | "served" | "intruder";
  readonly bound: BoundAddress;
}

/** Knows the VIPs of which the host has an address. */
export class OwnAddresses {
  private readonly deps: OwnAddressesDeps;
  private vips: readonly VipConfig[] = [];
  private ips: ReadonlySet<string> = new Set();
  /** By address, what it is for as long as the host has it. */
  private found: ReadonlyMap<string, Found> = new Map();
  /** By VIP, what is wrong. */
  private troubles: ReadonlyMap<string, Reason> = new Map();
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
    this.found = this.classify(wanted);
    const troubles = vips.flatMap(({ name, addresses }): readonly (readonly [string, Reason])[] => {
      const all = addresses.flatMap(({ ip }) => this.found.get(ip) ?? []);
      const worst = all.find(({ kind }) => kind === "own") ?? all[0];
      return worst === undefined ? [] : [[name, reasonOf(worst)]];
    });
    this.postponed = new Set(troubles.map(([name]) => name).filter((name) => this.deps.isHeld(name)));
    this.troubles = new Map(troubles.filter(([name]) => !this.postponed.has(name)));
    const names = new Set([...before.keys(), ...this.troubles.keys()]);
    return new Set([...names].filter((name) => before.get(name)?.text !== this.troubles.get(name)?.text));
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
  troubleOf(vip: string): Reason | undefined {
    return this.troubles.get(vip);
  }

  /** The VIPs of the last look that this host may hold and remove. */
  plans(): readonly VipPlan[] {
    return this.vips.filter(({ name }) => !this.troubles.has(name)).map(planOf);
  }

  /** The addresses that are guarded though their VIPs are left out: all but the host's own. */
  fenced(): readonly AddressPlace[] {
    const left = this.vips.filter(({ name }) => this.troubles.has(name)).flatMap(({ addresses }) => addresses);
    return left.filter(({ ip }) => (this.found.get(ip)?.kind ?? "intruder") === "intruder");
  }

  private classify(wanted: readonly AddressPlace[]): ReadonlyMap<string, Found> {
    const bound = this.deps.addresses.addresses();
    const ips = new Set(wanted.map(({ ip }) => ip));
    const served = bound.flatMap((address): readonly (readonly [string, Found])[] =>
      address.served === true && ips.has(address.ip) ? [[address.ip, { kind: "served", bound: address }]] : [],
    );
    const conflicts = [...hostConflicts(wanted, bound)].filter(([, { kind }]) => kind === "own");
    if (conflicts.length === 0) return new Map(served);
    const guarded = new Set(this.deps.fence.guardedAddresses());
    return new Map([
      ...served,
      ...conflicts.map(([ip, { bound: own }]): readonly [string, Found] => {
        const known = this.found.get(ip)?.kind;
        const kind = known === "own" || known === "intruder" ? known : guarded.has(ip) ? "intruder" : "own";
        return [ip, { kind, bound: own }];
      }),
    ]);
  }
}

function reasonOf({ kind, bound }: Found): Reason {
  if (kind === "own") return reason("own-address", ownAddressMistake(bound).problem);
  const { ip, prefix, interface: name } = bound;
  if (kind === "served")
    return reason(
      "real-server",
      `this host is a real server of ${ip}, which is on ${name}, and must never answer for it; to end that, run: vipctl realserver down ${ip}`,
    );
  const text = `${ip}/${prefix} was bound on ${name} by something else while vipd guarded it: it stays fenced; to end that, run: ip address delete ${ip}/${prefix} dev ${name}`;
  return reason("foreign-address", text);
}

function planOf({ name, addresses, announce, routing }: VipConfig): VipPlan {
  return { name, addresses, announce, ...(routing === undefined ? {} : { routing }) };
}

function hasIp({ addresses }: VipConfig, ip: string): boolean {
  return addresses.some((address) => address.ip === ip);
}
