// One run: a world is built from a scenario, its faults strike, then everything is calm, and the fleet must come
// to hold every VIP that it can. From one seed always the same run.

import { seededRandom } from "../../src/base/random.ts";
import type { Canary } from "./canaries.ts";
import { Checker, type Violation } from "./checker.ts";
import { SimHost } from "./host.ts";
import { checkRecovered, checkSteady, recoveryMs, restartOne, steadyMs } from "./liveness.ts";
import { Network } from "./network.ts";
import { drawScenario, FAIR, type Fault, type Scenario, type Trouble } from "./scenario.ts";
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

/** Everything in a run. */
export interface Fleet {
  readonly scenario: Scenario;
  readonly world: World;
  readonly store: StoreModel;
  readonly network: Network;
  readonly hosts: ReadonlyMap<string, SimHost>;
  readonly checker: Checker;
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
  const checker = new Checker(world, scenario.ttlMs, hosts);
  const fleet: Fleet = { scenario, world, store, network, hosts, checker };
  let steps = 0;
  let ownershipChanges = 0;
  store.onApplied = (applied) => {
    checker.applied(applied);
    if (changesOwnership(applied)) ownershipChanges += 1;
  };
  for (const setup of scenario.hosts) {
    hosts.set(
      setup.name,
      new SimHost(setup, {
        world,
        network,
        ttlMs: scenario.ttlMs,
        canary,
        onBoot: (host) => checker.follow(host),
        onSend: (daemon, heartbeat) => checker.sent(daemon, heartbeat),
        onStep: (daemon, after) => {
          steps += 1;
          checker.stepped(daemon, after);
        },
      }),
    );
  }
  for (const fault of scenario.faults) world.at(fault.at, () => strike(fleet, fault, canary));
  world.at(scenario.calmAt, () => calmDown(fleet));
  const { recoveredAt, endAt } = planOf(scenario);
  world.at(recoveredAt, () => checkRecovered(fleet));
  world.at((recoveredAt + endAt) / 2, () => restartOne(fleet));
  world.at(endAt, () => checkSteady(fleet));
  world.runUntil(endAt);
  for (const text of world.broken) checker.say(0, text);
  return { scenario, violations: checker.violations, transcript: world.transcript, steps, ownershipChanges };
}

function planOf(scenario: Scenario): { readonly recoveredAt: number; readonly endAt: number } {
  const recoveredAt = scenario.calmAt + recoveryMs(scenario);
  return { recoveredAt, endAt: recoveredAt + steadyMs(scenario) };
}

function strike(fleet: Fleet, fault: Fault, canary: Canary | null): void {
  const { world, network, store } = fleet;
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
    default:
      return strikeHost(fleet, host, fault, canary);
  }
}

type HostFault = Exclude<Fault, { kind: "cut" | "outage" | "storm" | "restore" }>;

function strikeHost(fleet: Fleet, host: SimHost, fault: HostFault, canary: Canary | null): void {
  const { kernel } = host;
  switch (fault.kind) {
    case "link-down":
      kernel.setLink(false);
      return after(fleet, fault.forMs, () => host.kernel === kernel && kernel.setLink(true));
    case "refusal":
      kernel.refused.add(fault.what);
      return after(fleet, fault.forMs, () => kernel.refused.delete(fault.what));
    case "address-removed":
      return kernel.removeByHand(fault.ip);
    case "address-bound":
      return kernel.bindByHand(fault.ip);
    case "overrun":
      return kernel.overrun(Math.min(fault.forMs, fleet.world.calmAt - fleet.world.now));
    case "reboot":
      host.reboot();
      return host.startIn(fault.backMs, null);
    default:
      return strikeDaemon(fleet, host, fault, canary);
  }
}

type DaemonFault = Exclude<
  HostFault,
  { kind: "link-down" | "refusal" | "address-removed" | "address-bound" | "overrun" | "reboot" }
>;

function strikeDaemon(fleet: Fleet, host: SimHost, fault: DaemonFault, canary: Canary | null): void {
  const { daemon } = host;
  if (daemon === null) return;
  const { world } = fleet;
  const { process } = daemon;
  switch (fault.kind) {
    case "freeze":
      process.freeze(fault.after, fault.forMs);
      if (canary?.ignoresLock === true && process.frozen) world.at(world.now + 5, () => host.startBesides());
      return;
    case "kill":
      host.whenGone = () => {
        if (!fault.keepsState) host.loseState();
        host.startIn(fault.backMs, fault.config);
      };
      return process.killAfter(fault.after);
    case "stop":
      host.whenGone = () => host.startIn(fault.backMs, fault.config);
      world.at(world.now, () => daemon.stop(), process);
      return;
    case "step-down":
      world.at(world.now, () => daemon.daemon.stepDown(fault.election, fault.to), process);
      return;
    case "reload":
      host.config = fault.config;
      world.at(world.now, () => daemon.reload(fault.config), process);
      return;
  }
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
