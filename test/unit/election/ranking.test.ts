// Who comes first at a vacancy, who is handed an election, and when a holder yields.

import { describe, expect, test } from "vitest";
import { type Instant, instant } from "../../../src/base/time.ts";
import { observerWaitMs } from "../../../src/election/lease.ts";
import { Mirror } from "../../../src/election/mirror.ts";
import { betterThan, contenders, handoverTarget, preemption } from "../../../src/election/ranking.ts";
import { addressValue, candidateValue, KEYS, sessionValue } from "./samples.ts";

const TTL_MS = 1_000;

interface Contestant {
  readonly node: string;
  readonly priority: number;
  readonly seenAt?: number;
  readonly eligible?: boolean;
  readonly preempt?: boolean;
  readonly preemptDelayMs?: number;
  readonly addresses?: string[];
  /** Of its candidacy, when it differs from its session's. */
  readonly incarnation?: string;
}

/** What a node knows that was there before all of them came, or, when `late`, after them. */
function mirrorOf(contestants: readonly Contestant[], late = false): Mirror {
  const mirror = new Mirror(KEYS, instant(0));
  const records = contestants.map(({ node, seenAt = 0, incarnation = node, ...wish }, index) => ({
    seenAt,
    changes: [
      {
        key: KEYS.session(node),
        value: sessionValue({ incarnation: node, ttlMs: TTL_MS }),
        version: BigInt(index + 1),
      },
      { key: KEYS.candidate("web", node), value: candidateValue({ ...wish, incarnation }), version: BigInt(index + 1) },
    ],
  }));
  const before = late ? records.flatMap(({ changes }) => changes) : [];
  mirror.applySnapshot({ revision: late ? 100n : 0n, epoch: "e", records: before }, "all", instant(0));
  for (const { changes, seenAt } of records) mirror.applyChanges(changes, instant(seenAt));
  return mirror;
}

const NOW: Instant = instant(100);
const THREE: readonly Contestant[] = [
  { node: "a", priority: 9 },
  { node: "b", priority: 5 },
  { node: "c", priority: 7 },
];

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
    ["that is not eligible", { eligible: false }],
    ["whose session is silent", { seenAt: 100 - observerWaitMs(TTL_MS) }],
    ["whose candidacy is of an earlier process", { incarnation: "earlier" }],
  ])("are not those of a node %s", (_name, change) => {
    const mirror = mirrorOf([
      { node: "a", priority: 9, ...change },
      { node: "b", priority: 1 },
    ]);
    expect(contenders(mirror, "web", NOW).map(({ node }) => node)).toEqual(["b"]);
    expect(betterThan(mirror, "web", "b", 1, NOW)).toEqual([]);
  });

  test("that come before a candidate are counted, whether its own record is in the store or not", () => {
    const mirror = mirrorOf([
      { node: "a", priority: 9 },
      { node: "b", priority: 5 },
      { node: "c", priority: 5 },
    ]);
    const rank = (node: string, priority: number): number => betterThan(mirror, "web", node, priority, NOW).length;
    expect([rank("a", 9), rank("b", 5), rank("c", 5)]).toEqual([0, 1, 2]);
    expect(rank("new", 7)).toBe(1);
  });
});

describe("an election is handed over", () => {
  test.each<[string, string | null, string | undefined]>([
    ["to the best other one", null, "c"],
    ["to the one that is named", "b", "b"],
    ["not to the holder itself", "a", undefined],
    ["not to a node that is not there", "x", undefined],
  ])("%s", (_name, wanted, expected) => {
    expect(handoverTarget(mirrorOf(THREE), "web", "a", wanted, NOW)?.node).toBe(expected);
  });

  test("to no node that has sent no heartbeat since this one began to look", () => {
    const mirror = mirrorOf(THREE, true);
    expect(contenders(mirror, "web", NOW)).toHaveLength(3);
    expect(handoverTarget(mirror, "web", "a", null, NOW)).toBeUndefined();
    const heartbeat = sessionValue({ incarnation: "b", ttlMs: TTL_MS, heartbeat: 2 });
    mirror.applyChanges([{ key: KEYS.session("b"), value: heartbeat, version: 101n }], NOW);
    expect(handoverTarget(mirror, "web", "a", null, NOW)?.node, "not to c, which is better").toBe("b");
    expect(preemption(mirror, "web", "x", 1, NOW, NOW)?.to).toBe("b");
  });
});

test.each<{ name: string; better: Partial<Contestant>; heldSince: number; at: number | undefined }>([
  {
    name: "its delay after both stood",
    better: { priority: 9, seenAt: 50, preemptDelayMs: 30 },
    heldSince: 20,
    at: 80,
  },
  {
    name: "its delay after the holder began, if that is later",
    better: { priority: 9, seenAt: 50, preemptDelayMs: 30 },
    heldSince: 90,
    at: 120,
  },
  { name: "never for one of equal priority", better: { priority: 5 }, heldSince: 0, at: undefined },
  {
    name: "never for one that does not pre-empt",
    better: { priority: 9, preempt: false },
    heldSince: 0,
    at: undefined,
  },
])("pre-emption is due $name", ({ better, heldSince, at }) => {
  const mirror = mirrorOf([
    { node: "a", priority: 5 },
    { node: "b", priority: 1, ...better },
  ]);
  expect(preemption(mirror, "web", "a", 5, instant(heldSince), NOW)?.at).toBe(at);
});

test("pre-emption goes to the best that wants it, past a better one that does not", () => {
  const mirror = mirrorOf([
    { node: "a", priority: 5 },
    { node: "b", priority: 9, preempt: false },
    { node: "c", priority: 7 },
    { node: "d", priority: 8 },
  ]);
  expect(preemption(mirror, "web", "a", 5, NOW, NOW)?.to).toBe("d");
});

describe("a contender whose only address is another election's", () => {
  const ADDRESS = "10.0.0.1/24";

  function mirrorWith(owner: string): Mirror {
    const mirror = mirrorOf([
      { node: "a", priority: 1 },
      { node: "b", priority: 9, addresses: [ADDRESS], preempt: true },
      { node: "c", priority: 5, preempt: true },
    ]);
    mirror.applyChanges([{ key: KEYS.address("10.0.0.1"), value: addressValue(owner), version: 200n }], instant(0));
    return mirror;
  }

  test.each([
    ["mail", "c"],
    ["web", "b"],
  ])("(%s) is handed nothing, and is not yielded to: %s is", (owner, target) => {
    const mirror = mirrorWith(owner);
    expect(handoverTarget(mirror, "web", "a", null, NOW)?.node).toBe(target);
    expect(preemption(mirror, "web", "a", 1, instant(0), NOW)?.to).toBe(target);
    expect(handoverTarget(mirror, "web", "a", "b", NOW)?.node).toBe(owner === "web" ? "b" : undefined);
  });
});
