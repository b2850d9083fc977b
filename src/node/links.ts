// The links of this host as the daemon follows them. A link that carries a VIP is looked at at once, and the fence
// follows it before anybody is told: it may live on under another name. The fence follows other links that are new, gone or
// changed together, soon, and not once for each of them: a host that starts forty containers makes hundreds of such news
// in a second.

import { type Instant, later, LONG_AGO } from "../base/time.ts";
import { isVirtualDevice, wireInterface } from "../base/virtual-mac.ts";
import type { VipConfig } from "../config/types.ts";
import type { Timers } from "../ports/clock.ts";
import type { AddressTable, HostEvent, Link } from "../ports/host.ts";

/** News are gathered for so long before the fence follows them, in milliseconds. */
const GATHER_MS = 20;

/** Between two times that the fence follows, in milliseconds. */
const REST_MS = 250;

/** What following links needs. */
export interface LinksDeps {
  readonly timers: Timers;
  readonly addresses: AddressTable;
  /** A link of the host's own has gone, or may have. */
  readonly gone: () => void;
  /** Puts the fence up around the links that there are now. */
  readonly protect: () => void;
  /** Whether a VIP lives on the link of this name. */
  readonly carriesVip: (name: string) => boolean;
  /** These links came, went, or are up or down now. */
  readonly changed: (names: ReadonlySet<string>) => void;
}

/** The links by name. */
export class Links {
  private readonly deps: LinksDeps;
  private readonly links = new Map<string, Link>();
  private readonly followers = new Set<() => void>();
  private protectedAt: Instant = LONG_AGO;
  private cancelProtect: (() => void) | undefined;

  constructor(deps: LinksDeps) {
    this.deps = deps;
  }

  /** Reads all links. */
  refresh(): void {
    this.links.clear();
    for (const link of this.deps.addresses.links()) this.links.set(link.name, link);
  }

  onHostEvent(event: Extract<HostEvent, { kind: "link-changed" | "link-removed" | "overrun" }>): void {
    if (event.kind === "overrun") {
      this.deps.gone();
      const before = new Map(this.links);
      this.refresh();
      const names = new Set([...before.keys(), ...this.links.keys()]);
      const isOther = (name: string): boolean => isOfAnotherKind(before.get(name), this.links.get(name));
      this.protectAround([...names].filter(isOther), true);
      this.deps.changed(names);
      this.tellFollowers();
      return;
    }
    const name = event.kind === "link-removed" ? event.name : event.link.name;
    const before = this.links.get(name);
    if (event.kind === "link-removed") this.links.delete(name);
    else this.links.set(name, event.link);
    const after = this.links.get(name);
    // No VIP needs these to be there, and the fence guards a virtual MAC at the interface below, too; and vipd itself makes and
    // removes hundreds of them.
    if (isOwnDevice(after ?? before)) {
      if (isOfAnotherKind(before, after)) this.protectSoon();
      return;
    }
    if (after === undefined) this.deps.gone();
    this.protectAround([name], isOfAnotherKind(before, after));
    this.deps.changed(new Set([name]));
    this.tellFollowers();
  }

  /** All links as they are now, from memory. */
  all(): readonly Link[] {
    return [...this.links.values()];
  }

  /** Calls `onNews` after each change of a link; the result ends that. */
  follow(onNews: () => void): () => void {
    this.followers.add(onNews);
    return () => this.followers.delete(onNews);
  }

  /** Why a VIP's links cannot carry it; `undefined`: they can. */
  troubleOf(vip: VipConfig): string | undefined {
    for (const name of linksOf(vip)) {
      const link = this.links.get(name);
      if (link === undefined) return `${name} is missing`;
      if (!link.up) return `${name} is down`;
    }
    const parents = vip.addresses.flatMap(({ virtualMac }) => virtualMac?.parent ?? []);
    const other = parents.find((name) => this.links.get(name)?.ethernet === false);
    return other === undefined ? undefined : `${other} is not an Ethernet interface: it carries no virtual MAC`;
  }

  close(): void {
    this.cancelProtect?.();
  }

  private tellFollowers(): void {
    for (const follower of this.followers) follower();
  }

  /** At once when one of these carries a VIP. */
  private protectAround(names: readonly string[], isNeeded: boolean): void {
    if (!isNeeded) return;
    if (!names.some((name) => this.deps.carriesVip(name))) return this.protectSoon();
    this.cancelProtect?.();
    this.protectNow();
  }

  private protectNow(): void {
    this.cancelProtect = undefined;
    this.deps.protect();
    this.protectedAt = this.deps.timers.now();
  }

  private protectSoon(): void {
    if (this.cancelProtect !== undefined) return;
    const { timers } = this.deps;
    const soon = later(timers.now(), GATHER_MS);
    const rested = later(this.protectedAt, REST_MS);
    this.cancelProtect = timers.at(rested > soon ? rested : soon, () => this.protectNow());
  }
}

/** The links that a VIP needs: those of its addresses, and those that its routes lead over. */
export function linksOf({ addresses, routing = [] }: Pick<VipConfig, "addresses" | "routing">): ReadonlySet<string> {
  const routed = routing.flatMap((entry) => (entry.kind === "route" ? (entry.interface ?? []) : []));
  return new Set([...addresses.map(wireInterface), ...routed]);
}

function isOwnDevice(link: Link | undefined): boolean {
  return link !== undefined && isVirtualDevice(link.name, link.mac);
}

/** Whether the fence treats a link otherwise than before; `undefined`: there is none. */
function isOfAnotherKind(a: Link | undefined, b: Link | undefined): boolean {
  if (a === undefined || b === undefined) return a !== b;
  return a.index !== b.index || a.ethernet !== b.ethernet || a.loopback !== b.loopback || a.port !== b.port;
}

/** Whether a VIP lives on one of these. */
export function isOn(vip: VipConfig, links: ReadonlySet<string>): boolean {
  return [...linksOf(vip)].some((link) => links.has(link));
}
