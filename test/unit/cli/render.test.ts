// Text for people: spans, moments, tables, and nothing that steers a terminal.

import { expect, test } from "vitest";
import { describeOwner } from "../../../src/cli/render/owner.ts";
import { COLOURED, formatTable, escapeControl, PLAIN, styleFor, toJson } from "../../../src/cli/render/text.ts";
import { formatMoment, formatSpan } from "../../../src/cli/render/time.ts";
import { electionView, fleetView, statusView } from "../admin/views.ts";

test.each([
  [-5, "0s"],
  [0, "0s"],
  [49, "0s"],
  [400, "0.4s"],
  [9_949, "9.9s"],
  [9_950, "10s"],
  [59_499, "59s"],
  [59_500, "1m"],
  [133_000, "2m 13s"],
  [3_599_999, "1h"],
  [3 * 3_600_000 + 5 * 60_000, "3h 5m"],
  [(4 * 24 + 2) * 3_600_000, "4d 2h"],
])("a span of %d ms is %s", (ms, text) => {
  expect(formatSpan(ms)).toBe(text);
});

test("a moment is UTC to the second, and what is no moment says so", () => {
  expect(formatMoment(Date.UTC(2026, 10, 21, 10, 9, 8, 999))).toBe("2026-11-21 10:09:08Z");
  expect([formatMoment(Number.NaN), formatMoment(9e15)]).toEqual(["?", "?"]);
});

test("colours only on a terminal that wants them", () => {
  const terminal = { write: () => {}, isTerminal: true };
  expect(styleFor(terminal, {})).toBe(COLOURED);
  expect(styleFor(terminal, { NO_COLOR: "" })).toBe(COLOURED);
  expect(styleFor(terminal, { NO_COLOR: "1" })).toBe(PLAIN);
  expect(styleFor(terminal, { TERM: "dumb" })).toBe(PLAIN);
  expect(styleFor({ ...terminal, isTerminal: false }, {})).toBe(PLAIN);
  expect(COLOURED.bad("no")).toBe("\u001b[31mno\u001b[39m");
});

test("what steers a terminal, or turns writing around, becomes a replacement character", () => {
  expect(escapeControl("a\u001b[2Jb\rc\nd\te\u0007\u007f\u009b31m")).toBe("a�[2Jb�c�d�e���31m");
  expect(escapeControl("web\u202e1\u2066\u2028\u061c")).toBe("web�1���");
  expect(escapeControl("Zürich, 東京")).toBe("Zürich, 東京");
});

test("JSON is one line, says the same, and steers nothing", () => {
  const value = { reason: "\u001b]0;x\u0007\n\u009b2J\u202e\u2028\u007f", plain: "ä" };
  const text = toJson(value);
  expect(JSON.parse(text)).toEqual(value);
  expect(text).toMatch(/^[ -~ä]+$/u);
});

test("columns are aligned by what is seen, not by what it costs to colour it, and nothing trails", () => {
  const rows = [
    [{ text: "VIP" }, { text: "HOLDER" }, { text: "" }],
    [{ text: "a" }, { text: "alpha", style: COLOURED.good }, { text: "x\ny" }],
    [{ text: "longer", style: COLOURED.bold }, { text: "" }, { text: "" }],
    [],
  ];
  expect(formatTable(rows).split("\n")).toEqual([
    "VIP     HOLDER",
    "a       \u001b[32malpha\u001b[39m   x�y",
    "\u001b[1mlonger\u001b[22m",
    "",
  ]);
  expect(formatTable([])).toBe("");
});

const WALL = 1_000_000_000_000;

function told(change: Parameters<typeof electionView>[0], confirmed: boolean | null = null): readonly string[] {
  const election = electionView(change);
  return describeOwner(
    { view: fleetView(), election, via: "daemon", confirmed, formerHolder: null, wire: null },
    PLAIN,
    WALL,
  );
}

test("an owner in two lines: who, since when, which token, how fresh", () => {
  expect(told({})).toEqual([
    "web is held by web1 since 2001-09-09 01:44:27Z (2m 13s)",
    "token 41, last heartbeat 0.4s ago",
  ]);
});

test("a free VIP says why", () => {
  expect(told({ holder: null, holderAlive: null, sinceWallMs: null, reason: "never held" })).toEqual([
    "web is free: never held",
  ]);
});

test("doubts are said: a late heartbeat, no session, an unconfirmed holder, a stranger who answers", () => {
  expect(told({ holderAlive: false, lastHeartbeatAgeMs: 7_000 })[1]).toBe(
    "token 41, last heartbeat 7s ago, beyond its lease of 3s: it may be gone",
  );
  expect(told({ lastHeartbeatAgeMs: null, token: null })[1]).toBe(
    "token unknown, no session of web1 stands in the store",
  );
  expect(told({}, true)[1]).toBe("token 41, last heartbeat 0.4s ago, and it has sent another heartbeat");
  expect(told({}, false)[1]).toContain("no heartbeat of web1 has come within its lease: not confirmed");
  expect(told({ conflict: "02:00:00:00:00:99" })[2]).toBe("somebody else answers for it: 02:00:00:00:00:99");
});

test("while the store cannot be reached, what this host knows of itself comes first", () => {
  const store = { ...fleetView().store, ok: false, lastError: "connection refused" };
  const cutOff = (change: Parameters<typeof electionView>[0]): readonly string[] =>
    describeOwner(
      {
        view: statusView({ store }),
        election: electionView(change),
        via: "daemon",
        confirmed: null,
        formerHolder: null,
        wire: null,
      },
      PLAIN,
      WALL,
    );
  expect(cutOff({ role: "holder", validForMs: 1_200 })).toEqual([
    "web is held by this host (web1) since 2001-09-09 01:44:27Z (2m 13s)",
    "token 41, for another 1.2s, unless the store answers before",
  ]);
  expect(cutOff({ role: "candidate" })).toEqual([
    "web is not held any more by this host (web1): its lease ended while the store could not be reached",
    "the store's last word: web1 since 2001-09-09 01:44:27Z (2m 13s), token 41",
  ]);
  expect(cutOff({ role: "candidate", holder: "web2" })).toEqual([
    "web is not held by this host (web1); whether another host holds it, nobody can tell here",
    "the store's last word: web2 since 2001-09-09 01:44:27Z (2m 13s), token 41",
  ]);
});
