// keepalived as it was measured (docs/keepalived.md and the interoperation tests): the RFCs' machine, without a fence. Frozen or
// killed it leaves its addresses bound; it says farewell before they are gone; a backup replaces a lower master whenever its
// timer runs out.

import { formatIp, ipBytes, IPV4_BYTES } from "../../../src/wire/ip.ts";
import { decodeReceived, encodeVrrp, encodeVrrpIpv4 } from "../../../src/wire/vrrp.ts";
import type { VrrpAdvert, VrrpReceived } from "../../../src/base/vrrp.ts";
import { Process, type TrueTime, type World } from "../world.ts";
import { groupOf, type Segment, type Station } from "./segment.ts";

/** One instance of its configuration. */
export interface KeepalivedInstance {
  readonly vip: string;
  readonly vrid: number;
  readonly version: 2 | 3;
  readonly priority: number;
  readonly intervalMs: number;
  readonly preempt: boolean;
  readonly addresses: readonly string[];
}

/** Who it is and what it is told. */
export interface KeepalivedSetup {
  readonly name: string;
  readonly source: string;
  /** How fast its clock runs. */
  readonly rate: number;
  readonly startAt: TrueTime;
  /** Empty: the group. */
  readonly peers: readonly string[];
  readonly instances: readonly KeepalivedInstance[];
}

interface Running {
  readonly config: KeepalivedInstance;
  state: "backup" | "master";
  masterIntervalMs: number;
  /** The last advert that was obeyed had priority 0. */
  isFarewell: boolean;
  cancelTimer: () => void;
}

/** A host with keepalived. */
export class Keepalived implements Station {
  readonly setup: KeepalivedSetup;
  process: Process | null = null;
  up = true;
  startedAt: TrueTime = 0;
  /** Called after each change of what it answers for. */
  onChange: () => void = () => {};
  /** Called when a time of silence has made it the master. */
  onClaim: (vip: string) => void = () => {};
  private readonly world: World;
  private readonly segment: Segment;
  private readonly bound = new Set<string>();
  private running: Running[] = [];
  private queue: VrrpReceived[] = [];

  constructor(setup: KeepalivedSetup, world: World, segment: Segment) {
    this.setup = setup;
    this.world = world;
    this.segment = segment;
    segment.stations.set(setup.name, this);
    world.at(setup.startAt, () => this.start());
  }

  get name(): string {
    return this.setup.name;
  }

  get source(): string {
    return this.setup.source;
  }

  get isRunning(): boolean {
    return this.process?.dead === false;
  }

  isUp(): boolean {
    return this.up;
  }

  /** Whether what it waits for is the skew after a farewell. */
  saidFarewell(vip: string): boolean {
    return this.running.find(({ config }) => config.vip === vip)?.isFarewell === true;
  }

  answers(ip: string): boolean {
    return this.bound.has(ip);
  }

  /** It removes what a former process has left, and listens. */
  start(): void {
    if (this.isRunning) return;
    this.bound.clear();
    this.process = new Process(this.name, this.world, () => {});
    this.queue = [];
    this.startedAt = this.world.now;
    this.running = this.setup.instances.map((config) => ({
      config,
      state: "backup",
      masterIntervalMs: config.intervalMs,
      isFarewell: false,
      cancelTimer: () => {},
    }));
    for (const running of this.running) this.listen(running);
  }

  /** The farewell leaves before the addresses go. */
  stop(): void {
    const { process } = this;
    if (process === null || process.dead || process.frozen) return;
    for (const running of this.running) {
      running.cancelTimer();
      if (running.state === "master") this.say(running, 0);
    }
    this.running = [];
    this.world.at(this.world.now + 1 + this.world.random.next() * 15, () => this.unbindAll(), process);
  }

  /** The addresses stay. */
  kill(): void {
    this.process?.kill();
  }

  /** The cable is pulled: it gives up everything, and listens anew when it is back. */
  setLink(up: boolean): void {
    this.up = up;
    const { process } = this;
    if (process === null) return;
    this.world.at(
      this.world.now + this.world.random.next() * 5,
      () => {
        for (const running of this.running) {
          running.cancelTimer();
          this.unbind(running);
          if (this.up) this.listen(running);
          else running.state = "backup";
        }
      },
      process,
    );
  }

  receive(packet: VrrpReceived): void {
    const { process, world } = this;
    if (process === null || process.dead) return;
    this.queue.push(packet);
    world.at(world.now + world.random.next(), () => this.read(), process);
  }

  private read(): void {
    for (let packet = this.queue.shift(); packet !== undefined; packet = this.queue.shift()) {
      const decoded = decodeReceived(packet);
      if (decoded.kind !== "message" || decoded.from === undefined) continue;
      const { message, from } = decoded;
      const running = this.running.find(({ config }) => config.vrid === message.vrid);
      if (running !== undefined && this.up) this.hear(running, message, formatIp(from.source));
    }
  }

  private hear(running: Running, advert: VrrpAdvert, source: string): void {
    const { config } = running;
    if (advert.version !== config.version) return;
    if (config.version === 2 && advert.intervalMs !== config.intervalMs) return;
    if (running.state === "master") return this.hearAsMaster(running, advert, source);
    if (advert.priority === 0) {
      running.isFarewell = true;
      return this.setTimer(running, skewMs(running));
    }
    if (config.preempt && advert.priority < config.priority) return;
    this.obey(running, advert);
  }

  private hearAsMaster(running: Running, advert: VrrpAdvert, source: string): void {
    const { config } = running;
    const isHigher =
      advert.priority > config.priority || (advert.priority === config.priority && isGreater(source, this.source));
    if (advert.priority === 0 || !isHigher) return this.say(running, config.priority);
    this.unbind(running);
    this.obey(running, advert);
  }

  private obey(running: Running, advert: VrrpAdvert): void {
    if (running.config.version === 3) running.masterIntervalMs = advert.intervalMs;
    running.state = "backup";
    running.isFarewell = false;
    this.setTimer(running, 3 * running.masterIntervalMs + skewMs(running));
  }

  private listen(running: Running): void {
    running.state = "backup";
    running.isFarewell = false;
    running.masterIntervalMs = running.config.intervalMs;
    this.setTimer(running, 3 * running.masterIntervalMs + skewMs(running));
  }

  private expired(running: Running): void {
    const { config } = running;
    if (running.state === "backup") {
      // What has arrived meanwhile may be read first, or not.
      if (this.world.random.chance(0.5)) {
        const before = running.cancelTimer;
        this.read();
        if (running.cancelTimer !== before) return;
      }
      running.state = "master";
      this.onClaim(config.vip);
      this.say(running, config.priority);
      for (const ip of config.addresses) this.bound.add(ip);
      this.onChange();
    } else this.say(running, config.priority);
    this.setTimer(running, config.intervalMs);
  }

  private setTimer(running: Running, ms: number): void {
    running.cancelTimer();
    const at = this.world.now + ms / this.setup.rate + this.world.random.next();
    running.cancelTimer = this.world.at(at, () => this.expired(running), this.process);
  }

  private say({ config }: Running, priority: number): void {
    const { vrid, version, intervalMs, addresses } = config;
    const advert = { version, vrid, priority, intervalMs, addresses };
    const { peers } = this.setup;
    const source = ipBytes(this.source);
    const encode = source.length === IPV4_BYTES ? encodeVrrpIpv4 : encodeVrrp;
    const targets = peers.length === 0 ? [groupOf(source)] : peers.map((peer) => ipBytes(peer));
    for (const destination of targets)
      this.segment.send(this, encode(advert, { source, destination }, { checksum: "pseudo-header" }), destination);
  }

  private unbind({ config }: Running): void {
    for (const ip of config.addresses) this.bound.delete(ip);
    this.onChange();
  }

  private unbindAll(): void {
    this.bound.clear();
    this.onChange();
    this.process?.kill();
  }
}

/** Version 2's is a part of a second, version 3's a part of the master's interval. */
function skewMs({ config, masterIntervalMs }: Running): number {
  return ((256 - config.priority) / 256) * (config.version === 2 ? 1_000 : masterIntervalMs);
}

function isGreater(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(ipBytes(a)), Buffer.from(ipBytes(b))) > 0;
}
