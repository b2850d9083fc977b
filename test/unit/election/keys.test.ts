// Where the records of a fleet stand in the store.

import { describe, expect, test } from "vitest";
import { HISTORY_LENGTH, MAX_KEY_BYTES } from "../../../src/base/bounds.ts";
import { Keys, type RecordKey } from "../../../src/election/keys.ts";

const keys = new Keys("f");

describe("keys", () => {
  test.each<[string, RecordKey]>([
    [keys.epoch, { kind: "epoch" }],
    [keys.changed, { kind: "changed" }],
    [keys.session("n1"), { kind: "session", node: "n1" }],
    [keys.election("web"), { kind: "election", election: "web" }],
    [keys.candidate("web", "n1"), { kind: "candidate", election: "web", node: "n1" }],
    [keys.address("10.0.0.1"), { kind: "address", address: "10.0.0.1" }],
    [keys.address("fd00::1"), { kind: "address", address: "fd00::1" }],
    [keys.address("00:00:5e:00:01:33"), { kind: "address", address: "00:00:5e:00:01:33" }],
    [keys.session("sessions"), { kind: "session", node: "sessions" }],
  ])("%s parses back to what it is about", (key, parsed) => {
    expect(keys.parse(key)).toEqual(parsed);
  });

  test.each([
    "",
    "/vipd/f/live/",
    "/vipd/f/live/fleet",
    "/vipd/f/live/fleet/",
    "/vipd/f/live/fleet/sessions",
    "/vipd/f/live/fleet/sessions/",
    "/vipd/f/live/fleet/sessions/a/b",
    "/vipd/f/live/fleet/sessions/../epoch",
    "/vipd/f/live/fleet/sessions/-a",
    "/vipd/f/live/fleet/x",
    "/vipd/f/live/sessions/n1",
    "/vipd/f/live/elections/",
    "/vipd/f/live/elections/a/b",
    "/vipd/f/live/candidates/web",
    "/vipd/f/live/candidates/web/n1/x",
    "/vipd/f/live/candidates//n1",
    "/vipd/f/live/addresses/",
    "/vipd/f/live/addresses/10.0.0.1/24",
    "/vipd/f/live/addresses/FD00::1",
    `/vipd/f/live/addresses/${"1".repeat(46)}`,
    "/vipd/f/live/other/n1",
    "/vipd/g/live/fleet/sessions/n1",
    "/vipd/f/history/web/1",
  ])("%j is none of vipd's live keys", (key) => {
    expect(keys.parse(key)).toBeUndefined();
  });

  test("history is a ring beside what is live, with each loss next to its ownership change", () => {
    const slots = Array.from({ length: HISTORY_LENGTH * 2 }, (_, seq) => keys.history("web", seq));
    expect(new Set(slots).size).toBe(HISTORY_LENGTH);
    expect(slots.every((key) => key.startsWith(keys.historyOf("web")) && !key.startsWith(keys.live))).toBe(true);
    expect(keys.loss("web", HISTORY_LENGTH + 3)).toBe(`${keys.history("web", 3)}-loss`);
  });

  test("the prefix of one fleet or election covers no other", () => {
    expect(new Keys("f2").session("n").startsWith(keys.live)).toBe(false);
    expect(keys.history("web2", 1).startsWith(keys.historyOf("web"))).toBe(false);
  });

  test("the prefix of what is read often covers sessions, epoch and the marker of changes, and nothing else", () => {
    const often = [keys.epoch, keys.changed, keys.session("n")];
    const seldom = [keys.election("n"), keys.candidate("n", "n"), keys.address("::1"), keys.history("n", 1)];
    expect(often.every((key) => key.startsWith(keys.fleet))).toBe(true);
    expect(seldom.some((key) => key.startsWith(keys.fleet))).toBe(false);
  });

  test("the longest names fit into the longest key", () => {
    const name = "n".repeat(63);
    const longest = new Keys(name);
    const all = [longest.candidate(name, name), longest.loss(name, 127), longest.address("f".repeat(45))];
    expect(Math.max(...all.map((key) => key.length))).toBeLessThanOrEqual(MAX_KEY_BYTES);
  });
});
