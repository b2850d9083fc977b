// The wire between VRRP routers: a switch that carries adverts late, twice or not at all, in each direction for itself. It
// keeps who sent what when, and whom it reached, for those who judge a run. A frame is what a raw socket would hand over.

import type { VrrpAdvert, VrrpReceived } from "../../../src/base/vrrp.ts";
import { formatIp, ipBytes, IPV4_BYTES } from "../../../src/wire/ip.ts";
import { decodeReceived, VRRP_GROUP_IPV4, VRRP_GROUP_IPV6 } from "../../../src/wire/vrrp.ts";
import type { TrueTime, World } from "../world.ts";

/** How bad the wire is; chances per frame and receiver. */
export interface WireWeather {
  readonly delayMs: readonly [low: number, high: number];
  readonly lossChance: number;
  /** A frame that takes up to `lateMs`. */
  readonly lateChance: number;
  readonly lateMs: number;
  /** A frame that comes again, up to `lateMs` later. */
  readonly repeatChance: number;
}

/** A host on the wire. */
export interface Station {
  readonly name: string;
  /** The address that it sends from. */
  readonly source: string;
  /** Whether its cable has a carrier. */
  isUp(): boolean;
  /** A frame arrives; `unicast`: to this host alone. */
  receive(packet: VrrpReceived, unicast: boolean): void;
}

/** An advert that was sent. */
export interface SentAdvert extends Pick<VrrpAdvert, "vrid" | "priority" | "intervalMs"> {
  readonly from: string;
  readonly at: TrueTime;
  /** When it reached whom. */
  readonly arrivals: ReadonlyMap<string, TrueTime>;
  /** When it came to whom once more. */
  readonly repeats: ReadonlyMap<string, TrueTime>;
}

/** A frame on its way, and when it arrives where. */
interface Frame {
  readonly packet: VrrpReceived;
  readonly unicast: boolean;
  readonly arrivals: Map<string, TrueTime>;
  readonly repeats: Map<string, TrueTime>;
}

/** So many adverts of a station for a router id are remembered. */
const REMEMBERED = 64;

/** The group of a source's family. */
export function groupOf(source: Uint8Array): Uint8Array {
  return source.length === IPV4_BYTES ? VRRP_GROUP_IPV4 : VRRP_GROUP_IPV6;
}

/** The one segment of a world. */
export class Segment {
  weather: WireWeather;
  /** `a>b`: nothing comes from a to b. */
  readonly cut = new Set<string>();
  readonly stations = new Map<string, Station>();
  /** Called for each advert that leaves a host. */
  onSent: (sent: SentAdvert) => void = () => {};
  private readonly world: World;
  /** No frame takes longer than this on a good wire. */
  private readonly mostDelayMs: number;
  private readonly sent = new Map<string, SentAdvert[]>();
  private readonly failures = new Map<string, TrueTime>();

  constructor(world: World, weather: WireWeather, mostDelayMs: number) {
    this.world = world;
    this.weather = weather;
    this.mostDelayMs = mostDelayMs;
  }

  /** What a station has sent for a router id, the latest last. */
  sentBy(station: string, vrid: number): readonly SentAdvert[] {
    return this.sent.get(`${station} ${vrid}`) ?? [];
  }

  /** The last time at which something that a sent to b was lost, or came late. */
  failedAt(a: string, b: string): TrueTime {
    return this.failures.get(`${a}>${b}`) ?? Number.NEGATIVE_INFINITY;
  }

  /** Sends a packet as a raw socket takes it: with its header on IPv4, the message alone on IPv6. */
  send(from: Station, packet: Uint8Array, destination: Uint8Array): void {
    const { now } = this.world;
    const arrivals = new Map<string, TrueTime>();
    const repeats = new Map<string, TrueTime>();
    const source = ipBytes(from.source);
    const received: VrrpReceived =
      source.length === IPV4_BYTES ? { family: 4, packet } : { family: 6, source, destination, message: packet };
    const isMulticast = sameBytes(destination, groupOf(source));
    const target = formatIp(destination);
    for (const to of this.stations.values())
      if (to !== from && (isMulticast || to.source === target))
        this.carry(from, to, { packet: received, unicast: !isMulticast, arrivals, repeats });
    const decoded = decodeReceived(received);
    if (decoded.kind !== "message") throw new Error(`${from.name} sent what is no advert`);
    const { vrid, priority, intervalMs } = decoded.message;
    const key = `${from.name} ${vrid}`;
    const known = this.sent.get(key) ?? [];
    // Unicast: one frame a peer makes one advert.
    const last = known.at(-1);
    if (!isMulticast && last !== undefined && last.at === now && last.priority === priority) {
      for (const [name, at] of arrivals) (last.arrivals as Map<string, TrueTime>).set(name, at);
      for (const [name, at] of repeats) (last.repeats as Map<string, TrueTime>).set(name, at);
      return;
    }
    const sent = { from: from.name, at: now, vrid, priority, intervalMs, arrivals, repeats };
    this.sent.set(key, [...known.slice(-REMEMBERED), sent]);
    this.world.say(from.name, () => `sends router ${vrid} priority ${priority} every ${intervalMs}`);
    this.onSent(sent);
  }

  /** A packet that no station sent reaches this one. */
  inject(name: string, received: VrrpReceived, unicast: boolean): void {
    const to = this.stations.get(name);
    this.world.at(this.world.now + this.world.random.next() * this.mostDelayMs, () => {
      if (to?.isUp() === true) to.receive(received, unicast);
    });
  }

  private carry(from: Station, to: Station, { packet, unicast, arrivals, repeats }: Frame): void {
    const { world, weather } = this;
    const { random, now } = world;
    const way = `${from.name}>${to.name}`;
    if (!from.isUp() || this.cut.has(way) || random.chance(weather.lossChance)) return this.fail(way, now);
    const [low, high] = weather.delayMs;
    const late = random.chance(weather.lateChance) ? random.next() * weather.lateMs : 0;
    const at = now + low + random.next() * (high - low) + late;
    if (at > now + this.mostDelayMs) this.fail(way, at);
    world.at(at, () => this.arrive(to, way, packet, unicast));
    arrivals.set(to.name, at);
    if (!random.chance(weather.repeatChance)) return;
    const again = at + random.next() * weather.lateMs;
    if (again > now + this.mostDelayMs) this.fail(way, again);
    repeats.set(to.name, again);
    world.at(again, () => this.arrive(to, way, packet, unicast));
  }

  private arrive(to: Station, way: string, packet: VrrpReceived, unicast: boolean): void {
    if (to.isUp()) to.receive(packet, unicast);
    else this.fail(way, this.world.now);
  }

  /** Something that goes this way, `a>b`, is lost, or comes late. */
  fail(way: string, at: TrueTime): void {
    this.failures.set(way, Math.max(at, this.failures.get(way) ?? at));
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
