import { describe, expect, test } from "vitest";
import { LONG_AGO } from "../../../src/base/time.ts";
import { observerWaitMs, leaseTimings } from "../../../src/election/lease.ts";
import { candidacy, ELECTION, Fleet, type Node, TTL_MS } from "./fleet.ts";

const WAIT_MS = observerWaitMs(TTL_MS);
const { validityMs } = leaseTimings(TTL_MS);

function pair(): { fleet: Fleet; a: Node; b: Node } {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a"), fleet.start("b")];
  fleet.advance(10_000);
  const heartbeats = a.commits.length;
  fleet.until(() => a.commits.length > heartbeats);
  return { fleet, a, b };
}

function incarnationOf(node: Node): string {
  return node.state.identity.kind === "ready" ? node.state.identity.incarnation : "";
}

describe("a daemon that starts anew with its predecessor's incarnation", () => {
  test("within the lease takes it up: the same token, and nothing moves", () => {
    const { fleet, a, b } = pair();
    const before = fleet.record;
    fleet.kill(a);
    fleet.advance(1_500);
    const successor = fleet.start("a", candidacy(), {
      incarnation: incarnationOf(a),
      adopt: true,
      processId: "second",
    });
    fleet.advance(5);
    expect(successor.tokens).toEqual(a.tokens);
    fleet.advance(20_000);
    expect(fleet.record).toEqual(before);
    expect(b.tokens).toEqual([]);
  });

  test("holds only for its own heartbeat: nothing that the predecessor sent counts for it", () => {
    const { fleet, a } = pair();
    fleet.kill(a);
    fleet.advance(1_000);
    const successor = fleet.start("a", candidacy(), {
      incarnation: incarnationOf(a),
      adopt: true,
      processId: "second",
    });
    const startedAt = fleet.now;
    successor.link = "lost";
    fleet.advance(1);
    expect(successor.tokens).toEqual([]);
    successor.link = "good";
    fleet.until(() => successor.holds);
    expect(successor.state.validUntil).toBeGreaterThan(startedAt + validityMs);
  });

  test("after the lease finds it broken, and comes back as a candidate under another incarnation", () => {
    const { fleet, a, b } = pair();
    fleet.kill(a);
    fleet.until(() => b.holds);
    const successor = fleet.start("a", candidacy(), {
      incarnation: incarnationOf(a),
      adopt: true,
      processId: "second",
    });
    fleet.advance(10_000);
    expect(fleet.holders).toEqual(["b"]);
    expect(successor.tokens).toEqual([]);
    expect(incarnationOf(successor)).not.toBe(incarnationOf(a));
    expect(fleet.session("a")).toBeDefined();
  });

  test("does not take its predecessor's heartbeats for its own, though they bear the same numbers", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(1);
    fleet.kill(a);
    const successor = fleet.start("a", null, { incarnation: incarnationOf(a), adopt: true, processId: "second" });
    successor.commitLink = "lost";
    successor.post({ type: "candidacy", election: ELECTION, candidacy: candidacy() });
    fleet.until(() => successor.state.attempts > a.state.attempts + 1, 60_000);
    expect(successor.tokens).toEqual([]);
    expect(successor.state.validUntil).toBe(LONG_AGO);
    expect(successor.notes.filter((note) => note.startsWith("session lost"))).toEqual([]);
  });

  test("is no successor of attempts that the predecessor left under way", () => {
    const { fleet, a } = pair();
    a.link = "slow";
    fleet.until(() => a.state.inFlight !== null);
    fleet.kill(a);
    const successor = fleet.start("a", candidacy(), {
      incarnation: incarnationOf(a),
      adopt: true,
      processId: "second",
    });
    fleet.advance(20_000);
    expect(successor.holds).toBe(true);
    expect(successor.reasons).toEqual([]);
  });
});

test("a daemon that lost its incarnation waits out its predecessor's lease", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(10_000);
  fleet.kill(a);
  const successor = fleet.start("a", candidacy(), { incarnation: "other", processId: "second" });
  const took = fleet.until(() => successor.holds);
  expect(took).toBeGreaterThanOrEqual(WAIT_MS);
  expect(took).toBeLessThan(WAIT_MS + 100);
  expect(successor.tokens[0]).toBeGreaterThan(a.tokens[0] ?? 0n);
});

describe("two daemons of one id", () => {
  test("the first keeps everything; the second waits, and says why", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(5_000);
    const twin = fleet.start("a", candidacy({ priority: 255 }), { incarnation: "twin", processId: "twin" });
    fleet.advance(30_000);
    expect(a.holds).toBe(true);
    expect(a.reasons).toEqual([]);
    expect(twin.tokens).toEqual([]);
    expect(twin.notes.filter((note) => note.includes('another daemon uses the node id "a"'))).toHaveLength(1);
    a.post({ type: "stop" });
    fleet.until(() => twin.holds);
    expect(twin.notes).toContain("the other daemon with this node id is gone");
  });

  test("with one incarnation, as after a copy of the state directory: the predecessor gives up as soon as it hears of the younger", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(5_400);
    const twin = fleet.start("a", candidacy(), { incarnation: incarnationOf(a), adopt: true, processId: "twin" });
    fleet.advance(2);
    expect(twin.holds).toBe(true);
    expect(a.holds).toBe(false);
    expect(a.notes).toContain("session lost: another process has taken it up");
    fleet.advance(30_000);
    expect(twin.reasons).toEqual([]);
    expect(a.holds).toBe(false);
  });

  test("with one incarnation, and no word of each other: the predecessor never sends another heartbeat, so its lease ends", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(5_400);
    a.watching = false;
    const twin = fleet.start("a", candidacy(), { incarnation: incarnationOf(a), adopt: true, processId: "twin" });
    expect(fleet.until(() => !a.holds)).toBeLessThanOrEqual(TTL_MS);
    fleet.advance(30_000);
    expect(a.holds).toBe(false);
    expect(twin.reasons).toEqual([]);
  });
});
