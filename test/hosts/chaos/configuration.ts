// The VIPs of a chaos fleet: drawn from a seed, and changed by it again and again.

import type { Random } from "../../../src/base/random.ts";
import { virtualRouterMac } from "../../../src/base/virtual-mac.ts";

/** The addresses that VIPs may have; each belongs to at most one at a time. */
export const ADDRESSES: readonly string[] = [
  ...[50, 51, 52, 53, 54, 55].map((last) => `10.77.0.${last}/24`),
  ...[50, 51, 52].map((last) => `2001:db8:77::${last}/64`),
];

/** The VIPs that there may be, by their number: `v0` to `v4`. */
const NUMBERS: readonly number[] = [0, 1, 2, 3, 4];

const FIRST_ID = 50;

/** All virtual MACs that they may have. */
export const MACS: readonly string[] = NUMBERS.flatMap((number) =>
  ([4, 6] as const).map((family) => virtualRouterMac(family, FIRST_ID + number)),
);

/** A VIP; its route, rule and virtual MAC are told from those of others by its number. */
export interface ChaosVip {
  readonly number: number;
  readonly addresses: readonly string[];
  readonly hasMac: boolean;
  readonly hasRoute: boolean;
  readonly preempt: boolean;
  /** By the number of the host. */
  readonly priorities: readonly number[];
}

/** The name of a VIP. */
export function nameOf({ number }: ChaosVip): string {
  return `v${number}`;
}

/** The destination of its route, and the priority of its rule. */
export function routeOf({ number }: ChaosVip): { readonly destination: string; readonly priority: number } {
  return { destination: `10.9.${number}.0/24`, priority: 1_000 + number };
}

function drawVip(random: Random, number: number, addresses: readonly string[]): ChaosVip {
  const priorities = [0, 1, 2].map(() => random.pick([50, 100, 100, 150, 200]));
  const [hasMac, hasRoute, preempt] = [random.chance(0.4), random.chance(0.5), random.chance(0.6)];
  return { number, addresses, hasMac, hasRoute, preempt, priorities };
}

function unused(vips: readonly ChaosVip[]): readonly string[] {
  const used = new Set(vips.flatMap(({ addresses }) => addresses));
  return ADDRESSES.filter((address) => !used.has(address));
}

/** Three VIPs to begin with. */
export function drawVips(random: Random): readonly ChaosVip[] {
  const vips: ChaosVip[] = [];
  for (const number of [0, 1, 2]) {
    const first = random.pick(unused(vips));
    const second = random.pick(unused(vips));
    vips.push(drawVip(random, number, random.chance(0.5) && second !== first ? [first, second] : [first]));
  }
  return vips;
}

type Change = (random: Random, vips: readonly ChaosVip[]) => readonly ChaosVip[];

const replaced = (vips: readonly ChaosVip[], ...changed: readonly ChaosVip[]): readonly ChaosVip[] =>
  vips.map((vip) => changed.find(({ number }) => number === vip.number) ?? vip);

const CHANGES: Readonly<Record<string, Change>> = {
  "adds a VIP": (random, vips) => {
    const number = NUMBERS.find((each) => vips.every((vip) => vip.number !== each));
    return number === undefined ? vips : [...vips, drawVip(random, number, [random.pick(unused(vips))])];
  },
  "removes a VIP": (random, vips) => {
    const gone = random.pick(vips);
    return vips.length < 3 ? vips : vips.filter((vip) => vip !== gone);
  },
  "exchanges the addresses of two VIPs": (random, vips) => {
    const [a, b] = [random.pick(vips), random.pick(vips)];
    return replaced(vips, { ...a, addresses: b.addresses }, { ...b, addresses: a.addresses });
  },
  "moves an address to another VIP": (random, vips) => {
    const [from, to] = [random.pick(vips), random.pick(vips)];
    const [moved = "", ...rest] = from.addresses;
    if (from === to || rest.length === 0) return vips;
    return replaced(vips, { ...from, addresses: rest }, { ...to, addresses: [...to.addresses, moved] });
  },
  "adds an address": (random, vips) => {
    const [vip, address] = [random.pick(vips), random.pick(unused(vips))];
    return replaced(vips, { ...vip, addresses: [...vip.addresses, address] });
  },
  "turns a virtual MAC on or off": (random, vips) => {
    const vip = random.pick(vips);
    return replaced(vips, { ...vip, hasMac: !vip.hasMac });
  },
  "turns a route on or off": (random, vips) => {
    const vip = random.pick(vips);
    return replaced(vips, { ...vip, hasRoute: !vip.hasRoute });
  },
  "draws priorities": (random, vips) => {
    const vip = random.pick(vips);
    return replaced(vips, { ...vip, priorities: vip.priorities.map(() => random.pick([50, 100, 150, 200])) });
  },
};

/** Another configuration, and in words what is different. */
export function changeVips(
  random: Random,
  vips: readonly ChaosVip[],
): { readonly what: string; readonly vips: readonly ChaosVip[] } {
  const what = random.pick(Object.keys(CHANGES));
  return { what, vips: CHANGES[what]?.(random, vips) ?? vips };
}

/** The `vips:` block for a host: JSON, which is YAML. */
export function vipsText(vips: readonly ChaosVip[], host: number): string {
  const entries = vips.map((vip) => {
    const { destination, priority } = routeOf(vip);
    const routing = {
      routes: [{ destination, via: "10.77.0.100", metric: 20 }],
      rules: [{ from: destination, table: "main", priority }],
    };
    const settings = {
      interface: "eth0",
      addresses: vip.addresses,
      priority: vip.priorities[host],
      preempt: vip.preempt,
      preemptDelay: "200ms",
      ...(vip.hasMac ? { virtualMac: { id: FIRST_ID + vip.number } } : {}),
      ...(vip.hasRoute ? routing : {}),
    };
    return [nameOf(vip), settings];
  });
  return `  ${JSON.stringify(Object.fromEntries(entries))}`;
}
