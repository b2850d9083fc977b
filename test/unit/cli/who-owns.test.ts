// vipctl who-owns: its words, its JSON, its exit codes; watched, and confirmed by a heartbeat.

import { expect, test } from "vitest";
import type { ElectionView, FleetView } from "../../../src/admin/views.ts";
import { electionView, fleetView, nodeView, statusView } from "../admin/views.ts";
import { Desk, type FakeFleet, STORE } from "./desk.ts";

/** The fleet with web as `change` says. */
function withWeb(change: Partial<ElectionView>, sessionVersion = "57"): FleetView {
  return fleetView({ elections: [electionView(change)], nodes: [nodeView({ sessionVersion })] });
}

const FREE: Partial<ElectionView> = {
  holder: null,
  holderAlive: null,
  token: "41",
  reasonCode: "vacant",
  reason: "it was free: step-down was requested",
};
const OUT_OF_REACH = { ...fleetView().store, ok: false, lastError: "connection refused" };

function atStore(view?: FleetView): { desk: Desk; fleet: FakeFleet; ask: (...more: string[]) => Promise<number> } {
  const desk = new Desk();
  const fleet = desk.fleet();
  if (view !== undefined) fleet.view = view;
  return { desk, fleet, ask: (...more) => desk.vipctl("who-owns", "web", "--store", STORE, ...more) };
}

test.each([
  ["held", withWeb({}), 0],
  ["free", withWeb(FREE), 1],
  ["held by one that may be gone", withWeb({ holderAlive: null, lastHeartbeatAgeMs: 9_000 }), 1],
  ["unknown", fleetView({ elections: [] }), 2],
  ["in a store out of reach", { ...withWeb({}), store: OUT_OF_REACH }, 3],
  ["unknown, and the store out of reach", fleetView({ elections: [], store: OUT_OF_REACH }), 3],
] as const)("%s: the exit code says so", async (_what, view, code) => {
  const { ask, fleet } = atStore(view);
  expect(await ask()).toBe(code);
  expect(fleet.closed).toBe(1);
});

test("a daemon that is cut off, but whose own lease still holds, is believed about itself", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.view = statusView({ store: OUT_OF_REACH });
  expect(await desk.vipctl("who-owns", "web")).toBe(0);
  expect(desk.err.text).toContain("the store cannot be reached: connection refused");
  daemon.view = statusView({ store: OUT_OF_REACH, elections: [electionView({ role: "holder", validForMs: 0 })] });
  expect(await desk.vipctl("who-owns", "web")).toBe(3);
});

test("--json is one line with everything, and the store's state", async () => {
  const { desk, ask } = atStore(withWeb({}));
  await ask("--json");
  expect(desk.out.json).toEqual({
    election: "web",
    addresses: ["10.0.0.10/24", "2001:db8::10/64"],
    holder: "web1",
    holderAlive: true,
    token: "41",
    sinceWallMs: 999_999_867_000,
    lastHeartbeatAgeMs: 400,
    ttlMs: 3000,
    reasonCode: "vacant",
    reason: "it was free: web2 stepped down",
    conflict: null,
    elector: null,
    role: null,
    validForMs: null,
    fleet: "main",
    via: "store",
    store: { ok: true, lastError: null },
    confirmed: null,
    wire: null,
  });
});

test("straight from the store the age of the last heartbeat is by its writer's clock, and it is said", async () => {
  const { desk, ask } = atStore(withWeb({}));
  await ask();
  expect(desk.out.text).toContain("last heartbeat 0.4s ago by its own clock");
});

test("--confirm: another heartbeat of the holder confirms it", async () => {
  const { desk, fleet, ask } = atStore(withWeb({}));
  const run = ask("--confirm", "--json");
  await fleet.feed.opened;
  fleet.feed.push(withWeb({}));
  fleet.feed.push(withWeb({}, "58"));
  expect(await run).toBe(0);
  expect(desk.out.json).toMatchObject({ holder: "web1", confirmed: true });
  expect(desk.timers.waiting, "no timer is left").toBe(0);
});

test("--confirm: without a heartbeat it waits for the lease and half a second, not less, not more", async () => {
  const { desk, fleet, ask } = atStore(withWeb({}));
  const run = ask("--confirm", "--json");
  await fleet.feed.opened;
  const taken = fleet.feed.drained();
  fleet.feed.push(withWeb({ lastHeartbeatAgeMs: 2_000 }));
  await taken;
  await desk.timers.advance(3_499);
  expect(desk.out.text).toBe("");
  await desk.timers.advance(1);
  expect(await run).toBe(1);
  expect(desk.out.json).toMatchObject({ holder: "web1", lastHeartbeatAgeMs: 2_000, confirmed: false });
});

test("--confirm: a VIP that moves meanwhile is not confirmed, and the new holder is told", async () => {
  const { desk, fleet, ask } = atStore(withWeb({}));
  const run = ask("--confirm", "--json");
  await fleet.feed.opened;
  fleet.feed.push(withWeb({ holder: "web2", token: "42" }, "58"));
  expect(await run).toBe(1);
  expect(desk.out.json).toMatchObject({ holder: "web2", token: "42", confirmed: false });
});

test("--confirm: in words, too, it says who held it before", async () => {
  const { desk, fleet, ask } = atStore(withWeb({}));
  const run = ask("--confirm");
  await fleet.feed.opened;
  fleet.feed.push(withWeb({ holder: "web2", token: "42" }, "58"));
  expect(await run).toBe(1);
  expect(desk.out.text).toContain("web is held by web2");
  expect(desk.out.text).toContain("it has just moved: web1 held it before");
  expect(desk.out.text).not.toContain("no heartbeat of");
});

test("--confirm: where nobody holds it any more, it says who did", async () => {
  const { desk, fleet, ask } = atStore(withWeb({}));
  const run = ask("--confirm");
  await fleet.feed.opened;
  fleet.feed.push(withWeb(FREE, "58"));
  expect(await run).toBe(1);
  expect(desk.out.text).toContain("web is free");
  expect(desk.out.text).toContain("it has just moved: web1 held it before");
});

test("--confirm: what is free needs no waiting", async () => {
  const { desk, ask } = atStore(withWeb(FREE));
  expect(await ask("--confirm", "--json")).toBe(1);
  expect(desk.out.json).toMatchObject({ holder: null, confirmed: false });
});

test("--confirm: a heartbeat confirms a holder whose clock runs behind", async () => {
  const late = { holderAlive: null, lastHeartbeatAgeMs: 60_000 };
  const { fleet, ask } = atStore(withWeb(late));
  const run = ask("--confirm");
  await fleet.feed.opened;
  fleet.feed.push(withWeb(late, "58"));
  expect(await run).toBe(0);
});

test("--watch tells each change once, and ends with 130 when the user interrupts", async () => {
  const { desk, fleet, ask } = atStore();
  const run = ask("--watch", "--json");
  await fleet.feed.opened;
  const taken = fleet.feed.drained();
  fleet.feed.push(
    withWeb({}),
    withWeb({ lastHeartbeatAgeMs: 900 }, "58"),
    withWeb({ holderAlive: null, lastHeartbeatAgeMs: 3_100 }),
    withWeb(FREE),
    withWeb({ holder: "web2", token: "43" }),
    withWeb({ holder: "web2", token: "43", conflict: "02:00:00:00:00:99" }),
  );
  await taken;
  desk.interrupt.abort();
  expect(await run).toBe(130);
  const told = desk.out.lines.map((line) => JSON.parse(line) as { holder: string; holderAlive: boolean });
  expect(told.map(({ holder, holderAlive }) => [holder, holderAlive])).toEqual([
    ["web1", true],
    ["web1", null],
    [null, null],
    ["web2", true],
    ["web2", true],
  ]);
  expect(fleet.closed).toBe(1);
});

test("--watch of a daemon that goes away ends with what was known last", async () => {
  const desk = new Desk();
  const { feed } = desk.daemon();
  const run = desk.vipctl("who-owns", "web", "--watch");
  await feed.opened;
  feed.push(statusView({ elections: [electionView(FREE)] }));
  feed.end();
  expect(await run).toBe(1);
});

test("--watch of a name that nobody knows ends with 2", async () => {
  const { desk, fleet, ask } = atStore();
  fleet.feed.push(fleetView({ elections: [] }));
  expect(await ask("--watch")).toBe(2);
  expect(desk.err.text).toContain("the fleet has none yet");
});

test("ages are whole milliseconds in JSON", async () => {
  const { desk, ask } = atStore(withWeb({ lastHeartbeatAgeMs: 470.158369 }));
  await ask("--json");
  expect(desk.out.json).toMatchObject({ lastHeartbeatAgeMs: 470 });
});
