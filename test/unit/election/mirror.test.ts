import { describe, expect, test } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { emptyMirror, type Mirror, withChanges, withSnapshot } from "../../../src/election/mirror.ts";
import { encodeValue, Keys, type SessionRecord } from "../../../src/election/records.ts";
import type { Change } from "../../../src/ports/store.ts";

const keys = new Keys("f");
const KEY = keys.session("n1");

function session(heartbeat: number): string {
  return encodeValue<SessionRecord>({
    incarnation: "i",
    processId: "l",
    heartbeat,
    ttlMs: 1_000,
    wallMs: 1,
    host: "h",
  });
}

function change(version: bigint, heartbeat: number | null): Change {
  return { key: KEY, value: heartbeat === null ? null : session(heartbeat), version };
}

function read(mirror: Mirror, revision: bigint, records: readonly Change[], epoch = "e", at = 0): Mirror {
  const live = records.flatMap(({ key, value, version }) => (value === null ? [] : [{ key, value, version }]));
  return withSnapshot(mirror, keys, { revision, epoch, records: live }, instant(at));
}

const START = read(emptyMirror(instant(0)), 10n, [change(5n, 1)]);

function heartbeatOf(mirror: Mirror): number | null | undefined {
  const seen = mirror.sessions.get("n1");
  return seen?.value == null ? seen?.value : seen.value.heartbeat;
}

describe("the newest version wins", () => {
  const news = [change(11n, 2), change(12n, null), change(13n, 3)];
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
    [2, 2, 0, 1, 2],
    [0, 0, 2],
  ];
  test.each(orders)("in the order %i %i %i", (...order) => {
    const end = order.reduce((mirror, index) => withChanges(mirror, keys, [news[index] as Change], instant(1)), START);
    expect(end.sessions.get("n1")).toMatchObject({ version: 13n, value: { heartbeat: 3 } });
  });

  test.each<[string, (mirror: Mirror) => Mirror, number | null]>([
    [
      "a read that is older than a change",
      (mirror) => read(withChanges(mirror, keys, [change(12n, 2)], instant(1)), 11n, [change(5n, 1)]),
      2,
    ],
    [
      "a read from before a record was made",
      (mirror) => read(withChanges(mirror, keys, [change(12n, 2)], instant(1)), 11n, []),
      2,
    ],
    ["a read that lacks the record", (mirror) => read(mirror, 12n, []), null],
    [
      "a change from before the last read",
      (mirror) => withChanges(read(mirror, 12n, [change(11n, 2)]), keys, [change(12n, 9)], instant(1)),
      2,
    ],
    [
      "a deletion older than the record",
      (mirror) => withChanges(read(mirror, 10n, [change(5n, 1)]), keys, [change(4n, null)], instant(1)),
      1,
    ],
  ])("%s", (_name, move, heartbeat) => {
    expect(heartbeatOf(move(START))).toBe(heartbeat);
  });
});

describe("observation", () => {
  test("counts from the first receipt of a version, whatever repeats it", () => {
    const again = read(withChanges(START, keys, [change(5n, 1)], instant(50)), 12n, [change(5n, 1)], "e", 60);
    expect(again.sessions.get("n1")?.seenAt).toBe(0);
    expect(withChanges(again, keys, [change(13n, 2)], instant(70)).sessions.get("n1")?.seenAt).toBe(70);
  });

  test("begins anew in a new epoch, also at a lower revision", () => {
    const next = read(START, 3n, [change(2n, 7)], "another", 90);
    expect(next).toMatchObject({ epoch: "another", epochSeenAt: 90, revision: 3n });
    expect(next.sessions.get("n1")).toMatchObject({ version: 2n, seenAt: 90 });
  });
});

test("what does not parse is remembered as such until it is mended or gone", () => {
  const spoiled = withChanges(START, keys, [{ key: KEY, value: "garbage", version: 11n }], instant(1));
  expect(spoiled.sessions.get("n1")?.value).toBeUndefined();
  expect([...spoiled.unreadable]).toEqual([KEY]);
  expect(withChanges(spoiled, keys, [change(12n, 2)], instant(1)).unreadable.size).toBe(0);
  expect(read(spoiled, 12n, []).unreadable.size).toBe(0);
});

test("keys of nobody's are left alone", () => {
  expect(withChanges(START, keys, [{ key: `${keys.live}else`, value: "x", version: 11n }], instant(1))).toMatchObject({
    sessions: START.sessions,
  });
});
