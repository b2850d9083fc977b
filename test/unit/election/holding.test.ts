import { describe, expect, test } from "vitest";
import { leaseTimings } from "../../../src/election/lease.ts";
import { candidacy, ELECTION, ELECTION_KEY, Fleet, type Link, type Node, TTL_MS } from "./fleet.ts";

const { validityMs, giveUpMarginMs, heartbeatEveryMs, requestTimeoutMs } = leaseTimings(TTL_MS);
/** From the last heartbeat's send until the daemon lets go. */
const HOLD_MS = validityMs - giveUpMarginMs;

/** A fleet with one holder that has just beaten. */
function holding(): { fleet: Fleet; a: Node } {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(10_000);
  const heartbeats = a.commits.length;
  fleet.until(() => a.commits.length > heartbeats);
  return { fleet, a };
}

function sinceBeat(fleet: Fleet, node: Node): number {
  return fleet.now - node.state.heartbeatSentAt;
}

test("a holder heartbeats three times a lease, each heartbeat insisting on the one before", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(1);
  const before = a.commits.length;
  const versions = new Set<unknown>();
  fleet.advance(30 * heartbeatEveryMs);
  for (const { guards, writes } of a.commits.slice(before)) {
    expect(guards).toHaveLength(1);
    expect(writes).toHaveLength(1);
    versions.add(guards[0]?.version);
  }
  expect(a.commits.length - before).toBe(30);
  expect(versions.size).toBe(30);
  expect(a.times("gain")).toHaveLength(1);
  expect(a.times("extend").length).toBeGreaterThanOrEqual(30);
});

describe.each<Link>(["refuses", "lost", "deaf", "slow"])("when the way to the store %s", (link) => {
  test("the holder lets go in time, counted from before the send of the last heartbeat that counted", () => {
    const { fleet, a } = holding();
    const sentAt = a.state.heartbeatSentAt;
    const extended = a.times("extend").length;
    a.link = link;
    fleet.until(() => !a.holds);
    expect(fleet.now - sentAt).toBeGreaterThan(HOLD_MS - 1);
    expect(fleet.now - sentAt).toBeLessThanOrEqual(HOLD_MS + 1);
    expect(a.reasons).toEqual(["the lease ran out: no heartbeat was confirmed in time"]);
    expect(a.times("extend"), "what is unknown extends nothing").toHaveLength(extended);
  });

  test("a hole shorter than the lease moves nothing", () => {
    const { fleet, a } = holding();
    a.link = link;
    fleet.until(() => sinceBeat(fleet, a) > HOLD_MS - 700);
    a.link = "good";
    fleet.advance(10_000);
    expect(a.reasons).toEqual([]);
    expect(a.times("gain")).toHaveLength(1);
  });

  test("after a long hole it holds again, if nobody else took it", () => {
    const { fleet, a } = holding();
    a.link = link;
    fleet.advance(5 * TTL_MS);
    expect(a.holds).toBe(false);
    a.link = "good";
    const took = fleet.until(() => a.holds);
    expect(took).toBeLessThan(TTL_MS);
    expect(new Set(a.tokens)).toEqual(new Set([fleet.record?.version]));
  });
});

test("a heartbeat whose answer was lost is settled by reading, and counts from its own send", () => {
  const { fleet, a } = holding();
  const validUntil = a.state.validUntil;
  a.link = "deaf";
  fleet.until(() => a.state.inFlight !== null);
  const sentAt = a.state.inFlight?.sentAt ?? 0;
  a.link = "good";
  expect(a.state.validUntil).toBe(validUntil);
  fleet.until(() => a.state.inFlight === null && a.state.inDoubtAttempts.length === 0);
  expect(fleet.now - sentAt).toBeGreaterThanOrEqual(requestTimeoutMs);
  expect(a.state.validUntil).toBeCloseTo(sentAt + validityMs, 6);
  fleet.advance(10_000);
  expect(a.reasons).toEqual([]);
});

test("a heartbeat that is applied long after its sender gave up on it takes nothing away", () => {
  const { fleet, a } = holding();
  a.link = "slow";
  fleet.until(() => a.state.inDoubtAttempts.length > 0);
  a.link = "good";
  fleet.advance(10_000);
  expect(a.reasons).toEqual([]);
  expect(a.state.inDoubtAttempts).toEqual([]);
});

test.each([
  { watching: true, reads: false },
  { watching: false, reads: false },
  { watching: false, reads: true },
])(
  "a heartbeat that is overtaken by an earlier one of unknown outcome loses nothing (watching: $watching, reads in between: $reads)",
  ({ watching, reads }) => {
    const { fleet, a } = holding();
    a.watching = watching;
    fleet.arrivesMs = requestTimeoutMs + 100;
    a.commitLink = "slow";
    fleet.until(() => a.state.inFlight !== null);
    a.commitLink = undefined;
    a.lagMs = 300;
    fleet.until(() => a.state.inDoubtAttempts.length > 0);
    expect(a.state.inFlight, "the next heartbeat is under way while the earlier one may arrive").not.toBeNull();
    fleet.advance(150);
    if (reads) a.post({ type: "gap", reason: "something was missed" });
    fleet.advance(10_000);
    expect(a.reasons).toEqual([]);
    expect(a.notes.filter((note) => note.startsWith("session lost"))).toEqual([]);
  },
);

test("a heartbeat that is late carries nothing else", () => {
  const { fleet, a } = holding();
  a.commitLink = "refuses";
  fleet.until(() => sinceBeat(fleet, a) > TTL_MS * 0.6);
  a.post({ type: "candidacy", election: ELECTION, candidacy: candidacy({ priority: 77 }) });
  const before = a.commits.length;
  a.commitLink = undefined;
  fleet.advance(300);
  const sizes = a.commits.slice(before).map(({ writes }) => writes.length);
  expect(sizes[0]).toBe(1);
  expect(fleet.stored(`/vipd/f/live/candidates/${ELECTION}/a`)?.value, "it follows").toContain('"priority":77');
});

test("a session that was taken away is noticed at once where the watch tells, at the next heartbeat where it does not", () => {
  for (const watching of [true, false]) {
    const { fleet, a } = holding();
    a.watching = watching;
    fleet.advance(100);
    fleet.put("/vipd/f/live/sessions/a", null);
    const took = fleet.until(() => a.reasons.length > 0);
    expect(took).toBeLessThanOrEqual(watching ? 1 : heartbeatEveryMs);
    expect(a.reasons).toEqual(["the session was lost"]);
    fleet.until(() => a.holds);
    expect(a.tokens[1]).toBeGreaterThan(a.tokens[0] ?? 0n);
  }
});

test("a record that somebody else overwrote ends the holding", () => {
  const { fleet, a } = holding();
  fleet.put(ELECTION_KEY, { format: 1, holder: "x", incarnation: "x", seq: 99, sinceWallMs: 1, reason: "by hand" });
  fleet.advance(1);
  expect(a.reasons).toEqual(["the store names another holder"]);
  fleet.until(() => a.holds);
  expect(fleet.record).toMatchObject({ holder: "a", seq: 100, reason: "x is gone" });
});

test("without a watch everything is noticed by reading, once a lease", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  a.watching = false;
  fleet.advance(10_000);
  fleet.put(ELECTION_KEY, { format: 1, holder: null, incarnation: null, seq: 99, sinceWallMs: 1, reason: "by hand" });
  expect(fleet.until(() => a.reasons.length > 0)).toBeLessThanOrEqual(TTL_MS);
});

test("trouble with the store is told when it begins and when it ends, not over and over", () => {
  const { fleet, a } = holding();
  a.link = "refuses";
  fleet.advance(5 * TTL_MS);
  a.link = "good";
  fleet.advance(TTL_MS);
  expect(a.notes.filter((note) => note === "refused")).toHaveLength(1);
  expect(a.notes.filter((note) => note === "the store answers again")).toHaveLength(1);
});
