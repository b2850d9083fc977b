// What happens in one run with VRRP, drawn from its seed: plain data, as in ../scenario.ts.

import { NO_AUTHENTICATION, type VrrpAuthentication } from "../../../src/base/vrrp.ts";
import type { Random } from "../../../src/base/random.ts";
import type { VipConfig } from "../../../src/config/types.ts";
import { DRIFT } from "../../../src/election/lease.ts";
import { SERVICE } from "../daemon.ts";
import type { Refusal } from "../kernel.ts";
import type { Weather } from "../network.ts";
import { FAIR, type HostSetup } from "../scenario.ts";
import type { TrueTime } from "../world.ts";
import type { KeepalivedSetup } from "./keepalived.ts";
import type { WireWeather } from "./segment.ts";
import { WIRE_INTERFACE } from "./wire-ports.ts";

/** What goes wrong, or what people do, on the host of vipd or of keepalived that the fault names. */
export type VrrpTrouble =
  /** `program`: its event loop alone; `thread`: its sending thread alone; `process`: both. `after`: at that many points of code. */
  | {
      readonly kind: "freeze";
      readonly what: "program" | "thread" | "process";
      readonly after: number;
      readonly forMs: number;
    }
  /** From then on the next master that a router of vipd pre-empts is frozen, at that many points of code from the claim. */
  | {
      readonly kind: "freeze-preempted";
      readonly what: "program" | "process";
      readonly after: number;
      readonly forMs: number;
    }
  | { readonly kind: "kill"; readonly after: number; readonly backMs: number }
  | { readonly kind: "stop"; readonly backMs: number | null }
  | { readonly kind: "reboot"; readonly backMs: number }
  | { readonly kind: "suspend"; readonly forMs: number; readonly darkMs: number }
  | { readonly kind: "link-down"; readonly forMs: number }
  /** The switch loses what this host sends, what it is sent, or both, to and from these others; the carrier stays. */
  | {
      readonly kind: "cut";
      readonly direction: "out" | "in" | "both";
      readonly others: readonly string[];
      readonly forMs: number;
    }
  | { readonly kind: "storm"; readonly weather: WireWeather; readonly forMs: number }
  | { readonly kind: "sick"; readonly forMs: number }
  | { readonly kind: "slow"; readonly stepMs: number; readonly forMs: number }
  | { readonly kind: "step-down"; readonly vip: string }
  | { readonly kind: "reload"; readonly config: readonly VipConfig[] }
  | { readonly kind: "refusal"; readonly what: Refusal; readonly forMs: number }
  | { readonly kind: "address-removed"; readonly ip: string }
  /** An advert that somebody else made up, without the password or the key: a farewell, or of a priority that all obey. */
  | {
      readonly kind: "forged";
      readonly vip: string;
      readonly source: string;
      readonly priority: number;
      readonly intervalMs: number;
      readonly authentication: VrrpAuthentication;
    }
  /** The way to the store; mixed fleets only. */
  | { readonly kind: "store-cut"; readonly direction: "requests" | "answers" | "both"; readonly forMs: number }
  | { readonly kind: "store-outage"; readonly how: "refuses" | "silent"; readonly forMs: number };

/** A trouble with its time and its host. */
export type VrrpFault = VrrpTrouble & { readonly at: TrueTime; readonly host: string };

/** One run. */
export interface VrrpScenario {
  readonly seed: number;
  /** `mixed`: the lease and VRRP together. */
  readonly mode: "vrrp" | "mixed";
  readonly version: 2 | 3;
  /** The longest advertisement interval of any router at any time. */
  readonly intervalMs: number;
  readonly shortestIntervalMs: number;
  readonly ttlMs: number;
  readonly hosts: readonly HostSetup[];
  readonly keepaliveds: readonly KeepalivedSetup[];
  readonly vips: readonly string[];
  /** More virtual routers than these go easy on the kernel (src/node/vrrp-elector.ts). */
  readonly crowd: number;
  readonly weather: WireWeather;
  /** On a good wire no advert takes longer. */
  readonly mostDelayMs: number;
  readonly storeWeather: Weather;
  readonly faults: readonly VrrpFault[];
  /** From here on nothing goes wrong any more. */
  readonly calmAt: TrueTime;
}

/** A kind of trouble that is looked for strikes so many times as often. */
const FAVOURED = 6;

const PRIORITIES = [1, 90, 100, 100, 100, 101, 150, 200, 254] as const;

/** As many virtual routers as make a crowd anywhere; they cost as many times as much, and are rare. */
const MANY = 66;
const MANY_CHANCE = 0.001;

/** What the parts of a scenario are drawn from. */
interface Facts {
  readonly mode: "vrrp" | "mixed";
  readonly version: 2 | 3;
  /** What adverts are authenticated by; keepalived 2.2 and the password are looked at on the real one. */
  readonly secret: VrrpAuthentication["kind"];
  /** `null`: the default. Only where all routers are vipd. */
  readonly farewellWaitMs: number | null;
  readonly intervals: readonly number[];
  readonly ttlMs: number;
  readonly vips: readonly string[];
  readonly stations: readonly string[];
  /** Empty: multicast. */
  readonly sources: readonly string[];
  readonly mostDelayMs: number;
  readonly hasKeepalived: boolean;
  /** Mixed: what all nodes of the fleet advertise. */
  readonly common: number;
}

/** Draws a run; one kind of trouble, and the mode, may be favoured. */
export function drawVrrpScenario(
  seed: number,
  random: Random,
  favourite: VrrpTrouble["kind"] | null,
  onlyMode: "vrrp" | "mixed" | null,
): VrrpScenario {
  const mode = onlyMode ?? (random.chance(0.6) ? "vrrp" : "mixed");
  const version = random.pick([2, 3, 3] as const);
  const interval =
    version === 2 ? random.pick([1_000, 1_000, 2_000, 3_000]) : random.pick([100, 250, 500, 1_000, 3_000]);
  const others = version === 3 && random.chance(0.25) ? [100, 250, 1_000] : [];
  const intervals = [interval, ...others.filter(() => random.chance(0.5))];
  const ttlMs = random.pick([600, 1_000, 3_000].filter((ms) => ms >= interval / 2));
  const isMany = mode === "vrrp" && interval >= 1_000 && random.chance(MANY_CHANCE / 0.3);
  const vips = drawVips(random, version, isMany);
  // Two routers alone, one of them vipd or both.
  const isPair = isMany || (mode === "vrrp" && random.chance(0.15));
  const hasKeepalived = !isMany && random.chance(mode === "mixed" ? 0.8 : 0.4);
  const nodes = isPair ? (hasKeepalived ? 1 : 2) : random.int(2, 4);
  const keepalivedCount = hasKeepalived ? (isPair ? 1 : random.int(1, 2)) : 0;
  const stations = [
    ...Array.from({ length: nodes }, (_, i) => `n${i + 1}`),
    ...Array.from({ length: keepalivedCount }, (_, i) => `k${i + 1}`),
  ];
  const unicast = random.chance(isPair ? 0.7 : 0.25);
  const mostDelayMs = Math.min(Math.min(...intervals) / 8, random.pick([1, 5, 20]));
  const facts: Facts = {
    mode,
    version,
    secret: hasKeepalived ? "none" : drawSecret(random, version),
    farewellWaitMs: hasKeepalived || random.chance(0.7) ? null : random.pick([10, 40, 200, 1_000]),
    intervals,
    ttlMs,
    vips,
    stations,
    sources: unicast ? stations.map((_, i) => sourceOf(i, vips, true)) : [],
    mostDelayMs,
    hasKeepalived,
    common: random.pick(PRIORITIES),
  };
  const calmAt = Math.max(...intervals) * random.int(8, 22) + random.int(0, 4_000);
  const hosts = stations.slice(0, nodes).map((name, i) => drawHost(random, name, i, facts));
  const keepaliveds = stations.slice(nodes).map((name, i) => drawKeepalived(random, name, nodes + i, facts));
  const faults = Array.from({ length: random.int(1, 9) }, (): VrrpFault => {
    const host = random.pick(stations);
    return { ...drawTrouble(random, favourite, host, facts), at: random.next() * calmAt, host };
  });
  return {
    seed,
    mode,
    version,
    intervalMs: Math.max(...intervals),
    shortestIntervalMs: Math.min(...intervals),
    ttlMs,
    hosts,
    keepaliveds,
    vips,
    crowd: random.pick([0, 1, 64, 64]),
    weather: random.chance(0.6) ? calmWire(mostDelayMs) : drawWire(random, facts, 0.3),
    mostDelayMs,
    storeWeather: FAIR,
    faults: faults.sort((a, b) => a.at - b.at),
    calmAt,
  };
}

/** A wire on which nothing goes wrong. */
export function calmWire(mostDelayMs: number): WireWeather {
  return { delayMs: [0.05, mostDelayMs], lossChance: 0, lateChance: 0, lateMs: 0, repeatChance: 0 };
}

function drawWire(random: Random, { mostDelayMs, intervals }: Facts, badness: number): WireWeather {
  const some = (most: number): number => (random.chance(0.6) ? random.next() * most * badness : 0);
  return {
    delayMs: [0.05, mostDelayMs],
    lossChance: some(0.8),
    lateChance: some(0.5),
    lateMs: random.next() * Math.max(...intervals) * 2,
    repeatChance: some(0.5),
  };
}

/** Adverts to the group leave from a link-local address on IPv6. */
function sourceOf(index: number, [vip = ""]: readonly string[], unicast: boolean): string {
  if (!isIpv6(vip)) return `10.9.0.${index + 1}`;
  return unicast ? `fd00:9::${index + 1}` : `fe80::${index + 1}`;
}

/** The VIPs of a run: of one family. */
function drawVips(random: Random, version: 2 | 3, isMany: boolean): readonly string[] {
  const prefix = version === 3 && random.chance(0.35) ? "six" : "vip";
  const count = isMany ? MANY : random.chance(0.7) ? 1 : 2;
  return Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`);
}

function isIpv6(vip: string): boolean {
  return vip.startsWith("six");
}

/** The address of a VIP, by its name. */
export function ipOf(vip: string): string {
  const number = Number(vip.slice(4));
  return isIpv6(vip) ? `fd00:0:${number.toString(16)}::1` : `10.0.${number}.1`;
}

function drawSecret(random: Random, version: 2 | 3): VrrpAuthentication["kind"] {
  return random.pick(version === 2 ? (["none", "password", "hmac"] as const) : (["none", "none", "hmac"] as const));
}

/** All nodes have both keys, and each signs with one of them. */
function drawAuthentication(random: Random, { secret }: Facts): VrrpAuthentication {
  if (secret === "none") return NO_AUTHENTICATION;
  if (secret === "password") return { kind: "password", password: "secret" };
  return { kind: "hmac", keys: KEYS, sendKeyId: random.pick([1, 2]), windowS: 5 };
}

const KEYS = [1, 2].map((id) => ({ id, secret: new Uint8Array(32).fill(id) }));
const FALSE_KEYS = KEYS.map(({ id }) => ({ id, secret: new Uint8Array(32).fill(9) }));

function drawForgery(random: Random, facts: Facts): Omit<Extract<VrrpTrouble, { kind: "forged" }>, "kind"> {
  const { stations, vips, sources, intervals, secret } = facts;
  const lies: readonly VrrpAuthentication[] = [
    NO_AUTHENTICATION,
    secret === "password"
      ? { kind: "password", password: "guessed" }
      : { kind: "hmac", keys: FALSE_KEYS, sendKeyId: 1, windowS: 5 },
  ];
  return {
    vip: random.pick(vips),
    source: sourceOf(random.int(0, stations.length - 1), vips, sources.length > 0),
    priority: random.pick([0, 0, 254]),
    intervalMs: intervals[0] ?? 0,
    authentication: random.pick(lies),
  };
}

function drawHost(random: Random, name: string, index: number, facts: Facts): HostSetup {
  const { ttlMs, intervals, vips, sources } = facts;
  return {
    name,
    node: name,
    ttlMs,
    knownTtlMs: ttlMs,
    rate: 1 + DRIFT * random.pick([-1, -1, 0, 1, 1, random.next() * 2 - 1]),
    bootMs: random.int(1_000, 1_000_000_000),
    startAt: random.chance(0.6) ? random.next() * 50 : random.next() * 6 * (intervals[0] ?? 0),
    source: sourceOf(index, vips, sources.length > 0),
    startupDelayMs: random.chance(0.8) ? 0 : random.next() * 3_000,
    config: drawConfig(random, index, facts, facts.intervals[0] ?? 0, false),
  };
}

function drawConfig(
  random: Random,
  index: number,
  facts: Facts,
  intervalMs: number,
  changed: boolean,
): readonly VipConfig[] {
  const { mode, version, sources, vips, common, hasKeepalived, farewellWaitMs } = facts;
  // The last step of a migration: no keepalived is left, and a node goes on by the lease alone.
  const isMigrated = mode === "mixed" && changed && !hasKeepalived && random.chance(0.3);
  return vips.map((name, i) => ({
    name,
    addresses: [{ family: isIpv6(name) ? 6 : 4, ip: ipOf(name), prefix: 24, interface: WIRE_INTERFACE }],
    priority: random.pick(PRIORITIES),
    announce: { burst: 1, repeatAfterMs: 0, refreshMs: 30_000 },
    preempt: random.chance(0.7),
    preemptDelayMs: random.chance(0.7) ? 0 : random.next() * 4 * intervalMs,
    minHoldMs: 0,
    probeIntervalMs: 0,
    spread: null,
    checks: random.chance(0.5)
      ? [{ check: SERVICE, weight: random.pick([null, null, -60]), reverse: false, numeric: false }]
      : [],
    lastResort: "drop" as const,
    hooks: [],
    ...(isMigrated
      ? {}
      : {
          vrrp: {
            kind: mode === "mixed" ? ("lease+vrrp" as const) : ("vrrp" as const),
            interface: WIRE_INTERFACE,
            vrid: 51 + i,
            version,
            intervalMs,
            priority: mode === "mixed" ? common : null,
            authentication: drawAuthentication(random, facts),
            keyFiles: [],
            farewellWaitMs,
            unicastPeers: sources.filter((_, other) => other !== index),
            source: null,
          },
        }),
  }));
}

function drawKeepalived(random: Random, name: string, index: number, facts: Facts): KeepalivedSetup {
  const { version, intervals, vips, sources } = facts;
  const preempt = random.chance(0.7);
  return {
    name,
    source: sourceOf(index, vips, sources.length > 0),
    rate: 1 + DRIFT * (random.next() * 2 - 1),
    startAt: random.next() * 200,
    peers: sources.filter((_, other) => other !== index),
    instances: vips.map((vip, i) => ({
      vip,
      vrid: 51 + i,
      version,
      priority: random.pick(PRIORITIES),
      intervalMs: intervals[0] ?? 0,
      preempt,
      addresses: [ipOf(vip)],
    })),
  };
}

/** Short as a hiccup, or as long as it takes to notice a dead master, and longer. */
function drawSpan(random: Random, { intervals }: Facts): number {
  const most = Math.max(...intervals);
  return random.pick([
    random.next() * 50,
    random.next() * most,
    random.next() * 6 * most,
    (2.5 + random.next() * 2) * most,
  ]);
}

const drawPoints = (random: Random): number => (random.chance(0.3) ? 0 : random.int(1, 60));

type Draw<K extends VrrpTrouble["kind"]> = (
  random: Random,
  facts: Facts,
  host: string,
) => Omit<Extract<VrrpTrouble, { kind: K }>, "kind">;

/** Each kind of trouble with its weight. */
const TROUBLES: { readonly [K in VrrpTrouble["kind"]]: readonly [weight: number, draw: Draw<K>] } = {
  freeze: [
    8,
    (random, facts) => ({
      what: random.pick(["program", "process", "process", "thread"]),
      after: drawPoints(random),
      forMs: drawSpan(random, facts),
    }),
  ],
  "freeze-preempted": [
    4,
    (random, facts) => ({
      what: random.pick(["program", "process", "process"]),
      after: drawPoints(random),
      forMs: drawSpan(random, facts),
    }),
  ],
  kill: [4, (random, facts) => ({ after: drawPoints(random), backMs: drawSpan(random, facts) })],
  stop: [3, (random, facts) => ({ backMs: random.chance(0.3) ? null : drawSpan(random, facts) })],
  reboot: [1, (random, facts) => ({ backMs: drawSpan(random, facts) })],
  suspend: [1, (random, facts) => ({ forMs: drawSpan(random, facts), darkMs: 5 + random.next() * 50 })],
  "link-down": [2, (random, facts) => ({ forMs: drawSpan(random, facts) })],
  cut: [
    3,
    (random, facts, host) => ({
      direction: random.pick(["out", "in", "both", "both"]),
      others: facts.stations.filter((name) => name !== host && random.chance(0.7)),
      forMs: drawSpan(random, facts),
    }),
  ],
  storm: [2, (random, facts) => ({ weather: drawWire(random, facts, 1), forMs: drawSpan(random, facts) })],
  sick: [3, (random, facts) => ({ forMs: drawSpan(random, facts) })],
  slow: [1, (random, facts) => ({ stepMs: random.next() * 3, forMs: drawSpan(random, facts) })],
  "step-down": [3, (random, { vips }) => ({ vip: random.pick(vips) })],
  reload: [
    3,
    (random, facts, host) => ({
      config: drawConfig(random, facts.stations.indexOf(host), facts, random.pick(facts.intervals), true),
    }),
  ],
  refusal: [1, (random) => ({ what: random.pick(["bind", "open", "close", "unbind"]), forMs: random.next() * 400 })],
  "address-removed": [1, (random, { vips }) => ({ ip: ipOf(random.pick(vips)) })],
  forged: [3, drawForgery],
  "store-cut": [
    3,
    (random, { ttlMs }) => ({
      direction: random.pick(["requests", "answers", "both"]),
      forMs: random.next() * 2.5 * ttlMs,
    }),
  ],
  "store-outage": [
    1,
    (random, { ttlMs }) => ({ how: random.pick(["refuses", "silent"]), forMs: random.next() * 2.5 * ttlMs }),
  ],
};

/** Every kind of trouble. */
export const VRRP_TROUBLE_KINDS = Object.keys(TROUBLES) as readonly VrrpTrouble["kind"][];

/** What a host of keepalived can suffer here. */
const OF_KEEPALIVED: readonly VrrpTrouble["kind"][] = ["freeze", "kill", "stop", "link-down", "cut", "storm"];

function drawTrouble(random: Random, favourite: VrrpTrouble["kind"] | null, host: string, facts: Facts): VrrpTrouble {
  const isPossible = (kind: VrrpTrouble["kind"]): boolean =>
    host.startsWith("k")
      ? OF_KEEPALIVED.includes(kind)
      : kind === "forged"
        ? facts.secret !== "none"
        : facts.mode === "mixed" || !kind.startsWith("store-");
  const kinds = VRRP_TROUBLE_KINDS.filter(isPossible);
  const weightOf = (kind: VrrpTrouble["kind"]): number => TROUBLES[kind][0] * (kind === favourite ? FAVOURED : 1);
  let ticket = random.next() * kinds.reduce((sum, kind) => sum + weightOf(kind), 0);
  for (const kind of kinds) {
    ticket -= weightOf(kind);
    if (ticket < 0) return { kind, ...TROUBLES[kind][1](random, facts, host) } as VrrpTrouble;
  }
  throw new RangeError("the weights do not add up");
}
