// An election whose record cannot be read is held by nobody until it is repaired. Whatever its last holder believes, a
// repair lets nobody else hold it beside that one, and the token does not fall.

import { describe, expect, test } from "vitest";
import { MAX_TTL_MS } from "../../../src/base/bounds.ts";
import { Mirror } from "../../../src/election/mirror.ts";
import { encodeValue, FORMAT, type HistoryRecord, nextSeq } from "../../../src/election/records.ts";
import { type Repair, repairOf } from "../../../src/election/repair.ts";
import type { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { ELECTION, ELECTION_KEY, electionFields, electionValue, KEYS, sessionValue, TTL_MS } from "./samples.ts";
import { holderAndCandidate } from "./scenes.ts";

const GARBAGE = '{"format":2,"seq":9007199254740993}';

function damage(fleet: Fleet, value = GARBAGE, key = ELECTION_KEY): void {
  expect(fleet.write({ guards: [], writes: [{ key, value }] })).toBe(true);
}

function look(fleet: Fleet, force = false): Repair {
  const live = fleet.backend.read(KEYS.live);
  const mirror = new Mirror(KEYS, fleet.now);
  mirror.applySnapshot(live, "all", fleet.now);
  const record = live.records.find(({ key }) => key === ELECTION_KEY);
  const { records: history } = fleet.backend.read(KEYS.historyOf(ELECTION));
  return repairOf({ election: ELECTION, keys: KEYS, mirror, record, history, wallMs: 7, force });
}

function repair(fleet: Fleet, force = false): void {
  const found = look(fleet, force);
  expect(found.kind).toBe("broken");
  if (found.kind === "broken") expect(fleet.write(found.txn)).toBe(true);
}

/** A holder "a" and a candidate "b", with a damaged record of which "a" has not heard. */
function damaged(isolate: (a: Node) => void): { fleet: Fleet; a: Node; b: Node; token: bigint } {
  const { fleet, a, b } = holderAndCandidate();
  const token = fleet.record?.version ?? 0n;
  isolate(a);
  damage(fleet);
  return { fleet, a, b, token };
}

describe("a repair", () => {
  test("of what a living holder held gives it back to that one under a greater token", () => {
    const { fleet, a, b, token } = damaged(() => {});
    fleet.advance(5 * TTL_MS);
    expect([a.holds, b.holds], "it is wedged").toEqual([false, false]);
    repair(fleet);
    fleet.until(() => a.holds, TTL_MS);
    fleet.advance(5 * TTL_MS);
    expect([a.holds, b.tokens]).toEqual([true, []]);
    expect(fleet.record?.version).toBeGreaterThan(token);
    expect(fleet.history().at(-1)).toMatchObject({ from: "a", to: "a", reason: { code: "repaired" } });
  });

  test("beside a holder that is cut off lets another one take it after that one's lease", () => {
    const { fleet, a, b, token } = damaged((node) => {
      node.link = "refused";
      node.watching = false;
    });
    expect(a.holds).toBe(true);
    repair(fleet);
    fleet.until(() => b.holds, 3 * TTL_MS);
    expect(fleet.record?.version).toBeGreaterThan(token);
    expect(b.tokens.at(-1)).toBeGreaterThan(token);
  });

  test("beside a holder that sends heartbeats and hears nothing leaves it to that one", () => {
    const { fleet, a, b } = damaged((node) => {
      node.watching = false;
      node.readLink = "refused";
    });
    repair(fleet);
    fleet.advance(20 * TTL_MS);
    expect([a.holds, b.tokens]).toEqual([true, []]);
    a.readLink = undefined;
    fleet.advance(5 * TTL_MS);
    expect([a.holds, a.tokens.at(-1)]).toEqual([true, fleet.record?.version]);
  });

  test("of what nobody holds any more frees it after the longest lease of the fleet", () => {
    const { fleet, a, b } = damaged((node) => {
      node.link = "refused";
      node.watching = false;
    });
    expect(fleet.write({ guards: [], writes: [{ key: KEYS.session("a"), value: null }] })).toBe(true);
    repair(fleet);
    const took = fleet.until(() => b.holds, 3 * TTL_MS);
    expect(took).toBeGreaterThan(TTL_MS);
    expect(a.holds).toBe(false);
  });

  test("that comes too late, after somebody else has repaired it, changes nothing", () => {
    const { fleet } = damaged(() => {});
    const found = look(fleet);
    repair(fleet);
    if (found.kind === "broken") expect(fleet.write(found.txn)).toBe(false);
  });
});

describe("what is told", () => {
  test("of a record that can be read, and of none, is that nothing is to be repaired", () => {
    const { fleet } = holderAndCandidate();
    expect(look(fleet)).toMatchObject({ kind: "sound", lines: [expect.stringContaining("a holds it")] });
    fleet.put(ELECTION_KEY, null);
    expect(look(fleet)).toMatchObject({ kind: "sound", lines: [expect.stringContaining("nobody has held it")] });
  });

  test("of a damaged one is what stands there, cut, and what the history knows", () => {
    const { fleet, token } = damaged(() => {});
    damage(fleet, "x".repeat(10_000));
    const { kind, lines } = look(fleet);
    expect(kind).toBe("broken");
    expect(lines[0]).toMatch(/^the record of web cannot be read \(token \d+\): x+\.\.\.$/u);
    expect(lines[0]?.length).toBeLessThan(300);
    expect(lines[1]).toBe(`the last ownership change that can be read: from nobody to a, token ${token}`);
    expect(lines[2]).toContain("a held it last and has a session");
  });

  test("a record of a newer vipd is left alone, also by force", () => {
    const { fleet } = damaged(() => {});
    damage(fleet, JSON.stringify({ ...electionFields(), format: FORMAT + 1 }));
    expect(look(fleet, true)).toMatchObject({ kind: "refused", lines: [expect.stringContaining("newer vipd")] });
  });

  test.each<[what: string, damageMore: (fleet: Fleet) => void, why: string]>([
    ["a damaged history", (fleet) => damage(fleet, "{", KEYS.history(ELECTION, 1)), "its history is missing"],
    ["another change that cannot be read", (fleet) => damage(fleet, "{", KEYS.history(ELECTION, 2)), "cannot be read"],
    ["a damaged session", (fleet) => damage(fleet, "{", KEYS.session("a")), "the session of a cannot be read"],
  ])("with %s nobody can tell who held it: refused, unless forced, and then free after a wait", (_what, more, why) => {
    const { fleet } = damaged(() => {});
    more(fleet);
    const { kind, lines } = look(fleet);
    expect(kind).toBe("refused");
    expect(lines.at(-1)).toContain(why);
    expect(lines.at(-1)).toContain("--force");
    expect(look(fleet, true).lines.at(-1)).toContain("it is free");
  });

  test("a session that cannot be read may have the longest lease there is", () => {
    const { fleet } = damaged(() => {});
    damage(fleet, "{", KEYS.session("a"));
    expect(look(fleet, true).lines.at(-1)).toContain(`(${MAX_TTL_MS / 1_000} s)`);
    damage(fleet, sessionValue({ incarnation: "other", ttlMs: 9_000 }), KEYS.session("a"));
    fleet.advance(10);
    damage(fleet, encodeValue<HistoryRecord>({ ...NOBODY, seq: 9 }), KEYS.history(ELECTION, 9));
    expect(look(fleet).lines.at(-1)).toContain("(9 s)");
  });
});

const NOBODY: Omit<HistoryRecord, "format"> = {
  seq: 1,
  wallMs: 1,
  from: "a",
  to: null,
  reason: { code: "step-down", text: "" },
  lastedMs: null,
  vacantMs: null,
};

test("no record is written that cannot be read: the number after the last one that JSON carries is the first", () => {
  expect(nextSeq(Number.MAX_SAFE_INTEGER)).toBe(1);
  const { fleet, a, b } = holderAndCandidate();
  fleet.put(ELECTION_KEY, electionValue({ holder: null, seq: Number.MAX_SAFE_INTEGER }));
  fleet.until(() => fleet.record?.seq === 1, 5 * TTL_MS);
  fleet.until(() => a.holds || b.holds, TTL_MS);
});
