// What a record must be like: everything else in the store is refused, whoever wrote it.

import { describe, expect, test } from "vitest";
import { MAX_ADDRESSES_PER_VIP, MAX_TTL_MS, MAX_VALUE_BYTES } from "../../../src/base/bounds.ts";
import { MAX_REASON_LENGTH, reason } from "../../../src/base/reasons.ts";
import type { RecordKey } from "../../../src/election/keys.ts";
import {
  encodeValue,
  type EpochRecord,
  FORMAT,
  type HistoryRecord,
  type LossRecord,
  parseHistory,
  parseLoss,
  parseValue,
  type SessionRecord,
} from "../../../src/election/records.ts";
import {
  addressValue,
  candidateFields,
  candidateValue,
  electionFields,
  electionValue,
  type Fields,
  sessionFields,
  sessionValue,
} from "./samples.ts";

const HISTORY: Fields<HistoryRecord> = {
  seq: 3,
  wallMs: 1,
  from: "a",
  to: "b",
  reason: reason("shutdown"),
  lastedMs: 10,
  vacantMs: null,
};
const LOSS: Fields<LossRecord> = {
  node: "a",
  seq: 3,
  wallMs: 1,
  reason: reason("lease-expired"),
  heldAgainAfterMs: 900,
  interruptions: 2,
  interruptedMs: 1_400,
};

describe("values", () => {
  test("a session comes back as it was written", () => {
    expect(parseValue("session", sessionValue())).toEqual({ format: FORMAT, ...sessionFields() });
  });

  test("an election comes back as it was written", () => {
    expect(parseValue("election", electionValue())).toEqual({ format: FORMAT, ...electionFields() });
  });

  test("a candidacy comes back as it was written", () => {
    expect(parseValue("candidate", candidateValue())).toEqual({ format: FORMAT, ...candidateFields() });
  });

  test("an address, an epoch and the marker of changes come back as they were written", () => {
    expect(parseValue("address", addressValue("web"))).toEqual({ format: FORMAT, election: "web" });
    const epoch = encodeValue<EpochRecord>({ epoch: "e" });
    expect(parseValue("epoch", epoch)).toEqual({ format: FORMAT, epoch: "e" });
    expect(parseValue("changed", epoch), "it says nothing but that there is one").toEqual({ format: FORMAT });
  });

  test("an ownership change and a loss come back as they were written", () => {
    expect(parseHistory(encodeValue<HistoryRecord>(HISTORY))).toEqual({ format: FORMAT, ...HISTORY });
    expect(parseLoss(encodeValue<LossRecord>(LOSS))).toEqual({ format: FORMAT, ...LOSS });
  });

  test.each<[string, unknown]>([
    ["no JSON", "{"],
    ["an empty text, as a store gives for an over-long value", ""],
    ["null", "null"],
    ["a list", "[]"],
    ["a number", "1"],
    ["deeply nested lists", "[".repeat(8_000) + "]".repeat(8_000)],
    ["a newer format", { ...sessionFields(), format: FORMAT + 1 }],
    ["an older format", { ...sessionFields(), format: 1 }],
    ["no format", sessionFields()],
    ["a missing field", { format: FORMAT, ...sessionFields(), incarnation: undefined }],
    ["a field of another type", { format: FORMAT, ...sessionFields(), heartbeat: "3" }],
    ["a negative heartbeat", { format: FORMAT, ...sessionFields({ heartbeat: -1 }) }],
    ["half a heartbeat", { format: FORMAT, ...sessionFields({ heartbeat: 0.5 }) }],
    ["a heartbeat beyond exact numbers", { format: FORMAT, ...sessionFields({ heartbeat: 2 ** 53 }) }],
    ["a lease of no length", { format: FORMAT, ...sessionFields({ ttlMs: 0 }) }],
    ["a lease that is too long", { format: FORMAT, ...sessionFields({ ttlMs: MAX_TTL_MS + 1 }) }],
    ["an empty incarnation", { format: FORMAT, ...sessionFields({ incarnation: "" }) }],
    ["a host name that is too long", { format: FORMAT, ...sessionFields({ host: "h".repeat(513) }) }],
    ["an over-long value", { format: FORMAT, ...sessionFields(), more: "x".repeat(MAX_VALUE_BYTES) }],
  ])("%s is no session", (_name, value) => {
    expect(parseValue("session", typeof value === "string" ? value : JSON.stringify(value))).toBeUndefined();
  });

  test.each<[string, RecordKey["kind"], object]>([
    ["an election of a holder that is no name", "election", electionFields({ holder: "../x" })],
    ["an election with a token that is no number", "election", electionFields({ previousToken: "1e3" })],
    ["an election with a token without end", "election", electionFields({ previousToken: "1".repeat(41) })],
    ["an election with a fractional sequence number", "election", electionFields({ seq: 1.5 })],
    ["an election with a negative waiting time", "election", electionFields({ waitMs: -1 })],
    ["an election with a waiting time without end", "election", electionFields({ waitMs: MAX_TTL_MS + 1 })],
    [
      "an election with a reason that is too long",
      "election",
      electionFields({ reason: { code: "vacant", text: "x".repeat(MAX_REASON_LENGTH + 1) } }),
    ],
    ["an election with a reason without a code", "election", { ...electionFields(), reason: "text" }],
    ["a candidacy of a priority below 0", "candidate", candidateFields({ priority: -1 })],
    ["a candidacy of a priority over 255", "candidate", candidateFields({ priority: 256 })],
    [
      "a candidacy with too many addresses",
      "candidate",
      candidateFields({ addresses: Array.from({ length: 2 * MAX_ADDRESSES_PER_VIP + 1 }, () => "10.0.0.1/24") }),
    ],
    ["a candidacy with an address without end", "candidate", candidateFields({ addresses: ["1".repeat(65)] })],
    [
      "a candidacy with too many virtual MACs",
      "candidate",
      candidateFields({ macs: Array.from({ length: 2 * MAX_ADDRESSES_PER_VIP + 1 }, () => "00:00:5e:00:01:33") }),
    ],
    [
      "a candidacy with a MAC that is no virtual router's",
      "candidate",
      candidateFields({ macs: ["02:00:00:00:00:01"] }),
    ],
    ["a candidacy with a negative delay", "candidate", candidateFields({ preemptDelayMs: -1 })],
    ["an address of an election that is no name", "address", { election: "a/b" }],
    ["an epoch without end", "epoch", { epoch: "e".repeat(257) }],
  ])("%s is refused", (_name, kind, fields) => {
    expect(parseValue(kind, JSON.stringify({ format: FORMAT, ...fields }))).toBeUndefined();
  });

  test("infinite and missing numbers, which JSON writes as null, are refused", () => {
    expect(parseValue("session", sessionValue({ wallMs: Number.NaN }))).toBeUndefined();
    expect(parseValue("session", sessionValue({ ttlMs: Number.POSITIVE_INFINITY }))).toBeUndefined();
  });

  test("a reason of a code that this version does not know is kept", () => {
    const found = parseValue("election", electionValue({ reason: { code: "from-the-future", text: "because" } }));
    expect(found?.reason).toEqual({ code: "from-the-future", text: "because" });
  });

  test("fields that this version does not know are left out", () => {
    const value = { format: FORMAT, ...sessionFields(), ["__proto__x"]: 1, more: { deep: [] } };
    expect(parseValue("session", JSON.stringify(value))).toEqual({ format: FORMAT, ...sessionFields() });
  });

  test("a record of one kind is no record of another", () => {
    const session = encodeValue<SessionRecord>(sessionFields());
    expect(parseValue("election", session)).toBeUndefined();
    expect(parseValue("candidate", session)).toBeUndefined();
    expect(parseHistory(session)).toBeUndefined();
    expect(parseLoss(session)).toBeUndefined();
    expect(parseLoss(encodeValue<HistoryRecord>(HISTORY))).toBeUndefined();
    expect(parseHistory(encodeValue<LossRecord>(LOSS))).toBeUndefined();
  });

  test("an over-long ownership change or loss is refused", () => {
    const more = { format: FORMAT, more: "x".repeat(MAX_VALUE_BYTES) };
    expect(parseHistory(JSON.stringify({ ...HISTORY, ...more }))).toBeUndefined();
    expect(parseLoss(JSON.stringify({ ...LOSS, ...more }))).toBeUndefined();
  });
});

test("a candidacy that says nothing of virtual MACs has none", () => {
  const { macs: _, ...former } = candidateFields();
  expect(parseValue("candidate", JSON.stringify({ format: FORMAT, ...former }))).toMatchObject({ macs: [] });
});
