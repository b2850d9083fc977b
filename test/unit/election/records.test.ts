import { describe, expect, test } from "vitest";
import { HISTORY_LENGTH, MAX_VALUE_BYTES } from "../../../src/base/bounds.ts";
import {
  encodeValue,
  Keys,
  parseHistory,
  parseValue,
  type Place,
  type SessionRecord,
} from "../../../src/election/records.ts";

const keys = new Keys("f");

describe("keys", () => {
  test.each<[string, Place]>([
    [keys.fleet(), { kind: "fleet" }],
    [keys.session("n1"), { kind: "session", node: "n1" }],
    [keys.election("web"), { kind: "election", election: "web" }],
    [keys.candidate("web", "n1"), { kind: "candidate", election: "web", node: "n1" }],
    [keys.session("sessions"), { kind: "session", node: "sessions" }],
  ])("%s leads back to its place", (key, place) => {
    expect(keys.place(key)).toEqual(place);
  });

  test.each([
    "",
    "/vipd/f/live/",
    "/vipd/f/live/sessions",
    "/vipd/f/live/sessions/",
    "/vipd/f/live/sessions/a/b",
    "/vipd/f/live/sessions/../fleet",
    "/vipd/f/live/sessions/-a",
    "/vipd/f/live/candidates/web",
    "/vipd/f/live/candidates/web/n1/x",
    "/vipd/f/live/fleet/x",
    "/vipd/f/live/other/n1",
    "/vipd/g/live/sessions/n1",
    "/vipd/f/history/web/1",
  ])("%j is no place", (key) => {
    expect(keys.place(key)).toBeUndefined();
  });

  test("history is a ring beside what is live", () => {
    const slots = Array.from({ length: HISTORY_LENGTH * 2 }, (_, seq) => keys.history("web", seq));
    expect(new Set(slots).size).toBe(HISTORY_LENGTH);
    expect(slots.every((key) => key.startsWith(keys.historyOf("web")) && !key.startsWith(keys.live))).toBe(true);
  });

  test("the prefix of one fleet or election covers no other", () => {
    expect(new Keys("f2").session("n").startsWith(keys.live)).toBe(false);
    expect(keys.history("web2", 1).startsWith(keys.historyOf("web"))).toBe(false);
  });
});

const SESSION: Omit<SessionRecord, "format"> = {
  incarnation: "i",
  processId: "l",
  heartbeat: 3,
  ttlMs: 1_000,
  wallMs: 1,
  host: "h",
};
const PLACE: Place = { kind: "session", node: "n1" };

describe("values", () => {
  test("a record comes back as it was written", () => {
    expect(parseValue(PLACE, encodeValue<SessionRecord>(SESSION))).toEqual({
      ...PLACE,
      value: { format: 1, ...SESSION },
    });
  });

  test.each<[string, unknown]>([
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["a number", "1"],
    ["a newer format", { ...SESSION, format: 2 }],
    ["no format", SESSION],
    ["a missing field", { ...SESSION, format: 1, incarnation: undefined }],
    ["a field of another type", { ...SESSION, format: 1, heartbeat: "3" }],
    ["a negative heartbeat", { ...SESSION, format: 1, heartbeat: -1 }],
    ["half a heartbeat", { ...SESSION, format: 1, heartbeat: 0.5 }],
    ["a lease of no length", { ...SESSION, format: 1, ttlMs: 0 }],
    ["a lease without end", { ...SESSION, format: 1, ttlMs: 1e12 }],
    ["an empty incarnation", { ...SESSION, format: 1, incarnation: "" }],
    ["a host name without end", { ...SESSION, format: 1, host: "h".repeat(MAX_VALUE_BYTES) }],
  ])("%s is no session", (_name, value) => {
    expect(parseValue(PLACE, typeof value === "string" ? value : JSON.stringify(value))).toBeUndefined();
  });

  test("a record of one kind is no record of another", () => {
    expect(parseValue({ kind: "election", election: "web" }, encodeValue<SessionRecord>(SESSION))).toBeUndefined();
    expect(parseHistory(encodeValue<SessionRecord>(SESSION))).toBeUndefined();
  });
});
