// vipctl repair: straight to the store, shows first, writes only when it is told to.

import { expect, test } from "vitest";
import { openMemoryStore } from "../../servers/memory/index.ts";
import { storeFleet } from "../../../src/cli/store-fleet.ts";
import { Keys } from "../../../src/election/keys.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { CONFIG, Desk, GOOD_CONFIG, STORE } from "./desk.ts";

const SIGNAL = new AbortController().signal;

test("without --yes it shows, and changes nothing: exit 1", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  desk.daemon();
  const fleet = desk.fleet();
  fleet.report = { kind: "broken", lines: ["it cannot be read: \u0007"], done: false };
  expect(await desk.vipctl("repair", "10.0.0.10")).toBe(1);
  expect(fleet.repairs).toEqual([["web", { apply: false, force: false }]]);
  expect(desk.out.lines).toEqual([
    "it cannot be read: \u{fffd}",
    "nothing was changed: vipctl repair web --yes does it",
  ]);
  expect(fleet.closed).toBe(1);
});

test("with --yes it resets; --force goes on; --json tells what was done", async () => {
  const desk = new Desk();
  const fleet = desk.fleet();
  fleet.report = { kind: "broken", lines: ["x"], done: false };
  expect(await desk.vipctl("repair", "web", "--yes", "--force", "--json", "--store", STORE)).toBe(0);
  expect(fleet.repairs).toEqual([["web", { apply: true, force: true }]]);
  expect(desk.out.json).toEqual({ election: "web", kind: "broken", done: true, lines: ["x"] });
});

test.each([
  ["sound", 0],
  ["refused", 1],
] as const)("%s: exit %d, and nothing is offered", async (kind, code) => {
  const desk = new Desk();
  desk.fleet().report = { kind, lines: ["so it is"], done: false };
  expect(await desk.vipctl("repair", "web", "--yes", "--store", STORE)).toBe(code);
  expect(desk.out.lines).toEqual(["so it is"]);
});

test("an unknown VIP: 2; no configuration: 78", async () => {
  const desk = new Desk();
  desk.fleet();
  expect(await desk.vipctl("repair", "nope", "--store", STORE)).toBe(2);
  expect(await desk.vipctl("repair", "web")).toBe(78);
});

test("a record in a store: shown, reset, and then sound", async () => {
  const store = openMemoryStore();
  const fleet = storeFleet(store, { fleet: "main", url: STORE }, new VirtualTimers());
  const keys = new Keys("main");
  await store.commit({ guards: [], writes: [{ key: keys.election("web"), value: "{" }] }, { timeoutMs: 1_000 });
  expect((await fleet.read(SIGNAL)).elections).toMatchObject([{ name: "web", reasonCode: "unreadable" }]);
  expect(await fleet.repair("web", { apply: true, force: false }, SIGNAL)).toMatchObject({
    kind: "refused",
    done: false,
  });
  expect(await fleet.repair("web", { apply: false, force: true }, SIGNAL)).toMatchObject({
    kind: "broken",
    done: false,
  });
  expect(await fleet.repair("web", { apply: true, force: true }, SIGNAL)).toMatchObject({ kind: "broken", done: true });
  expect(await fleet.repair("web", { apply: true, force: true }, SIGNAL)).toMatchObject({ kind: "sound", done: false });
  await fleet.close();
});
