// How a holder keeps its lease by heartbeats, and when it gives up: in time, and for a reason.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { leaseTimings } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import type { Link, Node } from "./node.ts";
import { holderAlone } from "./scenes.ts";
import { candidacy, ELECTION, ELECTION_KEY, electionValue, KEYS, TTL_MS } from "./samples.ts";

const { validityMs, giveUpMarginMs, heartbeatEveryMs, requestTimeoutMs } = leaseTimings(TTL_MS);
/** From the last heartbeat's send until the daemon gives up. */
const HOLD_MS = validityMs - giveUpMarginMs;
const CANDIDATE_KEY = KEYS.candidate(ELECTION, "a");

function sinceHeartbeat(fleet: Fleet, node: Node): number {
  return fleet.now - node.state.heartbeatSentAt;
}

test("a holder sends three heartbeats a lease, each insisting on the version of the one before", () => {
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
  expect(a.count("gain")).toBe(1);
  expect(a.count("extend")).toBeGreaterThanOrEqual(30);
});

describe.each<Link>(["refused", "lost", "unanswered", "late"])("while requests are %s", (link) => {
  test("the holder gives up in time, counted from before the last confirmed heartbeat was sent", () => {
    const { fleet, a } = holderAlone();
    const sentAt = a.state.heartbeatSentAt;
    const extended = a.count("extend");
    a.link = link;
    fleet.until(() => !a.holds);
    expect(fleet.now - sentAt).toBeGreaterThan(HOLD_MS - 1);
    expect(fleet.now - sentAt).toBeLessThanOrEqual(HOLD_MS + 1);
    const error = link === "refused" ? "refused" : "no answer";
    expect(a.losses.map(({ reason: why }) => why)).toEqual([reason("lease-expired", error)]);
    expect(a.count("extend"), "an unknown outcome extends nothing").toBe(extended);
  });

  test("an outage shorter than the lease moves nothing", () => {
    const { fleet, a } = holderAlone();
    a.link = link;
    fleet.until(() => sinceHeartbeat(fleet, a) > HOLD_MS - 700);
    a.link = "good";
    fleet.advance(10_000);
    expect(a.reasons).toEqual([]);
    expect(a.count("gain")).toBe(1);
  });

  test("after a long outage the node holds again, if nobody else took the election", () => {
    const { fleet, a } = holderAlone();
    a.link = link;
    fleet.advance(5 * TTL_MS);
    expect(a.holds).toBe(false);
    a.link = "good";
    const took = fleet.until(() => a.holds);
    expect(took).toBeLessThan(TTL_MS);
    expect(new Set(a.tokens)).toEqual(new Set([fleet.record?.version]));
  });
});

describe("a heartbeat", () => {
  test("whose answer was lost is settled by reading, and counts from its own send", () => {
    const { fleet, a } = holderAlone();
    const validUntil = a.state.validUntil;
    a.commitLink = "unanswered";
    fleet.until(() => a.state.inFlight !== null);
    const sentAt = a.state.inFlight?.sentAt ?? 0;
    a.commitLink = undefined;
    expect(a.state.validUntil).toBe(validUntil);
    fleet.until(() => a.state.inFlight === null && a.state.inDoubtAttempts.length === 0);
    expect(fleet.now - sentAt).toBeGreaterThanOrEqual(requestTimeoutMs);
    expect(a.state.validUntil).toBeCloseTo(sentAt + validityMs, 6);
    fleet.advance(10_000);
    expect(a.reasons).toEqual([]);
  });

  test("that was applied settles those of unknown outcome before it: they can come no more", () => {
    const { fleet, a } = holderAlone();
    a.commitLink = "lost";
    fleet.until(() => a.state.inDoubtAttempts.length === 3);
    a.commitLink = "unanswered";
    fleet.until(() => a.state.inFlight !== null);
    const sentAt = a.state.inFlight?.sentAt ?? 0;
    a.commitLink = "refused";
    fleet.until(() => a.state.inDoubtAttempts.length === 0, requestTimeoutMs + 50);
    expect(a.state.validUntil, "by the last one, which a read has shown").toBeCloseTo(sentAt + validityMs, 6);
  });

  test("that is applied long after its sender gave up on it costs nothing", () => {
    const { fleet, a } = holderAlone();
    a.link = "late";
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
    "that is overtaken by an earlier one of unknown outcome loses nothing (watching: $watching, reads in between: $reads)",
    ({ watching, reads }) => {
      const { fleet, a } = holderAlone();
      a.watching = watching;
      fleet.arrivesMs = requestTimeoutMs + 100;
      a.commitLink = "late";
      fleet.until(() => a.state.inFlight !== null);
      a.commitLink = undefined;
      a.lagMs = 300;
      fleet.until(() => a.state.inDoubtAttempts.length > 0);
      fleet.until(() => a.state.inFlight !== null, 5);
      fleet.advance(150);
      if (reads) a.post({ type: "gap", reason: "something was missed" });
      fleet.advance(10_000);
      expect(a.reasons).toEqual([]);
      expect(a.notes.filter((note) => note.startsWith("session lost"))).toEqual([]);
    },
  );

  test("that is late carries nothing else", () => {
    const { fleet, a } = holderAlone();
    a.commitLink = "refused";
    fleet.until(() => sinceHeartbeat(fleet, a) > TTL_MS * 0.6);
    a.wish(candidacy({ priority: 77 }));
    const before = a.commits.length;
    a.commitLink = undefined;
    fleet.advance(300);
    const sizes = a.commits.slice(before).map(({ writes }) => writes.length);
    expect(sizes[0]).toBe(1);
    expect(fleet.stored(CANDIDATE_KEY)?.value, "it follows").toContain('"priority":77');
  });

  test.each<Link>(["refused", "lost"])("does not wait for a read while reads are %s", (link) => {
    const { fleet, a } = holderAlone();
    a.readLink = link;
    const before = a.commits.length;
    fleet.advance(60 * heartbeatEveryMs);
    expect(a.commits.length - before).toBe(60);
    expect(a.reasons).toEqual([]);
  });

  test("does not wait for a read that a conflict with another node's commit made due", () => {
    const { fleet, a } = holderAlone();
    a.watching = false;
    a.readLink = "lost";
    fleet.put(ELECTION_KEY, electionValue({ holder: "x", incarnation: "x" }));
    a.wish(null);
    fleet.advance(requestTimeoutMs);
    expect(a.state.readBeforeCommit, "its release conflicted").toBe(true);
    const before = a.state.validUntil;
    fleet.advance(3 * TTL_MS);
    expect(a.state.validUntil).toBeGreaterThan(before + 2 * TTL_MS);
    expect(a.notes.filter((note) => note.startsWith("session lost"))).toEqual([]);
  });
});

test.each([true, false])(
  "a session that was deleted is noticed at once by the watch, else at the next heartbeat (watching: %s)",
  (watching) => {
    const { fleet, a } = holderAlone();
    a.watching = watching;
    fleet.advance(100);
    fleet.put(KEYS.session("a"), null);
    const took = fleet.until(() => a.reasons.length > 0);
    expect(took).toBeLessThanOrEqual(watching ? 1 : heartbeatEveryMs);
    expect(a.reasons).toEqual(["session-lost"]);
    fleet.until(() => a.holds);
    expect(a.tokens[1]).toBeGreaterThan(a.tokens[0] ?? 0n);
  },
);

test("a record that somebody else overwrote ends the holding", () => {
  const { fleet, a } = holderAlone();
  fleet.put(ELECTION_KEY, electionValue({ holder: "x", incarnation: "x", seq: 99 }));
  fleet.advance(1);
  expect(a.reasons).toEqual(["other-holder"]);
  fleet.until(() => a.holds);
  expect(fleet.record).toMatchObject({ holder: "a", seq: 100, reason: reason("holder-left", "x") });
});

test("a record whose sequence number is the greatest that JSON carries is counted anew", () => {
  const { fleet, a } = holderAlone();
  fleet.put(ELECTION_KEY, electionValue({ seq: Number.MAX_SAFE_INTEGER }));
  fleet.until(() => a.count("gain") === 2);
  expect(fleet.record).toMatchObject({ holder: "a", seq: 1 });
});

test("more attempts of unknown outcome than are tracked end the session", () => {
  const { fleet, a } = holderAlone();
  a.commitLink = "lost";
  fleet.until(() => a.notes.some((note) => note.includes("too many requests of unknown outcome")));
  a.commitLink = undefined;
  fleet.until(() => a.holds, 3 * TTL_MS);
  expect(a.state.inDoubtAttempts).toEqual([]);
});
