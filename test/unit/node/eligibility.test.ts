// Whether this host may hold a VIP: reasons of several sources, their times, and what is news.

import { expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { instant, NEVER } from "../../../src/base/time.ts";
import { Eligibility } from "../../../src/node/eligibility.ts";

const DOWN = { reason: reason("link-down", "eth0 is down"), until: NEVER };
const FAILED = { reason: reason("hold-failed", "EPERM"), until: instant(500) };

test("a VIP is eligible while no source gives a reason against it", () => {
  const eligibility = new Eligibility();
  expect(eligibility.reasonFor("web")).toBeNull();
  expect(eligibility.of("web")).toEqual([]);
  expect(eligibility.nextExpiry()).toBe(NEVER);
});

test("each source has its own reason, and the oldest one is told", () => {
  const eligibility = new Eligibility();
  eligibility.set("web", "link", DOWN, instant(10));
  eligibility.set("web", "hold-backoff", FAILED, instant(5));
  expect(eligibility.of("web").map(({ source, since }) => [source, since])).toEqual([
    ["hold-backoff", 5],
    ["link", 10],
  ]);
  expect(eligibility.reasonFor("web")).toEqual(FAILED.reason);
  eligibility.set("web", "hold-backoff", null, instant(20));
  expect(eligibility.reasonFor("web")).toEqual(DOWN.reason);
  eligibility.set("web", "link", null, instant(20));
  expect(eligibility.reasonFor("web")).toBeNull();
});

test("a reason against one VIP is none against another one", () => {
  const eligibility = new Eligibility();
  eligibility.set("web", "link", DOWN, instant(10));
  expect(eligibility.reasonFor("db")).toBeNull();
});

test("what is said again is no news; another reason or end is, and keeps the time when it began", () => {
  const eligibility = new Eligibility();
  expect(eligibility.set("web", "link", DOWN, instant(10))).toBe(true);
  expect(eligibility.set("web", "link", { ...DOWN }, instant(11))).toBe(false);
  expect(eligibility.set("web", "link", { ...DOWN, until: instant(900) }, instant(12))).toBe(true);
  expect(eligibility.set("web", "link", { ...DOWN, reason: reason("link-down", "eth0 is missing") }, instant(13))).toBe(
    true,
  );
  expect(eligibility.of("web")).toEqual([
    { source: "link", reason: reason("link-down", "eth0 is missing"), since: 10, until: NEVER },
  ]);
});

test("the end of a reason that nobody gave is no news", () => {
  const eligibility = new Eligibility();
  expect(eligibility.set("web", "link", null, instant(10))).toBe(false);
  eligibility.set("web", "link", DOWN, instant(10));
  expect(eligibility.set("web", "link", null, instant(11))).toBe(true);
  expect(eligibility.set("web", "link", null, instant(12))).toBe(false);
});

test("a reason with an end ends by itself, at that moment and not before", () => {
  const eligibility = new Eligibility();
  eligibility.set("web", "hold-backoff", FAILED, instant(5));
  eligibility.set("web", "link", DOWN, instant(6));
  eligibility.set("db", "hold-backoff", { ...FAILED, until: instant(700) }, instant(5));
  expect(eligibility.nextExpiry()).toBe(500);
  expect(eligibility.expire(instant(499))).toEqual([]);
  expect(eligibility.expire(instant(500))).toEqual(["web"]);
  expect(eligibility.reasonFor("web")).toEqual(DOWN.reason);
  expect(eligibility.nextExpiry()).toBe(700);
  expect(eligibility.expire(instant(10_000))).toEqual(["db"]);
  expect(eligibility.nextExpiry()).toBe(NEVER);
});

test("VIPs that are not configured any more are forgotten", () => {
  const eligibility = new Eligibility();
  for (const vip of ["web", "db"]) eligibility.set(vip, "hold-backoff", FAILED, instant(5));
  eligibility.keepOnly(new Set(["db"]));
  expect(eligibility.reasonFor("web")).toBeNull();
  expect(eligibility.reasonFor("db")).toEqual(FAILED.reason);
  expect(eligibility.expire(instant(500))).toEqual(["db"]);
});
