// What is read, and when: often what every node renews, seldom everything, and at once when something was missed.

import { describe, expect, test } from "vitest";
import { leaseTimings } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { candidacy, ELECTION, ELECTION_KEY, electionValue, ineligible, KEYS, TTL_MS } from "./samples.ts";

const { retryEveryMs, readTimeoutMs, fullReadEveryMs } = leaseTimings(TTL_MS);

/** Two nodes, and nothing to do; the first has just read. */
function atRest(): { fleet: Fleet; a: Node; b: Node } {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a"), fleet.start("b", candidacy({ preempt: false }))];
  fleet.advance(2 * TTL_MS);
  const before = a.reads.length;
  fleet.until(() => a.reads.length > before);
  // Not in the moment of a read.
  fleet.advance(100);
  return { fleet, a, b };
}

test("a node reads everything once, then only what all nodes renew, once a lease", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  expect(a.reads.map(({ scope }) => scope)).toEqual(["all"]);
  fleet.advance(10);
  fleet.start("b");
  const from = fleet.now;
  fleet.advance(10 * TTL_MS);
  expect(a.scopesSince(from)).toEqual(Array.from({ length: 10 }, () => "fleet"));
});

test("everything is read again once a minute", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  const startedAt = fleet.now;
  fleet.advance(2 * fullReadEveryMs + TTL_MS);
  const whole = a.reads.filter(({ scope }) => scope === "all").map(({ at }) => at - startedAt);
  expect(fullReadEveryMs).toBe(60_000);
  expect(whole).toEqual([0, 60_000, 120_000]);
});

describe("everything is read at once", () => {
  test("after a gap in the watch", () => {
    const { fleet, a } = atRest();
    const from = fleet.now;
    a.post({ type: "gap", reason: "compacted" });
    fleet.advance(10);
    expect(a.scopesSince(from)).toEqual(["all"]);
  });

  test("after two conflicts in a row; after one, only what all nodes renew", () => {
    const { fleet, a } = atRest();
    a.watching = false;
    const from = fleet.now;
    fleet.put(ELECTION_KEY, electionValue({ holder: "x", incarnation: "x" }));
    a.wish(ineligible());
    fleet.advance(10);
    expect(a.scopesSince(from)).toEqual(["fleet", "all"]);
    expect(a.state.conflicts, "what it read settled it").toBe(0);
  });

  test("when a short read shows another epoch, and nothing is relied on meanwhile", () => {
    const { fleet, a } = atRest();
    a.watching = false;
    a.commitLink = "refused";
    fleet.loseData(fleet.backend.read("").records);
    const before = a.reads.length;
    fleet.until(() => a.reads.length > before, TTL_MS);
    fleet.advance(1);
    expect(a.reads.slice(before).map(({ scope }) => scope)).toEqual(["fleet", "all"]);
    expect(a.state.mirror.epoch).toBe(fleet.backend.epoch);
    expect(a.state.trusted).toBe(false);
  });
});

describe("a read that fails", () => {
  test("is tried again after a pause, with the same scope", () => {
    const { fleet, a } = atRest();
    a.readLink = "refused";
    const from = fleet.now;
    a.post({ type: "gap", reason: "compacted" });
    fleet.advance(3.5 * retryEveryMs);
    expect(a.scopesSince(from)).toEqual(["all", "all", "all", "all"]);
  });

  test("holds up no heartbeat, and no other read is sent beside it", () => {
    const { fleet, a } = atRest();
    a.readLink = "lost";
    const [from, commits] = [fleet.now, a.commits.length];
    a.post({ type: "gap", reason: "compacted" });
    fleet.advance(readTimeoutMs + retryEveryMs - 10);
    expect(a.scopesSince(from)).toEqual(["all"]);
    expect(a.commits.length).toBeGreaterThan(commits);
  });

  test("at the start is tried again until it brings everything; nothing is written before", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy(), { link: "lost" });
    a.commitLink = "good";
    fleet.advance(3 * TTL_MS);
    expect(a.reads.length).toBeGreaterThan(3);
    expect(a.reads.every(({ scope }) => scope === "all")).toBe(true);
    expect(a.commits).toEqual([]);
    a.link = "good";
    fleet.until(() => a.holds, readTimeoutMs + retryEveryMs + 10);
  });
});

test("what is heard while a read is under way is read anew: the read may be older", () => {
  const { fleet, a, b } = atRest();
  b.readLagMs = 50;
  fleet.until(() => b.state.reading !== null);
  a.stepDown();
  expect(fleet.until(() => b.holds)).toBeLessThanOrEqual(2 * b.readLagMs + 10);
});

describe("a watch that brings nothing any more", () => {
  test("is noticed by two short reads that show a change which it has not brought: it is begun anew, after a full read", () => {
    const { fleet, a, b } = atRest();
    a.watching = false;
    const from = fleet.now;
    b.wish(candidacy({ priority: 42, preempt: false }));
    fleet.until(() => a.count("rewatch") === 1, TTL_MS + 2 * retryEveryMs);
    fleet.advance(10);
    expect(a.scopesSince(from)).toEqual(["fleet", "fleet", "all"]);
    expect(a.state.mirror.candidates.get(ELECTION)?.get("b")?.value?.priority).toBe(42);
    a.watching = true;
    fleet.advance(1);
    b.wish(candidacy({ priority: 43, preempt: false }));
    fleet.advance(1);
    expect(a.state.mirror.candidates.get(ELECTION)?.get("b")?.value?.priority, "the new one brings it").toBe(43);
  });

  test("is noticed though nobody changes anything but the others' sessions", () => {
    const { fleet, a } = atRest();
    a.watching = false;
    fleet.until(() => a.count("rewatch") === 1, 3 * TTL_MS);
  });

  test("is noticed by a node that takes a holder of a shorter lease for dead each time, and reads everything for it", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy(), { ttlMs: TTL_MS / 10 });
    fleet.until(() => a.holds);
    const b = fleet.start("b", candidacy({ priority: 50, preempt: false }));
    fleet.advance(TTL_MS);
    b.watching = false;
    fleet.until(() => b.count("rewatch") === 1, 3 * TTL_MS);
    b.watching = true;
    fleet.advance(3 * TTL_MS);
    expect(b.count("rewatch"), "the new one brings it").toBe(1);
    expect(a.holds).toBe(true);
  });

  test("is not suspected for being late: what it brings before the second read ends the suspicion", () => {
    const { fleet, a, b } = atRest();
    a.watching = false;
    b.wish(candidacy({ priority: 42, preempt: false }));
    const before = a.reads.length;
    fleet.until(() => a.reads.length > before, TTL_MS);
    fleet.advance(1);
    expect(a.state.lagging).toBe(true);
    a.watching = true;
    const from = fleet.now;
    fleet.advance(TTL_MS);
    expect(a.scopesSince(from)).toEqual(["fleet"]);
    expect(a.state.lagging).toBe(false);
    expect(a.count("rewatch")).toBe(0);
  });

  test("is not suspected where there is nothing to bring", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(TTL_MS);
    a.watching = false;
    fleet.advance(20 * TTL_MS);
    expect(a.count("rewatch")).toBe(0);
  });

  test("costs a node no more than a lease and a retry: then it knows of an ownership change", () => {
    const { fleet, a, b } = atRest();
    b.watching = false;
    a.stepDown();
    const took = fleet.until(() => b.holds);
    expect(took).toBeLessThanOrEqual(TTL_MS + 2 * retryEveryMs);
  });

  test("hides what somebody outside of the fleet wrote until the next full read", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(TTL_MS);
    a.watching = false;
    fleet.put(ELECTION_KEY, electionValue());
    fleet.until(() => a.reasons.length > 0, fullReadEveryMs + TTL_MS);
    expect(a.reasons).toEqual(["other-holder"]);
    expect(a.reads.at(-1)?.scope).toBe("all");
    fleet.until(() => a.holds, 10);
  });
});

test("every commit that changes more than a session says so by the marker that all nodes read", () => {
  const { fleet, a, b } = atRest();
  const markers = (node: Node): readonly boolean[] =>
    node.commits.map(({ writes }) => writes.some(({ key }) => key === KEYS.changed));
  const others = (node: Node): readonly boolean[] =>
    node.commits.map(({ writes }) => writes.some(({ key }) => key !== KEYS.changed && key !== KEYS.session(node.name)));
  a.stepDown();
  fleet.advance(TTL_MS);
  for (const node of [a, b]) {
    expect(markers(node)).toEqual(others(node));
    expect(markers(node)).toContain(true);
    expect(markers(node)).toContain(false);
  }
});
