// What happens in one run, drawn from its seed: hosts, VIPs, clocks, the weather on the way to the store, and faults.
// It is plain data, so that a failing run can be read, and nothing of it depends on how the run goes.

import type { Random } from "../../src/base/random.ts";
import { DRIFT } from "../../src/election/lease.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type { VipConfig } from "../../src/config/types.ts";
import { INTERFACE, type Refusal } from "./kernel.ts";
import type { Weather } from "./network.ts";
import type { TrueTime } from "./world.ts";

/** One host, and the configuration of its daemon at the beginning. */
export interface HostSetup {
  readonly name: string;
  /** How fast its clock runs; 1 is right. */
  readonly rate: number;
  readonly bootMs: number;
  readonly startAt: TrueTime;
  readonly config: readonly VipConfig[];
}

/** What goes wrong, or what people do. `after`: at that many points of code from then on; 0: between two steps. */
export type Trouble =
  | { readonly kind: "freeze"; readonly after: number; readonly forMs: number }
  /** `backMs: null`: it stays away. `keepsState`: the state directory is still there. */
  | {
      readonly kind: "kill";
      readonly after: number;
      readonly backMs: number | null;
      readonly keepsState: boolean;
      readonly config: readonly VipConfig[] | null;
    }
  | { readonly kind: "stop"; readonly backMs: number | null; readonly config: readonly VipConfig[] | null }
  | { readonly kind: "reboot"; readonly backMs: number }
  | { readonly kind: "link-down"; readonly forMs: number }
  | { readonly kind: "cut"; readonly direction: "requests" | "answers" | "both"; readonly forMs: number }
  | { readonly kind: "refusal"; readonly what: Refusal; readonly forMs: number }
  | { readonly kind: "address-removed"; readonly ip: string }
  | { readonly kind: "address-bound"; readonly ip: string }
  | { readonly kind: "overrun"; readonly forMs: number }
  | { readonly kind: "step-down"; readonly election: string; readonly to: string | null }
  | { readonly kind: "reload"; readonly config: readonly VipConfig[] }
  | { readonly kind: "outage"; readonly how: "refuses" | "silent"; readonly forMs: number }
  | { readonly kind: "storm"; readonly weather: Weather; readonly forMs: number }
  /** `following`: not at once, but so long after the next ownership change: that is what a restore must not undo. */
  | { readonly kind: "restore"; readonly commitsBack: number; readonly following: number | null };

/** A trouble with its time and its host; the store's troubles strike whatever host they name. */
export type Fault = Trouble & { readonly at: TrueTime; readonly host: string };

/** One run. */
export interface Scenario {
  readonly seed: number;
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

/** A trouble that is looked for strikes so many times as often. */
const FAVOURED = 6;

/** Draws a run; one kind of trouble may be favoured. */
export function drawScenario(seed: number, random: Random, favourite: Trouble["kind"] | null = null): Scenario {
  const ttlMs = random.pick([300, 600, 1_000, 2_000, 3_000]);
  const vips = Array.from({ length: random.int(1, 3) }, (_, index) => `vip-${index + 1}`);
  const calmAt = ttlMs * random.int(6, 14);
  const hosts = Array.from({ length: random.int(3, 5) }, (_, index) => drawHost(random, `n${index + 1}`, vips, ttlMs));
  const weather = random.chance(0.4) ? FAIR : drawWeather(random, ttlMs, 0.3);
  const count = random.int(2, 12);
  const faults = Array.from({ length: count }, (): Fault => {
    const host = random.pick(hosts).name;
    return { ...drawTrouble(random, favourite, ttlMs, vips, hosts), at: random.next() * calmAt, host };
  });
  return { seed, ttlMs, hosts, vips, weather, calmAt, faults: faults.sort((a, b) => a.at - b.at) };
}

function drawHost(random: Random, name: string, vips: readonly string[], ttlMs: number): HostSetup {
  return {
    name,
    rate: 1 + DRIFT * random.pick([-1, -1, 0, 1, 1, random.next() * 2 - 1]),
    bootMs: random.int(1_000, 1_000_000_000),
    startAt: random.chance(0.6) ? random.next() * 50 : random.next() * ttlMs * 3,
    config: drawConfig(random, vips, ttlMs, false),
  };
}

function drawConfig(random: Random, vips: readonly string[], ttlMs: number, changed: boolean): readonly VipConfig[] {
  return vips
    .filter(() => random.chance(changed ? 0.8 : 0.95))
    .map((name) => ({
      name,
      addresses: drawAddresses(random, vips.indexOf(name), changed),
      priority: random.pick([100, 100, 101, 150, 200]),
      announce: ANNOUNCE,
      preempt: random.chance(0.5),
      preemptDelayMs: random.chance(0.5) ? 0 : random.next() * ttlMs,
      minHoldMs: 0,
      probeIntervalMs: 0,
      spread: null,
      checks: [],
      lastResort: "keep" as const,
      hooks: [],
    }));
}

function drawAddresses(random: Random, vip: number, changed: boolean): readonly VipAddress[] {
  const count = random.chance(0.3) ? 2 : 1;
  const first = changed && random.chance(0.3) ? 1 : 0;
  return Array.from({ length: count }, (_, index) => ({
    family: 4,
    ip: addressOf(vip, first + index),
    prefix: 24,
    interface: INTERFACE,
  }));
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

type Draw = (random: Random, ttlMs: number, vips: readonly string[], hosts: readonly HostSetup[]) => Trouble;

/** Each kind of trouble with its weight. */
const TROUBLES: readonly (readonly [kind: Trouble["kind"], weight: number, draw: Draw])[] = [
  ["freeze", 6, (random, ttlMs) => ({ kind: "freeze", after: drawPoints(random), forMs: drawSpan(random, ttlMs) })],
  [
    "kill",
    3,
    (random, ttlMs, vips) => ({
      kind: "kill",
      after: drawPoints(random),
      backMs: drawBack(random, ttlMs),
      keepsState: random.chance(0.8),
      config: drawNewConfig(random, ttlMs, vips),
    }),
  ],
  [
    "stop",
    2,
    (random, ttlMs, vips) => ({
      kind: "stop",
      backMs: drawBack(random, ttlMs),
      config: drawNewConfig(random, ttlMs, vips),
    }),
  ],
  ["reboot", 1, (random, ttlMs) => ({ kind: "reboot", backMs: drawSpan(random, ttlMs) })],
  ["link-down", 2, (random, ttlMs) => ({ kind: "link-down", forMs: drawSpan(random, ttlMs) })],
  [
    "cut",
    3,
    (random, ttlMs) => ({
      kind: "cut",
      direction: random.pick(["requests", "answers", "both"]),
      forMs: drawSpan(random, ttlMs),
    }),
  ],
  [
    "refusal",
    2,
    (random, ttlMs) => ({
      kind: "refusal",
      what: random.pick(["bind", "unbind", "close", "open", "protect"]),
      forMs: drawSpan(random, ttlMs),
    }),
  ],
  ["address-removed", 1, (random, _ttlMs, vips) => ({ kind: "address-removed", ip: drawIp(random, vips) })],
  ["address-bound", 1, (random, _ttlMs, vips) => ({ kind: "address-bound", ip: drawIp(random, vips) })],
  ["overrun", 1, (random, ttlMs) => ({ kind: "overrun", forMs: drawSpan(random, ttlMs) })],
  [
    "step-down",
    3,
    (random, _ttlMs, vips, hosts) => ({
      kind: "step-down",
      election: random.pick(vips),
      to: random.chance(0.5) ? null : random.pick(hosts).name,
    }),
  ],
  ["reload", 2, (random, ttlMs, vips) => ({ kind: "reload", config: drawConfig(random, vips, ttlMs, true) })],
  [
    "outage",
    1,
    (random, ttlMs) => ({ kind: "outage", how: random.pick(["refuses", "silent"]), forMs: drawSpan(random, ttlMs) }),
  ],
  [
    "storm",
    2,
    (random, ttlMs) => ({ kind: "storm", weather: drawWeather(random, ttlMs, 1), forMs: drawSpan(random, ttlMs) }),
  ],
  [
    "restore",
    2,
    (random) => ({
      kind: "restore",
      commitsBack: random.pick([1, 2, 3, 5, 10, 20, 1_000]),
      following: random.chance(0.5) ? null : random.next() * 20,
    }),
  ],
];

/** Every kind of trouble. */
export const TROUBLE_KINDS: readonly Trouble["kind"][] = TROUBLES.map(([kind]) => kind);

function drawTrouble(
  random: Random,
  favourite: Trouble["kind"] | null,
  ...facts: [ttlMs: number, vips: readonly string[], hosts: readonly HostSetup[]]
): Trouble {
  const weighed = TROUBLES.map(
    ([kind, weight, draw]) => [kind === favourite ? weight * FAVOURED : weight, draw] as const,
  );
  let ticket = random.next() * weighed.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, draw] of weighed) {
    ticket -= weight;
    if (ticket < 0) return draw(random, ...facts);
  }
  throw new RangeError("the weights do not add up");
}

function drawBack(random: Random, ttlMs: number): number | null {
  return random.chance(0.15) ? null : random.pick([2, 20, random.next() * ttlMs, random.next() * 3 * ttlMs]);
}

function drawNewConfig(random: Random, ttlMs: number, vips: readonly string[]): readonly VipConfig[] | null {
  return random.chance(0.3) ? drawConfig(random, vips, ttlMs, true) : null;
}

function drawIp(random: Random, vips: readonly string[]): string {
  return addressOf(random.int(0, vips.length - 1), random.int(0, ADDRESSES_PER_VIP - 2));
}
