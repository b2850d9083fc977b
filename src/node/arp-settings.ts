// Settings of this host with which its kernel does not answer ARP with virtual MACs: whoever held a VIP then would be reached
// by nobody who has to ask for it. The kernel tells nobody when they change, so that they are looked at now and then, and only
// where a VIP has a virtual MAC.

import { type Reason, reason } from "../base/reasons.ts";
import { later } from "../base/time.ts";
import { arpTroubles } from "../base/virtual-mac.ts";
import type { VipConfig } from "../config/types.ts";
import type { Timers } from "../ports/clock.ts";
import type { AddressTable } from "../ports/host.ts";

/** Between two looks, in milliseconds. */
const LOOK_MS = 1_000;

/** What looking at them needs. */
export interface ArpSettingsDeps {
  readonly timers: Timers;
  readonly addresses: AddressTable;
  /** These VIPs can be answered for now, or cannot any more. */
  readonly changed: (vips: readonly VipConfig[]) => void;
}

/** Knows whether virtual MACs are answered with. */
export class ArpWatch {
  private readonly deps: ArpSettingsDeps;
  private vips: readonly VipConfig[] = [];
  private trouble = "";
  private cancelLook: () => void = () => {};

  constructor(deps: ArpSettingsDeps) {
    this.deps = deps;
  }

  /** Looks for these VIPs from now on. */
  plan(vips: readonly VipConfig[]): void {
    this.vips = vips.filter(needsArp);
    this.look();
  }

  /** Why nobody would be answered for a VIP; `undefined`: nothing of that kind. */
  troubleOf(vip: VipConfig): Reason | undefined {
    return this.trouble !== "" && needsArp(vip) ? reason("arp-settings", this.trouble) : undefined;
  }

  close(): void {
    this.cancelLook();
  }

  /** Whether that is news. */
  private look(): boolean {
    const { timers, addresses } = this.deps;
    this.cancelLook();
    const before = this.trouble;
    const settings = this.vips.length === 0 ? undefined : addresses.arpOfAll?.();
    this.trouble = settings === undefined ? "" : arpTroubles(settings).join(" and ");
    this.cancelLook =
      settings === undefined ? () => {} : timers.at(later(timers.now(), LOOK_MS), () => this.lookAgain());
    return this.trouble !== before;
  }

  private lookAgain(): void {
    if (this.look()) this.deps.changed(this.vips);
  }
}

function needsArp({ addresses }: VipConfig): boolean {
  return addresses.some(({ family, virtualMac }) => family === 4 && virtualMac !== undefined);
}
