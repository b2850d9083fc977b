// Whoever can write to the store may write anything: a node refuses what it cannot read, and goes on. It never crashes.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { FORMAT } from "../../../src/election/records.ts";
import { Fleet } from "./fleet.ts";
import {
  addressValue,
  candidacy,
  candidateFields,
  candidateValue,
  ELECTION,
  ELECTION_KEY,
  electionFields,
  electionValue,
  KEYS,
  sessionFields,
  sessionValue,
  TTL_MS,
} from "./samples.ts";

const NEXT_FORMAT = FORMAT + 1;

/** Values that are no records of this version, for any key. */
const REFUSED: readonly (readonly [name: string, value: string])[] = [
  ["no JSON", "{"],
  ["an over-long value, which the store leaves out", ""],
  ["a record of a newer format", JSON.stringify({ ...sessionFields(), ...electionFields(), format: NEXT_FORMAT })],
  ["a record of an older format", JSON.stringify({ ...candidateFields(), format: 1 })],
  ["null", "null"],
];

describe.each(REFUSED)("%s", (_name, value) => {
  test.each([
    ["another node's session", KEYS.session("x")],
    ["another election", KEYS.election("x")],
    ["another node's candidacy", KEYS.candidate(ELECTION, "x")],
    ["an address", KEYS.address("10.0.0.9")],
    ["the marker of changes", KEYS.changed],
  ])("in %s does not disturb a holder", (_what, key) => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(TTL_MS);
    fleet.put(key, value);
    fleet.advance(3 * TTL_MS);
    expect([a.holds, a.reasons]).toEqual([true, []]);
    expect(a.notes).toContain(`1 record in the store cannot be read: ${key}`);
    const b = fleet.start("b", candidacy({ priority: 200 }));
    fleet.until(() => b.holds, 100);
  });

  test("in the epoch's record is written over, and moves nothing", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(2 * TTL_MS);
    const before = fleet.stored(KEYS.epoch)?.value;
    fleet.put(KEYS.epoch, value);
    fleet.advance(10);
    expect(fleet.stored(KEYS.epoch)?.value).toBe(before);
    expect([a.holds, a.reasons]).toEqual([true, []]);
  });

  test("in the own candidacy is written over", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ priority: 77 }));
    fleet.advance(TTL_MS);
    const key = KEYS.candidate(ELECTION, "a");
    fleet.put(key, value);
    fleet.advance(10);
    expect(fleet.stored(key)?.value).toContain('"priority":77');
    expect(a.holds).toBe(true);
  });

  test("in the own session ends the holding, and the node comes back when that may be broken", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(TTL_MS);
    fleet.put(KEYS.session("a"), value);
    fleet.advance(1);
    expect(a.reasons).toEqual(["session-lost"]);
    expect(fleet.until(() => a.holds)).toBeGreaterThan(TTL_MS);
  });

  test("in the election's record ends the holding, until it is repaired", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(TTL_MS);
    fleet.put(ELECTION_KEY, value);
    fleet.advance(3 * TTL_MS);
    expect([a.holds, a.reasons]).toEqual([false, ["other-holder"]]);
    fleet.put(ELECTION_KEY, electionValue());
    fleet.until(() => a.holds, 10);
  });
});

describe("records that parse, but cannot be true,", () => {
  test("make no node believe that it holds: an election that names it under another incarnation", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", null);
    fleet.advance(TTL_MS);
    fleet.put(ELECTION_KEY, electionValue({ holder: "a", incarnation: "not-its-own" }));
    fleet.advance(1);
    expect(a.tokens).toEqual([]);
    a.wish(candidacy());
    fleet.until(() => a.holds, 10);
  });

  test("do not stop a node: a sequence number, heartbeat or token as great as can be", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(TTL_MS);
    const greatest = Number.MAX_SAFE_INTEGER;
    fleet.put(ELECTION_KEY, electionValue({ seq: greatest, previousToken: "9".repeat(40), sinceWallMs: -1e300 }));
    fleet.put(KEYS.session("x"), sessionValue({ heartbeat: greatest, wallMs: 1e300 }));
    fleet.until(() => a.count("gain") === 2, TTL_MS);
    expect(fleet.record).toMatchObject({ holder: "a", seq: 1 });
  });

  test("grant nothing twice: an election that was given to a node which is no candidate is released by it", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    const b = fleet.start("b", null);
    fleet.advance(TTL_MS);
    fleet.put(ELECTION_KEY, electionValue({ holder: "b", incarnation: b.incarnation }));
    fleet.advance(10);
    expect(b.tokens).toEqual([]);
    fleet.until(() => a.holds, TTL_MS);
  });
});

test.each([1, 2, 3, 4])("after any garbage, once it is gone, one node holds again (seed %i)", (seed) => {
  const random = seededRandom(seed);
  const fleet = new Fleet();
  const nodes = ["a", "b", "c"].map((name) => fleet.start(name, candidacy({ addresses: ["10.0.0.1/24"] })));
  fleet.advance(TTL_MS);
  const keys = [
    ELECTION_KEY,
    KEYS.epoch,
    KEYS.changed,
    KEYS.address("10.0.0.1"),
    KEYS.session("x"),
    KEYS.election("x"),
    `${KEYS.live}else`,
    ...nodes.flatMap(({ name }) => [KEYS.session(name), KEYS.candidate(ELECTION, name)]),
  ];
  const values = (): readonly (string | null)[] => [
    null,
    "garbage",
    sessionValue({ incarnation: random.pick(nodes).incarnation || "i", ttlMs: random.int(1, 5_000) }),
    electionValue({ holder: random.pick(["a", "b", "x"]), incarnation: random.pick(nodes).incarnation || "i" }),
    electionValue({ waitMs: random.int(0, 5_000) }),
    candidateValue({ priority: random.int(0, 255), addresses: ["10.0.0.1/24"] }),
    addressValue(random.pick([ELECTION, "x"])),
  ];
  for (let round = 0; round < 300; round += 1) {
    fleet.put(random.pick(keys), random.pick(values()));
    fleet.advance(random.int(0, 400));
  }
  for (const key of [KEYS.session("x"), KEYS.election("x"), KEYS.address("10.0.0.1")]) fleet.put(key, null);
  fleet.put(ELECTION_KEY, electionValue());
  fleet.until(() => fleet.holders.length === 1 && nodes.every(({ state }) => state.tenures.size <= 1), 60_000);
  fleet.advance(10 * TTL_MS);
  expect(fleet.holders).toHaveLength(1);
});
