// What happens in one run, drawn from its seed: hosts, VIPs, clocks, the weather on the way to the store, and faults.
// It is plain data, so that a failing run can be read, and nothing of it depends on how the run goes.

import type { Random } from "../../src/base/random.ts";
import { DRIFT } from "../../src/election/lease.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import { onVirtualDevices } from "../../src/config/virtual-mac-schema.ts";
import type { VipConfig } from "../../src/config/types.ts";
import { SERVICE } from "./daemon.ts";
import { INTERFACES, type Refusal } from "./kernel.ts";
import type { Weather } from "./network.ts";
import { drawRouting } from "./routing.ts";
import type { TrueTime } from "./world.ts";

/** One host, and the configuration of its daemon at the beginning. */
export interface HostSetup {
  readonly name: string;
  /** The node that its daemon is. Two hosts may have the same: a copied machine, a second network namespace. */
  readonly node: string;
  readonly ttlMs: number;
  /** The longest lease of the fleet, as its state directory has it from earlier days. */
  readonly knownTtlMs: number;
  /** How fast its clock runs; 1 is right. */
  readonly rate: number;
  readonly bootMs: number;
  readonly startAt: TrueTime;
  readonly config: readonly VipConfig[];
  /** The host's own address, where it speaks VRRP. */
  readonly source?: string;
  readonly startupDelayMs?: number;
}

/** What goes wrong, or what people do. `after`: at that many points of code from then on; 0: between two steps. */
export type Trouble =
  | { readonly kind: "freeze"; readonly after: number; readonly forMs: number }
  /**
   * `backMs: null`: it stays away. `keepsState`: the state directory is still there. `ttlMs`: with another lease.
   * `again`: the next process dies too, so long after it has sent its first commit.
   */
  | {
      readonly kind: "kill";
      readonly after: number;
      readonly backMs: number | null;
      readonly keepsState: boolean;
      readonly config: readonly VipConfig[] | null;
      readonly ttlMs: number | null;
      readonly again: { readonly afterMs: number; readonly backMs: number | null } | null;
    }
  | {
      readonly kind: "stop";
      readonly backMs: number | null;
      readonly config: readonly VipConfig[] | null;
      readonly ttlMs: number | null;
    }
  | { readonly kind: "reboot"; readonly backMs: number }
  | { readonly kind: "link-down"; readonly interface: string; readonly forMs: number }
  /** The machine sleeps; its network comes back `darkMs` after it has woken up. */
  | { readonly kind: "suspend"; readonly forMs: number; readonly darkMs: number }
  /** What the checks of its VIPs look at is sick. */
  | { readonly kind: "sick"; readonly forMs: number }
  /** Each step keeps the daemon's event loop for so long. */
  | { readonly kind: "slow"; readonly stepMs: number; readonly forMs: number }
  /** A daemon of the same node starts elsewhere, with a copy of the state directory or with none. */
  | { readonly kind: "twin"; readonly copiesState: boolean; readonly forMs: number }
  /** Somebody flushes the ruleset, where that takes the fence away. */
  | { readonly kind: "fence-flushed" }
  | { readonly kind: "cut"; readonly direction: "requests" | "answers" | "both"; readonly forMs: number }
  | { readonly kind: "refusal"; readonly what: Refusal; readonly forMs: number }
  | { readonly kind: "address-removed"; readonly ip: string }
  | { readonly kind: "address-bound"; readonly ip: string }
  /** Somebody removes what a VIP's routes and rules are. */
  | { readonly kind: "route-removed"; readonly vip: string }
  | { readonly kind: "overrun"; readonly forMs: number }
  | { readonly kind: "step-down"; readonly election: string; readonly to: string | null }
  /** `refused`: the kernel does not let the fence be changed for it. */
  | { readonly kind: "reload"; readonly config: readonly VipConfig[]; readonly refused: boolean }
  | { readonly kind: "outage"; readonly how: "refuses" | "silent"; readonly forMs: number }
  | { readonly kind: "storm"; readonly weather: Weather; readonly forMs: number }
  /** `following`: not at once, but so long after the next ownership change: that is what a restore must not undo. */
  | { readonly kind: "restore"; readonly commitsBack: number; readonly following: number | null }
  /**
   * The store fails over to a replica that lacks the last commits. These hosts talk to the former master until it ends:
   * what they commit is in nobody's copy but its own, and never confirmed.
   */
  | { readonly kind: "fork"; readonly commitsBack: number; readonly hosts: readonly string[]; readonly forMs: number };

/** A trouble with its time and its host; the store's troubles strike whatever host they name. */
export type Fault = Trouble & { readonly at: TrueTime; readonly host: string };

/** One run. */
export interface Scenario {
  readonly seed: number;
  /** The longest lease of any host at any time. */
  readonly ttlMs: number;
  readonly hosts: readonly HostSetup[];
  readonly vips: readonly string[];
  readonly weather: Weather;
  readonly faults: readonly Fault[];
  /** From here on nothing goes wrong any more. */
  readonly calmAt: TrueTime;
}

/** A way to the store on which nothing goes wrong. */
export const FAIR: Weather = {
  delayMs: [0.3, 3],
  lossChance: 0,
  lateChance: 0,
  lateMs: 0,
  refuseChance: 0,
  silenceChance: 0,
  repeatChance: 0,
  gapChance: 0,
};

const ANNOUNCE = { burst: 2, repeatAfterMs: 0, refreshMs: 10_000 };

/** Addresses that a VIP may have; the second is one that a new configuration may bring. */
const ADDRESSES_PER_VIP = 3;

/** The virtual MAC of the first VIP comes from it, those of the others from the following ones. */
const FIRST_ID = 51;

/** A trouble that is looked for strikes so many times as often. */
const FAVOURED = 6;

const TTLS_MS: readonly number[] = [300, 600, 1_000, 2_000, 3_000];

/** Draws a run; one kind of trouble may be favoured. */
export function drawScenario(seed: number, random: Random, favourite: Trouble["kind"] | null = null): Scenario {
  const ttls = random.chance(0.6) ? [random.pick(TTLS_MS)] : [random.pick(TTLS_MS), random.pick(TTLS_MS)];
  const ttlMs = Math.max(...ttls);
  const vips = Array.from({ length: random.int(1, 3) }, (_, index) => `vip-${index + 1}`);
  const calmAt = ttlMs * random.int(6, 14);
  const crowded = random.chance(0.25);
  const spreads = random.chance(0.15);
  const hasMacs = random.chance(0.3);
  const hosts = Array.from({ length: random.int(3, 5) }, (_, index) =>
    drawHost(random, `n${index + 1}`, { vips, ttls, ttlMs, crowded, spreads, hasMacs, hosts: [] }),
  );
  const weather = random.chance(0.4) ? FAIR : drawWeather(random, ttlMs, 0.3);
  const count = random.int(2, 12);
  const facts: Facts = { ttlMs, ttls, vips, crowded, spreads, hasMacs, hosts: hosts.map(({ name }) => name) };
  const faults = Array.from({ length: count }, (): Fault => {
    const host = random.pick(hosts).name;
    return { ...drawTrouble(random, favourite, facts), at: random.next() * calmAt, host };
  });
  return { seed, ttlMs, hosts, vips, weather, calmAt, faults: faults.sort((a, b) => a.at - b.at) };
}

/** A fleet has run before: each host knows its longest lease. */
function drawHost(random: Random, name: string, facts: Facts): HostSetup {
  const { ttlMs, ttls } = facts;
  return {
    name,
    node: name,
    ttlMs: random.pick(ttls),
    knownTtlMs: ttlMs,
    rate: 1 + DRIFT * random.pick([-1, -1, 0, 1, 1, random.next() * 2 - 1]),
    bootMs: random.int(1_000, 1_000_000_000),
    startAt: random.chance(0.6) ? random.next() * 50 : random.next() * ttlMs * 3,
    config: drawConfig(random, facts, false),
  };
}

function drawConfig(random: Random, facts: Facts, changed: boolean): readonly VipConfig[] {
  const { vips, ttlMs, crowded, spreads } = facts;
  const config = vips
    .filter(() => random.chance(changed ? 0.8 : 0.95))
    .map((name) => ({
      name,
      addresses: (crowded ? drawCrowded : drawAddresses)(random, vips.indexOf(name), changed),
      priority: random.pick([100, 100, 101, 150, 200]),
      announce: ANNOUNCE,
      preempt: random.chance(0.5),
      preemptDelayMs: random.chance(0.5) ? 0 : random.next() * ttlMs,
      minHoldMs: random.chance(0.2) ? random.next() * 2 * ttlMs : 0,
      probeIntervalMs: 0,
      spread: spreads ? "shared" : null,
      checks: random.chance(0.5) ? [{ check: SERVICE, weight: null, reverse: false, numeric: false }] : [],
      lastResort: random.chance(0.5) ? ("keep" as const) : ("drop" as const),
      hooks: [],
    }));
  return drawMacs(random, facts, drawRouting(random, vips, withoutDoubles(config)), changed);
}

/** Each VIP has an id of its own in one file; a new configuration may exchange them, and take them away. */
function drawMacs(
  random: Random,
  { vips, hasMacs }: Facts,
  config: readonly VipConfig[],
  changed: boolean,
): readonly VipConfig[] {
  if (!hasMacs) return config;
  const shift = changed && random.chance(0.5) ? random.int(1, vips.length) : 0;
  return config.map((vip) => {
    const id = FIRST_ID + ((vips.indexOf(vip.name) + shift) % vips.length);
    return random.chance(0.85) ? { ...vip, addresses: onVirtualDevices(vip.addresses, id) } : vip;
  });
}

/** One file with an address under two names is refused. */
function withoutDoubles(config: readonly VipConfig[]): readonly VipConfig[] {
  const seen = new Set<string>();
  const isNew = ({ ip }: VipAddress): boolean => !seen.has(ip) && seen.add(ip).has(ip);
  return config
    .map((vip) => ({ ...vip, addresses: vip.addresses.filter(isNew) }))
    .filter(({ addresses }) => addresses.length > 0);
}

/** A new configuration may have an address under another name than before. */
function drawAddresses(random: Random, vip: number, changed: boolean): readonly VipAddress[] {
  const count = random.chance(0.3) ? 2 : 1;
  const first = changed && random.chance(0.3) ? 1 : 0;
  const from = random.chance(changed ? 0.1 : 0.02) ? (vip + 1) % 2 : vip;
  return Array.from({ length: count }, (_, index) => addressOf(index === 0 ? from : vip, first + index)).map((ip) => ({
    family: 4,
    ip,
    prefix: 24,
    interface: INTERFACES[ip.endsWith(".2") ? 1 : 0] ?? "",
  }));
}

/** Few addresses for all VIPs: they are moved between them, swapped, and configured under several names at once. */
function drawCrowded(random: Random, vip: number): readonly VipAddress[] {
  const pool = [addressOf(0, 0), addressOf(1, 0), addressOf(2, 0), addressOf(0, 1)];
  const drawn = Array.from({ length: random.int(1, 2) }, () =>
    random.chance(0.5) ? addressOf(vip, 0) : random.pick(pool),
  );
  return [...new Set(drawn)].map((ip) => ({ family: 4, ip, prefix: 24, interface: INTERFACES[0] ?? "" }));
}

function addressOf(vip: number, index: number): string {
  return `10.0.${vip + 1}.${index + 1}`;
}

function drawWeather(random: Random, ttlMs: number, badness: number): Weather {
  const some = (most: number): number => (random.chance(0.5) ? random.next() * most * badness : 0);
  return {
    delayMs: [0.2, 1 + some(ttlMs / 4)],
    lossChance: some(0.5),
    lateChance: some(0.5),
    lateMs: random.next() * ttlMs * 2.5,
    refuseChance: some(0.3),
    silenceChance: some(0.05),
    repeatChance: some(0.8),
    gapChance: some(0.1),
  };
}

/** Short as a hiccup, or as long as leases. */
function drawSpan(random: Random, ttlMs: number): number {
  return random.chance(0.3) ? random.next() * 150 : random.next() * ttlMs * 2.5;
}

const drawPoints = (random: Random): number => (random.chance(0.3) ? 0 : random.int(1, 60));

/** What troubles are drawn from. */
interface Facts {
  readonly ttlMs: number;
  readonly ttls: readonly number[];
  readonly vips: readonly string[];
  readonly hosts: readonly string[];
  /** Addresses are drawn from few, whatever the VIP is called. */
  readonly crowded: boolean;
  /** VIPs have virtual MACs, which new configurations exchange. */
  readonly hasMacs: boolean;
  /** The VIPs of the fleet are shared out over its nodes. */
  readonly spreads: boolean;
}

type Draw<K extends Trouble["kind"]> = (random: Random, facts: Facts) => Omit<Extract<Trouble, { kind: K }>, "kind">;

/** Each kind of trouble with its weight. */
const TROUBLES: { readonly [K in Trouble["kind"]]: readonly [weight: number, draw: Draw<K>] } = {
  freeze: [6, (random, { ttlMs }) => ({ after: drawPoints(random), forMs: drawSpan(random, ttlMs) })],
  kill: [
    3,
    (random, facts) => ({
      after: drawPoints(random),
      backMs: drawBack(random, facts.ttlMs),
      keepsState: random.chance(0.8),
      ...drawRestart(random, facts),
      again: random.chance(0.5) ? { afterMs: random.next() * 6, backMs: drawBack(random, facts.ttlMs) } : null,
    }),
  ],
  stop: [2, (random, facts) => ({ backMs: drawBack(random, facts.ttlMs), ...drawRestart(random, facts) })],
  reboot: [1, (random, { ttlMs }) => ({ backMs: drawSpan(random, ttlMs) })],
  "link-down": [2, (random, { ttlMs }) => ({ interface: random.pick(INTERFACES), forMs: drawSpan(random, ttlMs) })],
  suspend: [1, (random, { ttlMs }) => ({ forMs: drawSpan(random, ttlMs), darkMs: 5 + random.next() * 50 })],
  sick: [3, (random, { ttlMs }) => ({ forMs: drawSpan(random, ttlMs) })],
  slow: [1, (random, { ttlMs }) => ({ stepMs: random.next() * 5, forMs: drawSpan(random, ttlMs) })],
  twin: [1, (random, { ttlMs }) => ({ copiesState: random.chance(0.7), forMs: drawSpan(random, ttlMs) })],
  "fence-flushed": [1, () => ({})],
  cut: [
    3,
    (random, { ttlMs }) => ({
      direction: random.pick(["requests", "answers", "both"]),
      forMs: drawSpan(random, ttlMs),
    }),
  ],
  refusal: [
    2,
    (random, { ttlMs }) => ({
      what: random.pick(["bind", "unbind", "close", "open", "protect"]),
      forMs: drawSpan(random, ttlMs),
    }),
  ],
  "address-removed": [1, (random, { vips }) => ({ ip: drawIp(random, vips) })],
  "address-bound": [1, (random, { vips }) => ({ ip: drawIp(random, vips) })],
  "route-removed": [1, (random, { vips }) => ({ vip: random.pick(vips) })],
  overrun: [1, (random, { ttlMs }) => ({ forMs: drawSpan(random, ttlMs) })],
  "step-down": [
    3,
    (random, { vips, hosts }) => ({ election: random.pick(vips), to: random.chance(0.5) ? null : random.pick(hosts) }),
  ],
  reload: [2, (random, facts) => ({ config: drawConfig(random, facts, true), refused: random.chance(0.15) })],
  outage: [1, (random, { ttlMs }) => ({ how: random.pick(["refuses", "silent"]), forMs: drawSpan(random, ttlMs) })],
  storm: [2, (random, { ttlMs }) => ({ weather: drawWeather(random, ttlMs, 1), forMs: drawSpan(random, ttlMs) })],
  restore: [
    2,
    (random) => ({
      commitsBack: random.pick([1, 2, 3, 5, 10, 20, 1_000]),
      following: random.chance(0.5) ? null : random.next() * 20,
    }),
  ],
  fork: [
    1,
    (random, { hosts, ttlMs }) => ({
      commitsBack: random.pick([1, 2, 3, 5]),
      hosts: hosts.filter(() => random.chance(0.5)),
      forMs: drawSpan(random, ttlMs),
    }),
  ],
};

/** Every kind of trouble. */
export const TROUBLE_KINDS = Object.keys(TROUBLES) as readonly Trouble["kind"][];

function drawTrouble(random: Random, favourite: Trouble["kind"] | null, facts: Facts): Trouble {
  if ((facts.crowded || facts.hasMacs) && random.chance(0.4))
    return { kind: "reload", config: drawConfig(random, facts, true), refused: false };
  const weightOf = (kind: Trouble["kind"]): number => TROUBLES[kind][0] * (kind === favourite ? FAVOURED : 1);
  let ticket = random.next() * TROUBLE_KINDS.reduce((sum, kind) => sum + weightOf(kind), 0);
  for (const kind of TROUBLE_KINDS) {
    ticket -= weightOf(kind);
    if (ticket < 0) return { kind, ...TROUBLES[kind][1](random, facts) } as Trouble;
  }
  throw new RangeError("the weights do not add up");
}

function drawBack(random: Random, ttlMs: number): number | null {
  return random.chance(0.15) ? null : random.pick([2, 20, random.next() * ttlMs, random.next() * 3 * ttlMs]);
}

/** A daemon may come back with another configuration, and with another lease. */
function drawRestart(
  random: Random,
  facts: Facts,
): { readonly config: readonly VipConfig[] | null; readonly ttlMs: number | null } {
  const config = random.chance(facts.crowded || facts.hasMacs ? 0.9 : 0.3) ? drawConfig(random, facts, true) : null;
  return { config, ttlMs: random.chance(0.5) ? random.pick(facts.ttls) : null };
}

function drawIp(random: Random, vips: readonly string[]): string {
  return addressOf(random.int(0, vips.length - 1), random.int(0, ADDRESSES_PER_VIP - 2));
}
