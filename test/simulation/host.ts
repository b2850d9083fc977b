// A host of the simulation: its kernel of the present boot, its state directory, and its daemon when one runs.

import type { State } from "../../src/election/state.ts";
import type { Canary } from "./canaries.ts";
import type { VipConfig } from "../../src/config/types.ts";
import type { IdentityKeeper } from "../../src/ports/identity.ts";
import { SimDaemon } from "./daemon.ts";
import { HostClock } from "./host-clock.ts";
import { Kernel } from "./kernel.ts";
import { type Network, StoreLink } from "./network.ts";
import type { HostSetup } from "./scenario.ts";
import { Process, type World } from "./world.ts";

/** What a host works with. */
export interface HostDeps {
  readonly world: World;
  readonly network: Network;
  readonly ttlMs: number;
  readonly canary: Canary | null;
  /** A kernel has booted: the checker follows it. */
  readonly onBoot: (host: SimHost) => void;
  readonly onStep: (daemon: SimDaemon, after: State) => void;
  readonly onSend: (daemon: SimDaemon, heartbeat: number) => void;
}

/** After a failed start, as RestartSec in vipd.service. */
const RESTART_MS = 200;

/** A claim on disk, as src/node/identity.ts keeps it. */
interface Claim {
  readonly incarnation: string;
  readonly boot: number;
  readonly knownTtlMs: number;
}

/** A host over all its boots, and over all processes of its daemon. */
export class SimHost {
  readonly setup: HostSetup;
  kernel: Kernel;
  daemon: SimDaemon | null = null;
  config: readonly VipConfig[];
  /** A daemon will be started. */
  private awaited = false;
  private claim: Claim | null = null;
  private boots = 0;
  private serial = 0;
  private readonly deps: HostDeps;

  constructor(setup: HostSetup, deps: HostDeps) {
    this.setup = setup;
    this.deps = deps;
    this.config = setup.config;
    this.kernel = this.boot();
    this.startIn(setup.startAt, null);
  }

  get name(): string {
    return this.setup.name;
  }

  /** Starts a daemon after `ms`, unless one runs or is awaited already. */
  startIn(ms: number | null, config: readonly VipConfig[] | null): void {
    const { world } = this.deps;
    if (ms === null || this.awaited) return;
    this.awaited = true;
    world.at(world.now < world.calmAt ? Math.min(world.now + ms, world.calmAt) : world.now + ms, () => {
      this.awaited = false;
      if (this.daemon !== null) return;
      if (config !== null) this.config = config;
      this.start();
    });
  }

  /** Called once, when the present daemon is gone. */
  whenGone: () => void = () => {};

  reboot(): void {
    this.daemon?.process.kill();
    this.kernel = this.boot();
  }

  loseState(): void {
    this.claim = null;
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
    this.deps.onBoot(this);
    return kernel;
  }

  private start(): void {
    const { world, network, canary, ttlMs, onStep, onSend } = this.deps;
    const { kernel, name } = this;
    const process = new Process(name, world, () => this.gone(process));
    const processId = `${name}-process-${++this.serial}`;
    const identity = this.openIdentity();
    const vips = this.config.map((vip) => [vip.name, vip.priority, ...vip.addresses.map(({ ip }) => ip)]);
    world.say(name, () => `starts, ${identity.adopt ? "adopting" : "anew"}, with ${JSON.stringify(vips)}`);
    const link = new StoreLink(network, process, name, kernel.clock);
    const options = { node: name, host: name, processId, ttlMs, canary };
    const daemon = new SimDaemon(options, this.config, {
      world,
      process,
      kernel,
      link,
      identity,
      onStep,
      onSend,
      onExit: () => this.exited(process),
    });
    this.daemon = daemon;
    world.at(world.now, () => daemon.start(), process);
  }

  private openIdentity(): IdentityKeeper {
    const found = this.claim;
    const adopt = found !== null && found.boot === this.boots;
    const knownTtlMs = found?.knownTtlMs ?? 0;
    const renew = (): string => {
      const incarnation = `${this.name}-claim-${++this.serial}`;
      this.claim = { incarnation, boot: this.boots, knownTtlMs: this.claim?.knownTtlMs ?? knownTtlMs };
      return incarnation;
    };
    return {
      incarnation: adopt ? found.incarnation : renew(),
      adopt,
      knownTtlMs,
      rememberTtl: (ttlMs) => {
        if (this.claim !== null) this.claim = { ...this.claim, knownTtlMs: ttlMs };
      },
      renew,
      release: () => {},
    };
  }

  /** It left, or could not start: then systemd tries again. */
  private exited(process: Process): void {
    const started = this.daemon?.steps !== 0;
    process.kill();
    if (!started) this.startIn(RESTART_MS, null);
  }

  private gone(process: Process): void {
    if (this.daemon?.process !== process) return;
    this.daemon = null;
    this.kernel.listener = null;
    this.whenGone();
    this.whenGone = () => {};
  }
}
