// What people are shown of a fleet's records: who holds what, how sure that is, and what it was before.

import { describe, expect, test } from "vitest";
import { MAX_VIEW_TEXT } from "../../../src/base/bounds.ts";
import { type FleetParts, fleetParts, historyViews, type Perspective } from "../../../src/admin/fleet-view.ts";
import type { ElectionView } from "../../../src/admin/views.ts";
import { reason } from "../../../src/base/reasons.ts";
import { instant, later } from "../../../src/base/time.ts";
import { Mirror } from "../../../src/election/mirror.ts";
import { encodeValue, type HistoryRecord, type LossRecord } from "../../../src/election/records.ts";
import type { StoredRecord } from "../../../src/ports/store.ts";
import { candidateValue, ELECTION, electionValue, KEYS, sessionValue, TTL_MS } from "../election/samples.ts";

const START = instant(50_000);
const WALL = 1_800_000_000_000;
const WATCHER: Perspective = { kind: "watcher" };
const passerBy = (wallMs: number): Perspective => ({ kind: "passer-by", wallMs });

type Written = Readonly<Record<string, string>>;

/** What is shown of these records `afterMs` after they were first seen. Their versions are 1, 2, 3 in the order given. */
function shown(written: Written, from: Perspective = WATCHER, afterMs = 1_000): FleetParts {
  const mirror = new Mirror(KEYS, START);
  const records = Object.entries(written).map(([key, value], i) => ({ key, value, version: BigInt(i + 1) }));
  const revision = BigInt(records.length);
  mirror.applySnapshot({ revision, epoch: "e", records }, "all", START);
  return fleetParts({ mirror, keys: KEYS, ttlMs: TTL_MS }, later(START, afterMs), from);
}

function onlyElection({ elections }: FleetParts): ElectionView {
  expect(elections).toHaveLength(1);
  return elections[0] as ElectionView;
}

/** a holds; a and b are candidates. Heartbeats were written at `wallMs`. */
function heldByA(wallMs = WALL): Written {
  return {
    [KEYS.session("a")]: sessionValue({ incarnation: "ia", host: "a.example", wallMs }),
    [KEYS.session("b")]: sessionValue({ incarnation: "ib", host: "b.example", wallMs }),
    [KEYS.election(ELECTION)]: electionValue({
      holder: "a",
      incarnation: "ia",
      sinceWallMs: WALL - 60_000,
      reason: reason("first-holder"),
    }),
    [KEYS.candidate(ELECTION, "a")]: candidateValue({
      incarnation: "ia",
      priority: 50,
      addresses: ["10.0.0.1/24"],
      interface: "eth0",
    }),
    [KEYS.candidate(ELECTION, "b")]: candidateValue({
      incarnation: "ib",
      priority: 200,
      eligible: false,
      reason: "check failed: http",
      addresses: ["10.0.0.1/24"],
      interface: "eth1",
    }),
  };
}

describe("an election", () => {
  test("that is held shows its holder, token, reason and lease, and where the holder has its addresses", () => {
    expect(onlyElection(shown(heldByA()))).toEqual({
      name: ELECTION,
      addresses: ["10.0.0.1/24"],
      interface: "eth0",
      role: null,
      holder: "a",
      holderAlive: true,
      token: "3",
      sinceWallMs: WALL - 60_000,
      lastHeartbeatAgeMs: 1_000,
      ttlMs: TTL_MS,
      validForMs: null,
      priority: null,
      eligible: null,
      reasonCode: "first-holder",
      reason: "nobody had held it before",
      elector: null,
      ineligibleReasons: [],
      devices: [],
      routing: [],
      conflict: null,
      candidates: [
        { node: "b", priority: 200, eligible: false, alive: true, reason: "check failed: http" },
        { node: "a", priority: 50, eligible: true, alive: true, reason: null },
      ],
      history: [],
    });
  });

  test("that is free shows why, and what its best candidate would bind", () => {
    const free = electionValue({ reason: reason("step-down"), sinceWallMs: WALL });
    expect(onlyElection(shown({ ...heldByA(), [KEYS.election(ELECTION)]: free }))).toMatchObject({
      holder: null,
      holderAlive: null,
      token: null,
      sinceWallMs: WALL,
      lastHeartbeatAgeMs: null,
      ttlMs: null,
      reasonCode: "step-down",
      interface: "eth1",
    });
  });

  test("that nobody ever held, and whose candidates have no address, shows neither", () => {
    const written = { [KEYS.candidate(ELECTION, "a")]: candidateValue() };
    expect(onlyElection(shown(written))).toMatchObject({
      holder: null,
      token: null,
      sinceWallMs: null,
      addresses: [],
      interface: null,
      reasonCode: "first-holder",
      candidates: [{ node: "a", alive: false }],
    });
  });

  test("whose record cannot be read says so, and what to do", () => {
    const election = onlyElection(shown({ ...heldByA(), [KEYS.election(ELECTION)]: "{}" }));
    expect(election).toMatchObject({ holder: null, token: null, reasonCode: "unreadable" });
    expect(election.reason).toContain("vipctl repair");
  });
});

describe("whether a node is alive", () => {
  test("a watcher knows by its own clock, whatever the wall clocks say", () => {
    const parts = shown(heldByA(WALL - 999_999), WATCHER, TTL_MS - 100);
    expect(parts.nodes).toMatchObject([
      {
        node: "a",
        alive: true,
        lastHeartbeatAgeMs: TTL_MS - 100,
        ttlMs: TTL_MS,
        host: "a.example",
        sessionVersion: "1",
      },
      { node: "b", alive: true, host: "b.example", sessionVersion: "2" },
    ]);
    expect(onlyElection(parts)).toMatchObject({ holderAlive: true });
  });

  test("a watcher that has heard nothing for a lease says that the holder is not", () => {
    const parts = shown(heldByA(), WATCHER, 2 * TTL_MS);
    expect(parts.nodes.map(({ alive }) => alive)).toEqual([false, false]);
    expect(onlyElection(parts)).toMatchObject({ holder: "a", holderAlive: false });
    expect(onlyElection(parts).candidates.map(({ alive }) => alive)).toEqual([false, false]);
  });

  test.each<[what: string, wallMs: number, ageMs: number, alive: boolean, holderAlive: boolean | null]>([
    ["a heartbeat within the lease", WALL + 700, 700, true, true],
    ["a heartbeat of a clock that is ahead", WALL - 700, 0, true, true],
    ["a late heartbeat, which is a doubt and not a death", WALL + TTL_MS + 1, TTL_MS + 1, false, null],
  ])("a passer-by goes by the wall clocks: %s", (_what, wallMs, ageMs, alive, holderAlive) => {
    const parts = shown(heldByA(), passerBy(wallMs), 0);
    expect(parts.nodes[0]).toMatchObject({ node: "a", alive, lastHeartbeatAgeMs: ageMs });
    expect(onlyElection(parts)).toMatchObject({ holderAlive, lastHeartbeatAgeMs: ageMs });
    expect(onlyElection(parts).candidates.map((candidate) => candidate.alive)).toEqual([alive, alive]);
  });
});

describe("warnings", () => {
  test("none where all is well", () => {
    expect(shown(heldByA()).warnings).toEqual([]);
  });

  test("records that cannot be read are named, but not without end", () => {
    const broken = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [KEYS.session(`n${i}`), "{"]));
    const { warnings } = shown({ ...heldByA(), ...broken });
    expect(warnings).toHaveLength(20);
    expect(warnings[0]).toBe(`the record ${KEYS.session("n0")} in the store cannot be read: it is left alone`);
  });

  test("nodes that would bind other addresses than the best candidate", () => {
    const other = candidateValue({ incarnation: "ia", priority: 50, addresses: ["10.0.0.2/24", "10.0.0.1/24"] });
    expect(shown({ ...heldByA(), [KEYS.candidate(ELECTION, "a")]: other }).warnings).toEqual([
      "web: b would bind 10.0.0.1/24, but a 10.0.0.1/24, 10.0.0.2/24",
    ]);
  });

  test("an address that two elections claim through living nodes", () => {
    const second = candidateValue({ incarnation: "ib", addresses: ["10.0.0.1/32"] });
    const { warnings } = shown({ ...heldByA(), [KEYS.candidate("mail", "b")]: second });
    expect(warnings).toEqual([expect.stringMatching(/^10\.0\.0\.1 is configured under 2 names: /u)]);
  });

  test("no text is longer than a view may be", () => {
    const many = (from: number): string[] =>
      Array.from({ length: 32 }, (_, i) => `${"1234567890".repeat(6)}/${from + i}`);
    const bound = (priority: number, from: number): string =>
      candidateValue({ incarnation: "ia", priority, addresses: many(from) });
    const { warnings } = shown({
      ...heldByA(),
      [KEYS.candidate("mail", "a")]: bound(9, 1),
      [KEYS.candidate("mail", "b")]: bound(1, 50),
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toHaveLength(MAX_VIEW_TEXT);
  });
});

describe("the history of an election", () => {
  const change = (seq: number, changes: Partial<HistoryRecord> = {}): string =>
    encodeValue<HistoryRecord>({
      seq,
      wallMs: WALL + seq,
      from: "a",
      to: "b",
      reason: reason("step-down"),
      lastedMs: 60_000,
      vacantMs: 0,
      ...changes,
    });
  const uninterrupted = { heldAgainAfterMs: null, interruptions: 0, interruptedMs: 0 };
  const loss = (seq: number, node: string): string =>
    encodeValue<LossRecord>({ node, seq, wallMs: WALL - 5, reason: reason("lease-expired"), ...uninterrupted });
  const at = (key: string, value: string, version: bigint): StoredRecord => ({ key, value, version });

  test("is told newest first by the store's order, not by wall clocks", () => {
    const views = historyViews([
      at(
        KEYS.history(ELECTION, 7),
        change(7, { from: null, to: "a", reason: reason("first-holder"), lastedMs: null }),
        70n,
      ),
      at(KEYS.history(ELECTION, 9), change(9, { wallMs: WALL - 999_999, to: null, vacantMs: null }), 90n),
      at(KEYS.history(ELECTION, 8), change(8), 80n),
    ]);
    expect(views).toEqual([
      {
        atWallMs: WALL - 999_999,
        from: "a",
        to: null,
        token: "90",
        reasonCode: "step-down",
        reason: "step-down was requested",
        lastedMs: 60_000,
        vacantMs: null,
        loss: null,
        interruption: null,
      },
      expect.objectContaining({ token: "80", from: "a", to: "b", vacantMs: 0 }),
      expect.objectContaining({ token: "70", from: null, to: "a", reasonCode: "first-holder", lastedMs: null }),
    ]);
  });

  test("shows what the former holder reported of its loss beside the change that followed", () => {
    const reported = {
      atWallMs: WALL - 5,
      reasonCode: "lease-expired",
      reason: reason("lease-expired").text,
      ...uninterrupted,
    };
    const views = historyViews([
      at(KEYS.history(ELECTION, 8), change(8), 80n),
      at(KEYS.history(ELECTION, 9), change(9), 90n),
      at(KEYS.loss(ELECTION, 8), loss(8, "a"), 95n),
    ]);
    expect(views.map(({ token, loss: told }) => [token, told])).toEqual([
      ["90", reported],
      ["80", null],
    ]);
  });

  test("shows what the present holder reported of a loss that nobody else has followed", () => {
    const reported = {
      atWallMs: WALL - 5,
      reasonCode: "lease-expired",
      reason: reason("lease-expired").text,
      ...uninterrupted,
    };
    const views = historyViews([
      at(KEYS.history(ELECTION, 8), change(8), 80n),
      at(KEYS.history(ELECTION, 9), change(9), 90n),
      at(KEYS.loss(ELECTION, 8), loss(8, "b"), 85n),
      at(KEYS.loss(ELECTION, 9), loss(9, "b"), 95n),
    ]);
    expect(views.map(({ token, interruption }) => [token, interruption])).toEqual([
      ["90", reported],
      ["80", null],
    ]);
  });

  test("reads a report of a version that counted no interruptions", () => {
    const old = `{"format":2,"node":"a","seq":8,"wallMs":1,"reason":{"code":"lease-expired","text":"x"}}`;
    const [view] = historyViews([at(KEYS.history(ELECTION, 9), change(9), 90n), at(KEYS.loss(ELECTION, 8), old, 95n)]);
    expect(view?.loss).toEqual({ atWallMs: 1, reasonCode: "lease-expired", reason: "x", ...uninterrupted });
  });

  test.each([
    ["of another node than the one that held it", loss(8, "c")],
    ["of another ownership", loss(7, "a")],
    ["that cannot be read", "{}"],
  ])("does not show a report %s", (_what, report) => {
    const records = [at(KEYS.history(ELECTION, 9), change(9), 90n), at(KEYS.loss(ELECTION, 8), report, 95n)];
    expect(historyViews(records).map((view) => view.loss)).toEqual([null]);
  });

  test("leaves out what cannot be read", () => {
    expect(historyViews([at(KEYS.history(ELECTION, 9), "{", 90n), at(KEYS.history(ELECTION, 8), "", 80n)])).toEqual([]);
  });
});
