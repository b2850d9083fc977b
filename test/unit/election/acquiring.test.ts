import { describe, expect, test } from "vitest";
import { observerWaitMs, leaseTimings } from "../../../src/election/lease.ts";
import { candidacy, ELECTION, ELECTION_KEY, Fleet, TTL_MS } from "./fleet.ts";

const WAIT_MS = observerWaitMs(TTL_MS);
const { staggerMs } = leaseTimings(TTL_MS);

test("a lone candidate holds at once, under the version of the record that names it", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(1);
  expect(fleet.record).toMatchObject({ holder: "a", seq: 1, reason: "never held" });
  expect(a.tokens).toEqual([fleet.record?.version]);
});

test("a node without a candidacy joins, and holds nothing", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  fleet.advance(2 * TTL_MS);
  expect(fleet.session("a")).toBeDefined();
  expect(fleet.record).toBeUndefined();
  expect(a.tokens).toEqual([]);
});

test.each<[string, Parameters<typeof candidacy>[0]]>([
  ["a candidate that is not eligible", { eligible: false, reason: "check failed" }],
])("%s never takes", (_name, wish) => {
  const fleet = new Fleet();
  fleet.start("a", candidacy(wish));
  fleet.advance(3 * TTL_MS);
  expect(fleet.record).toBeUndefined();
});

describe("at a vacancy", () => {
  test.each<{ name: string; priorities: Record<string, number>; broken?: string; winner: string; rank: number }>([
    { name: "the greatest priority comes first", priorities: { a: 100, b: 150, c: 50 }, winner: "b", rank: 0 },
    { name: "of equal priorities the first name", priorities: { c: 100, b: 100, a: 50 }, winner: "b", rank: 0 },
    {
      name: "the next one, when the first cannot",
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
    if (lame !== undefined) lame.link = "refuses";
    fleet.put(ELECTION_KEY, { format: 1, holder: null, incarnation: null, seq: 9, sinceWallMs: 1, reason: "by hand" });
    first.post({ type: "candidacy", election: ELECTION, candidacy: candidacy({ eligible: false }) });
    const took = fleet.until(() => fleet.record?.holder != null);
    expect(fleet.record?.holder).toBe(winner);
    expect(took).toBeGreaterThanOrEqual(rank * staggerMs);
    expect(took).toBeLessThan(rank * staggerMs + 10);
  });

  test("a record that does not parse is nobody's to take, until it is mended", () => {
    const fleet = new Fleet();
    fleet.put(ELECTION_KEY, "garbage");
    const a = fleet.start("a");
    fleet.advance(5 * TTL_MS);
    expect(a.tokens).toEqual([]);
    expect(a.notes.filter((note) => note.includes("do not parse"))).toHaveLength(1);
    expect(fleet.stored(ELECTION_KEY)?.value).toBe("garbage");
    fleet.put(ELECTION_KEY, null);
    fleet.until(() => a.holds, 100);
  });

  test("records of others that do not parse harm nothing", () => {
    const fleet = new Fleet();
    for (const key of ["sessions/x", `candidates/${ELECTION}/x`, "elections/other", "else", "sessions/x/y"])
      fleet.put(`/vipd/f/live/${key}`, "{");
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

  test("a newcomer who finds that the fleet has settled does not wait", () => {
    const fleet = new Fleet({ settled: false });
    fleet.start("a", null);
    fleet.advance(2 * WAIT_MS);
    const b = fleet.start("b");
    fleet.advance(1);
    expect(b.holds).toBe(true);
  });

  test.each<{ name: string; from: "nothing" | "before it held"; told: boolean }>([
    { name: "all data are lost", from: "nothing", told: true },
    { name: "all data are lost without a word", from: "nothing", told: false },
    { name: "data from before it held come back", from: "before it held", told: true },
    { name: "data from before it held come back without a word", from: "before it held", told: false },
  ])("when $name, a holder lets go, and nobody holds for a whole lease", ({ from, told }) => {
    const fleet = new Fleet();
    const [a, b] = [fleet.start("a", null), fleet.start("b", null)];
    fleet.advance(1_000);
    const early = fleet.backend.read("").records;
    for (const node of [a, b]) node.post({ type: "candidacy", election: ELECTION, candidacy: candidacy() });
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
    "that has all that a holder rests on is held on in, and a heartbeat counts when a read has shown it (told: %s)",
    (told) => {
      const fleet = new Fleet();
      const [a, b] = [fleet.start("a"), fleet.start("b")];
      fleet.advance(10_400);
      for (const node of [a, b]) node.watching = told;
      fleet.loseData(fleet.backend.read("").records);
      a.link = "refuses";
      a.commitLink = "good";
      const { validUntil } = a.state;
      fleet.advance(1_500);
      expect(a.commits.length).toBeGreaterThan(0);
      expect(a.state.validUntil, "a heartbeat in an unknown epoch extends nothing").toBe(validUntil);
      a.link = "good";
      fleet.advance(20_000);
      expect(a.reasons).toEqual([]);
      expect(a.state.validUntil).toBeGreaterThan(validUntil);
      expect(b.tokens).toEqual([]);
    },
  );
});
