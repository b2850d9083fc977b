// How the lease of a holder that sends no heartbeat any more is broken, and never too early.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { leaseTimings, observerWaitMs } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import type { Link } from "./node.ts";
import { holderAndCandidate } from "./scenes.ts";
import { candidacy, KEYS, TTL_MS } from "./samples.ts";

const WAIT_MS = observerWaitMs(TTL_MS);
const { heartbeatEveryMs } = leaseTimings(TTL_MS);

describe("a holder that sends no heartbeat any more", () => {
  test("is broken a whole lease after its last heartbeat was received, never before", () => {
    const { fleet, a, b } = holderAndCandidate();
    const [token] = a.tokens;
    fleet.kill(a);
    const took = fleet.until(() => b.holds);
    expect(took).toBeGreaterThanOrEqual(WAIT_MS - 1);
    expect(took).toBeLessThan(WAIT_MS + 10);
    expect(fleet.record).toMatchObject({ holder: "b", reason: reason("holder-silent", "a") });
    expect(fleet.session("a"), "the session is ended by the same commit").toBeUndefined();
    expect(b.tokens[0]).toBeGreaterThan(token ?? 0n);
  });

  test("is succeeded by the candidate of the highest priority", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ priority: 200 }));
    const [b, c] = [fleet.start("b", candidacy({ priority: 10 })), fleet.start("c", candidacy({ priority: 20 }))];
    fleet.advance(10_000);
    fleet.kill(a);
    fleet.until(() => c.holds);
    fleet.advance(10_000);
    expect(b.tokens).toEqual([]);
  });

  test("is watched anew by a node that starts later: the wait counts from its own first sight", () => {
    const { fleet, a, b } = holderAndCandidate();
    fleet.kill(a);
    fleet.kill(b);
    fleet.advance(2_000);
    const c = fleet.start("c");
    const took = fleet.until(() => c.holds);
    expect(took).toBeGreaterThanOrEqual(WAIT_MS);
    expect(took).toBeLessThan(WAIT_MS + 10);
  });

  test("is not broken when it wakes up in time", () => {
    const { fleet, a, b } = holderAndCandidate();
    a.freeze();
    fleet.advance(TTL_MS * 0.8);
    a.thaw();
    fleet.advance(10_000);
    expect(fleet.holders).toEqual(["a"]);
    expect(b.tokens).toEqual([]);
    expect(a.reasons).toEqual([]);
  });

  test("gives up in its first step when it wakes up after it was broken, and comes back under a new incarnation", () => {
    const { fleet, a, b } = holderAndCandidate();
    const before = a.incarnation;
    a.freeze();
    fleet.until(() => b.holds);
    fleet.advance(500);
    a.thaw();
    expect(a.holds).toBe(false);
    fleet.advance(10_000);
    expect(fleet.holders).toEqual(["b"]);
    expect(a.incarnation).not.toBe(before);
    expect(a.notes.some((note) => note.startsWith("session lost"))).toBe(true);
    expect(fleet.session("a")).toBeDefined();
    fleet.kill(b);
    fleet.until(() => a.holds);
    const tokens = [a.tokens[0], b.tokens[0], a.tokens[1]];
    expect(tokens).toEqual(tokens.toSorted((x, y) => Number((x ?? 0n) - (y ?? 0n))));
  });

  test.each<Link>(["refused", "lost", "unanswered", "late"])(
    "because its requests are %s has given up before another holds",
    (link) => {
      const { fleet, a, b } = holderAndCandidate();
      a.link = link;
      let overlap = 0;
      fleet.until(() => {
        if (a.holds && b.holds) overlap += 1;
        return b.holds && !a.holds;
      }, 10 * TTL_MS);
      expect(overlap).toBe(0);
      expect(a.losses).toHaveLength(1);
      const [lost, gained] = [a.log.find(({ effect }) => effect.type === "lose"), b.log.at(-1)];
      expect(lost?.at).toBeLessThan(gained?.at ?? 0);
    },
  );
});

test("every heartbeat that is seen restarts the wait", () => {
  const { fleet, a, b } = holderAndCandidate();
  for (let round = 0; round < 5; round += 1) {
    a.freeze();
    fleet.advance(WAIT_MS - heartbeatEveryMs - 50);
    a.thaw();
    fleet.advance(1);
  }
  expect(b.tokens).toEqual([]);
});

test("an observer without a watch breaks a lease only after a whole lease since the last read that brought news", () => {
  const { fleet, a, b } = holderAndCandidate();
  b.watching = false;
  fleet.advance(10_000);
  fleet.kill(a);
  const took = fleet.until(() => b.holds, 3 * TTL_MS);
  expect(took).toBeGreaterThan(WAIT_MS - heartbeatEveryMs);
  expect(took).toBeLessThan(WAIT_MS + TTL_MS + 50);
});

test("a break that conflicts because the holder has sent a heartbeat meanwhile changes nothing", () => {
  const { fleet, a, b } = holderAndCandidate();
  b.watching = false;
  b.link = "lost";
  fleet.advance(3 * TTL_MS);
  fleet.untilHeartbeat(a);
  b.link = "good";
  fleet.advance(10_000);
  expect(fleet.holders).toEqual(["a"]);
  expect(a.reasons).toEqual([]);
});

test("a session that a delayed request puts back after its end is no session: its node begins anew", () => {
  const { fleet, a, b } = holderAndCandidate();
  const early = fleet.session("a")?.value ?? "";
  const before = a.incarnation;
  fleet.untilHeartbeat(a);
  a.freeze();
  fleet.until(() => b.holds);
  a.watching = false;
  fleet.put(KEYS.session("a"), early);
  a.thaw();
  fleet.advance(1_000);
  expect(a.tokens, "what it held is another's by now").toHaveLength(1);
  expect(a.incarnation).not.toBe(before);
  fleet.advance(10_000);
  expect(fleet.holders).toEqual(["b"]);
});

test("a session that does not parse is broken after the longest lease known", () => {
  const { fleet, a, b } = holderAndCandidate();
  fleet.kill(a);
  fleet.put(KEYS.session("a"), "garbage");
  const took = fleet.until(() => b.holds);
  expect(took).toBeGreaterThanOrEqual(WAIT_MS - 1);
  expect(took).toBeLessThan(WAIT_MS + 10);
});

test("the end of a session is noticed at once, also of a holder that was no candidate any more", () => {
  const { fleet, a, b } = holderAndCandidate();
  fleet.kill(a);
  fleet.put(KEYS.candidate("web", "a"), null);
  fleet.advance(10);
  fleet.put(KEYS.session("a"), null);
  expect(fleet.until(() => b.holds)).toBeLessThan(5);
});

test("when all sessions of a dead fleet are broken, every election finds its new holder", () => {
  const fleet = new Fleet();
  const elections = Array.from({ length: 5 }, (_, index) => `e${index}`);
  const dead = elections.map((election) => {
    const node = fleet.start(`n-${election}`, null);
    node.wish(candidacy(), election);
    return node;
  });
  fleet.advance(5_000);
  for (const node of dead) fleet.kill(node);
  const successor = fleet.start("successor", null);
  for (const election of elections) successor.wish(candidacy(), election);
  expect(fleet.until(() => successor.held === elections.length)).toBeLessThan(WAIT_MS + 50);
  for (const node of dead) expect(fleet.session(node.name)).toBeUndefined();
});
