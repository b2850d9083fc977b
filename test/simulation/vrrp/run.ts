// One run of a fleet that speaks VRRP: a world is built from a scenario, its faults strike, then everything is calm. From one
// seed always the same run.

import { seededRandom } from "../../../src/base/random.ts";
import type { Canary } from "../canaries.ts";
import { Checker } from "../checker.ts";
import { SimHost } from "../host.ts";
import { Network } from "../network.ts";
import { FAIR, type HostSetup } from "../scenario.ts";
import { StoreModel } from "../store-model.ts";
import { type TrueTime, World } from "../world.ts";
import type { VrrpCanary } from "./canaries.ts";
import { strike } from "./faults.ts";
import { Keepalived } from "./keepalived.ts";
import { watchCalm } from "./liveness.ts";
import { answersUntil, type Party } from "./parties.ts";
import { VrrpRules } from "./rules.ts";
import { calmWire, drawVrrpScenario, type VrrpScenario, type VrrpTrouble } from "./scenario.ts";
import { Segment, type Station } from "./segment.ts";
import { SimWirePorts } from "./wire-ports.ts";

/** A promise that was broken. */
export interface VrrpViolation {
  readonly rule: string;
  readonly at: TrueTime;
  readonly text: string;
}

/** How a run ended. */
export interface VrrpRunResult {
  readonly scenario: VrrpScenario;
  readonly violations: readonly VrrpViolation[];
  readonly transcript: readonly string[];
  /** How often somebody claimed a VIP. */
  readonly claims: number;
}

/** How to run. */
export interface VrrpRunOptions {
  readonly canary?: VrrpCanary | null;
  readonly trouble?: VrrpTrouble["kind"] | null;
  readonly mode?: "vrrp" | "mixed" | null;
  readonly verbose?: boolean;
}

/** Everything in a run. */
export interface VrrpFleet {
  readonly scenario: VrrpScenario;
  readonly world: World;
  readonly segment: Segment;
  readonly network: Network;
  readonly hosts: ReadonlyMap<string, SimHost>;
  readonly parties: ReadonlyMap<string, Party>;
  readonly rules: VrrpRules;
  readonly say: (rule: string, text: string) => void;
}

/** Runs the scenario of a seed. */
export function runVrrp(seed: number, options: VrrpRunOptions = {}): VrrpRunResult {
  const { canary = null, verbose = false } = options;
  const random = seededRandom(seed);
  const { trouble = canary?.trouble ?? null, mode = canary?.mode ?? null } = options;
  const scenario = drawVrrpScenario(seed, random, trouble, mode);
  const world = new World(random, verbose);
  world.calmAt = scenario.calmAt;
  const violations: VrrpViolation[] = [];
  const say = (rule: string, text: string): void => {
    world.say("CHECKER", () => `${rule}: ${text}`);
    violations.push({ rule, at: world.now, text });
  };
  const fleet = build(scenario, world, canary, say);
  for (const fault of scenario.faults) world.at(fault.at, () => strike(fleet, fault));
  world.at(scenario.calmAt, () => calmDown(fleet));
  watchCalm(fleet);
  for (const text of world.broken) say("assertion", text);
  return { scenario, violations, transcript: world.transcript, claims: fleet.rules.claimed };
}

function build(scenario: VrrpScenario, world: World, canary: VrrpCanary | null, say: VrrpFleet["say"]): VrrpFleet {
  const segment = new Segment(world, scenario.weather, scenario.mostDelayMs);
  const store = new StoreModel(BigInt(world.random.int(0, 1_000)));
  const network = new Network(world, store, scenario.storeWeather, scenario.calmAt);
  const hosts = new Map<string, SimHost>();
  const parties = new Map<string, Party>();
  const rules = new VrrpRules({ world, segment, scenario, parties, say });
  const checker = scenario.mode === "mixed" ? new Checker(world, hosts) : null;
  if (checker !== null) {
    checker.onViolation = ({ invariant, text }) => say(`invariant ${invariant}`, text);
    store.onApplied = (applied) => checker.applied(applied);
  }
  segment.onSent = (sent) => rules.sent(sent);
  const leaseCanary: Canary | null =
    canary?.fenceFlaw === undefined ? null : { name: canary.name, breaks: [], fenceFlaw: canary.fenceFlaw };
  const addHost = (setup: HostSetup): void => {
    const host: SimHost = new SimHost(setup, {
      world,
      network,
      canary: leaseCanary,
      onBoot: (booted) => follow(booted),
      onSend: (daemon, heartbeat) => checker?.sent(daemon, heartbeat),
      onStep: (daemon, after) => checker?.stepped(daemon, after),
      makeWire: (owner, process) =>
        new SimWirePorts({
          world,
          segment,
          station: stationOf(owner, segment),
          host: owner,
          process,
          hasStore: scenario.mode === "mixed",
          crowd: scenario.crowd,
          canary,
          isAnswered: (ip) => [...parties.values()].some((party) => isHeard(segment, party, owner, ip, world.now)),
          onStep: (daemon, after, effects) => rules.stepped(owner, daemon, after, effects),
        }),
    });
    hosts.set(setup.name, host);
    parties.set(setup.name, { kind: "vipd", name: setup.name, host, reloadedAt: 0, slowAt: 0 });
    segment.stations.set(setup.name, stationOf(host, segment));
  };
  const follow = (host: SimHost): void => {
    checker?.follow(host);
    const { kernel } = host;
    const { onChange, onOpen } = kernel;
    kernel.onChange = () => {
      onChange();
      const party = parties.get(host.name);
      if (party !== undefined) rules.changed(party);
    };
    kernel.onOpen = (ips, until) => {
      onOpen(ips, until);
      rules.opened(host, ips, until);
    };
  };
  for (const setup of scenario.hosts) addHost(setup);
  for (const setup of scenario.keepaliveds) {
    const station = new Keepalived(setup, world, segment);
    const party = { kind: "keepalived", name: setup.name, station } as const;
    parties.set(setup.name, party);
    station.onChange = () => rules.changed(party);
    station.onClaim = (vip) => rules.keepalivedClaims(station, vip);
  }
  return { scenario, world, segment, network, hosts, parties, rules, say };
}

/** Whether this party answers for the address to that host. A question that does not reach it is lost as an advert would be. */
function isHeard(segment: Segment, party: Party, { name: asker }: SimHost, ip: string, now: TrueTime): boolean {
  const { name } = party;
  if (name === asker) return false;
  const ways = [`${asker}>${name}`, `${name}>${asker}`];
  const isReached = segment.stations.get(name)?.isUp() === true && !ways.some((way) => segment.cut.has(way));
  if (!isReached) for (const way of ways) segment.fail(way, now);
  return isReached && answersUntil(party, ip) > now;
}

/** A host of vipd on the wire: the same one over all its boots. */
function stationOf(host: SimHost, segment: Segment): Station {
  const known = segment.stations.get(host.name);
  if (known !== undefined) return known;
  const station: Station = {
    name: host.name,
    source: host.setup.source ?? "",
    isUp: () => host.kernel.isUp("eth0") && !host.kernel.isDark,
    receive: (packet, unicast) => {
      if (host.daemon !== null) host.wire?.receive(packet, unicast);
    },
  };
  segment.stations.set(host.name, station);
  return station;
}

function calmDown({ world, network, segment, scenario, parties }: VrrpFleet): void {
  world.say("CALM", () => "from here on nothing goes wrong any more");
  network.weather = FAIR;
  network.outage = "none";
  network.cut.clear();
  segment.weather = calmWire(scenario.mostDelayMs);
  segment.cut.clear();
  for (const party of parties.values()) if (party.kind === "keepalived") party.station.start();
}
