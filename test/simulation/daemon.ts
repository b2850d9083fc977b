// One daemon in the simulation: the real Daemon with the real elector. Only what is behind their ports is of this world.

import { VipdError } from "../../src/base/errors.ts";
import { type Instant, NEVER } from "../../src/base/time.ts";
import type { Config, VipConfig } from "../../src/config/types.ts";
import { step } from "../../src/election/machine.ts";
import type { State } from "../../src/election/state.ts";
import { initialCheck } from "../../src/health/machine.ts";
import type { CheckPolicy, CheckState, Verdict } from "../../src/health/check.ts";
import type { Checks, MakeChecks } from "../../src/node/health.ts";
import { Daemon } from "../../src/node/daemon.ts";
import { ChosenElector, type Electors } from "../../src/node/electors.ts";
import { HostElectors } from "../../src/node/host-electors.ts";
import { LeaseElector } from "../../src/node/lease-elector.ts";
import type { Timers } from "../../src/ports/clock.ts";
import type { ElectorHost, ElectorKind } from "../../src/ports/elector.ts";
import type { HostEvent, HostMonitor } from "../../src/ports/host.ts";
import type { IdentityKeeper } from "../../src/ports/identity.ts";
import type { Logger } from "../../src/ports/logger.ts";
import type { RoutingRemoved } from "../../src/ports/routing.ts";
import type { StoreCalls } from "../../src/runtime/store-calls.ts";
import type { VrrpElector } from "../../src/node/vrrp-elector.ts";
import { VrrpHistory } from "../../src/node/vrrp-history.ts";
import { stepVrrp } from "../../src/vrrp/machine.ts";
import { brokenHost, brokenStore, type Canary } from "./canaries.ts";
import { HostPorts, type Kernel } from "./kernel.ts";
import type { StoreLink } from "./network.ts";
import { RoutingPort } from "./routing.ts";
import { describe, describeOutcome } from "./transcript.ts";
import type { WirePorts } from "./vrrp/wire-ports.ts";
import type { Process, World } from "./world.ts";

/** Who a daemon is. */
export interface DaemonOptions {
  readonly node: string;
  readonly host: string;
  readonly processId: string;
  readonly ttlMs: number;
  readonly canary: Canary | null;
  readonly startupDelayMs?: number;
}

/** What a daemon works with. */
export interface SimDaemonDeps {
  readonly world: World;
  readonly process: Process;
  readonly kernel: Kernel;
  readonly link: StoreLink;
  readonly identity: IdentityKeeper;
  /** What it speaks VRRP by; absent where no VIP asks for it. */
  readonly wire: WirePorts | null;
  /** Whether what the checks look at is sick. */
  readonly isSick: () => boolean;
  /** Called after each step of the election machine, with the state that it led to. */
  readonly onStep: (daemon: SimDaemon, after: State) => void;
  /** Called when a commit goes out. */
  readonly onSend: (daemon: SimDaemon, heartbeat: number) => void;
  /** Called when it has left of its own will, or could not start. */
  readonly onExit: () => void;
}

/** The one fleet of a world. */
export const FLEET = "sim";

/** The check that VIPs may have, by name. */
export const SERVICE = "service";

const POLICY: CheckPolicy = {
  intervalMs: 1_000,
  timeoutMs: 1_000,
  rise: 1,
  fall: 1,
  initial: "pending",
  recover: null,
};

/** A running daemon. */
export class SimDaemon {
  readonly options: DaemonOptions;
  readonly process: Process;
  readonly kernel: Kernel;
  readonly daemon: Daemon;
  steps = 0;
  private readonly deps: SimDaemonDeps;
  private readonly elector: LeaseElector | undefined;
  private readonly electors: HostElectors | undefined;
  private heardAt = 0;
  private verdict: Verdict = "pending";
  private tellVerdict: () => void = () => {};

  constructor(options: DaemonOptions, vips: readonly VipConfig[], deps: SimDaemonDeps) {
    this.options = options;
    this.deps = deps;
    this.process = deps.process;
    this.kernel = deps.kernel;
    const timers = this.makeTimers();
    const ports = new HostPorts(deps.kernel, deps.process, options.canary?.fenceFlaw ?? null);
    let elector: LeaseElector | undefined;
    let electors: HostElectors | undefined;
    this.daemon = new Daemon(configOf(options, vips), {
      timers,
      identity: deps.identity,
      addresses: ports,
      fence: ports.fence,
      firstDeadline: deps.world.random.int(0, 2 ** 31),
      packets: ports.packets,
      routing: new RoutingPort(deps.kernel, deps.process, options.canary?.routingFlaw ?? null),
      monitor: (onEvent) => this.monitor(onEvent),
      log: this.makeLog(),
      makeChecks: (parts) => this.makeChecks(parts),
      makeElector: (host) => {
        if (deps.wire !== null) {
          electors = this.makeElectors(deps.wire, timers, ports, host);
          elector = electors.lease;
          return electors.chosen;
        }
        const broken = brokenHost(options.canary, host, () => elector, deps);
        const make = (hostFor: (kind: ElectorKind) => ElectorHost): Electors => {
          elector = this.makeElector(timers, hostFor("lease"));
          return new Map([["lease", elector]]);
        };
        return new ChosenElector({ make, kindOf: () => "lease" }, broken);
      },
    });
    this.elector = elector;
    this.electors = electors;
  }

  /** Of a daemon with a store. */
  get election(): State {
    if (this.elector === undefined) throw new Error("this daemon has no store");
    return this.elector.state;
  }

  /** Of a daemon that speaks VRRP. */
  get vrrp(): VrrpElector {
    if (this.electors === undefined) throw new Error("this daemon speaks no VRRP");
    return this.electors.vrrp;
  }

  start(): void {
    try {
      this.daemon.start();
    } catch (error) {
      if (!(error instanceof VipdError)) throw error;
      this.deps.world.say(this.process.name, () => `could not start: ${error.message}`);
      this.deps.onExit();
    }
  }

  reload(vips: readonly VipConfig[]): void {
    try {
      this.daemon.reload(configOf(this.options, vips));
      this.electors?.refresh();
    } catch (error) {
      if (!(error instanceof VipdError)) throw error;
      this.deps.world.say(this.process.name, () => `could not reload: ${error.message}`);
    }
  }

  stop(): void {
    const { wire, onExit } = this.deps;
    const exit = (): void => {
      if (!this.process.dead) onExit();
    };
    this.daemon.stop(() => (wire === null ? exit() : wire.end(exit)));
  }

  private makeElectors(wire: WirePorts, timers: Timers, ports: HostPorts, host: ElectorHost): HostElectors {
    const { node } = this.options;
    const makeLease = (leaseHost: ElectorHost): LeaseElector => this.makeElector(timers, leaseHost);
    return new HostElectors(
      {
        makeLease: wire.hasStore ? makeLease : null,
        vrrp: {
          node,
          timers,
          sender: wire.sender,
          openReceiver: wire.openReceiver,
          crowd: wire.crowd,
          askIfSilent: (addresses, done) => wire.askIfSilent(addresses, done),
          histories: { of: () => new VrrpHistory(), changed: () => {}, close: () => Promise.resolve() },
          place: () => ({ links: ports.links(), addresses: ports.addresses() }),
          vips: () => wire.seenVips(this.daemon.running.vips),
          step: (state, event, at) => {
            this.steps += 1;
            const [after, effects] = stepVrrp(state, wire.perturb(state, event, at), at);
            wire.onStep(this, after, effects);
            return [after, effects];
          },
        },
      },
      wire.brokenHost(host),
    );
  }

  private makeElector(timers: Timers, host: ElectorHost): LeaseElector {
    const { node, host: hostName, processId, ttlMs, canary } = this.options;
    const { identity, world, link, process } = this.deps;
    const { incarnation, adopt, knownTtlMs } = identity;
    const self = { node, fleet: FLEET, host: hostName, processId, ttlMs, knownTtlMs };
    return new LeaseElector(
      { self, incarnation, adopt },
      {
        calls: this.tapped(brokenStore(canary, link, world.random)),
        timers,
        renewIncarnation: () => identity.renew(),
        rememberTtl: (longestTtlMs) => identity.rememberTtl(longestTtlMs),
        step: (state, event, at) => {
          this.steps += 1;
          const effects = step(state, canary?.perturb?.(state, event, at.now) ?? event, at);
          this.deps.onStep(this, state);
          for (const effect of effects) if (effect.type !== "read") world.say(process.name, () => describe(effect));
          return effects;
        },
      },
      host,
    );
  }

  /** Notes when commits go out; each call is a point of code. */
  private tapped(calls: StoreCalls): StoreCalls {
    const { process, world } = this.deps;
    return {
      read: (prefix, timeoutMs, done) => {
        process.point();
        calls.read(prefix, timeoutMs, done);
      },
      commit: (txn, timeoutMs, done) => {
        process.point();
        this.deps.onSend(this, this.election.attempts);
        calls.commit(txn, timeoutMs, (outcome) => {
          world.say(process.name, () => describeOutcome(outcome));
          done(outcome);
        });
      },
      watch: (prefix, since, tell) => calls.watch(prefix, since, tell),
      close: () => calls.close(),
    };
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

  /** One check, which looks for the first time a little after the start. */
  private makeChecks({ onChange }: Parameters<MakeChecks>[0]): Checks {
    const { world, process, kernel } = this.deps;
    const since = kernel.clock.read(world.now);
    const begun = initialCheck(POLICY, { at: since, firstAt: NEVER, grid: since });
    const state = (): CheckState => ({ ...begun, verdict: this.verdict, reason: "the simulation says so" });
    this.tellVerdict = () => onChange({ check: SERVICE, what: "verdict", state: state() });
    world.at(world.now + world.random.next() * this.options.ttlMs * 0.3, () => this.look(), process);
    return { plan: () => {}, states: () => new Map([[SERVICE, state()]]) };
  }

  /** The check looks. */
  look(): void {
    const verdict = this.deps.isSick() ? "failed" : "ok";
    if (verdict === this.verdict) return;
    if (verdict === "failed" && this.options.canary?.feelsNothing === true) return;
    this.verdict = verdict;
    this.deps.world.say(this.process.name, () => `the check is ${verdict}`);
    this.tellVerdict();
  }

  /** The kernel's news come a little later, in order. */
  private monitor(onEvent: (event: HostEvent | RoutingRemoved) => void): HostMonitor {
    const { world, process, kernel } = this.deps;
    const listener = (event: HostEvent | RoutingRemoved): void => {
      if (event.kind === "routing-removed" && this.options.canary?.routingFlaw === "deaf") return;
      this.heardAt = Math.max(this.heardAt, world.now + 0.1 + world.random.next());
      world.at(this.heardAt, () => onEvent(event), process);
    };
    kernel.listener = listener;
    return { close: () => void (kernel.listener === listener && (kernel.listener = null)) };
  }

  private makeLog(): Logger {
    const { world, process } = this.deps;
    const say = (fields: unknown, message: string): void =>
      world.say(process.name, () => `log: ${message} ${JSON.stringify(fields)}`);
    const silent = (): void => {};
    return { debug: silent, info: silent, warn: say, error: say };
  }
}

function configOf({ node, ttlMs, startupDelayMs = 0 }: DaemonOptions, vips: readonly VipConfig[]): Config {
  return {
    node,
    fleet: FLEET,
    store: "sim:",
    ttlMs,
    stateDir: "/sim",
    admin: { socket: "/sim/sock", group: null },
    log: { level: "info", format: "json" },
    fence: "auto",
    startupDelayMs,
    checks: [],
    webhook: null,
    mail: null,
    realServers: [],
    vips,
  };
}
