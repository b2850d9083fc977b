// How a node gives up what it may not hold any more, and how it leaves the fleet.

import { describe, expect, test } from "vitest";
import { type Reason, reason } from "../../../src/base/reasons.ts";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { candidacy, ELECTION, ELECTION_KEY, electionValue, ineligible, KEYS, TTL_MS } from "./samples.ts";
import { holderAndOthers } from "./scenes.ts";

describe("a node that may not hold any more", () => {
  test.each<{ name: string; event: (node: Node) => void; why: Reason }>([
    { name: "is not eligible", event: (node) => node.wish(ineligible("http")), why: reason("check-failed", "http") },
    { name: "has no candidacy", event: (node) => node.wish(null), why: reason("unconfigured") },
    {
      name: "has a kernel that refuses",
      event: (node) => node.wish(candidacy({ ineligible: reason("hold-failed", "EPERM") })),
      why: reason("hold-failed", "EPERM"),
    },
    { name: "stops", event: (node) => node.post({ type: "stop" }), why: reason("shutdown") },
  ])("because it $name hands over, or leaves a vacant record behind", ({ event, why }) => {
    const {
      fleet,
      a,
      others: [b],
    } = holderAndOthers({ b: 50 });
    event(a);
    fleet.advance(10);
    expect(fleet.holders).toEqual(["b"]);
    expect(a.losses.map(({ reason: found }) => found)).toEqual([why]);
    const { version = 0n, seq = 0 } = fleet.record ?? {};
    b?.post({ type: "stop" });
    fleet.advance(10);
    expect(fleet.record).toMatchObject({ holder: null, seq: seq + 1, reason: reason("shutdown") });
    const c = fleet.start("c");
    fleet.advance(10);
    expect(c.tokens[0], "the token grows over the vacancy").toBeGreaterThan(version);
  });

  test("that stops ends its session with the same commit, removes its candidacy, and says when it is done", () => {
    const { fleet, a } = holderAndOthers({});
    a.post({ type: "stop" });
    fleet.advance(10);
    expect(a.count("stopped")).toBe(1);
    expect(fleet.session("a")).toBeUndefined();
    expect(fleet.stored(KEYS.candidate(ELECTION, "a"))).toBeUndefined();
    const commits = a.commits.length;
    fleet.advance(30_000);
    expect(a.commits).toHaveLength(commits);
    expect(a.wakeup()).toBe(Number.POSITIVE_INFINITY);
  });

  test("that stops keeps its session while its host still releases what the store gave to another", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ preempt: false }));
    fleet.advance(1_000);
    const b = fleet.start("b", candidacy({ preempt: false }));
    fleet.advance(TTL_MS);
    a.releasesAtOnce = false;
    fleet.put(ELECTION_KEY, electionValue({ holder: "b", incarnation: "b-1" }));
    fleet.advance(10);
    expect(a.reasons).toEqual(["other-holder"]);
    a.post({ type: "stop" });
    fleet.advance(TTL_MS);
    expect(fleet.session("a"), "an address is still bound").toBeDefined();
    a.released();
    fleet.advance(10);
    expect(fleet.session("a")).toBeUndefined();
    expect(b.holds).toBe(true);
  });

  test("that stops out of the store's reach still stops holding at once", () => {
    const { fleet, a } = holderAndOthers({ b: 50 });
    a.link = "lost";
    a.post({ type: "stop" });
    fleet.advance(1);
    expect(a.holds).toBe(false);
    fleet.until(() => fleet.holders.includes("b"));
    expect(fleet.holders).toEqual(["b"]);
  });

  test("that stops before its first read leaves without a trace", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    a.post({ type: "stop" });
    fleet.advance(10);
    expect(a.count("stopped")).toBe(1);
    expect(fleet.session("a")).toBeUndefined();
    expect(a.commits).toEqual([]);
  });

  test("that stops while its session is being created ends it too", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", null);
    [a.lagMs, a.answerMs] = [50, 50];
    a.watching = false;
    fleet.advance(75);
    a.post({ type: "stop" });
    fleet.advance(10);
    expect([fleet.session("a") === undefined, a.state.stopped], "the answer is awaited").toEqual([false, false]);
    fleet.until(() => a.state.stopped, 200);
    expect(fleet.session("a")).toBeUndefined();
  });

  test("that stops leaves alone what the store says of an earlier claim of its", () => {
    const { fleet, a } = holderAndOthers({});
    fleet.put(KEYS.election("other"), electionValue({ holder: "a", incarnation: "former" }));
    fleet.advance(10);
    a.post({ type: "stop" });
    fleet.until(() => a.state.stopped, 10);
    expect(fleet.recordOf("other")?.incarnation).toBe("former");
  });

  test("becomes a candidate again when it is eligible again", () => {
    const { fleet, a } = holderAndOthers({});
    a.wish(ineligible());
    fleet.advance(10);
    expect(fleet.record?.holder).toBeNull();
    a.wish(candidacy());
    expect(fleet.until(() => a.holds)).toBeLessThan(10);
  });

  test("and is eligible again while its release is under way holds again as soon as that has failed", () => {
    const { fleet, a } = holderAndOthers({});
    a.commitLink = "refused";
    a.answerMs = 50;
    a.wish(ineligible());
    fleet.advance(10);
    expect(a.state.inFlight?.releases, "the release is under way").toEqual(new Set([ELECTION]));
    a.wish(candidacy());
    fleet.advance(39);
    expect(a.holds, "it may yet be applied").toBe(false);
    fleet.advance(2);
    expect(a.holds).toBe(true);
    expect(fleet.record).toMatchObject({ holder: "a", seq: 1 });
  });

  test("whose candidacy was withdrawn is no candidate in the store either, and stays alive", () => {
    const { fleet, a } = holderAndOthers({});
    a.wish(null);
    fleet.advance(2 * TTL_MS);
    expect(fleet.stored(KEYS.candidate(ELECTION, "a"))).toBeUndefined();
    expect(fleet.session("a")).toBeDefined();
  });

  test("that abandons its claim gives up at once, says why, and starts another session when this one has run out", () => {
    const { fleet, a } = holderAndOthers({});
    const before = a.incarnation;
    a.post({ type: "abandon", reason: reason("work-stuck") });
    expect(a.holds).toBe(false);
    expect(a.notes.at(-1)).toBe(`session lost: ${reason("work-stuck").text}`);
    const took = fleet.until(() => a.holds);
    expect(a.incarnation).not.toBe(before);
    expect(took).toBeGreaterThan(TTL_MS * 0.6);
  });
});
