// What a node shall hold, and when it shall try to take it: one known state, changed in one point at a time.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { instant, later, LONG_AGO, NEVER } from "../../../src/base/time.ts";
import { leaseTimings, observerWaitMs } from "../../../src/election/lease.ts";
import {
  effectiveCandidacy,
  ineligibleReason,
  isInDoubt,
  isOutdated,
  isTrusted,
  leaseCovers,
  ownToken,
  preemptDue,
  takeDueAt,
  trustedAt,
} from "../../../src/election/questions.ts";
import { encodeValue, type EpochRecord } from "../../../src/election/records.ts";
import { type Attempt, initialState, type State } from "../../../src/election/state.ts";
import type { StoredRecord } from "../../../src/ports/store.ts";
import {
  addressValue,
  candidacy,
  candidateValue,
  ELECTION,
  electionValue,
  ineligible,
  KEYS,
  sessionValue,
  TTL_MS,
} from "./samples.ts";

const START = instant(1_000);
/** When the records were read, and when the questions are asked. */
const READ = instant(2_000);
const NOW = instant(50_000);
const { staggerMs, giveUpMarginMs } = leaseTimings(TTL_MS);
const WAIT_MS = observerWaitMs(TTL_MS);

type Records = Readonly<Record<string, string | null>>;

/** Versions are 10, 11, ... in the order of the records; the epoch was settled at version 5. */
function recordsOf(records: Records): readonly StoredRecord[] {
  const epoch = { key: KEYS.epoch, value: encodeValue<EpochRecord>({ epoch: "e" }), version: 5n };
  const rest = Object.entries(records).flatMap(([key, value], index) =>
    value === null ? [] : [{ key, value, version: BigInt(10 + index) }],
  );
  return [epoch, ...rest];
}

/** Node "me", a candidate of `ELECTION`, which knows its own session and the given records. */
function stateOf(records: Records = {}): State {
  const self = { node: "me", fleet: "f", host: "h", processId: "p", ttlMs: TTL_MS, knownTtlMs: 0 };
  const state = initialState(self, "i", false, START);
  const own = { [KEYS.session("me")]: sessionValue() };
  state.mirror.applySnapshot({ revision: 100n, epoch: "e", records: recordsOf({ ...own, ...records }) }, "all", READ);
  state.candidacies.set(ELECTION, candidacy());
  return state;
}

/** News that a watch brings at `at`. */
function hear(state: State, version: bigint, at: number, records: Records): void {
  const changes = Object.entries(records).map(([key, value]) => ({ key, value, version }));
  state.mirror.applyChanges(changes, instant(at));
}

const HELD_BY_ME: Records = { [KEYS.election(ELECTION)]: electionValue({ holder: "me", incarnation: "i" }) };
const HELD_BY_X: Records = {
  [KEYS.election(ELECTION)]: electionValue({ holder: "x", incarnation: "xi" }),
  [KEYS.session("x")]: sessionValue({ incarnation: "xi" }),
};

describe("an election is due to be taken", () => {
  test.each<{ name: string; records?: Records; change?: (state: State) => void; at: number }>([
    { name: "at once when nobody has ever held it", at: READ },
    { name: "at once when it is free", records: { [KEYS.election(ELECTION)]: electionValue() }, at: READ },
    {
      name: "after its waiting time, since its first sight",
      records: { [KEYS.election(ELECTION)]: electionValue({ waitMs: 100_000 }) },
      at: later(READ, observerWaitMs(100_000)),
    },
    {
      name: "a whole lease after the last heartbeat of its holder was seen",
      records: HELD_BY_X,
      change: (state) => hear(state, 101n, 49_000, { [KEYS.session("x")]: sessionValue({ incarnation: "xi" }) }),
      at: later(instant(49_000), WAIT_MS),
    },
    {
      name: "when the holder's session was seen to end",
      records: HELD_BY_X,
      change: (state) => hear(state, 101n, 49_000, { [KEYS.session("x")]: null }),
      at: instant(49_000),
    },
    {
      name: "when the holder's session was seen to be another",
      records: HELD_BY_X,
      change: (state) => hear(state, 101n, 49_000, { [KEYS.session("x")]: sessionValue({ incarnation: "new" }) }),
      at: instant(49_000),
    },
    {
      name: "when the fleet was seen to settle on the epoch, if that is later",
      change: (state) => hear(state, 101n, 48_000, { [KEYS.epoch]: encodeValue<EpochRecord>({ epoch: "e" }) }),
      at: instant(48_000),
    },
    {
      name: "when it names this node under another incarnation, of which there is no session",
      records: { [KEYS.election(ELECTION)]: electionValue({ holder: "me", incarnation: "former" }) },
      at: READ,
    },
    {
      name: "when the token of its own is older than the epoch",
      records: HELD_BY_ME,
      change: (state) => hear(state, 101n, 3_000, { [KEYS.epoch]: encodeValue<EpochRecord>({ epoch: "e" }) }),
      at: NOW,
    },
  ])("$name", ({ records, change, at }) => {
    const state = stateOf(records);
    change?.(state);
    expect(takeDueAt(state, ELECTION, NOW)).toBe(at);
  });

  test.each<[string, (state: State) => void]>([
    ["it is not a candidate", (state) => void state.candidacies.delete(ELECTION)],
    ["it is not eligible", (state) => void state.candidacies.set(ELECTION, ineligible())],
    ["it is stopping", (state) => void (state.stopping = true)],
    ["the fleet has not settled on the epoch", (state) => void (state.mirror.settledEpoch = null)],
    [
      "the host holds it",
      (state) => void state.tenures.set(ELECTION, { phase: "on", token: 1n, since: READ, addresses: [] }),
    ],
    [
      "the host has not released it",
      (state) => void state.tenures.set(ELECTION, { phase: "closing", reason: reason("shutdown") }),
    ],
    ["its record does not parse", (state) => hear(state, 101n, 3_000, { [KEYS.election(ELECTION)]: "garbage" })],
  ])("never while %s", (_name, change) => {
    const state = stateOf();
    expect(takeDueAt(state, ELECTION, NOW)).toBe(READ);
    change(state);
    expect(takeDueAt(state, ELECTION, NOW)).toBe(NEVER);
  });

  test("never when the store says that this node holds it", () => {
    expect(takeDueAt(stateOf(HELD_BY_ME), ELECTION, NOW)).toBe(NEVER);
  });

  test("as long as its address is another election's, not before that one's lease can run out", () => {
    const state = stateOf({
      [KEYS.address("10.0.0.1")]: addressValue("db"),
      [KEYS.election("db")]: electionValue({ holder: "x", incarnation: "xi" }),
      [KEYS.session("x")]: sessionValue({ incarnation: "xi" }),
      [KEYS.candidate("db", "x")]: candidateValue({ incarnation: "xi", addresses: ["10.0.0.1/24"] }),
    });
    hear(state, 101n, 49_000, { [KEYS.session("x")]: sessionValue({ incarnation: "xi" }) });
    state.candidacies.set(ELECTION, candidacy({ addresses: ["10.0.0.1/16"] }));
    expect(takeDueAt(state, ELECTION, NOW)).toBe(later(instant(49_000), WAIT_MS));
    expect(takeDueAt(state, ELECTION, later(instant(49_000), WAIT_MS))).toBe(READ);
  });
});

describe("candidates take turns", () => {
  /** Two better ones and a worse one, all seen alive at 49,500. */
  function crowded(): State {
    const state = stateOf();
    const priorities = { a: 200, b: 150, c: 10 };
    for (const [node, priority] of Object.entries(priorities))
      hear(state, 101n, 49_500, {
        [KEYS.session(node)]: sessionValue({ incarnation: node }),
        [KEYS.candidate(ELECTION, node)]: candidateValue({ incarnation: node, priority }),
      });
    return state;
  }

  test("by their rank", () => {
    expect(takeDueAt(crowded(), ELECTION, NOW)).toBe(later(READ, 2 * staggerMs));
  });

  test("and wait while a better one is seen to take others of the vacant elections", () => {
    const state = crowded();
    state.lastTakenBy.set("b", instant(49_600));
    state.lastTakenBy.set("a", instant(49_700));
    expect(takeDueAt(state, ELECTION, NOW)).toBe(later(instant(49_700), 2 * staggerMs));
  });

  test("and do not wait for a worse one, or for one that is not alive any more", () => {
    const state = crowded();
    state.lastTakenBy.set("c", instant(49_700));
    state.lastTakenBy.set("dead", instant(49_700));
    expect(takeDueAt(state, ELECTION, NOW)).toBe(later(READ, 2 * staggerMs));
    state.lastTakenBy.set("a", instant(49_700));
    const end = later(instant(49_500), WAIT_MS);
    expect(takeDueAt(state, ELECTION, end), "all of them are dead by then").toBe(READ);
  });
});

describe("the own token", () => {
  test("is the version of the record that names this node and this incarnation", () => {
    expect(ownToken(stateOf(HELD_BY_ME), ELECTION)).toBe(11n);
  });

  test.each<[string, State]>([
    ["nobody holds it", stateOf()],
    ["another holds it", stateOf(HELD_BY_X)],
    [
      "it names a former incarnation",
      stateOf({ [KEYS.election(ELECTION)]: electionValue({ holder: "me", incarnation: "former" }) }),
    ],
    ["the own session is gone", stateOf({ ...HELD_BY_ME, [KEYS.session("me")]: null })],
    [
      "the own session is another's",
      stateOf({ ...HELD_BY_ME, [KEYS.session("me")]: sessionValue({ incarnation: "x" }) }),
    ],
    ["the session was lost", Object.assign(stateOf(HELD_BY_ME), { identity: { kind: "spent" } })],
  ])("is none when %s", (_name, state) => {
    expect(ownToken(state, ELECTION)).toBeUndefined();
  });

  test("is outdated when it is older than the epoch that the fleet has settled on", () => {
    const state = stateOf();
    expect([isOutdated(state, 4n), isOutdated(state, 5n), isOutdated(state, 6n)]).toEqual([true, false, false]);
    state.mirror.settledEpoch = null;
    expect(isOutdated(state, 4n), "nothing was settled").toBe(false);
  });
});

describe("an epoch is trusted", () => {
  test("at once when the fleet has settled on it", () => {
    expect([trustedAt(stateOf()), isTrusted(stateOf())]).toEqual([LONG_AGO, true]);
  });

  test.each<[string, (state: State) => void]>([
    ["has settled on another", (state) => hear(state, 101n, 3_000, { [KEYS.epoch]: '{"format":2,"epoch":"old"}' })],
    ["has settled on none", (state) => void (state.mirror.settledEpoch = null)],
    ["left a record that does not parse", (state) => hear(state, 101n, 3_000, { [KEYS.epoch]: "garbage" })],
  ])("the longest lease after its first sight, when the fleet %s", (_name, change) => {
    const state = stateOf();
    state.longestTtlMs = 20_000;
    change(state);
    expect(trustedAt(state)).toBe(later(READ, observerWaitMs(20_000)));
    expect(isTrusted(state)).toBe(false);
  });

  test("never while it is not known", () => {
    const state = stateOf();
    state.mirror.distrust();
    expect(trustedAt(state)).toBe(NEVER);
  });
});

describe("whether a node may hold", () => {
  test.each<[string, (state: State) => void, ReturnType<typeof ineligibleReason>]>([
    ["yes", () => {}, undefined],
    ["no: stopping", (state) => void (state.stopping = true), reason("shutdown")],
    ["no: not configured", (state) => void state.candidacies.delete(ELECTION), reason("unconfigured")],
    [
      "no: not eligible, also while it steps down",
      (state) => {
        state.candidacies.set(ELECTION, ineligible("http"));
        state.stepDowns.set(ELECTION, { to: null, reason: reason("step-down") });
      },
      reason("check-failed", "http"),
    ],
    [
      "no: stepping down",
      (state) => void state.stepDowns.set(ELECTION, { to: "x", reason: reason("preempted", "x") }),
      reason("preempted", "x"),
    ],
  ])("%s", (_name, change, expected) => {
    const state = stateOf();
    change(state);
    expect(ineligibleReason(state, ELECTION)).toEqual(expected);
  });

  test("is what its candidacy says, without pre-emption after a step-down, and nothing while stopping", () => {
    const state = stateOf();
    expect(effectiveCandidacy(state, ELECTION)).toEqual(candidacy());
    state.preemptSuppressed.add(ELECTION);
    expect(effectiveCandidacy(state, ELECTION)).toEqual(candidacy({ preempt: false }));
    expect(effectiveCandidacy(state, "other")).toBeUndefined();
    state.stopping = true;
    expect(effectiveCandidacy(state, ELECTION)).toBeUndefined();
  });
});

test("the lease covers holding until the give-up margin before its end", () => {
  const state = stateOf();
  state.validUntil = NOW;
  expect(leaseCovers(state, later(NOW, -giveUpMarginMs - 1))).toBe(true);
  expect(leaseCovers(state, later(NOW, -giveUpMarginMs))).toBe(false);
});

test("an election is in doubt while an attempt that releases it is under way, or of unknown outcome", () => {
  const attempt: Attempt = {
    number: 1,
    sentAt: READ,
    txn: { guards: [], writes: [] },
    incarnation: "i",
    sessionVersion: 10n,
    releases: new Set([ELECTION]),
    reports: [],
    heartbeatOnly: false,
    endsSession: false,
  };
  const state = stateOf();
  expect(isInDoubt(state, ELECTION)).toBe(false);
  state.inFlight = attempt;
  expect([isInDoubt(state, ELECTION), isInDoubt(state, "other")]).toEqual([true, false]);
  state.inFlight = null;
  state.inDoubtAttempts = [attempt];
  expect([isInDoubt(state, ELECTION), isInDoubt(state, "other")]).toEqual([true, false]);
});

describe("a better candidate is due to be handed an election", () => {
  function held(): State {
    const state = stateOf(HELD_BY_ME);
    state.tenures.set(ELECTION, { phase: "on", token: 11n, since: instant(40_000), addresses: [] });
    hear(state, 101n, 49_500, {
      [KEYS.session("x")]: sessionValue({ incarnation: "xi" }),
      [KEYS.candidate(ELECTION, "x")]: candidateValue({ incarnation: "xi", priority: 200, preemptDelayMs: 800 }),
    });
    return state;
  }

  test("its delay after both stood", () => {
    expect(preemptDue(held(), ELECTION, NOW)).toEqual({ to: "x", at: 50_300 });
  });

  test.each<[string, (state: State) => void]>([
    ["this node does not hold it", (state) => void state.tenures.delete(ELECTION)],
    [
      "this node is giving it up",
      (state) => void state.tenures.set(ELECTION, { phase: "closing", reason: reason("shutdown") }),
    ],
    [
      "it is being handed over already",
      (state) => void state.stepDowns.set(ELECTION, { to: null, reason: reason("step-down") }),
    ],
    ["this node is the better one", (state) => void state.candidacies.set(ELECTION, candidacy({ priority: 201 }))],
    ["this node is stopping", (state) => void (state.stopping = true)],
  ])("not when %s", (_name, change) => {
    const state = held();
    change(state);
    expect(preemptDue(state, ELECTION, NOW)).toBeUndefined();
  });
});
