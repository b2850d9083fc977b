import { describe, expect, test } from "vitest";
import { parseSlots } from "../../../adapters/redis/cluster.ts";
import { caveatsOf, parseInfo, findingsOn, type ServerFacts } from "../../../adapters/redis/facts.ts";
import type { RedisOptions } from "../../../adapters/redis/url.ts";

const INFO = [
  "# Server",
  "redis_version:7.0.15",
  "run_id:0123abc",
  "# Memory",
  "maxmemory:0",
  "maxmemory_policy:allkeys-lru",
  "# Persistence",
  "aof_enabled:1",
  "# Replication",
  "connected_slaves:2",
  "master_replid:fedc",
  "",
].join("\r\n");

const ALONE: RedisOptions = {
  where: { kind: "host", host: "10.0.0.5", port: 6379 },
  tls: {},
  username: null,
  password: null,
  minReplicas: 0,
};
const FACTS: ServerFacts = { ...parseInfo(INFO, "always"), replicas: 0 };

describe("INFO", () => {
  test("names run id, program, persistence and replicas", () => {
    expect(parseInfo(INFO, "everysec")).toEqual({
      runId: "0123abc/fedc",
      program: "Redis 7.0.15",
      aof: true,
      fsync: "everysec",
      replicas: 2,
      evicts: false,
    });
  });

  test("Valkey says so", () => {
    expect(parseInfo(`valkey_version:8.1.1\r\n${INFO}`, null).program).toBe("Valkey 8.1.1");
  });

  test("a limit of memory with a policy for all keys forgets records", () => {
    expect(parseInfo(INFO.replace("maxmemory:0", "maxmemory:1000"), null).evicts).toBe(true);
  });

  test.each(["run_id", "master_replid"])("without %s it is no Redis", (name) => {
    expect(() => parseInfo(INFO.replace(`${name}:`, "other:"), null)).toThrow(
      expect.objectContaining({ code: "store-corrupt", message: expect.stringContaining(name) }),
    );
  });
});

describe("what is not promised", () => {
  const text = (facts: ServerFacts | undefined, options = ALONE): string => caveatsOf(options, facts).join("\n");

  test("one server that writes everything down: only the clock", () => {
    expect(caveatsOf(ALONE, FACTS)).toEqual([expect.stringContaining("clock")]);
  });

  test("each lesser setting is told as it is", () => {
    expect(text({ ...FACTS, fsync: "everysec" })).toContain("appendfsync everysec");
    expect(text({ ...FACTS, aof: false })).toContain("keeps nothing over a restart");
    expect(text({ ...FACTS, fsync: null })).toContain("not known");
    expect(text(undefined)).toContain("not known");
    expect(text({ ...FACTS, replicas: 1 })).toContain("failover");
    expect(text(FACTS, { ...ALONE, where: { kind: "cluster", nodes: [] } })).toContain("failover");
  });

  test.each<[Partial<RedisOptions>, number, string]>([
    [
      {},
      1,
      "goes on confirming for as long as a node reaches it and is not told otherwise, without any bound: so long two nodes may hold",
    ],
    [
      { where: { kind: "cluster", nodes: [] } },
      1,
      "until its cluster-node-timeout is over: so long two nodes may hold",
    ],
    [{ minReplicas: 1 }, 2, "an old master that keeps 1 of its 2 replicas goes on confirming"],
    [{ minReplicas: 1 }, 1, "one node holds at a time as long as the master never has more than 1 replicas"],
  ])("how long two may hold is told: %j with %d replicas", (options, replicas, words) => {
    expect(text({ ...FACTS, replicas }, { ...ALONE, ...options })).toContain(words);
  });
});

describe("what is to be mended", () => {
  const toMend = (facts: Partial<ServerFacts>, options: Partial<RedisOptions> = {}, clockMs = 0): readonly string[] =>
    findingsOn({ ...ALONE, ...options }, { ...FACTS, ...facts }, clockMs)
      .filter(({ fix }) => fix !== null)
      .map(({ text }) => text);

  test("nothing", () => {
    expect(toMend({})).toEqual([]);
    expect(toMend({ replicas: 1 }, { minReplicas: 1 })).toEqual([]);
  });

  test.each<[Partial<ServerFacts>, Partial<RedisOptions>, number, string]>([
    [{ fsync: "everysec" }, {}, 0, "appendfsync everysec"],
    [{ evicts: true }, {}, 0, "forgets keys"],
    [{ replicas: 2 }, {}, 0, "2 replicas are connected, and commits and reads wait for 0"],
    [{ replicas: 2 }, { minReplicas: 1 }, 0, "2 replicas are connected, and commits and reads wait for 1"],
    [{ replicas: 1 }, { minReplicas: 2 }, 0, "1 replicas are connected, and commits and reads wait for 2"],
    [{}, { tls: null }, 0, "not encrypted"],
    [{}, {}, -20_000, "differ by 20.0 s"],
  ])("%j %j %d", (facts, options, clockMs, text) => {
    expect(toMend(facts, options, clockMs)).toEqual([expect.stringContaining(text)]);
  });
});

describe("CLUSTER SLOTS", () => {
  const asked = { host: "10.0.0.9", port: 7000 };
  const answer = [
    [0, 5_460, ["10.0.0.1", 6379, "id1"], ["10.0.0.4", 6379, "id4"]],
    [5_461, 16_383, [null, 6380, "id2"]],
  ];

  test("names the master of a slot; one without an address is where it was asked", () => {
    expect(parseSlots(answer, 100, asked)).toEqual({
      master: { host: "10.0.0.1", port: 6379 },
      others: [
        { host: "10.0.0.1", port: 6379 },
        { host: "10.0.0.4", port: 6379 },
        { host: "10.0.0.9", port: 6380 },
      ],
    });
    expect(parseSlots(answer, 16_000, asked).master).toEqual({ host: "10.0.0.9", port: 6380 });
    expect(parseSlots([], 1, asked)).toEqual({ master: undefined, others: [] });
  });

  test.each([[null], ["text"], [[["0", 1, ["h", 1]]]], [[[0, 1, ["h", 99_999]]]]])("hostile: %j", (hostile) => {
    expect(() => parseSlots(hostile, 1, asked)).toThrow(expect.objectContaining({ code: "store-corrupt" }));
  });
});
