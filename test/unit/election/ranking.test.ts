import { describe, expect, test } from "vitest";
import { type Instant, instant, NEVER } from "../../../src/base/time.ts";
import { observerWaitMs } from "../../../src/election/lease.ts";
import { emptyMirror, type Mirror, withChanges, withSnapshot } from "../../../src/election/mirror.ts";
import { contenders, preemption, rankingChangesAt, rankOf, successor } from "../../../src/election/ranking.ts";
import { type CandidateRecord, encodeValue, Keys, type SessionRecord } from "../../../src/election/records.ts";
import { candidacy } from "./fleet.ts";

const keys = new Keys("f");
const TTL_MS = 1_000;

interface Contestant {
  readonly node: string;
  readonly priority: number;
  readonly seenAt?: number;
  readonly eligible?: boolean;
  readonly preempt?: boolean;
  readonly preemptDelayMs?: number;
  /** Of its candidacy, when it differs from its session's. */
  readonly incarnation?: string;
}

/** What a node knows that was there before all of them came. */
function mirrorOf(contestants: readonly Contestant[]): Mirror {
  const start = withSnapshot(emptyMirror(instant(0)), keys, { revision: 0n, epoch: "e", records: [] }, instant(0));
  return contestants.reduce((mirror, { node, seenAt = 0, incarnation = node, ...wish }, index) => {
    const session = encodeValue<SessionRecord>({
      incarnation: node,
      processId: "l",
      heartbeat: 1,
      ttlMs: TTL_MS,
      wallMs: 0,
      host: "h",
    });
    const candidate = encodeValue<CandidateRecord>({ ...candidacy(wish), addresses: [], incarnation });
    const version = BigInt(index + 1);
    const changes = [
      { key: keys.session(node), value: session, version },
      { key: keys.candidate("web", node), value: candidate, version },
    ];
    return withChanges(mirror, keys, changes, instant(seenAt));
  }, start);
}

const NOW: Instant = instant(100);

describe("contenders", () => {
  test("stand in the order of priority, then of name", () => {
    const mirror = mirrorOf([
      { node: "c", priority: 5 },
      { node: "b", priority: 7 },
      { node: "a", priority: 5 },
    ]);
    expect(contenders(mirror, "web", NOW).map(({ node }) => node)).toEqual(["b", "a", "c"]);
    expect(contenders(mirror, "other", NOW)).toEqual([]);
  });

  test.each<[string, Partial<Contestant>]>([
    ["who is not eligible", { eligible: false }],
    ["whose session is silent", { seenAt: 100 - observerWaitMs(TTL_MS) }],
    ["whose candidacy is of an earlier process", { incarnation: "earlier" }],
  ])("%s is none", (_name, change) => {
    const mirror = mirrorOf([
      { node: "a", priority: 9, ...change },
      { node: "b", priority: 1 },
    ]);
    expect(contenders(mirror, "web", NOW).map(({ node }) => node)).toEqual(["b"]);
    expect(rankOf(mirror, "web", "b", 1, NOW)).toBe(0);
  });

  test("rank by those before them, known to the store or not", () => {
    const mirror = mirrorOf([
      { node: "a", priority: 9 },
      { node: "b", priority: 5 },
      { node: "c", priority: 5 },
    ]);
    expect(["a", "b", "c"].map((node) => rankOf(mirror, "web", node, node === "a" ? 9 : 5, NOW))).toEqual([0, 1, 2]);
    expect(rankOf(mirror, "web", "new", 7, NOW)).toBe(1);
  });
});

test("a successor is the best other one, or the one who is named, or nobody", () => {
  const mirror = mirrorOf([
    { node: "a", priority: 9 },
    { node: "b", priority: 5 },
    { node: "c", priority: 7 },
  ]);
  const found = [null, "b", "a", "x"].map((wanted) => successor(mirror, "web", "a", wanted, NOW)?.node);
  expect(found).toEqual(["c", "b", undefined, undefined]);
});

test.each<{ name: string; better: Partial<Contestant>; heldSince: number; at: number | undefined }>([
  { name: "from when both stood", better: { priority: 9, seenAt: 50, preemptDelayMs: 30 }, heldSince: 20, at: 80 },
  {
    name: "from when the holder began, if later",
    better: { priority: 9, seenAt: 50, preemptDelayMs: 30 },
    heldSince: 90,
    at: 120,
  },
  { name: "not by an equal", better: { priority: 5 }, heldSince: 0, at: undefined },
  { name: "not by one that does not want it", better: { priority: 9, preempt: false }, heldSince: 0, at: undefined },
])("pre-emption is due $name", ({ better, heldSince, at }) => {
  const mirror = mirrorOf([
    { node: "a", priority: 5 },
    { node: "b", priority: 1, ...better },
  ]);
  expect(preemption(mirror, "web", "a", 5, instant(heldSince), NOW)?.at).toBe(at);
});

test("the ranking changes by itself when the next session goes silent", () => {
  const mirror = mirrorOf([
    { node: "a", priority: 5, seenAt: 40 },
    { node: "b", priority: 5, seenAt: 30 },
  ]);
  expect(rankingChangesAt(mirror, "web", NOW)).toBeCloseTo(30 + observerWaitMs(TTL_MS), 6);
  expect(rankingChangesAt(mirror, "web", instant(10_000))).toBe(NEVER);
});
