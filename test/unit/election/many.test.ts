// Many elections of one node: they cost the store no more than one, and no commit exceeds the store's bounds.

import { describe, expect, test } from "vitest";
import type { Candidacy } from "../../../src/base/candidacy.ts";
import { MAX_TXN_GUARDS, MAX_TXN_WRITES } from "../../../src/base/bounds.ts";
import { reason } from "../../../src/base/reasons.ts";
import { leaseTimings } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { candidacy, TTL_MS } from "./samples.ts";

const COUNT = 300;
const { heartbeatEveryMs, staggerMs } = leaseTimings(TTL_MS);

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `vip${index}`);
}

/** Two addresses of its own, so that taking an election costs the most guards and writes. */
function addressesOf(index: number): readonly string[] {
  return [`10.${index >> 8}.${index & 255}.1/24`, `10.${index >> 8}.${index & 255}.2/24`];
}

function startMany(fleet: Fleet, name: string, priority: number, count = COUNT): Node {
  const node = fleet.start(name, null);
  const changes = new Map<string, Candidacy>();
  for (const [index, election] of names(count).entries())
    changes.set(election, candidacy({ priority, preempt: false, addresses: addressesOf(index) }));
  node.post({ type: "candidacies", changes });
  return node;
}

function largest(node: Node): { readonly guards: number; readonly writes: number } {
  return {
    guards: Math.max(...node.commits.map(({ guards }) => guards.length)),
    writes: Math.max(...node.commits.map(({ writes }) => writes.length)),
  };
}

describe(`${COUNT} elections of one node`, () => {
  test("cost no more commits than one, once they are held", () => {
    const fleet = new Fleet();
    const a = startMany(fleet, "a", 100);
    fleet.until(() => a.held === COUNT, 1_000);
    const before = a.commits.length;
    fleet.advance(10 * heartbeatEveryMs);
    const after = a.commits.slice(before);
    expect(after.length).toBeLessThanOrEqual(11);
    expect(after.every(({ guards, writes }) => guards.length === 1 && writes.length === 1)).toBe(true);
  });

  test("are all broken when their holder dies, and all handed over when it stops", () => {
    const fleet = new Fleet();
    const a = startMany(fleet, "a", 100);
    fleet.until(() => a.held === COUNT, 1_000);
    const b = startMany(fleet, "b", 50);
    fleet.advance(5_000);
    fleet.kill(a);
    fleet.until(() => b.held === COUNT, 2 * TTL_MS);
    const c = startMany(fleet, "c", 10);
    fleet.advance(5_000);
    const before = b.commits.length;
    b.post({ type: "stop" });
    expect(fleet.until(() => c.held === COUNT, 1_000)).toBeLessThan(50);
    expect(b.commits.length - before).toBeLessThan(20);
    fleet.until(() => b.state.stopped, 1_000);
    const records = names(COUNT).map((name) => fleet.recordOf(name));
    expect(records, "each was handed over, none was found without its holder").toEqual(
      names(COUNT).map(() => expect.objectContaining({ holder: "c", reason: reason("shutdown") })),
    );
    expect(fleet.session("b")).toBeUndefined();
  });
});

describe("turns at many vacancies", () => {
  /** Two nodes that want everything which a third one held; the better one has slow commits. */
  function race(): { fleet: Fleet; a: Node; b: Node } {
    const fleet = new Fleet();
    const c = startMany(fleet, "c", 255);
    fleet.until(() => c.held === COUNT, 1_000);
    const [a, b] = [startMany(fleet, "a", 100), startMany(fleet, "b", 50)];
    fleet.advance(TTL_MS);
    fleet.kill(c);
    a.lagMs = 0.4 * staggerMs;
    return { fleet, a, b };
  }

  test("a candidate waits while a better one is seen to take others of the vacant elections", () => {
    const { fleet, a, b } = race();
    fleet.until(() => a.held > 0);
    expect(
      fleet.until(() => a.held === COUNT),
      "longer than one stagger",
    ).toBeGreaterThan(2 * staggerMs);
    fleet.advance(TTL_MS);
    expect(b.held).toBe(0);
  });

  test("a candidate takes the rest a stagger after the better one was last seen to take one", () => {
    const { fleet, a, b } = race();
    fleet.until(() => a.held > 0);
    const first = a.held;
    a.commitLink = "refused";
    fleet.until(() => a.held > first);
    const taken = a.held;
    const took = fleet.until(() => b.held > 0);
    expect(took).toBeGreaterThanOrEqual(staggerMs - 1);
    expect(took).toBeLessThan(staggerMs + 10);
    fleet.until(() => b.held === COUNT - taken, 1_000);
  });
});

describe("5,000 elections of one node", () => {
  const ALL = 5_000;

  test("are taken, released and handed over in commits within the store's bounds, beside which heartbeats go on", () => {
    const fleet = new Fleet();
    const a = startMany(fleet, "a", 100, ALL);
    a.lagMs = 5;
    fleet.until(() => a.held === ALL, 10_000);
    const b = startMany(fleet, "b", 50, ALL);
    b.lagMs = 5;
    fleet.advance(2 * TTL_MS);
    a.post({ type: "stop" });
    fleet.until(() => b.held === ALL, 10_000);
    fleet.until(() => a.state.stopped, 1_000);
    for (const node of [a, b]) {
      expect(largest(node).guards).toBeLessThanOrEqual(MAX_TXN_GUARDS);
      expect(largest(node).writes).toBeLessThanOrEqual(MAX_TXN_WRITES);
    }
    expect(largest(a).writes, "commits are filled").toBeGreaterThan(MAX_TXN_WRITES - 10);
    expect(
      a.reasons.every((code) => code === "shutdown"),
      "no lease ran out meanwhile",
    ).toBe(true);
    expect(b.reasons).toEqual([]);
  }, 60_000);

  test("make one heartbeat judge none of them anew", () => {
    const fleet = new Fleet();
    const a = startMany(fleet, "a", 100, ALL);
    fleet.until(() => a.held === ALL, 10_000);
    fleet.advance(2 * TTL_MS);
    const before = a.log.length;
    fleet.advance(TTL_MS);
    expect(a.log.slice(before).map(({ effect }) => effect.type)).toEqual(["extend", "extend", "extend"]);
    expect(a.state.dirty.size).toBe(0);
  }, 60_000);
});
