// The balance is exact; the movement is measured against the least that any way of sharing out could do: the VIPs of the node
// that went, or the share of the node that came.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { mostFor, type SpreadNode, spreadVips } from "../../../src/election/spread.ts";

const GROUPS = [
  { vips: 2, nodes: 2 },
  { vips: 4, nodes: 2 },
  { vips: 8, nodes: 3 },
  { vips: 20, nodes: 3 },
  { vips: 100, nodes: 5 },
  { vips: 400, nodes: 10 },
];
const SEEDS = 40;

function names(prefix: string, seed: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${seed}-${index}`);
}

function equal(nodes: readonly string[]): readonly SpreadNode[] {
  return nodes.map((node) => ({ node, weight: 1 }));
}

function countOf(assigned: ReadonlyMap<string, string>, node: string): number {
  return [...assigned.values()].filter((holder) => holder === node).length;
}

function moved(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): readonly string[] {
  return [...a.keys()].filter((vip) => a.get(vip) !== b.get(vip));
}

describe("the shares", () => {
  test.each(GROUPS)("of $nodes equal nodes with $vips VIPs are equal, one more or less", ({ vips, nodes }) => {
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const fleet = equal(names("node", seed, nodes));
      const assigned = spreadVips(names("vip", seed, vips), fleet);
      expect(assigned.size).toBe(vips);
      for (const { node } of fleet) expect(countOf(assigned, node)).toBeLessThanOrEqual(Math.ceil(vips / nodes));
    }
  });

  test("follow the weights, and never pass the bound", () => {
    const nodes = [
      { node: "small", weight: 1 },
      { node: "large", weight: 3 },
      { node: "tiny", weight: 0.5 },
    ];
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const assigned = spreadVips(names("vip", seed, 90), nodes);
      for (const { node } of nodes) expect(countOf(assigned, node)).toBeLessThanOrEqual(mostFor(node, 90, nodes));
      expect(countOf(assigned, "large")).toBeGreaterThanOrEqual(57);
      expect(countOf(assigned, "tiny")).toBeGreaterThanOrEqual(7);
    }
  });

  test("are the same whatever the order in which a node knows them", () => {
    const random = seededRandom(7);
    const vips = names("vip", 0, 50);
    const nodes = equal(names("node", 0, 7));
    const expected = spreadVips(vips, nodes);
    for (let round = 0; round < 20; round += 1) {
      const shuffle = <T>(items: readonly T[]): T[] =>
        items
          .map((item) => ({ item, key: random.next() }))
          .sort((a, b) => a.key - b.key)
          .map(({ item }) => item);
      expect(moved(expected, spreadVips(shuffle(vips), shuffle(nodes)))).toEqual([]);
    }
  });

  test("are the ones that every version before gave out: a fleet may run two versions at a time", () => {
    const vips = ["web", "db", "mail", "dns", "vpn", "api"];
    expect(Object.fromEntries(spreadVips(vips, equal(["alpha", "beta", "gamma"])))).toMatchInlineSnapshot(`
      {
        "api": "alpha",
        "db": "beta",
        "dns": "gamma",
        "mail": "beta",
        "vpn": "alpha",
        "web": "gamma",
      }
    `);
  });

  test("exist where there is something to share", () => {
    expect(spreadVips(["a", "b"], [])).toEqual(new Map());
    expect(spreadVips([], equal(["n"]))).toEqual(new Map());
    expect(spreadVips(["same"], equal(["same"]))).toEqual(new Map([["same", "same"]]));
    expect(spreadVips(["a"], [{ node: "n", weight: 0 }])).toEqual(new Map());
  });
});

describe("the movement", () => {
  test.each(GROUPS)("when a node of $nodes goes from $vips VIPs is little more than its own", ({ vips, nodes }) => {
    let total = 0;
    let least = 0;
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const fleet = equal(names("node", seed, nodes));
      const group = names("vip", seed, vips);
      const before = spreadVips(group, fleet);
      const gone = fleet[seed % nodes]?.node ?? "";
      const after = spreadVips(
        group,
        fleet.filter(({ node }) => node !== gone),
      );
      const changed = moved(before, after);
      least += countOf(before, gone);
      total += changed.length;
      expect(changed.length).toBeLessThanOrEqual(2 * Math.ceil(vips / nodes) + 1);
    }
    expect(total / least).toBeLessThan(1.4);
  });

  test.each(GROUPS)("when a node comes to $nodes with $vips VIPs is little more than its share", ({ vips, nodes }) => {
    let total = 0;
    let least = 0;
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const fleet = equal(names("node", seed, nodes + 1));
      const group = names("vip", seed, vips);
      const after = spreadVips(group, fleet);
      total += moved(spreadVips(group, fleet.slice(0, nodes)), after).length;
      least += countOf(after, fleet[nodes]?.node ?? "");
    }
    expect(total / Math.max(least, 1)).toBeLessThan(1.45);
  });

  test("when one VIP more is to be shared leaves nearly all others where they are", () => {
    let total = 0;
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const fleet = equal(names("node", seed, 5));
      const group = names("vip", seed, 51);
      total += moved(spreadVips(group.slice(0, 50), fleet), spreadVips(group, fleet)).length;
    }
    expect(total / SEEDS).toBeLessThan(4);
  });

  test("when a node comes back is none: it is as before it went", () => {
    const fleet = equal(names("node", 3, 4));
    const group = names("vip", 3, 40);
    expect(moved(spreadVips(group, fleet), spreadVips(group, fleet.toReversed()))).toEqual([]);
  });
});
