// vipctl history: the ownership changes of a VIP, newest first, as a table and as JSON.

import { expect, test } from "vitest";
import type { HistoryView } from "../../../src/admin/views.ts";
import { fleetView, historyView, lossView, statusView } from "../admin/views.ts";
import { adminError, CONFIG, Desk, GOOD_CONFIG, STORE } from "./desk.ts";

const at = (hour: number, minute: number, second: number): number => Date.UTC(2026, 10, 21, hour, minute, second);

const CHANGES: readonly HistoryView[] = [
  historyView({ atWallMs: at(10, 9, 8), from: "web1", to: "web2", token: "43", lastedMs: 248_000, vacantMs: 0 }),
  historyView({
    atWallMs: at(10, 5, 0),
    from: "web2",
    to: "web1",
    token: "42",
    reasonCode: "holder-silent",
    reason: "web2 sent no heartbeat for its whole lease",
    lastedMs: 3_900_000,
    vacantMs: 3_100,
    loss: lossView(),
  }),
  historyView({
    atWallMs: at(9, 0, 0),
    from: "web1",
    to: null,
    token: "41",
    reasonCode: "shutdown",
    reason: "vipd was stopped",
    lastedMs: null,
    vacantMs: null,
  }),
  historyView({
    atWallMs: at(8, 0, 0),
    from: null,
    to: "web1",
    token: "40",
    reasonCode: "first-holder",
    reason: "nobody had held it before",
    lastedMs: 60_000,
    vacantMs: null,
  }),
];

test("history: newest first, with what each former holder reported, from the daemon and from the store alike", async () => {
  for (const where of [[], ["--store", STORE]]) {
    const desk = new Desk();
    desk.daemon().changes.set("web", CHANGES);
    desk.fleet().changes.set("web", CHANGES);
    expect(await desk.vipctl("history", "10.0.0.10", ...where)).toBe(0);
    expect(desk.out.lines).toEqual([
      "AT                    FROM  TO    TOKEN  HELD FOR  FREE FOR  WHY",
      "2026-11-21 10:09:08Z  web1  web2  43     4m 8s     0s        step-down was requested",
      "2026-11-21 10:05:00Z  web2  web1  42     1h 5m     3.1s      web2 sent no heartbeat for its whole lease",
      "                                                             web2 reported at 2026-11-21 10:04:59Z: the lease expired before a heartbeat was confirmed",
      "2026-11-21 09:00:00Z  web1  free  41     -         -         vipd was stopped",
      "2026-11-21 08:00:00Z  -     web1  40     -         -         nobody had held it before",
    ]);
  }
});

test("history where the daemon cannot reach the store: exit 3, and where else to look", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.view = statusView({
    store: { ...statusView().store, ok: false, lastError: "etcd at s:2379: connection refused" },
  });
  daemon.election = () => Promise.reject(adminError("silent", "the daemon does not answer"));
  expect(await desk.vipctl("history", "web")).toBe(3);
  expect(desk.err.text).toBe(
    "vipctl: the history lies in the store, which cannot be reached: etcd at s:2379: connection refused; the log of this host tells what it held\n",
  );
});

test.each([
  [
    { heldAgainAfterMs: 60_900, interruptions: 1, interruptedMs: 60_900 },
    "; nobody held it for 1m 1s, then it did again",
  ],
  [
    { heldAgainAfterMs: 2_000, interruptions: 3, interruptedMs: 20_000 },
    "; nobody held it for 2s, then it did again; nobody held it 2 times before that, for 18s in all",
  ],
  [{ interruptions: 1, interruptedMs: 60_900 }, "; nobody held it once before that, for 1m 1s in all"],
  [{}, ""],
])("how long nobody held it between two tenures of one node: %j", async (interruption, told) => {
  const desk = new Desk();
  const change = historyView({ interruption: lossView(interruption) });
  desk.daemon().changes.set("web", [change]);
  expect(await desk.vipctl("history", "web")).toBe(0);
  expect(desk.out.lines[1]?.trim()).toBe(
    `web1 reported at 2026-11-21 10:04:59Z: the lease expired before a heartbeat was confirmed${told}`,
  );
});

test("history --json is the list", async () => {
  const desk = new Desk();
  desk.fleet().changes.set("web", CHANGES);
  expect(await desk.vipctl("history", "web", "--store", STORE, "--json")).toBe(0);
  expect(desk.out.json).toEqual(CHANGES);
});

test("history of a VIP that has none is a heading", async () => {
  const desk = new Desk();
  desk.fleet();
  expect(await desk.vipctl("history", "web", "--store", STORE)).toBe(0);
  expect(desk.out.lines).toEqual(["AT  FROM  TO  TOKEN  HELD FOR  FREE FOR  WHY"]);
});

test("history says so when it comes from the store because there is no daemon", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  desk.fleet().changes.set("web", CHANGES);
  expect(await desk.vipctl("history", "web")).toBe(0);
  expect(desk.err.text).toContain("read straight from the store");
});

test("history of nothing: exit 2; where the store is out of reach nobody can tell: exit 3", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  expect(await desk.vipctl("history", "nope")).toBe(2);
  expect(desk.err.text).toContain('no VIP or election "nope"');
  daemon.view = statusView({ store: { ...fleetView().store, ok: false } });
  expect(await desk.vipctl("history", "nope")).toBe(3);
});

test("--limit shows the newest ones only; it is a whole number", async () => {
  const desk = new Desk();
  desk.daemon().changes.set("web", CHANGES);
  expect(await desk.vipctl("history", "web", "--json", "--limit", "2")).toBe(0);
  expect(desk.out.json).toEqual(CHANGES.slice(0, 2));
  for (const limit of ["0", "-1", "two", "1e3"]) {
    const wrong = new Desk();
    expect(await wrong.vipctl("history", "web", "--limit", limit)).toBe(2);
    expect(wrong.err.text).toContain("--limit");
  }
});
