// One run: a world is built from a scenario, its faults strike, then everything is calm, and the fleet must come
// to hold every VIP that it can. From one seed always the same run.

import { seededRandom } from "../../src/base/random.ts";
import type { Canary } from "./canaries.ts";
import { Checker, type Violation } from "./checker.ts";
import type { SimDaemon } from "./daemon.ts";
import { SimHost } from "./host.ts";
import {
  checkRecovered,
  checkSteady,
  HANDOVER_MS,
  recoveryMs,
  restartOne,
  SICK_MS,
  sickenOne,
  steadyMs,
} from "./liveness.ts";
import { Network } from "./network.ts";
import { drawScenario, FAIR, type Fault, type HostSetup, type Scenario, type Trouble } from "./scenario.ts";
import { type Applied, StoreModel } from "./store-model.ts";
import { World } from "./world.ts";

/** How a run ended. */
export interface RunResult {
  readonly scenario: Scenario;
  readonly violations: readonly Violation[];
  readonly transcript: readonly string[];
  /** Steps of all election machines, to see that the run did something. */
  readonly steps: number;
  readonly ownershipChanges: number;
}

/** How to run. */
export interface RunOptions {
  readonly canary?: Canary | null;
  /** A kind of trouble that strikes more often than others. */
  readonly trouble?: Trouble["kind"] | null;
  readonly verbose?: boolean;
}

/** Pre-emption, a token that is renewed, and a move within a spread group for each VIP: more is to and fro. */
const MOST_CHANGES_IN_CALM = 9;

/** Everything in a run. */
export interface Fleet {
  readonly scenario: Scenario;
  readonly world: World;
  readonly store: StoreModel;
  readonly network: Network;
  readonly hosts: ReadonlyMap<string, SimHost>;
  readonly checker: Checker;
  readonly canary: Canary | null;
  readonly addHost: (setup: HostSetup) => SimHost;
}

/** Runs the scenario of a seed. */
export function run(
  seed: number,
  { canary = null, trouble = canary?.trouble ?? null, verbose = false }: RunOptions = {},
): RunResult {
  const random = seededRandom(seed);
  const scenario = drawScenario(seed, random, trouble);
  const world = new World(random, verbose);
  world.calmAt = scenario.calmAt;
  const store = new StoreModel(BigInt(random.int(0, 1_000)));
  const network = new Network(world, store, scenario.weather, scenario.calmAt);
  const hosts = new Map<string, SimHost>();
  const checker = new Checker(world, hosts);
  network.believesFormer = canary?.believesFormer === true;
  let steps = 0;
  let ownershipChanges = 0;
  let changesInCalm = 0;
  store.onApplied = (applied) => {
    checker.applied(applied);
    if (!changesOwnership(applied)) return;
    ownershipChanges += 1;
    if (world.now > planOf(scenario).recoveredAt) changesInCalm += 1;
  };
  const addHost = (setup: HostSetup): SimHost => {
    const host = new SimHost(setup, {
      world,
      network,
      canary,
      onBoot: (booted) => checker.follow(booted),
      onLeft: (left) => checker.stopped(left),
      onSend: (daemon, heartbeat) => checker.sent(daemon, heartbeat),
      onStep: (daemon, after) => {
        steps += 1;
        checker.stepped(daemon, after);
      },
    });
    hosts.set(setup.name, host);
    return host;
  };
  for (const setup of scenario.hosts) addHost(setup);
  const fleet: Fleet = { scenario, world, store, network, hosts, checker, canary, addHost };
  for (const fault of scenario.faults) world.at(fault.at, () => strike(fleet, fault));
  world.at(scenario.calmAt, () => calmDown(fleet));
  const { recoveredAt, endAt } = planOf(scenario);
  world.at(recoveredAt, () => checkRecovered(fleet));
  world.at((recoveredAt + endAt) / 2, () => restartOne(fleet));
  world.at(endAt, () => checkSteady(fleet));
  world.at(endAt + HANDOVER_MS + 1, () => sickenOne(fleet));
  world.runUntil(endAt + HANDOVER_MS + SICK_MS + 2);
  for (const text of world.broken) checker.say(0, text);
  if (changesInCalm > MOST_CHANGES_IN_CALM) checker.say(6, `${changesInCalm} ownership changes in the calm`);
  return { scenario, violations: checker.violations, transcript: world.transcript, steps, ownershipChanges };
}

function planOf(scenario: Scenario): { readonly recoveredAt: number; readonly endAt: number } {
  const recoveredAt = scenario.calmAt + recoveryMs(scenario);
  return { recoveredAt, endAt: recoveredAt + steadyMs(scenario) };
}

function strike(fleet: Fleet, fault: Fault): void {
  const { world, network, store, canary } = fleet;
  const host = fleet.hosts.get(fault.host);
  if (host === undefined) return;
  world.say("FAULT", () => JSON.stringify(fault));
  switch (fault.kind) {
    case "cut":
      network.cut.set(host.name, fault.direction);
      return after(fleet, fault.forMs, () => network.cut.delete(host.name));
    case "outage":
      network.outage = fault.how;
      return after(fleet, fault.forMs, () => (network.outage = "none"));
    case "storm":
      network.weather = fault.weather;
      return after(
        fleet,
        fault.forMs,
        () => (network.weather = world.now < world.calmAt ? fleet.scenario.weather : FAIR),
      );
    case "restore":
      return restore(fleet, fault, () => store.restore(fault.commitsBack, canary?.store === "revisions-fall"));
    case "fork":
      return fork(fleet, fault);
    case "twin":
      return startTwin(fleet, host, fault);
    default:
      return strikeHost(fleet, host, fault);
  }
}

/** The former master goes its own way, with those that still talk to it. */
function fork(fleet: Fleet, { commitsBack, hosts, forMs }: Extract<Fault, { kind: "fork" }>): void {
  const { network, store } = fleet;
  if (network.former !== null) return;
  network.former = { store: store.clone(), hosts: new Set(hosts) };
  store.restore(commitsBack, false);
  after(fleet, forMs, () => (network.former = null));
}

/** It takes the place of nobody: when it goes, what it leaves runs out by itself. */
function startTwin(fleet: Fleet, host: SimHost, { copiesState, forMs }: Extract<Fault, { kind: "twin" }>): void {
  const { hosts, scenario, world } = fleet;
  const name = `${host.name}-twin`;
  if (hosts.has(name)) return;
  // Who knows nothing of earlier days has the fleet's longest lease.
  const ttlMs = copiesState ? host.ttlMs : scenario.ttlMs;
  const setup = { ...host.setup, name, ttlMs, knownTtlMs: 0, startAt: world.now, config: host.config };
  const twin = fleet.addHost(setup);
  if (copiesState) twin.copyState(host);
  after(fleet, forMs, () => twin.retire());
}

type HostFault = Exclude<Fault, { kind: "cut" | "outage" | "storm" | "restore" | "fork" | "twin" }>;

function strikeHost(fleet: Fleet, host: SimHost, fault: HostFault): void {
  const { kernel } = host;
  const { world } = fleet;
  switch (fault.kind) {
    case "link-down":
      kernel.setLink(fault.interface, false);
      return after(fleet, fault.forMs, () => host.kernel === kernel && kernel.setLink(fault.interface, true));
    case "suspend": {
      const forMs = Math.min(fault.forMs, world.calmAt - world.now);
      return host.suspend(forMs, fault.darkMs, fleet.canary?.sleepsOn === true ? forMs : 0);
    }
    case "refusal":
      kernel.refused.add(fault.what);
      return after(fleet, fault.forMs, () => kernel.refused.delete(fault.what));
    case "sick":
      host.feel(1);
      return after(fleet, fault.forMs, () => host.feel(-1));
    case "fence-flushed":
      return kernel.flushFence();
    case "address-removed":
      return kernel.removeByHand(fault.ip);
    case "address-bound":
      return kernel.bindByHand(fault.ip);
    case "route-removed":
      return kernel.routing.removeByHand(fault.vip);
    case "overrun":
      return kernel.overrun(Math.min(fault.forMs, world.calmAt - world.now));
    case "reboot":
      host.reboot();
      return host.startIn(fault.backMs, null);
    default:
      return strikeDaemon(fleet, host, fault);
  }
}

type DaemonFault = Extract<HostFault, { kind: "freeze" | "slow" | "kill" | "stop" | "step-down" | "reload" }>;

function strikeDaemon(fleet: Fleet, host: SimHost, fault: DaemonFault): void {
  const { daemon } = host;
  if (daemon === null) return;
  const { world, scenario, canary } = fleet;
  const { process } = daemon;
  switch (fault.kind) {
    case "freeze":
      process.freeze(fault.after, fault.forMs);
      if (canary?.ignoresLock === true && process.frozen) world.at(world.now + 5, () => host.startBesides());
      return;
    case "slow":
      process.stepMs = fault.stepMs;
      return after(fleet, fault.forMs, () => (process.stepMs = 0));
    case "kill":
      host.whenGone = () => {
        host.ttlMs = fault.ttlMs ?? host.ttlMs;
        if (!fault.keepsState) host.loseState(scenario.ttlMs);
        host.startIn(fault.backMs, fault.config);
        host.nextDies = fault.again;
      };
      return process.killAfter(fault.after);
    case "stop":
      host.whenGone = () => {
        host.ttlMs = fault.ttlMs ?? host.ttlMs;
        host.startIn(fault.backMs, fault.config);
      };
      world.at(world.now, () => daemon.stop(), process);
      return;
    case "step-down":
      world.at(world.now, () => daemon.daemon.stepDown(fault.election, fault.to), process);
      return;
    case "reload":
      return reload(host, daemon, fault, world);
  }
}

function reload(host: SimHost, daemon: SimDaemon, fault: Extract<Fault, { kind: "reload" }>, world: World): void {
  const { kernel } = host;
  host.config = fault.config;
  const run = (): void => {
    const refuses = fault.refused && !kernel.refused.has("protect");
    if (refuses) kernel.refused.add("protect");
    daemon.reload(fault.config);
    if (refuses) kernel.refused.delete("protect");
  };
  world.at(world.now, run, daemon.process);
}

function restore({ world, store }: Fleet, { following }: Extract<Fault, { kind: "restore" }>, run: () => void): void {
  if (following === null) return run();
  const { onApplied } = store;
  store.onApplied = (applied) => {
    onApplied(applied);
    if (world.now >= world.calmAt || !changesOwnership(applied)) return;
    store.onApplied = onApplied;
    world.at(world.now + following, run);
  };
}

function changesOwnership({ txn }: Applied): boolean {
  return txn.writes.some(({ key }) => key.includes("/elections/"));
}

/** Ends a fault after a while, or when the calm begins. */
function after({ world, scenario }: Fleet, forMs: number, end: () => void): void {
  world.at(Math.min(world.now + forMs, scenario.calmAt), end);
}

function calmDown({ world, network }: Fleet): void {
  world.say("CALM", () => "from here on nothing goes wrong any more");
  network.weather = FAIR;
  network.outage = "none";
  network.cut.clear();
}
