// The machine as its integrator sees it: what it asks for in which order, when it wants to be woken, and that being
// woken too often, or told the same twice, changes nothing.

import { describe, expect, test } from "vitest";
import { AssertionError } from "../../../src/base/assert.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { NEVER } from "../../../src/base/time.ts";
import { giveUpAt } from "../../../src/election/lease.ts";
import { deadlines, nextWakeup, step } from "../../../src/election/machine.ts";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { candidacy, ineligible, TTL_MS } from "./samples.ts";

/** A holder "a" and a candidate "b", between two heartbeats. */
function pair(): { fleet: Fleet; a: Node; b: Node } {
  const fleet = new Fleet();
  const a = fleet.start("a");
  const b = fleet.start("b", candidacy({ priority: 50 }));
  fleet.advance(10_400);
  return { fleet, a, b };
}

function effectTypes(node: Node, from: number): readonly string[] {
  return node.log.slice(from).map(({ effect }) => effect.type);
}

test("a machine that has started asks for a read, and for nothing else before its answer", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy(), { link: "lost" });
  fleet.advance(100);
  expect([a.reads.length, a.commits.length, a.log.length]).toEqual([1, 0, 0]);
});

test("what is given up and what is gained in one step are told in one effect each, the losses first", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  const names = ["e1", "e2", "e3"];
  a.post({ type: "candidacies", changes: new Map(names.map((name) => [name, candidacy()])) });
  fleet.advance(100);
  expect(effectTypes(a, 0)).toEqual(["gain"]);
  expect(a.grants.map(({ election }) => election)).toEqual(names);
  const before = a.log.length;
  a.post({
    type: "candidacies",
    changes: new Map([
      ["e1", ineligible()],
      ["e2", null],
    ]),
  });
  expect(effectTypes(a, before)).toEqual(["lose"]);
  expect(a.losses.map(({ election, reason: { code } }) => [election, code])).toEqual([
    ["e1", "check-failed"],
    ["e2", "unconfigured"],
  ]);
});

test("a lease is extended by each confirmed heartbeat, by the same instant for all that is held", () => {
  const { fleet, a } = pair();
  const before = a.log.length;
  fleet.advance(TTL_MS);
  const extended = a.log.slice(before).flatMap(({ effect }) => (effect.type === "extend" ? effect.until : []));
  expect(extended).toHaveLength(3);
  expect(extended).toEqual(extended.toSorted((x, y) => x - y));
  expect(effectTypes(a, before)).toEqual(["extend", "extend", "extend"]);
  expect(extended.at(-1)).toBe(a.state.validUntil);
});

test("a node that holds nothing is not told of extensions", () => {
  const { fleet, b } = pair();
  fleet.advance(10 * TTL_MS);
  expect(b.count("extend")).toBe(0);
});

describe("a machine is woken", () => {
  test("at the next heartbeat, while nothing else is due, and knows of the end of its lease", () => {
    const { fleet, a } = pair();
    const next = nextWakeup(a.state, fleet.now);
    const own = deadlines(a.state, fleet.now, 100);
    expect(own[0]).toEqual({ name: "commit", at: next });
    expect(own).toContainEqual({ name: "lease end", at: giveUpAt(a.state.validUntil, a.state.timings) });
    expect(own.map(({ at }) => at)).toEqual(own.map(({ at }) => at).toSorted((x, y) => x - y));
    expect(own.map(({ name }) => name).toSorted()).toEqual(["commit", "lease end", "read", "session a", "session b"]);
    expect(deadlines(a.state, fleet.now, 2)).toEqual(own.slice(0, 2));
  });

  test("when an election may be taken from its holder, when one is to be handed over, and when an epoch can be trusted", () => {
    const names = (node: Node): readonly string[] => deadlines(node.state, fleet.now, 100).map(({ name }) => name);
    const { fleet, a, b } = pair();
    expect(names(a)).not.toContain("take web");
    expect(names(b)).toContain("take web");
    const c = fleet.start("c", candidacy({ priority: 200, preemptDelayMs: 5_000 }));
    fleet.advance(10);
    expect(names(a)).toContain("preempt web");
    c.wish(null);
    fleet.advance(10);
    expect(names(a)).not.toContain("preempt web");
    a.stepDown();
    fleet.until(() => b.holds, 10);
    expect(names(b)).not.toContain("take web");
    fleet.loseData([]);
    fleet.advance(10);
    expect(names(b)).toContain("epoch");
  });

  test("never when it has stopped, and does nothing then", () => {
    const { fleet, a } = pair();
    a.post({ type: "stop" });
    fleet.advance(10);
    expect(a.state.stopped).toBe(true);
    expect(nextWakeup(a.state, fleet.now)).toBe(NEVER);
    expect(step(a.state, { type: "gap", reason: "x" }, { now: fleet.now, wallMs: 0 })).toEqual([]);
  });
});

test("ticks too many, and news that come twice, change nothing", () => {
  const random = seededRandom(1);
  const play = (restless: boolean): readonly string[] => {
    const fleet = new Fleet();
    const [a, b] = [fleet.start("a"), fleet.start("b", candidacy({ priority: 50 }))];
    fleet.advance(100);
    const acts: readonly (() => void)[] = [
      () => b.wish(candidacy({ priority: 200 })),
      () => b.stepDown(),
      () => a.wish(ineligible()),
      () => b.wish(ineligible()),
      () => a.wish(candidacy()),
      () => a.wish(null),
      () => b.wish(candidacy()),
    ];
    for (const act of acts) {
      act();
      for (let ms = 0; ms < 2_000; ms += 50) {
        fleet.advance(50);
        const node = random.pick([a, b]);
        const changes = fleet.backend.read("").records;
        if (restless) node.post({ type: "tick" });
        if (restless && random.chance(0.3)) node.post({ type: "changes", changes });
      }
    }
    return fleet.history().map(({ from, to, reason: { code } }) => `${from} -> ${to}: ${code}`);
  };
  const calm = play(false);
  expect(calm).toEqual([
    "null -> a: first-holder",
    "a -> b: preempted",
    "b -> a: step-down",
    "a -> b: check-failed",
    "b -> null: check-failed",
    "null -> a: vacant",
    "a -> null: unconfigured",
    "null -> b: vacant",
  ]);
  expect(play(true)).toEqual(calm);
});

test.each(["committed", "conflict"] as const)(
  "a %s answer that belongs to no attempt is a bug of the integrator",
  (type) => {
    const { fleet, a } = pair();
    const event = { type, attempt: 4_711, revision: 1n, epoch: "e" };
    expect(() => step(a.state, event, { now: fleet.now, wallMs: 0 })).toThrow(AssertionError);
  },
);
