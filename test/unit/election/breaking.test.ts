import { describe, expect, test } from "vitest";
import { observerWaitMs, leaseTimings } from "../../../src/election/lease.ts";
import { candidacy, Fleet, type Link, type Node, TTL_MS } from "./fleet.ts";

const WAIT_MS = observerWaitMs(TTL_MS);
const { heartbeatEveryMs } = leaseTimings(TTL_MS);

/** A holder that has just beaten, and one who waits. */
function pair(): { fleet: Fleet; a: Node; b: Node } {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a"), fleet.start("b")];
  fleet.advance(10_000);
  const heartbeats = a.commits.length;
  fleet.until(() => a.commits.length > heartbeats);
  return { fleet, a, b };
}

describe("a holder that falls silent", () => {
  test("is broken after a whole lease since the receipt of its last heartbeat, never before", () => {
    const { fleet, a, b } = pair();
    const [token] = a.tokens;
    fleet.kill(a);
    const took = fleet.until(() => b.holds);
    expect(took).toBeGreaterThanOrEqual(WAIT_MS - 1);
    expect(took).toBeLessThan(WAIT_MS + 10);
    expect(fleet.record).toMatchObject({ holder: "b", reason: "a was silent for its whole lease" });
    expect(fleet.session("a"), "the session is ended by the same commit").toBeUndefined();
    expect(b.tokens[0]).toBeGreaterThan(token ?? 0n);
  });

  test("is broken by the best of those who wait", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ priority: 200 }));
    const [b, c] = [fleet.start("b", candidacy({ priority: 10 })), fleet.start("c", candidacy({ priority: 20 }))];
    fleet.advance(10_000);
    fleet.kill(a);
    fleet.until(() => c.holds);
    fleet.advance(10_000);
    expect(b.tokens).toEqual([]);
  });

  test("is watched anew by one who comes later: the wait counts from its own first sight", () => {
    const { fleet, a, b } = pair();
    fleet.kill(a);
    fleet.kill(b);
    fleet.advance(2_000);
    const c = fleet.start("c");
    const took = fleet.until(() => c.holds);
    expect(took).toBeGreaterThanOrEqual(WAIT_MS);
    expect(took).toBeLessThan(WAIT_MS + 10);
  });

  test("is not broken when it wakes up in time", () => {
    const { fleet, a, b } = pair();
    a.frozen = true;
    fleet.advance(TTL_MS * 0.8);
    a.frozen = false;
    a.post({ type: "tick" });
    fleet.advance(10_000);
    expect(fleet.holders).toEqual(["a"]);
    expect(b.tokens).toEqual([]);
    expect(a.reasons).toEqual([]);
  });

  test("that wakes up after it was broken lets go in its first step, and comes back as a candidate under a new incarnation", () => {
    const { fleet, a, b } = pair();
    const before = a.state.identity;
    a.frozen = true;
    fleet.until(() => b.holds);
    fleet.advance(500);
    a.frozen = false;
    a.post({ type: "tick" });
    expect(a.holds).toBe(false);
    fleet.advance(10_000);
    expect(fleet.holders).toEqual(["b"]);
    expect(a.state.identity).not.toEqual(before);
    expect(a.notes.some((note) => note.startsWith("session lost"))).toBe(true);
    expect(fleet.session("a")).toBeDefined();
    fleet.kill(b);
    fleet.until(() => a.holds);
    const tokens = [a.tokens[0], b.tokens[0], a.tokens[1]];
    expect(tokens).toEqual(tokens.toSorted((x, y) => Number((x ?? 0n) - (y ?? 0n))));
  });

  test.each<Link>(["refuses", "lost", "deaf", "slow"])("because its way %s has let go before another holds", (link) => {
    const { fleet, a, b } = pair();
    a.link = link;
    let overlap = 0;
    fleet.until(() => {
      if (a.holds && b.holds) overlap += 1;
      return b.holds && !a.holds;
    }, 10 * TTL_MS);
    expect(overlap).toBe(0);
    expect(a.times("lose")[0]).toBeLessThan(b.times("gain")[0] ?? 0);
  });
});

test("a heartbeat that was seen restarts the wait, each time", () => {
  const { fleet, a, b } = pair();
  for (let round = 0; round < 5; round += 1) {
    a.frozen = true;
    fleet.advance(WAIT_MS - heartbeatEveryMs - 50);
    a.frozen = false;
    a.post({ type: "tick" });
    fleet.advance(1);
  }
  expect(b.tokens).toEqual([]);
});

test("a watcher that hears no watch still breaks only after a whole lease since its last read that brought news", () => {
  const { fleet, a, b } = pair();
  b.watching = false;
  fleet.advance(10_000);
  fleet.kill(a);
  const took = fleet.until(() => b.holds, 3 * TTL_MS);
  expect(took).toBeGreaterThan(WAIT_MS - heartbeatEveryMs);
  expect(took).toBeLessThan(WAIT_MS + TTL_MS + 50);
});

test("a break that comes to nothing because the holder has beaten meanwhile changes nothing", () => {
  const { fleet, a, b } = pair();
  b.watching = false;
  b.link = "lost";
  fleet.advance(3 * TTL_MS);
  const heartbeats = a.commits.length;
  fleet.until(() => a.commits.length > heartbeats);
  b.link = "good";
  fleet.advance(10_000);
  expect(fleet.holders).toEqual(["a"]);
  expect(a.reasons).toEqual([]);
});

test("a session that does not parse is broken after this node's own lease", () => {
  const { fleet, a, b } = pair();
  fleet.kill(a);
  fleet.put("/vipd/f/live/sessions/a", "garbage");
  const took = fleet.until(() => b.holds);
  expect(took).toBeGreaterThanOrEqual(WAIT_MS - 1);
  expect(took).toBeLessThan(WAIT_MS + 10);
});

test("each session is judged by the lease that it states", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy(), { ttlMs: 2 * TTL_MS });
  const b = fleet.start("b");
  fleet.advance(20_000);
  const heartbeats = a.commits.length;
  fleet.until(() => a.commits.length > heartbeats);
  expect(b.notes.some((note) => note.includes("ttl differs"))).toBe(true);
  fleet.kill(a);
  expect(fleet.until(() => b.holds)).toBeGreaterThanOrEqual(2 * WAIT_MS - 1);
});
