// How a node comes to hold an election that is free.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { leaseTimings, observerWaitMs } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import { candidacy, ELECTION, ELECTION_KEY, electionValue, ineligible, KEYS, TTL_MS } from "./samples.ts";

const WAIT_MS = observerWaitMs(TTL_MS);
const { staggerMs } = leaseTimings(TTL_MS);

test("a lone candidate holds at once, under the version of the record that names it", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(1);
  expect(fleet.record).toMatchObject({ holder: "a", seq: 1, reason: reason("first-holder"), previousToken: null });
  expect(a.grants).toEqual([
    {
      election: ELECTION,
      token: fleet.record?.version,
      previousToken: null,
      vacantMs: null,
      reason: reason("first-holder"),
      addresses: [],
    },
  ]);
});

test("a commit that takes a free election writes the session, the record, its history and the marker, and nothing else", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(1);
  const take = a.commits.find(({ writes }) => writes.some(({ key }) => key === ELECTION_KEY));
  const candidate = KEYS.candidate(ELECTION, "a");
  const written = [KEYS.session("a"), candidate, ELECTION_KEY, KEYS.history(ELECTION, 1), KEYS.changed];
  expect(take?.writes.map(({ key }) => key)).toEqual(written);
  expect(take?.guards.map(({ key }) => key)).toEqual([KEYS.session("a"), ELECTION_KEY]);
});

test("a grant carries the token before, so that a resource can tell who held it last", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(1);
  const b = fleet.start("b");
  fleet.advance(TTL_MS);
  a.post({ type: "stop" });
  fleet.until(() => b.holds);
  expect(b.grants[0]).toMatchObject({ previousToken: a.tokens[0], reason: reason("shutdown") });
});

test("a node without a candidacy joins, and holds nothing", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  fleet.advance(2 * TTL_MS);
  expect(fleet.session("a")).toBeDefined();
  expect(fleet.record).toBeUndefined();
  expect(a.tokens).toEqual([]);
});

test("a candidate that is not eligible never takes an election, and the store says why", () => {
  const fleet = new Fleet();
  fleet.start("a", ineligible("http"));
  fleet.advance(3 * TTL_MS);
  expect(fleet.record).toBeUndefined();
  const record = JSON.parse(fleet.stored(KEYS.candidate(ELECTION, "a"))?.value ?? "{}") as unknown;
  expect(record).toMatchObject({ eligible: false, reason: reason("check-failed", "http").text });
});

describe("what the watch tells before the answer to the own commit", () => {
  test("grants nothing until a read or the answer confirms it", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", null);
    fleet.advance(100);
    a.answerMs = 200;
    a.readLink = "lost";
    a.wish(candidacy());
    fleet.advance(199);
    expect(fleet.record?.holder, "the commit is applied").toBe("a");
    expect(a.state.mirror.elections.get(ELECTION)?.value?.holder, "the watch has told so").toBe("a");
    expect(a.holds).toBe(false);
    fleet.advance(2);
    expect(a.tokens).toEqual([fleet.record?.version]);
  });

  test("is confirmed by a short read, however long the answer takes", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(10);
    const b = fleet.start("b", candidacy({ priority: 50 }));
    fleet.advance(TTL_MS + 400);
    b.answerMs = 400;
    fleet.untilHeartbeat(b);
    a.stepDown();
    const from = fleet.now;
    fleet.advance(10);
    expect(b.state.inFlight, "an answer is awaited").not.toBeNull();
    expect(b.holds).toBe(true);
    expect(b.scopesSince(from)).toEqual(["fleet"]);
    expect(b.state.unconfirmed.size).toBe(0);
  });
});

describe("at a vacancy", () => {
  test.each<{ name: string; priorities: Record<string, number>; broken?: string; winner: string; rank: number }>([
    { name: "the greatest priority comes first", priorities: { a: 100, b: 150, c: 50 }, winner: "b", rank: 0 },
    { name: "of equal priorities the first name", priorities: { c: 100, b: 100, a: 50 }, winner: "b", rank: 0 },
    {
      name: "the next one takes it after a stagger, when the first cannot",
      priorities: { a: 100, b: 150, c: 50 },
      broken: "b",
      winner: "a",
      rank: 1,
    },
  ])("$name", ({ priorities, broken, winner, rank }) => {
    const fleet = new Fleet();
    const first = fleet.start("first", candidacy({ priority: 255 }));
    for (const [name, priority] of Object.entries(priorities))
      fleet.start(name, candidacy({ priority, preempt: false }));
    fleet.advance(TTL_MS);
    const lame = fleet.nodes.find((node) => node.name === broken);
    if (lame !== undefined) lame.link = "refused";
    fleet.put(ELECTION_KEY, electionValue());
    first.wish(ineligible());
    const took = fleet.until(() => fleet.record?.holder != null);
    expect(fleet.record?.holder).toBe(winner);
    expect(took).toBeGreaterThanOrEqual(rank * staggerMs);
    expect(took).toBeLessThan(rank * staggerMs + 10);
  });

  test("an election that was left with a waiting time is not taken before it has passed since its first sight", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", ineligible());
    fleet.advance(TTL_MS);
    fleet.put(ELECTION_KEY, electionValue({ waitMs: 5_000 }));
    a.wish(candidacy());
    const took = fleet.until(() => a.holds);
    expect(took).toBeGreaterThanOrEqual(observerWaitMs(5_000));
    expect(took).toBeLessThan(observerWaitMs(5_000) + 10);
    expect(fleet.record?.waitMs, "it holds for one vacancy only").toBe(0);
  });

  test("a record that does not parse is taken by nobody, until it is repaired", () => {
    const fleet = new Fleet();
    fleet.put(ELECTION_KEY, "garbage");
    const a = fleet.start("a");
    fleet.advance(5 * TTL_MS);
    expect(a.tokens).toEqual([]);
    expect(a.notes.filter((note) => note.includes("cannot be read"))).toHaveLength(1);
    expect(fleet.stored(ELECTION_KEY)?.value).toBe("garbage");
    fleet.put(ELECTION_KEY, null);
    fleet.until(() => a.holds, 100);
    expect(a.notes).toContain("all records can be read again");
  });

  test("records of others that do not parse do not keep a node from holding", () => {
    const fleet = new Fleet();
    const keys = ["fleet/sessions/x", `candidates/${ELECTION}/x`, "elections/other", "else", "fleet/sessions/x/y"];
    for (const key of [...keys, "addresses/10.0.0.9"]) fleet.put(KEYS.live + key, "{");
    const a = fleet.start("a");
    fleet.advance(1);
    expect(a.holds).toBe(true);
  });
});

describe("an epoch that the fleet has not settled on", () => {
  test.each([
    { a: 50, b: 150, winner: "b" },
    { a: 150, b: 50, winner: "a" },
  ])(
    "is held in quarantine for a whole lease after its first sight; then the best comes first ($a, $b)",
    ({ a, b, winner }) => {
      const fleet = new Fleet({ settled: false });
      fleet.start("a", candidacy({ priority: a, preempt: false }));
      fleet.start("b", candidacy({ priority: b, preempt: false }));
      const took = fleet.until(() => fleet.holders.length > 0);
      expect(took).toBeGreaterThanOrEqual(WAIT_MS);
      expect(took).toBeLessThan(WAIT_MS + 50);
      expect(fleet.record).toMatchObject({ holder: winner, seq: 1 });
    },
  );

  test("makes a newcomer wait only until the fleet has settled on it", () => {
    const fleet = new Fleet({ settled: false });
    fleet.start("a", null);
    fleet.advance(2 * WAIT_MS);
    const b = fleet.start("b");
    fleet.advance(1);
    expect(b.holds).toBe(true);
  });

  test.each<{ name: string; from: "nothing" | "before it held"; told: boolean }>([
    { name: "all data are lost", from: "nothing", told: true },
    { name: "all data are lost, which no watch tells", from: "nothing", told: false },
    { name: "data from before it held come back", from: "before it held", told: true },
    { name: "data from before it held come back, which no watch tells", from: "before it held", told: false },
  ])("makes a holder give up when $name, and nobody holds for a whole lease", ({ from, told }) => {
    const fleet = new Fleet();
    const [a, b] = [fleet.start("a", null), fleet.start("b", null)];
    fleet.advance(1_000);
    const early = fleet.backend.read("").records;
    for (const node of [a, b]) node.wish(candidacy());
    fleet.advance(10_400);
    expect(fleet.holders).toEqual(["a"]);
    for (const node of [a, b]) node.watching = told;
    fleet.loseData(from === "nothing" ? [] : early);
    const released = fleet.until(() => !a.holds);
    expect(released).toBeLessThanOrEqual(told ? 1 : TTL_MS / 3 + 1);
    const held = fleet.until(() => fleet.holders.length > 0);
    expect(held).toBeGreaterThan(WAIT_MS - TTL_MS / 3);
    expect(held).toBeLessThan(WAIT_MS + TTL_MS);
    const tokens = [...a.tokens, ...b.tokens].toSorted((x, y) => Number(x - y));
    expect(tokens.at(-1)).toBeGreaterThan(tokens[0] ?? 0n);
  });

  test.each([true, false])(
    "does not end a tenure whose records it still has, and a heartbeat in it counts once a read shows it (watch tells: %s)",
    (told) => {
      const fleet = new Fleet();
      const [a, b] = [fleet.start("a"), fleet.start("b")];
      fleet.advance(10_400);
      for (const node of [a, b]) node.watching = told;
      fleet.loseData(fleet.backend.read("").records);
      a.readLink = "refused";
      const { validUntil } = a.state;
      const commits = a.commits.length;
      fleet.advance(1_500);
      expect(a.commits.length).toBeGreaterThan(commits);
      expect(a.state.validUntil, "a heartbeat in an unknown epoch extends nothing").toBe(validUntil);
      a.readLink = undefined;
      fleet.advance(20_000);
      expect(a.reasons).toEqual([]);
      expect(a.state.validUntil).toBeGreaterThan(validUntil);
      expect(b.tokens).toEqual([]);
    },
  );

  test("lets a holder go on under its token; when it begins anew, its token is greater than all of the former epoch", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(10_400);
    const before = fleet.record;
    fleet.loseData(fleet.backend.read("").records);
    fleet.advance(2 * WAIT_MS);
    expect(fleet.record).toEqual(before);
    a.link = "refused";
    fleet.until(() => !a.holds);
    const lostAt = fleet.now;
    a.link = "good";
    fleet.until(() => a.holds);
    const vacantMs = expect.closeTo(fleet.now - lostAt, -1) as number;
    expect(fleet.record).toMatchObject({ holder: "a", seq: 2, reason: reason("store-restored") });
    expect(fleet.record?.version).toBeGreaterThan(fleet.stored(KEYS.epoch)?.version ?? 0n);
    expect(a.tokens).toEqual([before?.version, fleet.record?.version]);
    expect(fleet.history().at(-1)).toMatchObject({ from: "a", to: "a", vacantMs });
  });
});
