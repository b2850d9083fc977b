// The reasons that vipd gives: their codes are a promise to programs, their texts are for people.

import { describe, expect, test } from "vitest";
import { MAX_REASON_LENGTH, reason, REASON_CODES } from "../../../src/base/reasons.ts";

test("no code is renamed or lost: programs, metrics and hooks match on them", () => {
  expect([...REASON_CODES].sort()).toEqual([
    "address-claimed",
    "address-owner",
    "adverts-late",
    "arp-settings",
    "check-failed",
    "check-pending",
    "conflict",
    "first-holder",
    "fit-again",
    "foreign-address",
    "higher-master",
    "hold-failed",
    "holder-left",
    "holder-restarted",
    "holder-silent",
    "host-released",
    "ineligible",
    "lease-expired",
    "link-down",
    "lower-master",
    "maintenance",
    "master-down",
    "master-left",
    "other-holder",
    "outweighed",
    "own-address",
    "preempted",
    "real-server",
    "reconfigured",
    "regained",
    "repaired",
    "session-lost",
    "shutdown",
    "spread",
    "started",
    "starting",
    "step-down",
    "store-restored",
    "too-slow",
    "unconfigured",
    "unreadable",
    "vacant",
    "work-stuck",
  ]);
});

test.each(REASON_CODES)("%s has a text of its own", (code) => {
  const found = reason(code, "n1");
  expect(found.code).toBe(code);
  expect(reason(code).text.includes("undefined")).toBe(false);
  if (["link-down", "address-claimed", "own-address", "foreign-address", "real-server", "ineligible"].includes(code))
    return expect(found.text).toBe("n1");
  const texts = REASON_CODES.map((other) => reason(other, "n1").text);
  expect(texts.filter((text) => text === found.text)).toHaveLength(1);
});

describe("a text", () => {
  test.each<[Parameters<typeof reason>, string]>([
    [["holder-silent", "n1"], "n1 sent no heartbeat for its whole lease"],
    [["vacant", "vipd was stopped"], "it was free: vipd was stopped"],
    [["preempted", "n2"], "n2 has a higher priority"],
    [["lease-expired"], "the lease expired before a heartbeat was confirmed"],
    [["lease-expired", "no answer"], "the lease expired before a heartbeat was confirmed: no answer"],
    [["master-down"], "no master was heard in time"],
  ])("of %j is %j", (args, text) => {
    expect(reason(...args).text).toBe(text);
  });

  test("is cut where it is made, so that it fits into a record", () => {
    const { text } = reason("check-failed", "x".repeat(10_000));
    expect(text).toHaveLength(MAX_REASON_LENGTH);
    expect(text.startsWith("check failed: xxx")).toBe(true);
    expect(text.endsWith("xxx...")).toBe(true);
  });
});
