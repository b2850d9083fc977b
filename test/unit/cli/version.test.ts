// vipctl version: its own, and that of the daemon of this host.

import { expect, test } from "vitest";
import { adminError, CONFIG, Desk } from "./desk.ts";

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
