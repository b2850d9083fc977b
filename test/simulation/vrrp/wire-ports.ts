// VRRP's ports of one daemon in the simulation. The sending thread is a process of its own, which may be stopped alone or
// together with the program; what it runs is the program's own code (adapters/linux/vrrp-program.ts, vrrp-voices.ts) over the
// virtual clock and wire. Sockets fill while the program stands still.

import { ENETDOWN, kernelError } from "../../../adapters/linux/errors.ts";
import type { Command, News, SharedTimes } from "../../../adapters/linux/vrrp-channel.ts";
import { type AdvertWay, type SendingThread, ThreadedSender } from "../../../adapters/linux/vrrp-program.ts";
import { Voices } from "../../../adapters/linux/vrrp-voices.ts";
import { type Instant, NEVER } from "../../../src/base/time.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import type { VipConfig } from "../../../src/config/types.ts";
import type { OpenReceiver } from "../../../src/node/advert-listeners.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { ElectorHost } from "../../../src/ports/elector.ts";
import type { AdvertReceiver, AdvertSender, AdvertSource, OnReceived, VrrpRoute } from "../../../src/ports/vrrp.ts";
import type { VrrpEffect, VrrpEvent, VrrpState } from "../../../src/vrrp/state.ts";
import type { VrrpReceived } from "../../../src/base/vrrp.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import type { SimDaemon } from "../daemon.ts";
import type { SimHost } from "../host.ts";
import { Process, type TrueTime, type World } from "../world.ts";
import type { VrrpCanary } from "./canaries.ts";
import { groupOf, type Segment, type Station } from "./segment.ts";

/** The interface that speaks VRRP. */
export const WIRE_INTERFACE = "eth0";

/** The thread looks after itself this often, as vrrp-worker.ts does. */
const LONGEST_SLEEP_MS = 1_000;

/** How long the wire is asked who answers. */
const QUESTION_MS = 20;

/** What a daemon speaks VRRP by. */
export interface WirePorts {
  readonly hasStore: boolean;
  readonly crowd: number;
  readonly sender: AdvertSender;
  readonly openReceiver: OpenReceiver;
  /** The sending thread; `null`: none was needed yet. */
  readonly thread: Process | null;
  /** When the program last found its sockets empty. */
  readonly drainedAt: TrueTime;
  /** What VIPs a broken daemon sees. */
  seenVips(vips: readonly VipConfig[]): readonly VipConfig[];
  perturb(state: VrrpState, event: VrrpEvent, at: Instant): VrrpEvent;
  brokenHost(host: ElectorHost): ElectorHost;
  onStep(daemon: SimDaemon, after: VrrpState, effects: readonly VrrpEffect[]): void;
  /** Asks the wire who answers for these, as src/node/wire-question.ts does. */
  askIfSilent(addresses: readonly VipAddress[], done: (isSilent: boolean) => void): void;
  /** A frame arrives at this host. */
  receive(packet: VrrpReceived, unicast: boolean): void;
  /** Lets out what was said, and calls back. */
  end(done: () => void): void;
  /** The program has died, and its thread with it. */
  gone(): void;
}

/** What the ports of a daemon work with. */
export interface WirePortsDeps {
  readonly world: World;
  readonly segment: Segment;
  readonly station: Station;
  readonly host: SimHost;
  readonly process: Process;
  readonly hasStore: boolean;
  readonly crowd: number;
  readonly canary: VrrpCanary | null;
  readonly onStep: WirePorts["onStep"];
  /** Whether a host that this one hears answers for the address now. */
  readonly isAnswered: (ip: string) => boolean;
}

/** The ports of one daemon. */
export class SimWirePorts implements WirePorts {
  readonly hasStore: boolean;
  readonly crowd: number;
  readonly sender: AdvertSender;
  readonly onStep: WirePorts["onStep"];
  private readonly deps: WirePortsDeps;
  private readonly sockets = new Set<Socket>();
  private sending: SimThread | null = null;

  constructor(deps: WirePortsDeps) {
    this.deps = deps;
    this.hasStore = deps.hasStore;
    this.crowd = deps.crowd;
    this.onStep = deps.onStep;
    this.sender = new ThreadedSender({
      clock: clockOf(deps.world, deps.host, deps.process),
      wayOf,
      startThread: (times, onNews) => {
        this.sending = new SimThread(deps, times, onNews);
        return this.sending;
      },
    });
  }

  get thread(): Process | null {
    return this.sending?.process ?? null;
  }

  get drainedAt(): TrueTime {
    return Math.max(Number.NEGATIVE_INFINITY, ...[...this.sockets].map((socket) => socket.drainedAt));
  }

  readonly openReceiver: OpenReceiver = (source, onReceived) => {
    const socket = new Socket(source, onReceived, this.deps, () => this.sockets.delete(socket));
    this.sockets.add(socket);
    return socket;
  };

  seenVips(vips: readonly VipConfig[]): readonly VipConfig[] {
    return this.deps.canary?.seenVips?.(vips) ?? vips;
  }

  perturb(state: VrrpState, event: VrrpEvent, at: Instant): VrrpEvent {
    return this.deps.canary?.perturb?.(state, event, at) ?? event;
  }

  brokenHost(host: ElectorHost): ElectorHost {
    const { canary, world, process, host: sim } = this.deps;
    return canary?.brokenHost?.(host, { world, process, daemon: () => sim.daemon }) ?? host;
  }

  /** Three times, and the answer comes behind the last. */
  askIfSilent(addresses: readonly VipAddress[], done: (isSilent: boolean) => void): void {
    const { world, process, isAnswered, canary } = this.deps;
    let silent = true;
    const ask = (): void => {
      silent &&= canary?.doesNotAsk === true || addresses.every(({ ip }) => !isAnswered(ip));
    };
    for (let i = 0; i < 3; i += 1) world.at(world.now + i * (QUESTION_MS / 3), ask);
    world.at(
      world.now + (canary?.doesNotAsk === true ? 0 : QUESTION_MS) + world.random.next(),
      () => done(silent),
      process,
    );
  }

  receive(packet: VrrpReceived, unicast: boolean): void {
    if (this.deps.process.dead) return;
    for (const socket of this.sockets) socket.arrive(packet, unicast);
  }

  end(done: () => void): void {
    if (this.sending === null) return done();
    this.sending.onEnd = done;
    // The thread's end is told by `onEnd`: promises do not move in virtual time.
    void this.sender.close();
  }

  gone(): void {
    this.sending?.process.kill();
    this.sockets.clear();
  }
}

function clockOf(world: World, { kernel }: SimHost, process: Process): Clock {
  return {
    now: () => {
      process.point();
      return kernel.clock.read(world.now);
    },
    wallMs: () => wallMsOf(world),
  };
}

/** The wall clock of all. */
export function wallMsOf({ now }: World): number {
  return 1_700_000_000_000 + Math.floor(now);
}

function wayOf({ source: text, reach }: VrrpRoute): AdvertWay {
  const source = ipBytes(text);
  const addresses = reach.kind === "unicast" ? reach.peers.map((peer) => ipBytes(peer)) : [groupOf(source)];
  return {
    key: text,
    source,
    destinations: addresses.map((address) => ({ address, target: address })),
    openSocket: () => 3,
  };
}

/** The thread of one program. */
class SimThread implements SendingThread {
  readonly process: Process;
  /** Called when it has let out everything and ended; by the program. */
  onEnd: () => void = () => {};
  private readonly deps: WirePortsDeps;
  private readonly voices: Voices;
  private readonly commands: Command[] = [];
  private heardAt: TrueTime = 0;
  private cancelSleep: () => void = () => {};

  constructor(deps: WirePortsDeps, times: SharedTimes, onNews: (news: readonly News[]) => void) {
    const { world, host, segment, station, canary } = deps;
    this.deps = deps;
    this.process = new Process(`${host.name}/send`, world, () => {});
    const clock = clockOf(world, host, this.process);
    this.voices = new Voices({
      clock,
      times,
      send: (_fd, packet, target) => {
        this.process.point();
        if (!station.isUp() && world.random.chance(0.5)) throw kernelError("sendto", ENETDOWN, "CAP_NET_RAW");
        segment.send(station, packet, target);
        this.process.point();
      },
      closeSocket: () => {},
      tell: (news) => {
        this.process.point();
        this.later(() => onNews(news));
      },
    });
    if (canary?.ignoresSignsOfLife === true)
      Object.defineProperty(times, "alive", { get: () => clock.now(), set: () => {} });
  }

  tell(command: Command): void {
    this.commands.push(command);
    const { world } = this.deps;
    world.at(world.now + 0.02 + world.random.next() * 0.3, () => this.turn(), this.process);
  }

  ended(): Promise<void> {
    return Promise.resolve();
  }

  private turn(): void {
    const { world, host } = this.deps;
    this.cancelSleep();
    const dueAt = this.voices.turn(() => {
      this.process.point();
      return this.commands.shift();
    });
    if (dueAt === null) return this.later(() => this.onEnd());
    const at = dueAt === NEVER ? Number.POSITIVE_INFINITY : host.kernel.clock.trueTimeOf(dueAt);
    const wakeAt = Math.min(at + world.random.next() * 0.4, world.now + LONGEST_SLEEP_MS);
    this.cancelSleep = world.at(wakeAt, () => this.turn(), this.process);
  }

  /** The program hears of it a little later, in order. */
  private later(run: () => void): void {
    const { world, process } = this.deps;
    this.heardAt = Math.max(this.heardAt, world.now + 0.05 + world.random.next() * 0.8);
    world.at(this.heardAt, run, process);
  }
}

/** A socket that hears adverts. */
class Socket implements AdvertReceiver {
  drainedAt: TrueTime = Number.NEGATIVE_INFINITY;
  private readonly source: AdvertSource;
  private readonly onReceived: OnReceived;
  private readonly deps: WirePortsDeps;
  private readonly onClose: () => void;
  private readonly queue: VrrpReceived[] = [];
  private open = true;

  constructor(source: AdvertSource, onReceived: OnReceived, deps: WirePortsDeps, onClose: () => void) {
    this.source = source;
    this.onReceived = onReceived;
    this.deps = deps;
    this.onClose = onClose;
  }

  /** The event loop looks at its timers first, and at its sockets afterwards: always when it has stood still, else now and then. */
  arrive(packet: VrrpReceived, unicast: boolean): void {
    if (!this.open || unicast !== (this.source.unicast !== null)) return;
    this.queue.push(packet);
    const { world, process } = this.deps;
    const read = (): void => this.read();
    const wakeUp = (): void => {
      if (process.thawedAt === world.now) world.at(world.now + 0.01, read, process);
      else if (world.random.chance(0.2)) world.at(world.now + world.random.next(), read, process);
      else this.read();
    };
    world.at(world.now + world.random.next() * 0.3, wakeUp, process);
  }

  drain(): void {
    if (this.deps.canary?.doesNotDrain === true) this.drainedAt = this.deps.world.now;
    else this.read();
  }

  close(): void {
    this.open = false;
    this.queue.length = 0;
    this.onClose();
  }

  private read(): void {
    const { process, world } = this.deps;
    while (this.open) {
      process.point();
      this.drainedAt = world.now;
      const packet = this.queue.shift();
      if (packet === undefined) return;
      this.onReceived(packet);
    }
  }
}
