// A host of the simulation: its kernel of the present boot, its state directory, and its daemon when one runs.

import type { State } from "../../src/election/state.ts";
import type { Canary } from "./canaries.ts";
import type { VipConfig } from "../../src/config/types.ts";
import { type Claim, takeUpClaim } from "../../src/node/claim.ts";
import type { IdentityKeeper } from "../../src/ports/identity.ts";
import { FLEET, SimDaemon } from "./daemon.ts";
import { HostClock } from "./host-clock.ts";
import { Kernel } from "./kernel.ts";
import { type Network, StoreLink } from "./network.ts";
import type { HostSetup } from "./scenario.ts";
import type { WirePorts } from "./vrrp/wire-ports.ts";
import { Process, type World } from "./world.ts";

/** What a host works with. */
export interface HostDeps {
  readonly world: World;
  readonly network: Network;
  readonly canary: Canary | null;
  /** A kernel has booted: the checker follows it. */
  readonly onBoot: (host: SimHost) => void;
  /** A daemon has stopped of its own will. */
  readonly onLeft?: (host: SimHost) => void;
  readonly onStep: (daemon: SimDaemon, after: State) => void;
  readonly onSend: (daemon: SimDaemon, heartbeat: number) => void;
  /** Equips a daemon that speaks VRRP. */
  readonly makeWire?: (host: SimHost, process: Process) => WirePorts;
}

/** After a failed start, as RestartSec in vipd.service. */
const RESTART_MS = 200;

/** A host over all its boots, and over all processes of its daemon. */
export class SimHost {
  readonly setup: HostSetup;
  kernel: Kernel;
  daemon: SimDaemon | null = null;
  /** What the present daemon speaks VRRP by. */
  wire: WirePorts | null = null;
  config: readonly VipConfig[];
  /** The lease of the next daemon. */
  ttlMs: number;
  /** A daemon will be started. */
  private awaited = false;
  /** In the state directory. */
  private claim: Claim | undefined;
  private retired = false;
  private boots = 0;
  private serial = 0;
  private readonly deps: HostDeps;

  constructor(setup: HostSetup, deps: HostDeps) {
    this.setup = setup;
    this.deps = deps;
    this.config = setup.config;
    this.ttlMs = setup.ttlMs;
    this.claim = formerClaim(setup);
    this.kernel = this.boot();
    this.startIn(setup.startAt, null);
  }

  get name(): string {
    return this.setup.name;
  }

  /** Starts a daemon after `ms`, unless one runs or is awaited already. */
  startIn(ms: number | null, config: readonly VipConfig[] | null): void {
    const { world } = this.deps;
    if (ms === null || this.awaited || this.retired) return;
    this.awaited = true;
    world.at(world.now < world.calmAt ? Math.min(world.now + ms, world.calmAt) : world.now + ms, () => {
      this.awaited = false;
      if (this.daemon !== null || this.retired) return;
      if (this.asleepUntil > world.now) return this.startIn(this.asleepUntil - world.now, config);
      if (config !== null) this.config = config;
      this.start();
    });
  }

  /** How many troubles make the service here sick. */
  sickness = 0;

  /** The check of the service here looks soon. */
  feel(change: 1 | -1): void {
    const { world } = this.deps;
    const { daemon } = this;
    this.sickness += change;
    if (daemon !== null) world.at(world.now + world.random.next() * 5, () => daemon.look(), daemon.process);
  }

  /** Called once, when the present daemon is gone. */
  whenGone: () => void = () => {};

  /** The next daemon dies so long after its first commit was sent, and is followed after `backMs`. */
  nextDies: { readonly afterMs: number; readonly backMs: number | null } | null = null;

  reboot(): void {
    this.daemon?.process.kill();
    this.kernel = this.boot();
  }

  /** The next daemon knows nothing of earlier days: it must have the fleet's longest lease. */
  loseState(longestTtlMs: number): void {
    this.claim = undefined;
    this.ttlMs = longestTtlMs;
  }

  /** Begins with a copy of another host's state directory, as it is now. */
  copyState(other: SimHost): void {
    this.claim = other.claim;
  }

  /** Until when the machine sleeps: nothing starts on it meanwhile. */
  private asleepUntil = 0;

  /** The machine sleeps; its daemon goes on `lateMs` after it wakes up, its network `darkMs` after. */
  suspend(forMs: number, darkMs: number, lateMs: number): void {
    const { world } = this.deps;
    const { kernel } = this;
    kernel.sleep();
    this.asleepUntil = Math.max(this.asleepUntil, world.now + forMs);
    this.daemon?.process.sleep(forMs, lateMs);
    if (this.daemon !== null) this.wire?.thread?.sleep(forMs, lateMs);
    const isAttended = (): boolean => this.daemon !== null && (lateMs > 0 || !this.daemon.process.frozen);
    world.at(world.now + forMs, () => kernel.wake(forMs, isAttended()));
    world.at(world.now + forMs + darkMs, () => kernel.lighten());
  }

  /** No daemon runs here any more. */
  retire(): void {
    this.retired = true;
    this.daemon?.process.kill();
  }

  /** For a canary: a second daemon starts although the first one, frozen, lives. */
  startBesides(): void {
    this.start();
  }

  private boot(): Kernel {
    const { world } = this.deps;
    const { bootMs, rate } = this.setup;
    this.boots += 1;
    const kernel = new Kernel(this.name, world, new HostClock(world.now, bootMs / this.boots, rate));
    this.kernel = kernel;
    if (this.setup.source !== undefined) kernel.bindByHand(this.setup.source);
    this.deps.onBoot(this);
    return kernel;
  }

  private start(): void {
    const { world, network, canary, onStep, onSend } = this.deps;
    const { kernel, name, ttlMs } = this;
    const process = new Process(name, world, () => this.gone(process));
    const processId = `${name}-process-${++this.serial}`;
    const identity = this.openIdentity();
    const vips = this.config.map((vip) => [vip.name, vip.priority, ...vip.addresses.map(({ ip }) => ip)]);
    world.say(name, () => `starts, ${identity.adopt ? "adopting" : "anew"}, with ${JSON.stringify(vips)}`);
    const link = new StoreLink(network, process, name, kernel.clock);
    const { startupDelayMs = 0 } = this.setup;
    const options = { node: this.setup.node, host: name, processId, ttlMs, canary, startupDelayMs };
    this.wire = this.deps.makeWire?.(this, process) ?? null;
    const daemon = new SimDaemon(options, this.config, {
      world,
      process,
      kernel,
      link,
      identity,
      wire: this.wire,
      isSick: () => this.sickness > 0,
      onStep,
      onSend: (sender, heartbeat) => {
        onSend(sender, heartbeat);
        this.dieSoon(process);
      },
      onExit: () => this.exited(process),
    });
    this.daemon = daemon;
    world.at(world.now, () => daemon.start(), process);
  }

  private dieSoon(process: Process): void {
    const { nextDies } = this;
    const { world } = this.deps;
    this.nextDies = null;
    if (nextDies === null || world.now >= world.calmAt) return;
    world.at(Math.min(world.now + nextDies.afterMs, world.calmAt), () => {
      if (this.daemon?.process !== process) return;
      this.whenGone = () => this.startIn(nextDies.backMs, null);
      process.kill();
    });
  }

  /** The real claim, kept in this world's state directory. */
  private openIdentity(): IdentityKeeper {
    const { kernel, claim } = this;
    const lockFile = this.name;
    const origin = { bootId: String(this.boots), networkNamespace: "", lockFile, node: this.setup.node, fleet: FLEET };
    const takesCopies = this.deps.canary?.adoptsCopies === true;
    const found = takesCopies && claim !== undefined ? { ...claim, lockFile } : claim;
    const keeper = takeUpClaim(found, origin, {
      uniqueId: () => `${this.name}-claim-${++this.serial}`,
      sleptMs: () => kernel.sleptMs,
      keep: (kept) => (this.claim = kept),
    });
    return { ...keeper, release: () => {} };
  }

  /** It left, or could not start: then systemd tries again. */
  private exited(process: Process): void {
    const started = this.daemon?.steps !== 0;
    if (started) this.deps.onLeft?.(this);
    process.kill();
    if (!started) this.startIn(RESTART_MS, null);
  }

  private gone(process: Process): void {
    if (this.daemon?.process !== process) return;
    this.daemon = null;
    this.wire?.gone();
    this.kernel.abandon();
    this.kernel.listener = null;
    this.whenGone();
    this.whenGone = () => {};
  }
}

/** What a host has in its state directory that has known a fleet before the world began. */
function formerClaim({ name, node, knownTtlMs }: HostSetup): Claim {
  const origin = { bootId: "before", networkNamespace: "", lockFile: name, node, fleet: FLEET };
  return { ...origin, incarnation: `${name}-before`, sleptMs: 0, knownTtlMs };
}
