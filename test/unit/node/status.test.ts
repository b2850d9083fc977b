// What a daemon shows of itself and its fleet.

import { afterEach, describe, expect, test } from "vitest";
import { statusSchema } from "../../../src/admin/protocol.ts";
import { MAX_VIEW_TEXT } from "../../../src/base/bounds.ts";
import { reason } from "../../../src/base/reasons.ts";
import { instant, later, NEVER } from "../../../src/base/time.ts";
import { Eligibility } from "../../../src/node/eligibility.ts";
import { electionWithHistory, type StatusParts, statusView } from "../../../src/node/status.ts";
import type { Store } from "../../../src/ports/store.ts";
import { stepVips } from "../../../src/vip/machine.ts";
import { initialVips, type VipState } from "../../../src/vip/state.ts";
import { openMemoryStore } from "../../servers/memory/index.ts";
import { candidacy, ineligible, TTL_MS } from "../election/samples.ts";
import { altered, hang } from "../runtime/stores.ts";
import type { VirtualTimers } from "../runtime/virtual-timers.ts";
import { initialVrrp } from "../../../src/vrrp/state.ts";
import { grantsOf } from "../vip/host.ts";
import { router } from "../vrrp/lab.ts";
import { address } from "./fake-host.ts";
import { begin, closeAll, type LeaseNode, startAll } from "./lease-node.ts";

afterEach(closeAll);

/** `a` holds `web`, `b` is the other candidate; both want `db` and neither can hold it. */
async function fleet(): Promise<{ a: LeaseNode; b: LeaseNode; timers: VirtualTimers; store: Store }> {
  const { timers, node, backend } = begin();
  const [a, b] = [node("a").wish(candidacy({ priority: 150 }), "web"), node("b").wish(candidacy(), "web")];
  for (const each of [a, b]) each.wish(ineligible("http"), "db");
  startAll(a);
  await timers.advance(100);
  startAll(b);
  await timers.advance(TTL_MS);
  return { a, b, timers, store: openMemoryStore(backend) };
}

function partsOf(node: LeaseNode, timers: VirtualTimers, store: Store, change: Partial<StatusParts> = {}): StatusParts {
  return {
    version: "1.2.3",
    storeUrl: "redis://me:secret@10.0.0.5",
    store,
    fence: { kind: "netdev", flushProof: true, caveats: ["a caveat"] },
    election: node.elector.state,
    holdings: initialVips(0),
    vips: [],
    isInPlace: () => false,
    checks: new Map(),
    eligibility: new Eligibility(),
    now: timers.now(),
    realServers: [],
    routers: [],
    debug: false,
    ...change,
  };
}

/** A host that holds `web`, for which others answer. */
function conflicted(others: readonly string[]): VipState {
  const state = initialVips(0);
  const now = instant(0);
  const announce = { burst: 1, repeatAfterMs: 0, refreshMs: 0 };
  stepVips(state, { type: "plan", plans: [{ name: "web", addresses: [address("10.0.0.1")], announce }] }, now);
  stepVips(state, { type: "gain", grants: grantsOf(state, ["web"]), deadline: 0, until: later(now, TTL_MS) }, now);
  stepVips(state, { type: "opened", vips: ["web"], deadline: 0, until: later(now, TTL_MS) }, now);
  stepVips(state, { type: "probed", vip: "web", others }, now);
  return state;
}

test("the status names the daemon, its session, its store and its fence", async () => {
  const { a, timers, store } = await fleet();
  const view = statusView(partsOf(a, timers, store));
  expect(view).toMatchObject({
    version: "1.2.3",
    node: "a",
    fleet: "f",
    incarnation: "a-0",
    ttlMs: TTL_MS,
    session: { state: "live" },
    store: { url: "redis://***@10.0.0.5", ok: true, lastError: null, guarantees: { name: "memory" } },
    fence: { kind: "netdev", flushProof: true, caveats: ["a caveat"] },
    warnings: [],
    realServers: [],
    wakeups: [],
  });
  expect(view.session.validForMs).toBeGreaterThan(TTL_MS / 2);
  expect(view.session.validForMs).toBeLessThan(TTL_MS);
  expect(view.nodes.map(({ node, alive }) => [node, alive])).toEqual([
    ["a", true],
    ["b", true],
  ]);
});

test("each election shows this node's part in it", async () => {
  const { a, b, timers, store } = await fleet();
  const part = (node: LeaseNode, name: string): unknown => {
    const found = statusView(partsOf(node, timers, store)).elections.find((election) => election.name === name);
    return [found?.role, found?.priority, found?.eligible, found?.elector, found?.validForMs !== null];
  };
  expect(part(a, "web")).toEqual(["holder", 150, true, "lease", true]);
  expect(part(b, "web")).toEqual(["candidate", 100, true, "lease", false]);
  expect(part(b, "db")).toEqual(["idle", 100, false, "lease", false]);
});

test("an election of others that this node does not want shows no part of it", async () => {
  const { a, b, timers, store } = await fleet();
  b.wish(null, "web");
  await timers.advance(100);
  const found = statusView(partsOf(b, timers, store)).elections.find(({ name }) => name === "web");
  expect(found).toMatchObject({ role: "idle", holder: "a", priority: null, eligible: null, elector: null });
  expect(found?.token).toBe(String(a.elector.tokenOf("web")));
});

test("reasons against a VIP have their source, their reason, and how long they have lasted and will last", async () => {
  const { a, timers, store } = await fleet();
  const eligibility = new Eligibility();
  const now = timers.now();
  const failed = { reason: reason("hold-failed", "EPERM"), until: later(now, 500) };
  eligibility.set("web", "link", { reason: reason("link-down", "eth0 is down"), until: NEVER }, later(now, -2_000));
  eligibility.set("web", "hold-backoff", failed, later(now, -1_000));
  const found = statusView(partsOf(a, timers, store, { eligibility })).elections.find(({ name }) => name === "web");
  expect(found?.ineligibleReasons).toEqual([
    { source: "link", reasonCode: "link-down", reason: "eth0 is down", sinceMs: 2_000, forMs: null },
    {
      source: "hold-backoff",
      reasonCode: "hold-failed",
      reason: "the kernel refused: EPERM",
      sinceMs: 1_000,
      forMs: 500,
    },
  ]);
  const late = statusView(partsOf(a, timers, store, { eligibility, now: later(now, 9_000) }));
  expect(late.elections.find(({ name }) => name === "web")?.ineligibleReasons[1]?.forMs).toBe(0);
});

test("another station that answers for a VIP that is held is shown, and warned of", async () => {
  const { a, timers, store } = await fleet();
  const view = statusView(partsOf(a, timers, store, { holdings: conflicted(["02:00:00:00:00:02"]) }));
  expect(view.elections.find(({ name }) => name === "web")?.conflict).toBe("02:00:00:00:00:02");
  expect(view.warnings).toEqual(["somebody else answers for web: 02:00:00:00:00:02"]);
});

describe("the session", () => {
  test("is absent before the store has answered", () => {
    const { timers, node, backend } = begin();
    const a = node("a", { store: altered(openMemoryStore(backend), { read: hang }) }).wish(candidacy(), "web");
    startAll(a);
    const view = statusView(partsOf(a, timers, openMemoryStore(backend)));
    expect(view.session).toEqual({ state: "absent", validForMs: 0 });
    expect(view.elections).toEqual([]);
  });

  test("has lapsed when the store has not confirmed a heartbeat for too long, and the error is shown", async () => {
    const { timers, node, backend } = begin();
    const store = openMemoryStore(backend);
    const a = node("a", { store }).wish(candidacy(), "web");
    startAll(a);
    await timers.advance(100);
    await store.close();
    await timers.advance(TTL_MS);
    const view = statusView(partsOf(a, timers, store));
    expect(view.session).toEqual({ state: "lapsed", validForMs: 0 });
    expect(view.store).toMatchObject({ ok: false, lastError: "the store has been closed" });
    expect(view.warnings).toContain("the store has been closed");
    expect(view.elections[0]).toMatchObject({ role: "candidate", validForMs: null });
  });

  test("has no incarnation while a new one is awaited", async () => {
    const { a, timers, store } = await fleet();
    const election = { ...a.elector.state, identity: { kind: "spent" } as const };
    expect(statusView(partsOf(a, timers, store, { election })).incarnation).toBe("");
  });
});

describe("wake-ups", () => {
  test("are shown to who debugs: soonest first, and a limited number of them", async () => {
    const { a, timers, store } = await fleet();
    const found = statusView(partsOf(a, timers, store, { debug: true })).wakeups;
    expect(found.length).toBeGreaterThan(0);
    expect(found.map(({ inMs }) => inMs)).toEqual(found.map(({ inMs }) => inMs).toSorted((x, y) => x - y));
    for (let index = 0; index < 200; index += 1)
      a.elector.state.wakeups.set(`take vip-${index}`, later(timers.now(), 10_000 + index));
    expect(statusView(partsOf(a, timers, store, { debug: true })).wakeups).toHaveLength(50);
  });

  test("of the host and of virtual routers are among them; a router that takes no part has none", async () => {
    const { a, timers, store } = await fleet();
    const holdings = initialVips(0);
    holdings.wakeups.set("announce web", later(timers.now(), 10));
    const waiting = initialVrrp(router({ startupDelayMs: 20 }), timers.now());
    const routers = [["dns", waiting] as const, ["ftp", null] as const];
    const found = statusView(partsOf(a, timers, store, { debug: true, holdings, routers })).wakeups;
    expect(found.slice(0, 2)).toEqual([
      { name: "announce web", inMs: 10 },
      { name: "startup dns", inMs: 20 },
    ]);
  });
});

describe("one election with its history", () => {
  test("comes from the store, newest first", async () => {
    const { a, b, timers, store } = await fleet();
    a.elector.stepDown("web", "b", reason("step-down"));
    await timers.advance(100);
    const view = await electionWithHistory(partsOf(b, timers, store), "web", 1_000);
    expect(view?.role).toBe("holder");
    expect(view?.history.map(({ from, to, reasonCode }) => [from, to, reasonCode])).toEqual([
      ["a", "b", "step-down"],
      [null, "a", "first-holder"],
    ]);
  });

  test("is none for a name that nobody has", async () => {
    const { a, timers, store } = await fleet();
    expect(await electionWithHistory(partsOf(a, timers, store), "nothing", 1_000)).toBeNull();
  });

  test("cannot be told when the store does not answer", async () => {
    const { a, timers, store } = await fleet();
    await store.close();
    await expect(electionWithHistory(partsOf(a, timers, store), "web", 1_000)).rejects.toThrow("has been closed");
  });
});

test("whatever the store, its records and the wire say, vipctl can read the status", async () => {
  const { a, timers, store } = await fleet();
  const holdings = conflicted(Array.from({ length: 5_000 }, (_, i) => `02:${i}`));
  const conflict = holdings.conflicts.get("web");
  for (let i = 0; i < 300; i += 1)
    if (conflict !== undefined) holdings.conflicts.set(`v${i}`, { ...conflict, text: "x".repeat(5_000) });
  const state = { ...a.elector.state, outage: { since: timers.now(), failures: 1, lastError: "e".repeat(100_000) } };
  state.conditions.set("unreadable", "k".repeat(100_000));
  const view = statusView(partsOf(a, timers, store, { holdings, election: state }));
  expect(statusSchema.safeParse(JSON.parse(JSON.stringify(view)))).toMatchObject({ success: true });
  expect(Math.max(...view.warnings.map((text) => text.length))).toBeLessThanOrEqual(MAX_VIEW_TEXT);
  expect(view.warnings.length).toBeLessThanOrEqual(101);
  expect(view.warnings.at(-1)).toMatch(/^and \d+ more warnings$/u);
  expect(view.store.lastError?.length).toBeLessThanOrEqual(MAX_VIEW_TEXT);
});
