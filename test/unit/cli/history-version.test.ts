// vipctl history and vipctl version.

import { expect, test } from "vitest";
import { fleetView, statusView } from "../admin/views.ts";
import { adminError, CONFIG, Desk, GOOD_CONFIG, STORE } from "./desk.ts";

const CHANGES = [
  { atWallMs: Date.UTC(2026, 10, 21, 10, 9, 8), node: "web2", token: null, reason: "web1 stepped down" },
  { atWallMs: Date.UTC(2026, 10, 21, 9, 0, 0), node: null, token: null, reason: "web1 left" },
];

test("history: newest first, from the daemon and from the store alike", async () => {
  for (const where of [[], ["--store", STORE]]) {
    const desk = new Desk();
    desk.daemon().changes.set("web", CHANGES);
    desk.fleet().changes.set("web", CHANGES);
    expect(await desk.vipctl("history", "10.0.0.10", ...where)).toBe(0);
    expect(desk.out.lines).toEqual([
      "AT                    HOLDER  WHY",
      "2026-11-21 10:09:08Z  web2    web1 stepped down",
      "2026-11-21 09:00:00Z  free    web1 left",
    ]);
  }
});

test("history --json is the list", async () => {
  const desk = new Desk();
  desk.fleet().changes.set("web", CHANGES);
  expect(await desk.vipctl("history", "web", "--store", STORE, "--json")).toBe(0);
  expect(desk.out.json).toEqual(CHANGES);
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

test("version: vipctl's and the daemon's", async () => {
  const desk = new Desk();
  desk.daemon();
  expect(await desk.vipctl("version")).toBe(0);
  expect(desk.out.lines).toEqual(["vipctl  0.1.0", "vipd    0.1.0 (node web1, pid 4711)"]);
});

test("version --json; a host without a daemon is no failure", async () => {
  const desk = new Desk();
  expect(await desk.vipctl("version", "--json")).toBe(0);
  expect(desk.out.json).toEqual({ vipctl: "0.1.0", daemon: null });
  const other = new Desk();
  other.daemon();
  await other.vipctl("version", "--json");
  expect(other.out.json).toEqual({ vipctl: "0.1.0", daemon: { version: "0.1.0", node: "web1", pid: 4711 } });
});

test("version: a daemon that does not answer is one: exit 69", async () => {
  const desk = new Desk();
  desk.daemon().failure = adminError("silent", "the daemon does not answer within 2000 ms");
  expect(await desk.vipctl("version")).toBe(69);
});

test("version: mistakes in the default configuration do not matter, in a named one they do", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, "nonsense");
  desk.daemon();
  expect(await desk.vipctl("version")).toBe(0);
  expect(await desk.vipctl("version", "--config", CONFIG)).toBe(78);
});
