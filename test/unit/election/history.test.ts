// What an election's history tells: who held it, why it changed, how long it lasted, and how long nobody held it.

import { describe, expect, test } from "vitest";
import { HISTORY_LENGTH } from "../../../src/base/bounds.ts";
import { reason } from "../../../src/base/reasons.ts";
import { observerWaitMs } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import { type Node, WALL_AHEAD_MS } from "./node.ts";
import { candidacy, ELECTION_KEY, electionValue, ineligible, KEYS, TTL_MS } from "./samples.ts";

const WAIT_MS = observerWaitMs(TTL_MS);

/** A holder "a" and a candidate "b" that does not pre-empt, between two heartbeats. */
function pair(): { fleet: Fleet; a: Node; b: Node } {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy({ preempt: false }));
  const b = fleet.start("b", candidacy({ priority: 50, preempt: false }));
  fleet.advance(10_400);
  return { fleet, a, b };
}

test("the first holder is the first entry: nothing is known of before", () => {
  const { fleet } = pair();
  expect(fleet.history()).toEqual([
    {
      format: 2,
      seq: 1,
      wallMs: WALL_AHEAD_MS + fleet.now - 10_400,
      from: null,
      to: "a",
      reason: reason("first-holder"),
      lastedMs: null,
      vacantMs: null,
    },
  ]);
});

describe("a change tells its reason, how long the former state lasted, and how long nobody held", () => {
  test("when a holder steps down: nobody was without it", () => {
    const { fleet, a } = pair();
    a.stepDown();
    fleet.advance(10);
    expect(fleet.history().at(-1)).toMatchObject({
      seq: 2,
      from: "a",
      to: "b",
      reason: reason("step-down"),
      lastedMs: 10_400,
      vacantMs: 0,
    });
  });

  test("when a holder is pre-empted", () => {
    const { fleet, b } = pair();
    b.wish(candidacy({ priority: 200 }));
    fleet.advance(10);
    expect(fleet.history().at(-1)).toMatchObject({ from: "a", to: "b", reason: reason("preempted", "b"), vacantMs: 0 });
  });

  test("when a holder leaves and nobody can take it, and when somebody can again", () => {
    const { fleet, a, b } = pair();
    b.wish(ineligible());
    fleet.advance(10);
    a.wish(ineligible("http"));
    fleet.advance(7_000);
    b.wish(candidacy());
    fleet.advance(10);
    const [left, taken] = fleet.history().slice(1);
    expect(left).toMatchObject({ from: "a", to: null, reason: reason("check-failed", "http"), vacantMs: 0 });
    const why = reason("vacant", reason("check-failed", "http").text);
    expect(taken).toMatchObject({ from: null, to: "b", reason: why });
    expect(taken?.lastedMs, "it was free for so long").toBeCloseTo(7_000, 6);
    expect(taken?.vacantMs).toBeCloseTo(7_000, 6);
  });

  test("when a holder has died: since the end of its lease", () => {
    const { fleet, a } = pair();
    fleet.untilHeartbeat(a);
    fleet.kill(a);
    const took = fleet.until(() => fleet.holders.includes("b"));
    const last = fleet.history().at(-1);
    expect(last).toMatchObject({ from: "a", to: "b", reason: reason("holder-silent", "a") });
    expect(last?.vacantMs).toBeGreaterThan(WAIT_MS - TTL_MS - 1);
    expect(last?.vacantMs).toBeLessThan(took - TTL_MS + 2);
  });

  test("when a holder's session has ended without a release", () => {
    const { fleet, a } = pair();
    fleet.kill(a);
    fleet.put(KEYS.session("a"), null);
    fleet.until(() => fleet.holders.includes("b"), 100);
    expect(fleet.lastReason).toEqual(reason("holder-left", "a"));
    expect(fleet.history().at(-1)?.vacantMs).toBeLessThan(100);
  });

  test("when a holder comes back with another claim", () => {
    const { fleet, a, b } = pair();
    b.wish(ineligible());
    a.post({ type: "abandon", reason: reason("work-stuck") });
    fleet.until(() => a.holds);
    expect(fleet.history().at(-1)).toMatchObject({ from: "a", to: "a", reason: reason("holder-restarted", "a") });
  });

  test("when somebody repaired the record: by the reason that was written there", () => {
    const { fleet, a } = pair();
    fleet.kill(a);
    fleet.put(ELECTION_KEY, electionValue({ seq: 8, sinceWallMs: WALL_AHEAD_MS + fleet.now + 50_000 }));
    fleet.until(() => fleet.holders.includes("b"), 200);
    expect(fleet.history().at(-1)).toMatchObject({
      seq: 9,
      from: null,
      reason: reason("vacant", reason("repaired").text),
      lastedMs: 0,
    });
  });
});

test("a history keeps the last changes, in a ring", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(10);
  for (let round = 0; round < HISTORY_LENGTH; round += 1) {
    a.wish(ineligible());
    fleet.advance(10);
    a.wish(candidacy());
    fleet.advance(10);
  }
  const seqs = fleet.history().map(({ seq }) => seq);
  expect(seqs).toEqual(Array.from({ length: HISTORY_LENGTH }, (_, index) => HISTORY_LENGTH + 2 + index));
  expect(fleet.record?.seq).toBe(2 * HISTORY_LENGTH + 1);
});

test("what was free before anybody looked has been so since then, by wall clocks", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy());
  fleet.advance(10_400);
  a.post({ type: "stop" });
  fleet.advance(60_000);
  fleet.start("b", candidacy());
  fleet.until(() => fleet.holders.includes("b"));
  const { lastedMs, vacantMs } = fleet.history().at(-1) ?? {};
  expect(vacantMs).toBeGreaterThanOrEqual(60_000);
  expect(vacantMs).toBe(lastedMs);
});

describe("a holder that lost an election unwillingly reports it", () => {
  test("when its lease expired: what it knew of the store then, once it can be reached", () => {
    const { fleet, a } = pair();
    a.link = "refused";
    fleet.until(() => !a.holds);
    const wallMs = WALL_AHEAD_MS + fleet.now;
    fleet.until(() => fleet.holders.includes("b"));
    fleet.advance(10_000);
    expect(fleet.losses()).toEqual([]);
    a.link = "good";
    fleet.advance(2 * TTL_MS);
    expect(fleet.losses()).toEqual([
      {
        format: 2,
        node: "a",
        seq: 1,
        wallMs: expect.closeTo(wallMs, -1),
        reason: reason("lease-expired", "refused"),
        heldAgainAfterMs: null,
        interruptions: 0,
        interruptedMs: 0,
      },
    ]);
    expect(fleet.history().at(-1)).toMatchObject({ seq: 2, from: "a", to: "b", reason: reason("holder-silent", "a") });
    expect(a.state.lossReports.size).toBe(0);
  });

  test("when the store was away from all, and it holds it again under its token: for how long nobody did, and how often", () => {
    const { fleet, a, b } = pair();
    const away = (ms: number): number => {
      for (const node of [a, b]) node.link = "refused";
      fleet.until(() => !a.holds);
      const from = fleet.now;
      fleet.advance(ms);
      for (const node of [a, b]) node.link = "good";
      fleet.until(() => a.holds, 2 * TTL_MS);
      return fleet.now - from;
    };
    const first = away(10_000);
    expect(a.grants.at(-1)).toMatchObject({
      token: a.grants[0]?.token,
      reason: reason("regained", reason("lease-expired", "refused").text),
      vacantMs: expect.closeTo(first, -1) as number,
    });
    fleet.advance(TTL_MS);
    const once = { heldAgainAfterMs: expect.closeTo(first, -1) as number, interruptions: 1 };
    expect(fleet.losses()).toMatchObject([{ node: "a", seq: 1, reason: { code: "lease-expired" }, ...once }]);
    const second = away(20_000);
    fleet.advance(TTL_MS);
    const twice = { heldAgainAfterMs: expect.closeTo(second, -1) as number, interruptions: 2 };
    expect(fleet.losses()).toMatchObject([{ ...twice, interruptedMs: expect.closeTo(first + second, -1) as number }]);
    expect(fleet.history()).toHaveLength(1);
    // What is told of the end of its tenure keeps what was before.
    fleet.put(KEYS.session("a"), null);
    fleet.advance(TTL_MS);
    expect(fleet.losses()).toMatchObject([
      { seq: 1, reason: { code: "session-lost" }, heldAgainAfterMs: null, interruptions: 2 },
    ]);
  });

  test("when it gave it up, and could not release it in the store before others took it", () => {
    const { fleet, a } = pair();
    a.link = "refused";
    a.wish(ineligible());
    fleet.until(() => fleet.holders.includes("b"));
    a.link = "good";
    fleet.advance(2 * TTL_MS);
    expect(fleet.losses()).toMatchObject([
      { node: "a", seq: 1, reason: ineligible().ineligible ?? undefined, heldAgainAfterMs: null },
    ]);
    expect(fleet.losses()[0]?.reason.code).not.toBe("lease-expired");
  });

  test("when it stood still for longer than its lease", () => {
    const { fleet, a } = pair();
    a.freeze();
    fleet.until(() => fleet.holders.includes("b"));
    a.thaw();
    fleet.advance(TTL_MS);
    expect(fleet.losses()).toMatchObject([{ node: "a", seq: 1, reason: reason("lease-expired") }]);
  });

  test("when its session was ended by somebody else", () => {
    const { fleet, a } = pair();
    fleet.put(KEYS.session("a"), null);
    fleet.advance(TTL_MS);
    const why = reason("session-lost", "it was ended by another node, or lost with the store's data");
    expect(fleet.losses()).toMatchObject([{ node: "a", seq: 1, reason: why }]);
    expect(a.state.lossReports.size).toBe(0);
  });

  test.each<[string, (node: Node) => void]>([
    ["it stepped down", (node) => node.stepDown()],
    ["it was not eligible", (node) => node.wish(ineligible())],
    ["it was stopped", (node) => node.post({ type: "stop" })],
    ["it was no longer configured", (node) => node.wish(null)],
  ])("but not when %s", (_name, act) => {
    const { fleet, a } = pair();
    act(a);
    fleet.advance(2 * TTL_MS);
    expect(a.reasons).toHaveLength(1);
    expect(fleet.losses()).toEqual([]);
  });

  test("for many elections in several commits, none of which exceeds the store's bounds", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", null);
    const names = Array.from({ length: 500 }, (_, index) => `vip${index}`);
    a.post({ type: "candidacies", changes: new Map(names.map((name) => [name, candidacy()])) });
    fleet.until(() => a.held === names.length, 1_000);
    a.link = "refused";
    fleet.until(() => a.held === 0);
    a.link = "good";
    fleet.until(() => a.state.lossReports.size === 0, TTL_MS);
    expect(names.filter((name) => fleet.losses(name).length !== 1)).toEqual([]);
  });
});
