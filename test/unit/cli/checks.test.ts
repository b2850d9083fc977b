// vipctl checks: in a table, as JSON, and with an exit code for scripts.

import { expect, test } from "vitest";
import type { CheckView } from "../../../src/admin/check-view.ts";
import { statusView } from "../admin/views.ts";
import { Desk } from "./desk.ts";

const LAST = { reason: "HTTP 200", lastLine: "", agoMs: 400, tookMs: 12 };
const NGINX: CheckView = {
  name: "nginx",
  verdict: "ok",
  sinceMs: 61_000,
  reason: "HTTP 200",
  last: LAST,
  value: null,
  recovery: null,
  vips: ["web", "mail"],
};

test("each check with what it found last, and what it printed", async () => {
  const desk = new Desk();
  const printed = { reason: "exit status 1", lastLine: "no\u0007 route", agoMs: 100, tookMs: 30 };
  const checks: readonly CheckView[] = [
    NGINX,
    { ...NGINX, name: "route", verdict: "failed", last: printed, vips: ["web"] },
    { ...NGINX, name: "db", recovery: 2, vips: [] },
    { ...NGINX, name: "new", verdict: "pending", last: null, sinceMs: 0 },
  ];
  desk.daemon().view = statusView({ checks });
  expect(await desk.vipctl("checks")).toBe(1);
  expect(desk.out.lines.map((line) => line.split(/ {2,}/u))).toEqual([
    ["CHECK", "STATE", "FOR", "LAST LOOK", "FOUND", "PRINTED", "VIPS"],
    ["nginx", "ok", "1m 1s", "0.4s ago, took 0s", "HTTP 200", "web mail"],
    ["route", "failed", "1m 1s", "0.1s ago, took 0s", "exit status 1", "no\u{fffd} route", "web"],
    ["db", "recovery 2", "1m 1s", "0.4s ago, took 0s", "HTTP 200"],
    ["new", "pending", "0s", "web mail"],
  ]);
});

test("all well: exit code 0; --json for programs; none at all says so", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.view = statusView({ checks: [NGINX] });
  expect(await desk.vipctl("checks", "--json")).toBe(0);
  expect(desk.out.json).toEqual({ checks: [NGINX] });
  const bare = new Desk();
  bare.daemon();
  expect(await bare.vipctl("checks")).toBe(0);
  expect(bare.out.lines).toEqual(["this node checks nothing"]);
});

test("without a daemon: exit code 69", async () => {
  expect(await new Desk().vipctl("checks")).toBe(69);
});
