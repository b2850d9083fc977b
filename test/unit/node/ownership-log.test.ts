// The log lines of ownership changes.

import { expect, test } from "vitest";
import { reason, type ReasonCode } from "../../../src/base/reasons.ts";
import { logGains, logLosses } from "../../../src/node/ownership-log.ts";
import { FakeLog } from "./fake-log.ts";

test("a gain tells why, and both tokens, as text", () => {
  const log = new FakeLog();
  logGains(log, [
    {
      election: "web",
      token: 12n,
      previousToken: 9n,
      reason: reason("preempted", "n2"),
      vacantMs: 0,
      addresses: ["10.0.0.1"],
    },
    {
      election: "db",
      token: 2n ** 70n,
      previousToken: null,
      reason: reason("first-holder"),
      vacantMs: null,
      addresses: [],
    },
  ]);
  expect(log.lines).toEqual([
    {
      level: "info",
      message: "became the holder (MASTER): n2 has a higher priority",
      fields: { vip: "web", token: "12", previousToken: "9", reason: "preempted", vacantMs: 0 },
    },
    {
      level: "info",
      message: "became the holder (MASTER): nobody had held it before",
      fields: {
        vip: "db",
        token: "1180591620717411303424",
        previousToken: null,
        reason: "first-holder",
        vacantMs: null,
      },
    },
  ]);
});

test("a gain after a time without a holder tells how long that was", () => {
  const log = new FakeLog();
  const why = reason("holder-silent", "n1");
  logGains(log, [{ election: "web", token: 3n, previousToken: 2n, reason: why, vacantMs: 4_236.4, addresses: [] }]);
  expect(log.lines[0]?.message).toBe(`became the holder (MASTER): ${why.text}; nobody held it for 4.2 s`);
  expect(log.lines[0]?.fields).toMatchObject({ vacantMs: 4_236 });
});

test("a loss that was wished for is a release", () => {
  const log = new FakeLog();
  logLosses(log, [{ election: "web", token: 12n, reason: reason("step-down") }]);
  expect(log.lines).toEqual([
    {
      level: "info",
      message: "released: step-down was requested",
      fields: { vip: "web", token: "12", reason: "step-down" },
    },
  ]);
});

test("what a former process held has no token", () => {
  const log = new FakeLog();
  logLosses(log, [{ election: "web", token: null, reason: reason("other-holder") }]);
  expect(log.lines[0]?.fields).toEqual({ vip: "web", token: null, reason: "other-holder" });
});

test.each<[ReasonCode, "warn" | "info"]>([
  ["lease-expired", "warn"],
  ["session-lost", "warn"],
  ["too-slow", "warn"],
  ["hold-failed", "warn"],
  ["adverts-late", "warn"],
  ["shutdown", "info"],
  ["preempted", "info"],
  ["maintenance", "info"],
  ["link-down", "info"],
])("a loss by %s is logged at level %s", (code, level) => {
  const log = new FakeLog();
  const why = reason(code, "x");
  logLosses(log, [{ election: "web", token: 1n, reason: why }]);
  expect(log.lines.map((line) => [line.level, line.message])).toEqual([
    [level, `${level === "warn" ? "lost" : "released"}: ${why.text}`],
  ]);
});
