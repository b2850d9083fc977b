// Spread groups: their elections are shared out over the nodes that could hold them, and move one by one, as few as must.

import { expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { candidacy, ineligible, TTL_MS } from "./samples.ts";

const NAMES = ["w1", "w2", "w3", "w4", "w5", "w6"];
const MEMBER = candidacy({ spread: "web" });

function join(fleet: Fleet, name: string, wish = MEMBER): Node {
  const node = fleet.start(name, null);
  for (const election of NAMES) node.wish(wish, election);
  return node;
}

const heldBy = (node: Node): readonly string[] => NAMES.filter((name) => node.holdsElection(name));
const changes = (fleet: Fleet): number => NAMES.reduce((sum, name) => sum + fleet.history(name).length, 0);

test("nodes of equal priority get equal shares, and no node takes from another what is in its place", () => {
  const fleet = new Fleet();
  const nodes = ["a", "b", "c"].map((name) => join(fleet, name));
  fleet.advance(20 * TTL_MS);
  expect(nodes.map((node) => heldBy(node).length)).toEqual([2, 2, 2]);
  const before = changes(fleet);
  fleet.advance(20 * TTL_MS);
  expect(changes(fleet)).toBe(before);
});

test("the elections of a node that dies are shared out, and come back to it, one a second", () => {
  const fleet = new Fleet();
  const [a, b] = [join(fleet, "a"), join(fleet, "b")];
  fleet.advance(20 * TTL_MS);
  const places = heldBy(b);
  expect(places).toHaveLength(3);
  fleet.kill(b);
  fleet.advance(3 * TTL_MS);
  expect(heldBy(a)).toHaveLength(6);
  const back = join(fleet, "b");
  fleet.until(() => heldBy(back).length === 1);
  expect(fleet.until(() => heldBy(back).length === 3)).toBeGreaterThanOrEqual(1_990);
  expect(heldBy(back)).toEqual(places);
  expect(fleet.history(places[0]).at(-1)?.reason).toEqual(reason("spread", "b"));
});

test("a node that falls sick gives all of its share, and nobody else's moves", () => {
  const fleet = new Fleet();
  const nodes = ["a", "b", "c"].map((name) => join(fleet, name));
  fleet.advance(20 * TTL_MS);
  const [before, moved] = [changes(fleet), heldBy(nodes[2] as Node)];
  for (const election of NAMES) nodes[2]?.wish(ineligible("http", { spread: "web" }), election);
  fleet.advance(20 * TTL_MS);
  expect(nodes.map((node) => heldBy(node).length)).toEqual([3, 3, 0]);
  expect(changes(fleet) - before).toBeLessThanOrEqual(moved.length + 2);
});

test("a node that could not hold an election is passed over, in the order of priority", () => {
  const fleet = new Fleet();
  const [a, b] = [join(fleet, "a"), join(fleet, "b")];
  fleet.advance(20 * TTL_MS);
  const [first = ""] = heldBy(b);
  b.wish(null, first);
  fleet.advance(5 * TTL_MS);
  expect(heldBy(a)).toContain(first);
  const before = changes(fleet);
  fleet.advance(20 * TTL_MS);
  expect(changes(fleet)).toBe(before);
});

test("elections are assigned anew when candidates change or die, and not whenever an election is judged", () => {
  const fleet = new Fleet();
  const [a, b] = [join(fleet, "a"), join(fleet, "b")];
  fleet.advance(20 * TTL_MS);
  const { mirror } = a.state;
  const before = mirror.assigned;
  expect(before.size).toBe(6);
  a.wish(MEMBER, "w1");
  fleet.advance(5 * TTL_MS);
  expect(mirror.assigned).toBe(before);
  fleet.kill(b);
  fleet.advance(3 * TTL_MS);
  expect(new Set(mirror.assigned.values())).toEqual(new Set(["a"]));
});
