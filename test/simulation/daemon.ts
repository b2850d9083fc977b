// One daemon in the simulation: the real driver, the real election machine, the real VIP executor and machine,
// joined as src/node/daemon.ts and src/runtime/participant.ts join them, with callbacks in place of promises.

import { type Instant, later } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import { nextWakeup, step } from "../../src/election/machine.ts";
import { type Candidacy, type Effect, type Event, initialState, type State } from "../../src/election/state.ts";
import { ownToken } from "../../src/election/tenure.ts";
import { VipHolder } from "../../src/node/vip-holder.ts";
import type { Timers } from "../../src/ports/clock.ts";
import type { HostEvent } from "../../src/ports/host.ts";
import type { Logger } from "../../src/ports/logger.ts";
import { Driver } from "../../src/runtime/driver.ts";
import type { AnnouncePolicy } from "../../src/vip/announcing.ts";
import type { VipPlan } from "../../src/vip/state.ts";
import { type Canary, sightOf } from "./canaries.ts";
import { HostPorts, INTERFACE, type Kernel } from "./kernel.ts";
import type { StoreLink } from "./network.ts";
import { describe } from "./transcript.ts";
import type { Process, World } from "./world.ts";

/** As in src/node/daemon.ts. */
const STOP_MS = 800;
const UNFIT_LEASES = 2;

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const ANNOUNCE: AnnouncePolicy = { burst: 2, repeatAfterMs: 0, refreshMs: 10_000 };

/** What a node's configuration says about one VIP. */
export interface VipSetup {
  readonly name: string;
  readonly addresses: readonly VipAddress[];
  readonly priority: number;
  readonly preempt: boolean;
  readonly preemptDelayMs: number;
}

/** Who a daemon is. */
export interface DaemonOptions {
  readonly node: string;
  readonly host: string;
  readonly processId: string;
  readonly ttlMs: number;
  readonly incarnation: string;
  readonly adopt: boolean;
  readonly canary: Canary | null;
}

/** What a daemon works with. */
export interface DaemonDeps {
  readonly world: World;
  readonly process: Process;
  readonly kernel: Kernel;
  readonly link: StoreLink;
  readonly renewIncarnation: () => string;
  /** Called after each step of the election machine, with the state that it led to. */
  readonly onStep: (daemon: SimDaemon, after: State) => void;
  /** Called when a commit goes out. */
  readonly onSend: (daemon: SimDaemon, heartbeat: number) => void;
  /** Called when it has left of its own will. */
  readonly onExit: () => void;
}

/** A running daemon. */
export class SimDaemon {
  readonly options: DaemonOptions;
  readonly process: Process;
  readonly kernel: Kernel;
  readonly election: Driver<State, Event, Effect>;
  readonly vips: VipHolder;
  steps = 0;
  private readonly deps: DaemonDeps;
  private readonly timers: Timers;
  private readonly ports: HostPorts;
  private config: readonly VipSetup[];
  private stopWatch: (() => void) | null = null;
  private settled = false;
  private heardAt = 0;

  constructor(options: DaemonOptions, config: readonly VipSetup[], deps: DaemonDeps) {
    this.options = options;
    this.deps = deps;
    this.config = config;
    this.process = deps.process;
    this.kernel = deps.kernel;
    this.timers = this.makeTimers();
    this.ports = new HostPorts(deps.kernel, deps.process, options.canary?.fenceFlaw ?? null);
    const unfitMs = UNFIT_LEASES * options.ttlMs;
    this.vips = new VipHolder({
      timers: this.timers,
      addresses: this.ports,
      fence: this.ports.fence,
      packets: this.ports.packets,
      log: SILENT,
      listener: {
        held: () => {},
        released: (election) => this.post({ type: "let-go", election }),
        unfit: (election, reason) => this.post({ type: "unfit", election, reason, forMs: unfitMs }),
      },
    });
    this.election = this.makeElection();
  }

  /** As Daemon.start. */
  start(): void {
    const { world, process, kernel } = this.deps;
    if (this.vips.plan(this.config.map(planOf)).length > 0) return this.deps.onExit();
    this.vips.sweep(this.options.adopt);
    kernel.listener = (event) => {
      this.heardAt = Math.max(this.heardAt, world.now + 0.1 + world.random.next());
      world.at(this.heardAt, () => this.hear(event), process);
    };
    for (const vip of this.config) this.stand(vip);
    this.post({ type: "tick" });
    this.timers.at(later(this.timers.now(), this.options.ttlMs), () => this.settle());
  }

  post(event: Event): void {
    this.election.post(event);
  }

  /** As Daemon.reload. */
  reload(config: readonly VipSetup[]): void {
    const kept = new Map(config.map((vip) => [vip.name, vip]));
    for (const vip of this.config) {
      const next = kept.get(vip.name);
      if (next === undefined || addressKey(next) !== addressKey(vip))
        this.post({ type: "candidacy", election: vip.name, candidacy: null });
    }
    this.config = config;
    this.vips.plan(config.map(planOf));
    for (const vip of config) this.stand(vip);
  }

  /** As Daemon.stop. */
  stop(): void {
    this.post({ type: "stop" });
    this.timers.at(later(this.timers.now(), STOP_MS), () => this.exit());
  }

  private exit(): void {
    if (this.process.dead) return;
    this.stopWatch?.();
    this.vips.retire();
    this.deps.onExit();
  }

  private makeTimers(): Timers {
    const { world, process, kernel } = this.deps;
    const now = (): Instant => {
      process.point();
      return kernel.clock.read(world.now);
    };
    const at = (when: Instant, run: () => void): (() => void) =>
      world.at(kernel.clock.trueTimeOf(when) + world.random.next() * 1.5, run, process);
    return { now, wallMs: () => 1_700_000_000_000 + Math.floor(world.now), at };
  }

  private makeElection(): Driver<State, Event, Effect> {
    const { node, host, processId, ttlMs, incarnation, adopt, canary } = this.options;
    const self = { node, fleet: "sim", host, processId, ttlMs };
    const machine = {
      step: (state: State, event: Event, now: Instant) => {
        this.steps += 1;
        const [from, what] = canary?.perturb?.(state, event, now) ?? [state, event];
        const result = step(from, what, { now, wallMs: this.timers.wallMs() });
        this.deps.onStep(this, result[0]);
        return result;
      },
      nextWakeup,
      tick: { type: "tick" } as const,
    };
    const initial = initialState(self, incarnation, adopt, this.timers.now());
    return new Driver<State, Event, Effect>(machine, initial, {
      timers: this.timers,
      perform: (effect) => this.perform(effect),
      onRest: () => {
        if (!this.process.dead) this.changed();
      },
    });
  }

  private perform(effect: Effect): void {
    this.process.point();
    if (effect.type !== "read") this.deps.world.say(this.process.name, () => describe(effect));
    switch (effect.type) {
      case "read":
        return this.read(effect.timeoutMs);
      case "commit":
        return this.commit(effect);
      case "gain":
        return this.vips.post({ type: "gain", vip: effect.election, until: effect.until });
      case "extend":
        return this.vips.post({ type: "extend", until: effect.until });
      case "lose":
        return this.lose(effect);
      case "renew-incarnation":
        return this.post({ type: "incarnation", incarnation: this.deps.renewIncarnation() });
      case "note":
        return;
      case "stopped":
        return this.exit();
    }
  }

  private lose(effect: Extract<Effect, { type: "lose" }>): void {
    const { world, process } = this.deps;
    const lose = (): void => this.vips.post({ type: "lose", vip: effect.election, reason: effect.reason });
    if (this.options.canary?.releasesFirst !== true) return lose();
    world.at(world.now + 20, lose, process);
    this.post({ type: "let-go", election: effect.election });
  }

  private read(timeoutMs: number): void {
    const { link } = this.deps;
    const { keys } = this.election.state;
    if (this.options.canary?.forgetsReads === true && this.deps.world.random.chance(0.01)) return;
    link.read(keys.live, timeoutMs, (answer) => {
      if (answer.kind !== "done") return this.post({ type: "read-failed", message: answer.kind });
      this.post({ type: "read", snapshot: { ...answer.value, records: this.sight(answer.value.records) } });
      if (this.stopWatch === null) this.watch(answer.value.revision);
    });
  }

  private commit({ attempt, txn, timeoutMs }: Extract<Effect, { type: "commit" }>): void {
    this.deps.onSend(this, attempt);
    this.deps.link.commit(txn, timeoutMs, (answer) => {
      const { world, process } = this.deps;
      world.say(process.name, () => `commit ${attempt}: ${answer.kind === "done" ? answer.value.kind : answer.kind}`);
      if (answer.kind !== "done") return this.post({ type: answer.kind, attempt, message: answer.kind });
      if (answer.value.kind === "conflict") return this.post({ type: "conflict", attempt });
      this.post({ type: "committed", attempt, revision: answer.value.revision, epoch: answer.value.epoch });
    });
  }

  private sight<T extends { readonly value: string | null }>(records: readonly T[]): readonly T[] {
    return sightOf(this.options.canary, records);
  }

  private watch(since: bigint): void {
    const { link, world, process } = this.deps;
    const stop = link.watch(this.election.state.keys.live, since, (changes) => {
      if (changes !== null) return this.post({ type: "changes", changes: this.sight(changes) });
      stop();
      this.post({ type: "gap", reason: "changes are missing" });
      const again = this.kernel.clock.stretch(this.election.state.timings.retryEveryMs);
      world.at(
        world.now + again,
        () => {
          this.stopWatch = null;
          this.post({ type: "gap", reason: "the watch ended" });
        },
        process,
      );
    });
    this.stopWatch = stop;
  }

  private hear(event: HostEvent): void {
    this.vips.hear(event);
    if (event.kind === "link-changed" || event.kind === "overrun") for (const vip of this.config) this.stand(vip);
  }

  private stand(vip: VipSetup): void {
    const candidacy = this.candidacyOf(vip);
    const known = this.election.state.candidacies.get(vip.name);
    if (JSON.stringify(known) !== JSON.stringify(candidacy))
      this.post({ type: "candidacy", election: vip.name, candidacy });
  }

  private candidacyOf(vip: VipSetup): Candidacy {
    const eligible = this.kernel.linkUp;
    const { priority, preempt, preemptDelayMs } = vip;
    const addresses = vip.addresses.map(({ ip, prefix }) => `${ip}/${prefix}`);
    return {
      priority,
      preempt,
      preemptDelayMs,
      eligible,
      reason: eligible ? "" : `${INTERFACE} is down`,
      addresses,
      interface: INTERFACE,
    };
  }

  private changed(): void {
    const { synced, identity, mirror } = this.election.state;
    if (synced && (identity.kind === "spent" || mirror.sessions.has(this.options.node))) this.settle();
  }

  private settle(): void {
    if (this.settled) return;
    const { state } = this.election;
    const undecided = this.config.some(({ name }) => ownToken(state, name) !== undefined && !state.tenures.has(name));
    if (undecided && state.synced) return;
    this.settled = true;
    this.vips.sweep(false);
  }
}

function planOf(vip: VipSetup): VipPlan {
  return { name: vip.name, addresses: vip.addresses, announce: ANNOUNCE };
}

function addressKey(vip: VipSetup): string {
  return JSON.stringify(vip.addresses);
}
