// The lease election as an elector: what it tells its host, and what it answers.

import { afterEach, describe, expect, test } from "vitest";
import { faultyStore, type MemoryBackend, NO_FAULTS, openMemoryStore } from "../../servers/memory/index.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { reason } from "../../../src/base/reasons.ts";
import type { Store } from "../../../src/ports/store.ts";
import { candidacy, ineligible, KEYS, sessionValue, TTL_MS } from "../election/samples.ts";
import type { VirtualTimers } from "../runtime/virtual-timers.ts";
import { begin, closeAll, type LeaseNode, startAll } from "./lease-node.ts";

afterEach(closeAll);

describe("a node alone", () => {
  test("gains all that it wants at once, under one deadline, and extends that with each heartbeat", async () => {
    const { timers, node } = begin();
    const a = node("a").wish(candidacy(), "web", "db");
    startAll(a);
    await timers.advance(100);
    expect(a.told).toEqual(["gain web,db under 0"]);
    expect(a.grants.map(({ election, token }) => a.elector.tokenOf(election) === token)).toEqual([true, true]);
    await timers.advance(3 * TTL_MS);
    expect(a.told.length).toBeGreaterThanOrEqual(9);
    expect(new Set(a.told.slice(1))).toEqual(new Set(["extend 0"]));
    expect(a.changes).toBeGreaterThan(0);
  });

  test("stops by giving everything up first", async () => {
    const { timers, node } = begin();
    const a = node("a").wish(candidacy(), "web", "db");
    startAll(a);
    await timers.advance(100);
    a.news();
    a.obeys = false;
    a.elector.stop();
    await timers.advance(100);
    expect(a.news()).toEqual(["lose web: shutdown,db: shutdown"]);
    expect(a.elector.tokenOf("web")).toBeUndefined();
    a.elector.released(["web", "db"]);
    await timers.advance(100);
    expect(a.news()).toEqual(["stopped"]);
  });

  test("that is closed neither tells nor sends anything more", async () => {
    const { backend, timers, node } = begin();
    const a = node("a").wish(candidacy(), "web");
    startAll(a);
    await timers.advance(100);
    a.news();
    a.elector.close();
    const { revision } = backend;
    a.wish(null, "web");
    a.elector.stop();
    await timers.advance(60_000);
    expect([a.news(), backend.revision, timers.waiting]).toEqual([[], revision, 0]);
  });

  test("tells the host of a store that does not answer", async () => {
    const { timers, node, backend } = begin();
    const store = openMemoryStore(backend);
    await store.close();
    const a = node("a", { store }).wish(candidacy(), "web");
    startAll(a);
    await timers.advance(100);
    expect(a.notes).toEqual(["warning -: the store has been closed"]);
  });
});

describe("eligibility", () => {
  test("of two elections at once: both are lost together, taken by another node, and come back by pre-emption", async () => {
    const { timers, node } = begin();
    const [a, b] = [node("a"), node("b")];
    a.wish(candidacy({ priority: 200 }), "web", "db");
    b.wish(candidacy({ priority: 100 }), "web", "db");
    startAll(a);
    await timers.advance(100);
    startAll(b);
    await timers.advance(1_000);
    expect([a.news(), b.news()]).toEqual([["gain web,db under 0"], []]);
    a.wish(ineligible("http", { priority: 200 }), "web", "db");
    await timers.advance(100);
    expect(a.news()).toEqual(["lose web: check-failed,db: check-failed"]);
    expect(b.news()).toEqual(["gain web,db under 0"]);
    a.wish(candidacy({ priority: 200 }), "web", "db");
    await timers.advance(1_000);
    expect(b.news().map((line) => line.split(" ")[0])).toEqual(expect.arrayContaining(["lose"]));
    expect([a.elector.tokenOf("web"), a.elector.tokenOf("db")]).not.toContain(undefined);
    expect([b.elector.tokenOf("web"), b.elector.tokenOf("db")]).toEqual([undefined, undefined]);
  });

  test("that goes and comes before the host has released anything: it is held again only after that", async () => {
    const { timers, node } = begin();
    const a = node("a").wish(candidacy(), "web");
    startAll(a);
    await timers.advance(100);
    a.news();
    a.obeys = false;
    a.wish(ineligible(), "web");
    a.wish(candidacy(), "web");
    await timers.advance(TTL_MS);
    expect(a.news()).toEqual(["lose web: check-failed"]);
    a.elector.released(["web"]);
    await timers.advance(100);
    expect(a.news()).toEqual(["gain web under 0"]);
  });

  test("of an election that is withdrawn is over: it is lost, and gone", async () => {
    const { timers, node } = begin();
    const a = node("a").wish(candidacy(), "web", "db");
    startAll(a);
    await timers.advance(100);
    a.news();
    a.wish(null, "web");
    await timers.advance(TTL_MS);
    expect(a.news()).toEqual(["lose web: unconfigured"]);
    expect(a.elector.tokenOf("db")).not.toBeUndefined();
  });
});

describe("a step-down", () => {
  async function fleet(): Promise<{ a: LeaseNode; b: LeaseNode; timers: VirtualTimers }> {
    const { timers, node } = begin();
    const [a, b] = [node("a").wish(candidacy(), "web"), node("b").wish(candidacy(), "web")];
    startAll(a);
    await timers.advance(100);
    startAll(b);
    await timers.advance(TTL_MS);
    return { a, b, timers };
  }

  const why = reason("step-down");

  test.each([null, "b"])("hands over to the best, or to the one that is named (%s)", async (to) => {
    const { a, b, timers } = await fleet();
    a.news();
    expect(a.elector.stepDown("web", to, why)).toBeUndefined();
    await timers.advance(100);
    expect(a.news()).toEqual(["lose web: step-down"]);
    expect(b.news()).toEqual(["gain web under 0"]);
    expect(b.grants[0]).toMatchObject({ reason: why });
    expect(b.grants[0]?.previousToken).toBe(a.grants[0]?.token);
  });

  test.each<[string, string | null, string]>([
    ["web", "zz", "zz is not an eligible candidate that is alive"],
    ["nothing", null, "this node does not hold nothing"],
  ])("of %s to %s is refused: %s", async (election, to, refusal) => {
    const { a } = await fleet();
    expect(a.elector.stepDown(election, to, why)).toBe(refusal);
    expect(a.elector.tokenOf("web")).not.toBeUndefined();
  });

  test("by a node that does not hold it is refused", async () => {
    const { b } = await fleet();
    expect(b.elector.stepDown("web", null, why)).toBe("this node does not hold web");
  });

  test("with nobody to take it is refused", async () => {
    const { a, b, timers } = await fleet();
    b.wish(ineligible(), "web");
    await timers.advance(100);
    expect(a.elector.stepDown("web", null, why)).toBe("no other eligible candidate is alive");
    expect(a.elector.stepDown("web", "b", why)).toBe("b is not an eligible candidate that is alive");
  });
});

/** A store that is 50 ms away. */
function slowly(backend: MemoryBackend, timers: VirtualTimers): Store {
  const faults = { ...NO_FAULTS, delayMs: [50, 50] as const };
  return faultyStore(openMemoryStore(backend), { timers, random: seededRandom(1), faults });
}

describe("after a restart", () => {
  test("nothing is known before the store has answered, and all is known once the session is there", async () => {
    const { timers, node } = begin();
    const a = node("a").wish(candidacy(), "web");
    expect(a.elector.knowsFormer).toBe(false);
    startAll(a);
    expect(a.elector.knowsFormer).toBe(false);
    await timers.advance(100);
    expect(a.elector.knowsFormer).toBe(true);
  });

  test("a node without a session, and so without anything that it held, knows that when its own session is there", async () => {
    const { backend, timers, node } = begin();
    const a = node("a", { store: slowly(backend, timers) }).wish(candidacy(), "web");
    startAll(a);
    await timers.advance(101);
    expect([a.elector.state.synced, a.elector.knowsFormer]).toEqual([true, false]);
    await timers.advance(200);
    expect(a.elector.knowsFormer).toBe(true);
  });

  /** A process that held `web`, is killed, and another one in its place that reaches the store in 50 ms. */
  async function restarted(options: { readonly adopt: boolean; readonly wishes: boolean }): Promise<{
    before: LeaseNode;
    after: LeaseNode;
    timers: VirtualTimers;
  }> {
    const { backend, timers, node } = begin();
    const before = node("a").wish(candidacy(), "web");
    startAll(before);
    await timers.advance(1_000);
    before.elector.close();
    const store = slowly(backend, timers);
    const after = node("a", { store, adopt: options.adopt, incarnation: options.adopt ? "a-0" : "a-new" });
    if (options.wishes) after.wish(candidacy(), "web");
    startAll(after);
    return { before, after, timers };
  }

  test("what the former process held is undecided until it is held again, under the same token", async () => {
    const { before, after, timers } = await restarted({ adopt: true, wishes: true });
    await timers.advance(99);
    expect([after.elector.knowsFormer, after.elector.isUndecided("web")]).toEqual([false, false]);
    await timers.advance(2);
    expect([after.elector.knowsFormer, after.elector.isUndecided("web")]).toEqual([true, true]);
    await timers.advance(200);
    expect(after.elector.isUndecided("web")).toBe(false);
    expect(after.news()).toEqual(["gain web under 0"]);
    expect(after.elector.tokenOf("web")).toBe(before.grants[0]?.token);
  });

  test("what is not configured any more is lost without a token, and released", async () => {
    const { after, timers } = await restarted({ adopt: true, wishes: false });
    await timers.advance(1_000);
    expect(after.losses).toEqual([{ election: "web", token: null, reason: reason("unconfigured") }]);
    expect(after.elector.isUndecided("web")).toBe(false);
    expect(after.told).not.toContain("gain web under 0");
  });

  test("with another incarnation nothing is undecided, and the lease of the former process is waited for", async () => {
    const { before, after, timers } = await restarted({ adopt: false, wishes: true });
    await timers.advance(200);
    expect(after.elector.isUndecided("web")).toBe(false);
    expect(after.news()).toEqual([]);
    await timers.advance(2 * TTL_MS);
    expect(after.news()).toEqual(["gain web under 0"]);
    expect(after.elector.tokenOf("web")).toBeGreaterThan(before.grants[0]?.token ?? 0n);
  });
});

describe("what must outlive the process", () => {
  test("a new incarnation is made when the session is lost, and used from then on", async () => {
    const { backend, timers, node } = begin();
    const a = node("a").wish(candidacy(), "web");
    startAll(a);
    await timers.advance(100);
    backend.commit({ guards: [], writes: [{ key: KEYS.session("a"), value: null }] });
    await timers.advance(2 * TTL_MS);
    expect(a.renewed).toEqual(["a-1"]);
    expect(a.losses[0]?.reason.code).toBe("session-lost");
    expect(a.elector.state.identity).toMatchObject({ kind: "ready", incarnation: "a-1" });
    expect(a.elector.tokenOf("web")).toBeGreaterThan(a.grants[0]?.token ?? 0n);
  });

  test("the fleet's longest lease is kept", async () => {
    const { backend, timers, node } = begin();
    const a = node("a");
    startAll(a);
    await timers.advance(100);
    expect(a.longestTtls).toEqual([]);
    backend.commit({
      guards: [],
      writes: [{ key: KEYS.session("b"), value: sessionValue({ incarnation: "b-0", ttlMs: 9_000 }) }],
    });
    await timers.advance(100);
    expect(a.longestTtls).toEqual([9_000]);
  });
});
