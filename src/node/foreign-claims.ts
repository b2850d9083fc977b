// Listens to the wire for other stations that claim a VIP which this host holds. What is heard is gathered for a moment:
// a station that shouts costs the daemon a few events a second, whatever it sends.

import { messageOf } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { VipAddress } from "../base/vip.ts";
import type { Timers } from "../ports/clock.ts";
import type { PacketLink } from "../ports/host.ts";
import type { Logger } from "../ports/logger.ts";
import { placeOf } from "../vip/places.ts";

/** Changes of what is held are gathered for so long, in milliseconds. */
const SETTLE_MS = 50;

/** What is heard is gathered for so long, in milliseconds. */
const GATHER_MS = 100;

/** So many stations are told of a VIP at a time. */
const MAX_STATIONS = 256;

/** What foreignClaims work with. */
export interface ForeignClaimsDeps {
  readonly timers: Timers;
  readonly packets: PacketLink;
  readonly log: Logger;
  /** The VIPs that this host holds, with the addresses that it answers for. */
  readonly held: () => Iterable<readonly [vip: string, addresses: readonly VipAddress[]]>;
  /** Hardware addresses of others that claim a VIP. */
  readonly heard: (vip: string, stations: readonly string[]) => void;
}

/** The foreignClaims of one host. */
export class ForeignClaims {
  private readonly deps: ForeignClaimsDeps;
  private readonly gathered = new Map<string, Set<string>>();
  private vips: ReadonlyMap<string, string> = new Map();
  private cancelListen: (() => void) | undefined;
  private cancelTell: (() => void) | undefined;
  private trouble = "";

  constructor(deps: ForeignClaimsDeps) {
    this.deps = deps;
  }

  /** What is held, or a link, has changed. */
  changed(): void {
    const { timers, packets } = this.deps;
    if (packets.hear === undefined || this.cancelListen !== undefined) return;
    this.cancelListen = timers.at(later(timers.now(), SETTLE_MS), () => {
      this.cancelListen = undefined;
      this.listen();
    });
  }

  close(): void {
    this.cancelListen?.();
    this.cancelTell?.();
    this.gathered.clear();
  }

  /** A failure is told once: then only probes find other stations. */
  private listen(): void {
    const { packets, log, held } = this.deps;
    const vips = new Map<string, string>();
    const wanted: VipAddress[] = [];
    for (const [vip, addresses] of held())
      for (const address of addresses) {
        vips.set(placeOf(address), vip);
        wanted.push(address);
      }
    this.vips = vips;
    try {
      packets.hear?.(wanted, (address, mac) => this.gather(address, mac));
      this.trouble = "";
    } catch (error) {
      if (this.trouble === messageOf(error)) return;
      this.trouble = messageOf(error);
      log.warn({ error: this.trouble }, `cannot listen for others that claim a VIP: ${this.trouble}`);
    }
  }

  private gather(address: VipAddress, mac: string): void {
    const vip = this.vips.get(placeOf(address));
    if (vip === undefined) return;
    const stations = this.gathered.get(vip) ?? new Set();
    this.gathered.set(vip, stations);
    if (stations.size < MAX_STATIONS) stations.add(mac);
    const { timers } = this.deps;
    this.cancelTell ??= timers.at(later(timers.now(), GATHER_MS), () => {
      this.cancelTell = undefined;
      const all = [...this.gathered];
      this.gathered.clear();
      for (const [heardVip, found] of all) this.deps.heard(heardVip, [...found].sort());
    });
  }
}
