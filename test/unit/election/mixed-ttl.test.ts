// Nodes whose leases have other lengths, while a fleet's ttl is being changed: everybody waits for the length that the
// holder had, also when it was another process.

import { describe, expect, test } from "vitest";
import { leaseTimings, observerWaitMs } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import type { Node, NodeOptions } from "./node.ts";
import { candidacy, ELECTION_KEY, electionValue, KEYS, TTL_MS } from "./samples.ts";

const LONG_MS = 4 * TTL_MS;
const WAIT_MS = observerWaitMs(TTL_MS);
const LONG_WAIT_MS = observerWaitMs(LONG_MS);

/** A holder with a lease of `holderMs` that has just sent a heartbeat, and another candidate with one of `otherMs`. */
function pair(holderMs: number, otherMs: number): { fleet: Fleet; a: Node; b: Node } {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy({ preempt: false }), { ttlMs: holderMs });
  fleet.advance(100);
  const b = fleet.start("b", candidacy({ preempt: false }), { ttlMs: otherMs });
  fleet.advance(5 * LONG_MS);
  fleet.untilHeartbeat(a);
  return { fleet, a, b };
}

function remembered(node: Node): readonly number[] {
  return node.log.flatMap(({ effect }) => (effect.type === "remember-ttl" ? effect.longestTtlMs : []));
}

describe("an observer", () => {
  test.each([
    { holderMs: LONG_MS, otherMs: TTL_MS, waitMs: LONG_WAIT_MS },
    { holderMs: TTL_MS, otherMs: LONG_MS, waitMs: WAIT_MS },
  ])("with a lease of $otherMs ms waits for one of $holderMs ms as long as that one lasts", (given) => {
    const { fleet, a, b } = pair(given.holderMs, given.otherMs);
    fleet.kill(a);
    const took = fleet.until(() => b.holds);
    expect(took).toBeGreaterThanOrEqual(given.waitMs - 1);
    expect(took).toBeLessThan(given.waitMs + 10);
  });

  test("with a short lease waits for a session that does not parse as long as the longest lease it has known", () => {
    const { fleet, a, b } = pair(LONG_MS, TTL_MS);
    fleet.kill(a);
    fleet.put(KEYS.session("a"), "garbage");
    const took = fleet.until(() => b.holds);
    expect(took).toBeGreaterThanOrEqual(LONG_WAIT_MS - 1);
    expect(took).toBeLessThan(LONG_WAIT_MS + 10);
  });

  test("that has started anew still knows the longest lease, which its host keeps", () => {
    const fleet = new Fleet();
    fleet.put(KEYS.session("a"), "garbage");
    fleet.put(ELECTION_KEY, electionValue({ holder: "a", incarnation: "i" }));
    const b = fleet.start("b", candidacy(), { knownTtlMs: LONG_MS });
    const took = fleet.until(() => b.holds);
    expect(took).toBeGreaterThanOrEqual(LONG_WAIT_MS - 1);
    expect(took).toBeLessThan(LONG_WAIT_MS + 10);
  });
});

describe("the longest lease of the fleet", () => {
  test("is kept on the host when it grows, and when the node with it has left", () => {
    const { fleet, a, b } = pair(LONG_MS, TTL_MS);
    expect(remembered(b)).toEqual([LONG_MS]);
    a.post({ type: "stop" });
    fleet.advance(10);
    expect(remembered(b)).toEqual([LONG_MS, TTL_MS]);
    expect(remembered(a), "its own was the longest").toEqual([]);
  });

  test("that an earlier process knew is the length of a new epoch's quarantine, and not forgotten before its end", () => {
    const fleet = new Fleet({ settled: false });
    const a = fleet.start("a", candidacy(), { knownTtlMs: LONG_MS });
    const took = fleet.until(() => a.holds);
    expect(took).toBeGreaterThanOrEqual(LONG_WAIT_MS);
    expect(took).toBeLessThan(LONG_WAIT_MS + 50);
    fleet.start("b", null);
    fleet.advance(TTL_MS);
    expect(remembered(a)).toEqual([TTL_MS]);
  });

  test("is waited for when the store has lost the session of the node with it", () => {
    const { fleet, a, b } = pair(LONG_MS, TTL_MS);
    fleet.kill(a);
    fleet.loseData([]);
    const took = fleet.until(() => b.holds);
    expect(took).toBeGreaterThanOrEqual(LONG_WAIT_MS - 1);
    expect(took).toBeLessThan(LONG_WAIT_MS + TTL_MS);
  });

  test("is told while nodes differ, once, and when they agree again", () => {
    const { fleet, a, b } = pair(LONG_MS, TTL_MS);
    const differs = (node: string, otherMs: number, ownMs: number): string =>
      `ttl differs from this node's (${ownMs} ms) on: ${node} (${otherMs} ms)`;
    expect(a.notes.filter((note) => note.includes("ttl"))).toEqual([differs("b", TTL_MS, LONG_MS)]);
    expect(b.notes.filter((note) => note.includes("ttl"))).toEqual([differs("a", LONG_MS, TTL_MS)]);
    a.post({ type: "stop" });
    fleet.advance(10);
    expect(b.notes).toContain("all nodes have the same ttl");
  });
});

describe("a daemon that starts anew with another ttl", () => {
  /** Restarts the holder, whose lease was of `beforeMs`. */
  function restarted(
    beforeMs: number,
    options: NodeOptions,
  ): { fleet: Fleet; successor: Node; b: Node; startedAt: number } {
    const { fleet, a, b } = pair(beforeMs, TTL_MS);
    const startedAt = fleet.now;
    return { fleet, successor: fleet.restart(a, candidacy({ preempt: false }), options), b, startedAt };
  }

  test("publishes the longer lease of its predecessor as long as the predecessor's fence may be open", () => {
    const { fleet, successor, startedAt } = restarted(LONG_MS, { ttlMs: TTL_MS });
    fleet.until(() => successor.holds, 10);
    expect(fleet.publishedTtlMs("a")).toBe(LONG_MS);
    fleet.until(() => fleet.publishedTtlMs("a") !== LONG_MS);
    expect(fleet.publishedTtlMs("a")).toBe(TTL_MS);
    expect(fleet.now - startedAt).toBeGreaterThanOrEqual(LONG_MS - 1);
    expect(fleet.now - startedAt).toBeLessThan(LONG_MS + leaseTimings(TTL_MS).heartbeatEveryMs + 10);
  });

  test("is known to others by the shorter lease once that is published", () => {
    const { fleet, b } = restarted(LONG_MS, { ttlMs: TTL_MS });
    fleet.until(() => fleet.publishedTtlMs("a") === TTL_MS);
    fleet.advance(1);
    expect(b.state.longestTtlMs).toBe(TTL_MS);
    expect(remembered(b)).toEqual([LONG_MS, TTL_MS]);
    expect(b.notes.at(-1)).toBe("all nodes have the same ttl");
  });

  test("is waited for as long as its predecessor's lease could run, when it dies soon after", () => {
    const { fleet, successor, b, startedAt } = restarted(LONG_MS, { ttlMs: TTL_MS });
    fleet.until(() => successor.holds, 10);
    fleet.kill(successor);
    fleet.until(() => b.holds);
    expect(fleet.now - startedAt).toBeGreaterThanOrEqual(LONG_WAIT_MS - 1);
  });

  test("is waited for by its own lease, when it dies later", () => {
    const { fleet, successor, b } = restarted(LONG_MS, { ttlMs: TTL_MS });
    fleet.advance(2 * LONG_MS);
    fleet.untilHeartbeat(successor);
    fleet.kill(successor);
    const took = fleet.until(() => b.holds);
    expect(took).toBeGreaterThanOrEqual(WAIT_MS - 1);
    expect(took).toBeLessThan(WAIT_MS + 10);
  });

  test("publishes a longer lease than its predecessor's at once", () => {
    const { fleet, successor } = restarted(TTL_MS, { ttlMs: LONG_MS });
    fleet.until(() => successor.holds, 10);
    expect(fleet.publishedTtlMs("a")).toBe(LONG_MS);
  });

  test("gives up by its own lease, however long the one is that it publishes", () => {
    const { fleet, successor } = restarted(LONG_MS, { ttlMs: TTL_MS });
    fleet.until(() => successor.holds, 10);
    successor.link = "lost";
    expect(fleet.until(() => !successor.holds)).toBeLessThan(TTL_MS);
  });

  test("and without its predecessor's incarnation joins only when the predecessor's lease has run out", () => {
    const { fleet, a } = pair(LONG_MS, TTL_MS);
    fleet.kill(a);
    const successor = fleet.start("a", null, { ttlMs: TTL_MS, incarnation: "other" });
    const took = fleet.until(() => successor.state.heartbeatSentAt > 0);
    expect(took).toBeGreaterThanOrEqual(LONG_WAIT_MS - 1);
    expect(took).toBeLessThan(LONG_WAIT_MS + 10);
  });
});
