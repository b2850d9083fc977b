// What a node knows of the store's records: newer versions win, in whatever order reads and changes come.

import { describe, expect, test } from "vitest";
import { MAX_CANDIDATES, MAX_NODES } from "../../../src/base/bounds.ts";
import { instant } from "../../../src/base/time.ts";
import { Mirror, type ReadScope } from "../../../src/election/mirror.ts";
import { encodeValue, type ChangedRecord } from "../../../src/election/records.ts";
import type { Change } from "../../../src/ports/store.ts";
import { addressValue, candidateValue, electionValue, KEYS, sessionValue } from "./samples.ts";

const KEY = KEYS.session("n1");

function change(version: bigint, heartbeat: number | null): Change {
  return { key: KEY, value: heartbeat === null ? null : sessionValue({ heartbeat }), version };
}

interface Read {
  readonly epoch?: string;
  readonly at?: number;
  readonly scope?: ReadScope;
}

function read(mirror: Mirror, revision: bigint, records: readonly Change[], options: Read = {}): boolean {
  const { epoch = "e", at = 0, scope = "all" } = options;
  const live = records.flatMap(({ key, value, version }) => (value === null ? [] : [{ key, value, version }]));
  return mirror.applySnapshot({ revision, epoch, records: live }, scope, instant(at));
}

/** A mirror after its first read, at revision 10, which had the given records, or a session of version 5. */
function begin(records: readonly Change[] = [change(5n, 1)], self: string | null = null): Mirror {
  const mirror = new Mirror(KEYS, instant(0), self);
  read(mirror, 10n, records);
  mirror.touched.clear();
  return mirror;
}

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
    const mirror = begin();
    for (const index of order) mirror.applyChanges([news[index] as Change], instant(1));
    expect(mirror.sessions.get("n1")).toMatchObject({ version: 13n, value: { heartbeat: 3 } });
  });

  test.each<[string, (mirror: Mirror) => void, number | null | undefined]>([
    [
      "over a read that is older than a change",
      (mirror) => {
        mirror.applyChanges([change(12n, 2)], instant(1));
        read(mirror, 11n, [change(5n, 1)]);
      },
      2,
    ],
    [
      "over a read from before a record was made",
      (mirror) => {
        mirror.applyChanges([change(12n, 2)], instant(1));
        read(mirror, 11n, []);
      },
      2,
    ],
    ["when a read lacks the record: it is gone", (mirror) => read(mirror, 12n, []), undefined],
    [
      "over a change from before the last read",
      (mirror) => {
        read(mirror, 12n, [change(11n, 2)]);
        mirror.applyChanges([change(12n, 9)], instant(1));
      },
      2,
    ],
    [
      "unless a read that reaches beyond it shows another one: it came by a watch of another epoch",
      (mirror) => {
        mirror.applyChanges([change(12n, 9)], instant(1));
        read(mirror, 13n, [change(5n, 1)]);
      },
      1,
    ],
    [
      "nor a deletion, which that read contradicts",
      (mirror) => {
        mirror.applyChanges([change(12n, null)], instant(1));
        read(mirror, 13n, [change(5n, 1)]);
      },
      1,
    ],
    ["over a deletion older than the record", (mirror) => mirror.applyChanges([change(4n, null)], instant(1)), 1],
    [
      "when a deletion is newer: it is remembered as deleted",
      (mirror) => mirror.applyChanges([change(11n, null)], instant(1)),
      null,
    ],
    [
      "for the writes of an own commit",
      (mirror) => mirror.applyWrites([{ key: KEY, value: sessionValue({ heartbeat: 2 }) }], 11n, instant(1)),
      2,
    ],
  ])("%s", (_name, move, heartbeat) => {
    const mirror = begin();
    move(mirror);
    expect(heartbeatOf(mirror)).toBe(heartbeat);
  });
});

describe("a short read", () => {
  const RECORDS: readonly Change[] = [
    change(5n, 1),
    { key: KEYS.election("web"), value: electionValue({ seq: 1 }), version: 6n },
    { key: KEYS.candidate("web", "n1"), value: candidateValue(), version: 7n },
    { key: KEYS.address("10.0.0.1"), value: addressValue("web"), version: 8n },
  ];

  test("drops sessions that it lacks, and nothing that it does not cover", () => {
    const mirror = begin(RECORDS);
    read(mirror, 12n, [], { scope: "fleet" });
    expect(mirror.sessions.size).toBe(0);
    expect([mirror.elections.size, mirror.candidates.size, mirror.addresses.size]).toEqual([1, 1, 1]);
    expect([mirror.revision, mirror.fleetRevision]).toEqual([10n, 12n]);
    read(mirror, 13n, []);
    expect([mirror.elections.size, mirror.candidates.size, mirror.addresses.size]).toEqual([0, 0, 0]);
    expect([mirror.revision, mirror.fleetRevision]).toEqual([13n, 13n]);
  });

  test("does not make older changes of elections out of date", () => {
    const mirror = begin(RECORDS);
    read(mirror, 12n, [], { scope: "fleet" });
    mirror.applyChanges(
      [{ key: KEYS.election("web"), value: electionValue({ seq: 2 }), version: 11n }, change(11n, 9)],
      instant(1),
    );
    expect(mirror.elections.get("web")?.value?.seq).toBe(2);
    expect(mirror.sessions.has("n1"), "of sessions it does").toBe(false);
  });

  test("tells whether it brought anything of others that was not known", () => {
    const mirror = begin([change(5n, 1)], "me");
    expect(read(mirror, 12n, [change(5n, 1)], { scope: "fleet" })).toBe(false);
    const own = { key: KEYS.session("me"), value: sessionValue(), version: 12n };
    expect(read(mirror, 12n, [change(5n, 1), own], { scope: "fleet" })).toBe(false);
    expect(read(mirror, 13n, [change(13n, 2), own], { scope: "fleet" })).toBe(true);
  });

  test("shows by the marker of changes that there is more to be read, until the watch or a full read has brought it", () => {
    const marker = (version: bigint): Change => ({
      key: KEYS.changed,
      value: encodeValue<ChangedRecord>({}),
      version,
    });
    const mirror = begin([marker(9n)]);
    expect(mirror.lags).toBe(false);
    read(mirror, 12n, [marker(11n)], { scope: "fleet" });
    expect(mirror.lags).toBe(true);
    mirror.applyChanges([{ key: KEYS.election("web"), value: electionValue(), version: 11n }], instant(1));
    expect(mirror.lags, "the watch has come so far").toBe(false);
    read(mirror, 14n, [marker(13n)], { scope: "fleet" });
    expect(mirror.lags).toBe(true);
    read(mirror, 14n, [marker(13n)]);
    expect(mirror.lags).toBe(false);
  });
});

describe("observation", () => {
  test("counts from the first receipt of a version, whatever repeats it", () => {
    const mirror = begin();
    mirror.applyChanges([change(5n, 1)], instant(50));
    read(mirror, 12n, [change(5n, 1)], { at: 60 });
    expect(mirror.sessions.get("n1")?.seenAt).toBe(0);
    mirror.applyChanges([change(13n, 2)], instant(70));
    expect(mirror.sessions.get("n1")?.seenAt).toBe(70);
  });

  test("begins anew in a new epoch, also at a lower revision", () => {
    const mirror = begin();
    read(mirror, 3n, [change(2n, 7)], { epoch: "another", at: 90 });
    expect(mirror).toMatchObject({ epoch: "another", epochSeenAt: 90, revision: 3n });
    expect(mirror.sessions.get("n1")).toMatchObject({ version: 2n, seenAt: 90 });
    expect(mirror.touched.everything).toBe(true);
  });

  test("tells what was surely written after it had begun: a first read may show the records of the dead", () => {
    const mirror = begin();
    expect(mirror.sessions.get("n1")?.fresh).toBe(false);
    mirror.applyChanges([change(11n, 2)], instant(1));
    expect(mirror.sessions.get("n1")?.fresh).toBe(true);
  });
});

describe("what is to be judged anew", () => {
  test.each<[string, Change, Partial<Record<"elections" | "nodes" | "heartbeats" | "takers", readonly string[]>>]>([
    ["after a heartbeat only its sender", change(12n, 2), { heartbeats: ["n1"] }],
    ["after the end of a session its node", change(12n, null), { heartbeats: ["n1"], nodes: ["n1"] }],
    [
      "after a session of another incarnation its node",
      { key: KEY, value: sessionValue({ incarnation: "other" }), version: 12n },
      { heartbeats: ["n1"], nodes: ["n1"] },
    ],
    [
      "after an ownership change the election, and who took it",
      { key: KEYS.election("web"), value: electionValue({ holder: "n1", incarnation: "i" }), version: 12n },
      { elections: ["web"], takers: ["n1"] },
    ],
    [
      "after a candidacy the election",
      { key: KEYS.candidate("web", "n1"), value: candidateValue(), version: 12n },
      { elections: ["web"] },
    ],
    ["after a foreign key nothing", { key: `${KEYS.live}else`, value: "x", version: 12n }, {}],
  ])("is %s", (_name, news, expected) => {
    const mirror = begin([]);
    mirror.applyChanges([change(11n, 1)], instant(0));
    mirror.touched.clear();
    mirror.applyChanges([news], instant(1));
    const { elections, nodes, heartbeats, takers } = mirror.touched;
    const found = { elections: [...elections], nodes: [...nodes], heartbeats: [...heartbeats], takers: [...takers] };
    expect(found).toEqual({ elections: [], nodes: [], heartbeats: [], takers: [], ...expected });
  });
});

test("which elections a node holds, and is a candidate for, follows the records", () => {
  const mirror = begin();
  const [record, candidate] = [KEYS.election("web"), KEYS.candidate("web", "n1")];
  mirror.applyChanges(
    [
      { key: record, value: electionValue({ holder: "n1", incarnation: "i" }), version: 11n },
      { key: candidate, value: candidateValue(), version: 11n },
    ],
    instant(1),
  );
  expect([[...(mirror.heldBy.get("n1") ?? [])], [...(mirror.wantedBy.get("n1") ?? [])]]).toEqual([["web"], ["web"]]);
  mirror.applyChanges(
    [
      { key: record, value: electionValue({ holder: "n2", incarnation: "i" }), version: 12n },
      { key: candidate, value: null, version: 12n },
    ],
    instant(1),
  );
  expect([mirror.heldBy.has("n1"), [...(mirror.heldBy.get("n2") ?? [])]]).toEqual([false, ["web"]]);
  expect(mirror.wantedBy.has("n1")).toBe(false);
  read(mirror, 13n, []);
  expect([mirror.heldBy.size, mirror.wantedBy.size]).toEqual([0, 0]);
});

test.each([KEY, KEYS.election("web"), KEYS.candidate("web", "n1"), KEYS.address("10.0.0.1")])(
  "a record at %s that does not parse is remembered as such until it is repaired, deleted, or gone",
  (key) => {
    const mirror = begin();
    const put = (value: string | null, version: bigint): boolean => {
      mirror.touched.clear();
      mirror.applyChanges([{ key, value, version }], instant(1));
      return mirror.touched.roster;
    };
    expect(put("garbage", 11n), "people are to be told").toBe(true);
    expect([...mirror.unreadable]).toEqual([key]);
    expect(put(null, 13n), "people are to be told").toBe(true);
    expect(mirror.unreadable.size).toBe(0);
    put("garbage", 14n);
    mirror.touched.clear();
    read(mirror, 15n, []);
    expect([mirror.unreadable.size, mirror.touched.roster]).toEqual([0, true]);
  },
);

test("keys that are none of vipd's are left alone", () => {
  const mirror = begin();
  const { sessions } = mirror;
  mirror.applyChanges([{ key: `${KEYS.live}else`, value: "x", version: 11n }], instant(1));
  expect([sessions.size, mirror.elections.size, mirror.unreadable.size]).toEqual([1, 0, 0]);
});

describe("more records than are tracked", () => {
  test("of nodes are ignored, save this node's own, which people are told", () => {
    const records = Array.from({ length: MAX_NODES }, (_, index) => ({
      key: KEYS.session(`x${index}`),
      value: sessionValue(),
      version: 5n,
    }));
    const mirror = begin(records, "me");
    expect([...mirror.overflow]).toEqual([]);
    mirror.applyChanges([change(11n, 1), { key: KEYS.session("me"), value: sessionValue(), version: 11n }], instant(1));
    expect([mirror.sessions.has("n1"), mirror.sessions.has("me")]).toEqual([false, true]);
    expect([...mirror.overflow]).toEqual(["nodes"]);
    expect(mirror.touched.roster).toBe(true);
  });

  test("of candidates are ignored, and those that are known go on changing", () => {
    const candidate = (index: number, priority: number, version: bigint): Change => ({
      key: KEYS.candidate("web", `x${index}`),
      value: candidateValue({ priority }),
      version,
    });
    const mirror = begin(Array.from({ length: MAX_CANDIDATES }, (_, index) => candidate(index, 1, 5n)));
    mirror.applyChanges([candidate(MAX_CANDIDATES, 1, 11n), candidate(7, 9, 11n)], instant(1));
    expect(mirror.candidates.get("web")?.size).toBe(MAX_CANDIDATES);
    expect(mirror.candidates.get("web")?.get("x7")?.value?.priority).toBe(9);
    expect([...mirror.overflow]).toEqual(["candidates"]);
  });
});

describe("short-lived members", () => {
  const candidate = (node: string, version: bigint, value: string | null): Change => ({
    key: KEYS.candidate("job", node),
    value,
    version,
  });
  const session = (node: string, version: bigint, value: string | null): Change => ({
    key: KEYS.session(node),
    value,
    version,
  });

  /** Members come and go, so many between two short reads; the result: the last revision. */
  function pass(mirror: Mirror, members: number, between: number): bigint {
    let revision = mirror.fleetRevision;
    for (let i = 0; i < members; i += 1) {
      const node = `m${i}`;
      revision += 2n;
      mirror.applyChanges(
        [session(node, revision - 1n, sessionValue()), candidate(node, revision - 1n, candidateValue())],
        instant(1),
      );
      mirror.applyChanges([session(node, revision, null), candidate(node, revision, null)], instant(1));
      if (i % between === between - 1) read(mirror, revision, [], { scope: "fleet" });
    }
    return revision;
  }

  test("leave nothing behind: 20,000 of them, with short reads in between", () => {
    const mirror = begin([]);
    pass(mirror, 20_000, 100);
    expect([mirror.sessions.size, mirror.candidates.size, mirror.unreadable.size]).toEqual([0, 0, 0]);
    expect([...mirror.overflow]).toEqual([]);
  });

  test("do not count as candidates, or nodes, that are too many", () => {
    const mirror = begin([]);
    const revision = pass(mirror, MAX_NODES + 1, Number.POSITIVE_INFINITY);
    mirror.applyChanges(
      [session("late", revision + 1n, sessionValue()), candidate("late", revision + 1n, candidateValue())],
      instant(2),
    );
    expect(mirror.sessions.get("late")?.value).not.toBeUndefined();
    expect(mirror.candidates.get("job")?.get("late")?.value).not.toBeUndefined();
    expect([...mirror.overflow]).toEqual([]);
  });

  test("are remembered as gone until the watch has passed their end: what it brings late does not revive them", () => {
    const mirror = begin([candidate("m", 5n, candidateValue())]);
    mirror.applyWrites([{ key: KEYS.candidate("job", "m"), value: null }], 12n, instant(1));
    read(mirror, 13n, [], { scope: "fleet" });
    mirror.applyChanges([candidate("m", 11n, candidateValue())], instant(2));
    expect(mirror.candidates.get("job")?.get("m")?.value).toBeNull();
    mirror.applyChanges([candidate("m", 12n, null)], instant(2));
    read(mirror, 14n, [], { scope: "fleet" });
    expect(mirror.candidates.size).toBe(0);
  });

  test("that come back are there again", () => {
    const mirror = begin([]);
    const revision = pass(mirror, 3, 1);
    mirror.applyChanges([candidate("m1", revision + 1n, candidateValue())], instant(2));
    read(mirror, revision + 2n, [], { scope: "fleet" });
    expect(mirror.candidates.get("job")?.get("m1")?.value).toMatchObject({ priority: expect.any(Number) });
  });
});
