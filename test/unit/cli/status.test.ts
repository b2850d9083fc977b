// vipctl status: the fleet in tables, as JSON, and live.

import { expect, test } from "vitest";
import { electionView, fleetView, nodeView, ineligibleReasonView, statusView } from "../admin/views.ts";
import { CONFIG, Desk, GOOD_CONFIG, STORE } from "./desk.ts";

test("the fleet in words: VIPs, nodes, MASTER and BACKUP", async () => {
  const desk = new Desk();
  const sinceWallMs = desk.timers.wallMs() - 133_000;
  const view = statusView({ warnings: ["web: web1 would bind 10.0.0.10/24, but web2 10.0.0.9/24"] });
  desk.daemon().view = { ...view, elections: view.elections.map((election) => ({ ...election, sinceWallMs })) };
  expect(await desk.vipctl("status")).toBe(0);
  expect(desk.out.lines).toEqual([
    "fleet main, store sqlite:/var/lib/vipd/fleet.db, reachable",
    "seen by web1, vipd 0.1.0, netdev fence that outlives a flush, elector lease",
    "",
    "VIP  ADDRESSES                     HOLDER (MASTER)  FOR     TOKEN  CANDIDATES (BACKUP)",
    "web  10.0.0.10/24 2001:db8::10/64  web1             2m 13s  41     web2 100, web3 50 (eth0 is down)",
    "db   10.0.0.11/24                  free             2m 13s",
    "",
    "NODE  HOST          SESSION  LAST HEARTBEAT  LEASE  PART",
    "web1  web1.example  alive    0.4s ago        3s     MASTER of 1, BACKUP of 0",
    "web2  web2.example  alive    0s ago          3s     MASTER of 0, BACKUP of 1",
    "web3  web3.example  silent   12m 34s ago     3s     MASTER of 0, BACKUP of 1",
    "",
    "- not held here: db: eth0 is down (link, for 4s)",
    "",
    "! web: web1 would bind 10.0.0.10/24, but web2 10.0.0.9/24",
  ]);
});

test("checks that are not well, and why this node does not hold a VIP, stand below the fleet", async () => {
  const desk = new Desk();
  const check = { name: "nginx", sinceMs: 9_000, reason: "exit status 1", value: null, recovery: null, vips: ["web"] };
  const last = { reason: "exit status 1", lastLine: "no\u0007 route", agoMs: 100, tookMs: 5 };
  const view = statusView({
    checks: [
      { ...check, verdict: "failed", last },
      { ...check, name: "tcp", verdict: "ok", last, recovery: 1 },
      { ...check, name: "new", verdict: "pending", last: null },
      { ...check, name: "fine", verdict: "ok", last },
    ],
  });
  const ineligibleReasons = [
    { source: "check", reasonCode: "check-failed", reason: "check failed: nginx", sinceMs: 9_000, forMs: null },
  ];
  desk.daemon().view = {
    ...view,
    elections: [
      electionView({ name: "web", role: "idle", ineligibleReasons }),
      electionView({ name: "db", role: "holder", ineligibleReasons }),
    ],
  };
  await desk.vipctl("status");
  expect(desk.out.lines.slice(-6)).toEqual([
    'check nginx has failed for 9s: exit status 1 ("no\u{fffd} route")',
    'check tcp fails: exit status 1 ("no\u{fffd} route"); its recovery is under way',
    "check new has not looked yet",
    "",
    "- not held here: web: check failed: nginx (check, for 9s)",
    "- held here as a last resort: db: check failed: nginx (check, for 9s)",
  ]);
});

test("real servers of this host stand below the checks, with what is wrong", async () => {
  const desk = new Desk();
  const addresses = [{ family: 4, ip: "10.0.0.50" }] as const;
  const server = { name: "web", addresses, interfaces: ["eth0"], by: "file", state: "up", trouble: null } as const;
  const realServers = [
    server,
    { ...server, name: "10.0.0.51", by: "hand", trouble: "10.0.0.51 is not on lo" } as const,
  ];
  desk.daemon().view = statusView({ realServers });
  expect(await desk.vipctl("status")).toBe(0);
  expect(desk.out.text).toContain(
    "real server of web: 10.0.0.50 from eth0, up\nreal server of 10.0.0.51: 10.0.0.50 from eth0, up, by hand: 10.0.0.51 is not on lo\n",
  );
});

test("what the store cannot promise stands below everything else", async () => {
  const desk = new Desk();
  const { store } = fleetView();
  const guarantees = { ...store.guarantees, name: "redis", caveats: ["it keeps nothing\u0007 over a restart"] };
  desk.fleet().view = fleetView({ store: { ...store, guarantees }, warnings: ["two files differ"] });
  expect(await desk.vipctl("status", "--store", STORE)).toBe(0);
  expect(desk.out.text, "the same every day: only when asked for").not.toContain("it keeps nothing");
  expect(await desk.vipctl("status", "--store", STORE, "--verbose")).toBe(0);
  expect(desk.out.lines.slice(-3)).toEqual([
    "! two files differ",
    "",
    "redis: it keeps nothing\u{fffd} over a restart",
  ]);
});

test("doubt and conflict are marked: a question mark, an exclamation mark, (gone)", async () => {
  const desk = new Desk();
  const gone = [{ node: "web2", priority: 100, eligible: true, alive: false, reason: null }];
  desk.fleet().view = fleetView({
    elections: [
      electionView({ name: "late", holderAlive: null, candidates: gone }),
      electionView({ name: "twice", conflict: "02:00:00:00:00:99", candidates: [] }),
    ],
    nodes: [nodeView({ lastHeartbeatAgeMs: null, ttlMs: null })],
  });
  await desk.vipctl("status", "--store", STORE);
  expect(desk.out.text).toMatch(/^late .* web1\? .* web2 100 \(gone\)$/mu);
  expect(desk.out.text).toMatch(/^twice .* web1 ! /mu);
  expect(desk.out.text).toMatch(/^web1 {2}web1\.example {2}alive {4}\? {10}/mu);
});

test("why this host holds what it does not: one line a reason, with its source, names and ends", async () => {
  const desk = new Desk();
  const kept = ineligibleReasonView({ source: "maintenance", reason: "maintenance (disks) until vipctl resume" });
  const elections = Array.from({ length: 30 }, (_, i) => electionView({ name: `v${i}`, ineligibleReasons: [kept] }));
  const backoff = ineligibleReasonView({
    source: "hold-backoff",
    reason: "the kernel refused: EPERM\u0007",
    forMs: 6_000,
  });
  elections.push(electionView({ name: "mail", ineligibleReasons: [kept, backoff] }));
  desk.daemon().view = statusView({ elections });
  await desk.vipctl("status");
  expect(desk.out.lines.filter((line) => line.startsWith("- "))).toEqual([
    "- not held here: v0, v1, v2, v3, v4, v5, v6, v7 and 23 more: maintenance (disks) until vipctl resume (maintenance, for 4s)",
    "- not held here: mail: the kernel refused: EPERM\u{fffd} (hold-backoff, for 4s, another 6s)",
  ]);
});

test("wake-ups show where the daemon tells them", async () => {
  const desk = new Desk();
  desk.daemon().view = statusView({
    wakeups: [
      { name: "commit", inMs: 312.5 },
      { name: "read", inMs: 1_000 },
    ],
  });
  await desk.vipctl("status");
  expect(desk.out.lines.at(-1)).toBe("wakeups: commit in 0.3s, read in 1s");
});

test("a store out of reach: what this host holds comes first, and what it has released is marked", async () => {
  const store = { ...fleetView().store, ok: false, lastError: "disk I/O error" };
  const desk = new Desk();
  desk.daemon().view = statusView({ store });
  await desk.vipctl("status");
  expect(desk.out.lines[2]).toBe(
    "this host holds 1 VIP for another 2.1s, unless the store answers before; of others this is what the store said last",
  );
  const gone = new Desk();
  gone.daemon().view = statusView({ store, elections: [electionView({ role: "candidate", holderAlive: false })] });
  await gone.vipctl("status");
  expect(gone.out.lines[2]).toBe("this host holds no VIP; of others this is what the store said last");
  expect(gone.out.text).toContain("web1? (released here)");
});

test("an empty fleet says so", async () => {
  const desk = new Desk();
  desk.fleet().view = fleetView({ elections: [], nodes: [] });
  expect(await desk.vipctl("status", "--store", STORE)).toBe(0);
  expect(desk.out.lines.slice(1)).toEqual(["", "no VIPs yet", "", "no nodes yet"]);
});

test("--json is the view, on one line", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  expect(await desk.vipctl("status", "--json")).toBe(0);
  expect(desk.out.json).toEqual(daemon.view);
});

test("a store out of reach: exit 3, and why", async () => {
  const desk = new Desk();
  desk.daemon().view = statusView({ store: { ...fleetView().store, ok: false, lastError: "disk I/O error" } });
  expect(await desk.vipctl("status")).toBe(3);
  expect(desk.out.lines[0]).toContain("not reachable: disk I/O error");
});

test("without a daemon it reads the store, and says so beside the answer, not in it", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  const fleet = desk.fleet();
  expect(await desk.vipctl("status", "--json")).toBe(0);
  expect(desk.err.text).toMatch(/^no daemon listens at .*: read straight from the store\n$/u);
  expect(desk.out.json).toEqual(fleet.view);
});

test("--watch shows every view; a terminal is cleared before each, a pipe is not", async () => {
  for (const isTerminal of [true, false]) {
    const desk = new Desk();
    desk.out.isTerminal = isTerminal;
    desk.env["NO_COLOR"] = "1";
    const { feed } = desk.daemon();
    const run = desk.vipctl("status", "--watch");
    await feed.opened;
    const taken = feed.drained();
    feed.push(statusView(), statusView({ elections: [] }));
    await taken;
    desk.interrupt.abort();
    expect(await run).toBe(130);
    expect(desk.out.text.split("\u001b[H\u001b[2J")).toHaveLength(isTerminal ? 3 : 1);
    expect(desk.out.text.match(/fleet main,/gu)).toHaveLength(2);
    expect(desk.out.text).toContain("no VIPs yet");
  }
});

test("--watch --json is a line for each view, also on a terminal", async () => {
  const desk = new Desk();
  desk.out.isTerminal = true;
  const { feed } = desk.daemon();
  feed.push(statusView(), statusView({ elections: [] }));
  feed.end();
  expect(await desk.vipctl("status", "--watch", "--json"), "the daemon went away").toBe(3);
  expect(desk.out.lines.map((line) => (JSON.parse(line) as { elections: unknown[] }).elections.length)).toEqual([2, 0]);
});

test("colours on a terminal", async () => {
  const desk = new Desk();
  desk.out.isTerminal = true;
  desk.daemon();
  await desk.vipctl("status");
  expect(desk.out.text).toContain("\u001b[32mweb1\u001b[39m");
});

test("what VRRP cannot promise is said whenever it decides about a VIP", async () => {
  const desk = new Desk();
  desk.daemon().view = statusView({ elections: [electionView({ elector: "vrrp" })] });
  await desk.vipctl("status");
  expect(desk.out.text).toContain("web: VRRP cannot promise that one node alone answers");
  const leased = new Desk();
  leased.daemon().view = statusView({ elections: [electionView({ elector: "lease" })] });
  await leased.vipctl("status");
  expect(leased.out.text).not.toContain("VRRP");
});

test("virtual MACs have a line for each VIP, with their devices, and whether they are up here", async () => {
  const desk = new Desk();
  const device = { name: "vipd4-51", mac: "00:00:5e:00:01:33", parent: "eth0" };
  const elections = [
    electionView({ name: "web", role: "holder", devices: [device] }),
    electionView({ name: "db", role: "candidate", devices: [{ ...device, name: "vipd4-52" }] }),
  ];
  desk.daemon().view = statusView({ elections });
  expect(await desk.vipctl("status")).toBe(0);
  expect(desk.out.lines).toContain("web: virtual MAC 00:00:5e:00:01:33 on vipd4-51 (eth0)");
  expect(desk.out.lines).toContain("db: virtual MAC 00:00:5e:00:01:33 on vipd4-52 (eth0), down here");
});

test("routes and rules have a line for each VIP, and those of a held one that are not in place are named", async () => {
  const [set, gone] = [
    { text: "route default via 10.0.0.1 dev eth0", inPlace: true },
    { text: "rule priority 100 from 10.0.0.10/32 table 100", inPlace: false },
  ];
  const desk = new Desk();
  const elections = [
    electionView({ name: "web", role: "holder", routing: [set] }),
    electionView({ name: "db", role: "holder", routing: [set, gone] }),
    electionView({ name: "mail", role: "candidate", routing: [gone] }),
  ];
  desk.daemon().view = statusView({ elections });
  expect(await desk.vipctl("status")).toBe(0);
  expect(desk.out.lines).toContain("web: 1 route or rule, in place");
  expect(desk.out.lines).toContain(
    "db: 1 of 2 routes and rules not in place: rule priority 100 from 10.0.0.10/32 table 100",
  );
  expect(desk.out.lines).toContain("mail: 1 route or rule, set here with the VIP");
  expect(desk.out.text).not.toContain("route default");
  const verbose = new Desk();
  verbose.daemon().view = statusView({ elections });
  await verbose.vipctl("status", "--verbose");
  expect(verbose.out.lines).toContain("  + route default via 10.0.0.1 dev eth0");
  expect(verbose.out.lines).toContain("  - rule priority 100 from 10.0.0.10/32 table 100");
  const json = new Desk();
  json.daemon().view = statusView({ elections });
  await json.vipctl("status", "--json");
  expect(JSON.parse(json.out.text).elections[1].routing).toEqual([set, gone]);
});
