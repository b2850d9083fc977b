// What people are told of the store and the fleet: once when it begins, now and then while it lasts, once when it ends.

import { describe, expect, test } from "vitest";
import { MAX_NODES } from "../../../src/base/bounds.ts";
import { addressCollisions } from "../../../src/election/address-claims.ts";
import { warnings } from "../../../src/election/conditions.ts";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { holderAlone } from "./scenes.ts";
import { candidacy, candidateValue, ELECTION_KEY, KEYS, sessionValue, TTL_MS } from "./samples.ts";

function notesOf(node: Node): readonly (readonly [level: string, text: string])[] {
  return node.log.flatMap(({ effect }) => (effect.type === "note" ? [[effect.level, effect.text] as const] : []));
}

describe("an outage of the store", () => {
  test("is told at its first failed request, every minute while it lasts, and at its end", () => {
    const { fleet, a } = holderAlone();
    a.link = "refused";
    const began = fleet.now;
    fleet.advance(150_000);
    const { failures = 0, since = began } = a.state.outage ?? {};
    a.link = "good";
    fleet.until(() => a.state.outage === null);
    const told = notesOf(a);
    expect(told).toHaveLength(4);
    expect(told[0]).toEqual(["warning", "refused"]);
    const lasting = /^the store has failed for (\d+\.\d) s \((\d+) failed requests; the last: refused\)$/u;
    const counts = told.slice(1, 3).map(([level, text]) => [level, ...(lasting.exec(text) ?? []).slice(1).map(Number)]);
    expect(counts).toEqual([
      ["warning", expect.closeTo(60, 0), expect.any(Number)],
      ["warning", expect.closeTo(120, 0), expect.any(Number)],
    ]);
    expect(Number(counts[1]?.[2])).toBeGreaterThan(Number(counts[0]?.[2]));
    const seconds = ((fleet.now - since) / 1_000).toFixed(1);
    expect(told[3]).toEqual(["info", `the store answers again after ${seconds} s (${failures} failed requests)`]);
  });

  test("of one request is told in the singular", () => {
    const { fleet, a } = holderAlone();
    a.commitLink = "refused";
    fleet.untilHeartbeat(a);
    a.commitLink = undefined;
    fleet.advance(TTL_MS);
    expect(notesOf(a)).toEqual([
      ["warning", "refused"],
      ["info", expect.stringMatching(/^the store answers again after 0\.\d s \(1 failed request\)$/u)],
    ]);
  });

  test("is told again when it comes back", () => {
    const { fleet, a } = holderAlone();
    for (let round = 0; round < 3; round += 1) {
      a.link = "refused";
      fleet.advance(TTL_MS);
      a.link = "good";
      fleet.advance(12_000);
    }
    expect(a.notes.filter((note) => note === "refused")).toHaveLength(3);
    expect(a.notes.filter((note) => note.startsWith("the store answers again"))).toHaveLength(3);
  });

  test("of a store that answers and fails by turns is one line, and then a sum a minute", () => {
    const { fleet, a } = holderAlone();
    const from = fleet.now;
    let failures = 0;
    while (fleet.now - from < 130_000) {
      a.link = a.link === "good" ? "refused" : "good";
      fleet.advance(730);
      failures += a.state.outage?.failures ?? 0;
    }
    expect(failures).toBeGreaterThan(30);
    const told = notesOf(a).map(([, text]) => text);
    expect(told.slice(0, 2)).toEqual(["refused", expect.stringMatching(/^the store answers again after 0\.\d s/u)]);
    expect(told).toHaveLength(4);
    for (const text of told.slice(2))
      expect(text).toMatch(
        /^the store answers and fails by turns: \d\d+ failed requests in 6\d\.\d s \(the last: refused\)$/u,
      );
  });

  test("that lasts is told soon, although another one ended a moment before", () => {
    const { fleet, a } = holderAlone();
    for (const ms of [1_500, 8_000]) {
      a.link = "refused";
      fleet.advance(ms);
      a.link = "good";
      fleet.advance(1_500);
    }
    const told = notesOf(a).map(([, text]) => text.replace(/after.*/u, ""));
    expect(told).toEqual(["refused", "the store answers again ", "refused", "the store answers again "]);
  });

  test("is no outage while reads or commits succeed in between, nor is a conflict", () => {
    const { fleet, a } = holderAlone();
    a.link = "refused";
    fleet.advance(TTL_MS / 2);
    expect(a.state.outage?.failures).toBeGreaterThan(1);
    expect(warnings(a.state)).toEqual(["refused"]);
    a.readLink = "good";
    a.post({ type: "gap", reason: "compacted" });
    fleet.advance(300);
    expect(
      a.notes.some((note) => note.startsWith("the store answers again")),
      "a read answers",
    ).toBe(true);
    a.readLink = undefined;
    a.link = "good";
    fleet.advance(TTL_MS);
    expect(warnings(a.state)).toEqual([]);
    a.watching = false;
    fleet.put(ELECTION_KEY, null);
    a.wish(null);
    fleet.advance(10);
    expect(a.state.outage, "the release conflicted").toBeNull();
  });
});

describe("records that cannot be read", () => {
  test("are named once, anew when there are others, and their end is told", () => {
    const { fleet, a } = holderAlone();
    const [x, y] = [KEYS.session("x"), KEYS.election("y")];
    fleet.put(x, "garbage");
    fleet.advance(TTL_MS);
    expect(a.notes).toEqual([`1 record in the store cannot be read: ${x}`]);
    expect(warnings(a.state)).toEqual(a.notes);
    fleet.put(y, "garbage");
    fleet.advance(TTL_MS);
    expect(a.notes[1]).toBe(`2 records in the store cannot be read: ${x}, ${y}`);
    fleet.put(x, null);
    fleet.put(y, null);
    fleet.advance(10);
    expect(a.notes.at(-1)).toBe("all records can be read again");
    expect(warnings(a.state)).toEqual([]);
  });

  test("are not all named when they are many", () => {
    const { fleet, a } = holderAlone();
    for (let index = 0; index < 20; index += 1) fleet.put(KEYS.election(`x${index}`), "garbage");
    fleet.advance(10);
    const names = Array.from({ length: 8 }, (_, index) => KEYS.election(`x${index}`)).join(", ");
    expect(a.notes.at(-1)).toBe(`20 records in the store cannot be read: ${names}, and 12 more`);
  });
});

test("what a store says when it fails, and names of records, are cut where they are told", () => {
  const { fleet, a } = holderAlone();
  for (let index = 0; index < 20; index += 1) fleet.put(KEYS.election(`x${index}`.padEnd(64, "y")), "garbage");
  a.link = "refused";
  a.post({ type: "read-failed", message: "e".repeat(100_000) });
  fleet.advance(10);
  for (const text of [...a.notes, ...warnings(a.state)]) expect(text.length).toBeLessThan(1_200);
  expect(a.state.outage?.lastError.length).toBeLessThanOrEqual(1_000);
});

describe("an address under two names", () => {
  test("is told with its holder, and anew when that changes", () => {
    const fleet = new Fleet({ settled: false });
    const a = fleet.start("a", candidacy({ addresses: ["10.0.0.1/24"] }));
    const b = fleet.start("b", null);
    b.wish(candidacy({ addresses: ["10.0.0.1/24"] }), "db");
    fleet.until(() => a.held + b.held > 0);
    fleet.advance(TTL_MS);
    const owner = a.held > 0 ? "web" : "db";
    const text = (who: string): RegExp => new RegExp(`^10\\.0\\.0\\.1 is configured under 2 names: .*; ${who}$`, "u");
    for (const node of [a, b])
      expect(node.notes.filter((note) => note.includes("configured under"))).toEqual([
        expect.stringMatching(text("nobody answers for it")),
        expect.stringMatching(text(`only the holder of ${owner} answers for it`)),
      ]);
    fleet.nodes.find(({ held }) => held > 0)?.post({ type: "stop" });
    fleet.advance(100);
    const left = fleet.nodes.find(({ held }) => held > 0);
    expect(left?.notes).toContain("no address is configured under two names any more");
    expect(warnings((left ?? a).state)).toEqual([]);
  });

  test("is told of each such address, in one text that names only the first of many", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", null);
    const b = fleet.start("b", null);
    fleet.advance(100);
    const addresses = Array.from({ length: 30 }, (_, index) => `10.0.0.${index + 1}/24`);
    a.wish(candidacy({ addresses: addresses.slice(0, 2) }));
    b.wish(candidacy({ addresses: addresses.slice(0, 2) }), "db");
    fleet.advance(TTL_MS);
    const two = addressCollisions(b.state.mirror, fleet.now);
    expect(two.map((text) => text.split(" ")[0])).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(warnings(b.state)).toEqual([two.join("; ")]);
    a.wish(candidacy({ addresses }));
    b.wish(candidacy({ addresses }), "db");
    fleet.advance(TTL_MS);
    const told = addressCollisions(b.state.mirror, fleet.now);
    expect(told).toHaveLength(20);
    expect(warnings(b.state)).toEqual([`${told.slice(0, 8).join("; ")}; and 12 more`]);
  });

  test("is no longer told when one of the two has died and its session has ended", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ addresses: ["10.0.0.1/24"] }));
    fleet.advance(100);
    const b = fleet.start("b", null);
    b.wish(candidacy({ addresses: ["10.0.0.1/24"] }), "db");
    fleet.advance(TTL_MS);
    fleet.kill(a);
    fleet.until(() => b.held === 1);
    fleet.advance(10);
    expect(warnings(b.state)).toEqual([]);
  });
});

test("more nodes than are tracked are told, once", () => {
  const fleet = new Fleet();
  fleet.backend.beginEpoch(
    Array.from({ length: MAX_NODES }, (_, index) => ({
      key: KEYS.session(`x${index}`),
      value: sessionValue(),
      version: 1n,
    })),
  );
  fleet.settle();
  const a = fleet.start("a", null);
  fleet.put(KEYS.session("one-more"), sessionValue());
  fleet.advance(2 * TTL_MS);
  const told = "the fleet has more nodes in the store than vipd tracks: the rest is ignored";
  expect(a.notes.filter((note) => note === told)).toHaveLength(1);
  expect(warnings(a.state)).toContain(told);
  expect(fleet.session("a"), "it takes part itself").toBeDefined();
});

test("an election of a node that is not tracked is left alone: its holder may be alive", () => {
  const fleet = new Fleet();
  fleet.backend.beginEpoch(
    Array.from({ length: MAX_NODES + 1 }, (_, index) => ({
      key: KEYS.session(`x${String(index).padStart(5, "0")}`),
      value: sessionValue({ incarnation: "x" }),
      version: 1n,
    })),
  );
  fleet.settle();
  const unknown = `x${String(MAX_NODES).padStart(5, "0")}`;
  const a = fleet.start("a", null);
  fleet.advance(10);
  expect(a.state.mirror.sessions.has(unknown)).toBe(false);
  fleet.put(
    ELECTION_KEY,
    JSON.stringify({
      format: 2,
      holder: unknown,
      incarnation: "x",
      seq: 1,
      sinceWallMs: 1,
      reason: { code: "first-holder", text: "" },
      previousToken: null,
      waitMs: 0,
    }),
  );
  a.wish(candidacy());
  fleet.advance(5 * TTL_MS);
  expect(a.tokens).toEqual([]);
});

test("candidates of another fleet's making do no harm to those that are tracked", () => {
  const { fleet, a } = holderAlone();
  for (let index = 0; index < 300; index += 1)
    fleet.put(KEYS.candidate("web", `x${index}`), candidateValue({ incarnation: "x", priority: 255 }));
  fleet.advance(2 * TTL_MS);
  expect(a.holds).toBe(true);
  expect(a.notes).toContain("the fleet has more candidates in the store than vipd tracks: the rest is ignored");
});
