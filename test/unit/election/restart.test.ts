// What becomes of a lease when a daemon starts anew, with or without its predecessor's incarnation, and of two daemons
// with one node id.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { LONG_AGO } from "../../../src/base/time.ts";
import { leaseTimings, observerWaitMs } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import { holderAndCandidate } from "./scenes.ts";
import { candidacy, ELECTION, ineligible, TTL_MS } from "./samples.ts";

const WAIT_MS = observerWaitMs(TTL_MS);
const { validityMs } = leaseTimings(TTL_MS);

describe("a daemon that starts anew with its predecessor's incarnation", () => {
  test("within the lease adopts it: the same token, and nothing moves", () => {
    const { fleet, a, b } = holderAndCandidate();
    const before = fleet.record;
    fleet.kill(a);
    fleet.advance(1_500);
    const successor = fleet.start("a", candidacy(), { incarnation: a.incarnation, adopt: true });
    fleet.advance(5);
    expect(successor.tokens).toEqual(a.tokens);
    fleet.advance(20_000);
    expect(fleet.record).toEqual(before);
    expect(b.tokens).toEqual([]);
  });

  test("holds only by its own heartbeat: nothing that the predecessor sent counts for it", () => {
    const { fleet, a } = holderAndCandidate();
    fleet.kill(a);
    fleet.advance(1_000);
    const successor = fleet.start("a", candidacy(), { incarnation: a.incarnation, adopt: true });
    const startedAt = fleet.now;
    successor.link = "lost";
    fleet.advance(1);
    expect(successor.tokens).toEqual([]);
    successor.link = "good";
    fleet.until(() => successor.holds);
    expect(successor.state.validUntil).toBeGreaterThan(startedAt + validityMs);
  });

  test("after the lease finds it broken, and comes back as a candidate under another incarnation", () => {
    const { fleet, a, b } = holderAndCandidate();
    fleet.kill(a);
    fleet.until(() => b.holds);
    const successor = fleet.start("a", candidacy(), { incarnation: a.incarnation, adopt: true });
    fleet.advance(10_000);
    expect(fleet.holders).toEqual(["b"]);
    expect(successor.tokens).toEqual([]);
    expect(successor.notes).toContain("the lease of the previous process has ended");
    expect(successor.incarnation).not.toBe(a.incarnation);
    expect(fleet.session("a")).toBeDefined();
  });

  test("does not take its predecessor's heartbeats for its own, though they bear the same numbers", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(1);
    fleet.kill(a);
    const successor = fleet.start("a", null, { incarnation: a.incarnation, adopt: true });
    successor.commitLink = "lost";
    successor.wish(candidacy());
    fleet.until(() => successor.state.attempts > a.state.attempts + 1, 60_000);
    expect(successor.tokens).toEqual([]);
    expect(successor.state.validUntil).toBe(LONG_AGO);
    expect(successor.notes.filter((note) => note.startsWith("session lost"))).toEqual([]);
  });

  test("is not disturbed by attempts that the predecessor left under way", () => {
    const { fleet, a } = holderAndCandidate();
    a.link = "late";
    fleet.until(() => a.state.inFlight !== null);
    fleet.kill(a);
    const successor = fleet.start("a", candidacy(), { incarnation: a.incarnation, adopt: true });
    fleet.advance(20_000);
    expect(successor.holds).toBe(true);
    expect(successor.reasons).toEqual([]);
  });

  test("and may not hold what the predecessor held tells the host to release it, before it tells the store", () => {
    const { fleet, a, b } = holderAndCandidate();
    fleet.kill(a);
    fleet.advance(500);
    const successor = fleet.start("a", ineligible("http"), { incarnation: a.incarnation, adopt: true });
    successor.releasesAtOnce = false;
    fleet.advance(2 * TTL_MS);
    expect(successor.losses).toEqual([{ election: ELECTION, token: null, reason: reason("check-failed", "http") }]);
    expect(fleet.record?.holder, "the host may still answer").toBe("a");
    successor.released();
    fleet.until(() => b.holds, 10);
    expect(fleet.record?.reason).toEqual(reason("check-failed", "http"));
  });

  test("and finds that another holds what the predecessor held tells the host to release it", () => {
    const { fleet, a, b } = holderAndCandidate();
    fleet.kill(a);
    fleet.advance(500);
    const successor = fleet.start("a", null, { incarnation: a.incarnation, adopt: true });
    successor.link = "refused";
    fleet.until(() => b.holds, 2 * TTL_MS);
    successor.link = "good";
    fleet.advance(TTL_MS);
    expect(successor.tokens).toEqual([]);
    expect(fleet.holders).toEqual(["b"]);
  });
});

test("a daemon that lost its incarnation waits out its predecessor's lease", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(10_000);
  fleet.kill(a);
  const successor = fleet.start("a", candidacy(), { incarnation: "other" });
  const took = fleet.until(() => successor.holds);
  expect(took).toBeGreaterThanOrEqual(WAIT_MS);
  expect(took).toBeLessThan(WAIT_MS + 100);
  expect(successor.tokens[0]).toBeGreaterThan(a.tokens[0] ?? 0n);
  expect(fleet.lastReason).toEqual(reason("holder-restarted", "a"));
});

describe("two daemons of one id", () => {
  test("leave everything with the first; the second waits, and says why", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(5_000);
    const twin = fleet.start("a", candidacy({ priority: 255 }), { incarnation: "twin" });
    fleet.advance(30_000);
    expect(a.holds).toBe(true);
    expect(a.reasons).toEqual([]);
    expect(twin.tokens).toEqual([]);
    const told = 'another daemon uses the node id "a" (on host host-of-a): give each node its own';
    expect(twin.notes.filter((note) => note === told)).toHaveLength(1);
    a.post({ type: "stop" });
    fleet.until(() => twin.holds);
    expect(twin.notes).toContain("the other daemon with this node id is gone");
  });

  test("with one incarnation, as after a copy of the state directory: the first gives up as soon as it hears of the other", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(5_400);
    const twin = fleet.start("a", candidacy(), { incarnation: a.incarnation, adopt: true });
    fleet.advance(2);
    expect(twin.holds).toBe(true);
    expect(a.holds).toBe(false);
    expect(a.notes).toContain("session lost: another process renews it with a copy of this node's state directory");
    fleet.advance(30_000);
    expect(twin.reasons).toEqual([]);
    expect(a.holds).toBe(false);
  });

  test("with one incarnation, and no word of each other: the first never sends another heartbeat, so its lease ends", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(5_400);
    a.watching = false;
    const twin = fleet.start("a", candidacy(), { incarnation: a.incarnation, adopt: true });
    expect(fleet.until(() => !a.holds)).toBeLessThanOrEqual(TTL_MS);
    fleet.advance(30_000);
    expect(a.holds).toBe(false);
    expect(twin.reasons).toEqual([]);
  });
});
