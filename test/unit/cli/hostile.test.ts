// Whoever may write to the store, or answers on the wire, must not reach the terminal of who reads it.

import { expect, test } from "vitest";
import { VipdError } from "../../../src/base/errors.ts";
import { electionView, fleetView, historyView, lossView, nodeView, ineligibleReasonView } from "../admin/views.ts";
import { CONFIG, Desk, STORE } from "./desk.ts";

/** Clears the screen, sets the title, rings, turns writing around, forges a line. */
const EVIL = "x\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\u2028\r\nweb is held by mallory";

const candidate = { node: EVIL, priority: 1, eligible: false, alive: true, reason: EVIL };
const change = { atWallMs: Number.NaN, from: EVIL, to: EVIL, token: EVIL, reasonCode: EVIL, reason: EVIL };
const why = { reasonCode: EVIL, reason: EVIL };
const election = electionView({
  ...why,
  holder: EVIL,
  conflict: EVIL,
  token: "1",
  elector: EVIL,
  ineligibleReasons: [ineligibleReasonView({ ...why, source: EVIL })],
  candidates: [candidate],
});
const free = electionView({ ...why, name: "db", addresses: [], holder: null, candidates: [candidate] });

function hostileDesk(): Desk {
  const desk = new Desk();
  const fleet = desk.fleet();
  fleet.view = fleetView({
    fleet: EVIL,
    store: { ...fleetView().store, ok: false, lastError: EVIL, url: EVIL },
    elections: [election, free, electionView({ name: EVIL, addresses: [EVIL] })],
    nodes: [nodeView({ node: EVIL, host: EVIL, sessionVersion: EVIL })],
    warnings: [EVIL],
  });
  for (const name of ["web", "db"])
    fleet.changes.set(name, [
      historyView({ ...change, loss: null }),
      historyView({ ...change, to: null, loss: lossView({ atWallMs: Number.NaN, reasonCode: EVIL, reason: EVIL }) }),
    ]);
  return desk;
}

const COMMANDS: readonly (readonly string[])[] = [
  ["status"],
  ["status", "--json"],
  ["who-owns", "web"],
  ["who-owns", "db"],
  ["who-owns", "web", "--json"],
  ["who-owns", "web", "--verify"],
  ["who-owns", "web", "--verify", "--json"],
  ["who-owns", EVIL],
  ["who-owns", `${EVIL}?`],
  ["history", "web"],
  ["history", "web", "--json"],
  ["history", "nope"],
];

test.each(COMMANDS.map((argv) => ({ argv })))("$argv", async ({ argv }) => {
  const desk = hostileDesk();
  await desk.vipctl(...argv, "--store", STORE);
  const shown = desk.out.text + desk.err.text;
  expect(shown).toContain("owned");
  expect(shown).not.toMatch(/[^\P{Cc}\n]|[\u2028-\u202e]/u);
  expect(shown).not.toMatch(/^web is held by mallory/mu);
});

test("an error's message steers nothing either", async () => {
  const desk = new Desk();
  desk.fleet().read = () => Promise.reject(new VipdError("store-corrupt", EVIL, { issues: [EVIL] }));
  expect(await desk.vipctl("status", "--store", STORE)).toBe(3);
  expect(desk.err.lines).toHaveLength(2);
  expect(desk.err.text).not.toMatch(/[^\P{Cc}\n]/u);
});

test("a configuration's mistakes are shown without what stands in them", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, `store: sqlite:/a.db\nvips: {}\n"\\e[2Jowned": 1\n`);
  expect(await desk.vipctl("status", "--config", CONFIG)).toBe(78);
  expect(desk.err.text).toContain("owned");
  expect(desk.err.text).not.toMatch(/[^\P{Cc}\n]/u);
});
