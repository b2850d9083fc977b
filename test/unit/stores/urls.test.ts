// Store URLs: what they may say, and what is told of a mistake: which part, its value, and what would be right.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SecretSources } from "../../../adapters/common/secrets.ts";
import { parseEtcdUrl } from "../../../adapters/etcd/url.ts";
import { parseRedisUrl } from "../../../adapters/redis/url.ts";
import { isVipdError } from "../../../src/base/errors.ts";
import { adapterFor, openStore, STORE_ADAPTERS } from "../../../src/stores/index.ts";

const PASSWORD = "VIPD_STORE_PASSWORD";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdu-"));
  writeFileSync(join(directory, "pw"), "from-file\n");
  writeFileSync(join(directory, "ca"), "CA");
  vi.stubEnv(PASSWORD, undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

/** What is wrong with a URL, and what would be right; `~` in it stands for a directory of the test. */
function mistakeIn(url: string): string {
  try {
    adapterFor(url)?.check(url.replaceAll("~", directory));
  } catch (error) {
    if (!isVipdError(error, "store-url")) throw error;
    const { problem, fix } = error.context;
    expect(error.message).toBe(`the store URL ${String(problem)}: ${String(fix)}`);
    return `${String(problem)}: ${String(fix)}`.replaceAll(directory, "~");
  }
  return "none";
}

describe("every adapter", () => {
  test.each(STORE_ADAPTERS.map((adapter) => [adapter.name, adapter] as const))(
    "%s takes its own example, in any case of the scheme, and each of its schemes is its alone",
    (_name, adapter) => {
      const { example, schemes } = adapter;
      expect(() => adapter.check(example)).not.toThrow();
      expect(() => adapter.check(example.replace(/^[^:]*/u, (scheme) => scheme.toUpperCase()))).not.toThrow();
      expect(schemes).toContain(example.split(":")[0]);
      for (const scheme of schemes) {
        expect(scheme).toBe(scheme.toLowerCase());
        expect(STORE_ADAPTERS.filter((other) => other.schemes.includes(scheme))).toEqual([adapter]);
        expect(adapterFor(`${scheme.toUpperCase()}:x`)).toBe(adapter);
      }
    },
  );

  test.each(["", "fleet.db", "/var/lib/fleet.db", "mysql://h", "://h"])("none is for %j", (url) => {
    expect(adapterFor(url)).toBeUndefined();
  });

  test("opening an unknown store names all known schemes, and no secret", async () => {
    const schemes = STORE_ADAPTERS.flatMap((adapter) => adapter.schemes).map((scheme) => `${scheme}:`);
    await expect(openStore("mysql://me:hush@h/x?token=hush")).rejects.toMatchObject({
      code: "store-url",
      message: `mysql://***@h/x?token=*** names no known store: use one of ${schemes.join(", ")}`,
    });
  });
});

const ETCD = "write one such as etcd://10.0.0.5:2379,10.0.0.6:2379";
const REDIS = "write one such as redis://10.0.0.5:6379";
const SQLITE = "names no file by an absolute path: write one such as sqlite:/var/lib/vipd/fleet.db";
const REDIS_OPTIONS = "use one of ca, cert, key, passwordFile, sentinelPasswordFile, minReplicas";

const MISTAKES: readonly (readonly [url: string, mistake: string])[] = [
  ["sqlite:", SQLITE],
  ["sqlite:fleet.db", SQLITE],
  ["sqlite://host/fleet.db", SQLITE],
  ["sqlite:/var/lib/", SQLITE],
  ["sqlite:/a.db?mode=ro", "has options, and SQLite takes none: leave out what follows the path"],

  ["etcd://", `is no etcd URL: ${ETCD}`],
  ["etcd:h:2379", `is no etcd URL: ${ETCD}`],
  ["etcd://h/path", `is no etcd URL: ${ETCD}`],
  ["etcd://h1,etcds://h2", `is no etcd URL: ${ETCD}`],
  ["etcd://h:x", `names no host and port where it says "h:***": ${ETCD}`],
  ["etcd://user:secret", `names no host and port where it says "user:***": ${ETCD}`],
  ["etcd://h1,,h2", `names no host and port where it says "": ${ETCD}`],
  ["etcd://h1:1,2001:db8::1", `names no host and port where it says "2001:db8::1": ${ETCD}`],
  ["etcd://h:0", "has the port 0: use 1 to 65535"],
  ["etcd://h1:2379,h2:65536", "has the port 65536: use 1 to 65535"],
  [
    "etcd://h?compakt=off",
    "has an unknown option compakt: use one of ca, cert, key, passwordFile, compact, retentionMs",
  ],
  ["etcd://h?compact=off&compact=auto", "has the option compact twice: keep one of the two"],
  ["etcd://h?compact=maybe", "has compact=maybe: use auto or off"],
  ["etcd://h?retentionMs=99", "has retentionMs=99: use a whole number from 100 to 604800000"],
  ["etcd://h?retentionMs=1e9", "has retentionMs=1e9: use a whole number from 100 to 604800000"],
  ["etcd://h?retentionMs=", "has retentionMs=: use a whole number from 100 to 604800000"],
  ["etcd://u@h", `names the user u without a password: set passwordFile or ${PASSWORD}`],
  ["etcd://:p@h", "names no user before the @: write etcd://user@host, or leave it out"],
  ["etcd://h?passwordFile=~/pw", "has the option passwordFile without a user: write etcd://user@host"],
  ["etcd://u:50%@h", "has a user or password with a % that encodes nothing: write %25 for the sign itself"],
  ["etcd://h?ca=~/ca", "has the option ca without TLS: begin the URL with etcds://"],
  ["etcds://h?cert=~/ca", "has only one of cert and key: give both"],
  ["etcds://h?ca=~/none", "names a file for ca that cannot be read: ~/none (ENOENT): give a file that vipd may read"],
  [
    "etcd://u@h?passwordFile=~/none",
    "names a file for passwordFile that cannot be read: ~/none (ENOENT): give a file that vipd may read",
  ],

  ["redis://", `is no Redis URL: ${REDIS}`],
  ["redis:h", `is no Redis URL: ${REDIS}`],
  ["redis://h:x", `names no host and port where it says "h:***": ${REDIS}`],
  ["redis://h:70000", "has the port 70000: use 1 to 65535"],
  ["redis+sentinel://h1:26379,h2:0/web", "has the port 0: use 1 to 65535"],
  ["redis+cluster://h1:6379,h2:123456", `names no host and port where it says "h2:123456": ${REDIS}`],
  ["redis://h1,h2", "names several servers, h1,h2: write redis+sentinel://h1,h2,h3/name or redis+cluster://h1,h2,h3"],
  ["redis://h/3", "names the database 3: leave it out: vipd uses database 0"],
  ["redis+cluster://a,b/2", "names the database 2: leave it out: vipd uses database 0"],
  ["redis+sentinel://a,b", "names no master: write redis+sentinel://h1,h2,h3/name"],
  [
    "redis+unix:run/redis.sock",
    "names no socket by an absolute path: write one such as redis+unix:/run/redis/redis.sock",
  ],
  ["redis+unix://h", "names no socket by an absolute path: write one such as redis+unix:/run/redis/redis.sock"],
  ["redis://h?minReplica=1", `has an unknown option minReplica: ${REDIS_OPTIONS}`],
  ["redis://h?minReplicas=1&minReplicas=2", "has the option minReplicas twice: keep one of the two"],
  ["redis://h?minReplicas=x", "has minReplicas=x: use a whole number from 0 to 100"],
  ["redis://h?minReplicas=101", "has minReplicas=101: use a whole number from 0 to 100"],
  ["redis://h?minReplicas=-1", "has minReplicas=-1: use a whole number from 0 to 100"],
  ["redis://h?key=~/ca", "has the option key without TLS: begin the URL with rediss"],
  ["rediss://h?key=~/ca", "has only one of cert and key: give both"],
  [
    "redis://h?sentinelPasswordFile=~/pw",
    "has the option sentinelPasswordFile without Sentinels: begin the URL with redis+sentinel://",
  ],
  ["redis://u@h", `names the user u without a password: set passwordFile or ${PASSWORD}`],
  ["redis://u:50%@h", "has a user or password with a % that encodes nothing: write %25 for the sign itself"],
  [
    "redis://u@h?passwordFile=~/none",
    "names a file for passwordFile that cannot be read: ~/none (ENOENT): give a file that vipd may read",
  ],
];

describe("a mistake is told with what would be right", () => {
  test.each(MISTAKES)("%s", (url, mistake) => {
    expect(mistakeIn(url)).toBe(mistake);
  });
});

describe("no mistake tells a secret", () => {
  test.each([
    ["etcd://me:hu/sh@h", "is no etcd URL"],
    ["etcd://me:hu?sh@h", "has a ? in its user or password: write %3F for it"],
    ["etcd://me:hu?sh=1@h", "has a ? in its user or password: write %3F for it"],
    ["redis://me:x?hush=sh@h", "has a ? in its user or password: write %3F for it"],
    ["sqlite://:hush@host", "names no file by an absolute path"],
    ["etcd://me:hu#sh@h", "is no etcd URL"],
    ["etcd://me:hush@h:99999", "has the port 99999"],
    ["etcd://me:hu%zzsh@h", "has a user or password with a %"],
    ["redis://me:hu/sh@h", "has a / in its user or password: write %2F for it"],
    ["redis://me:hu/sh/sh@h", "has a / in its user or password: write %2F for it"],
    ["redis://me:hu?sh@h", "has a ? in its user or password: write %3F for it"],
    ["redis://me:hu@sh@h", "is no Redis URL"],
    ["redis+unix://me:hu/sh@/run/s", "names no socket by an absolute path"],
    ["redis+sentinel://me:hush@h", "names no master"],
    ["redis://me:hush@h/7?minReplicas=1", "names the database 7"],
  ])("%s", (url, mistake) => {
    const told = mistakeIn(url);
    expect(told).toContain(mistake);
    expect(told).not.toMatch(/hu.?sh|\bhu\b|\bsh\b/u);
  });
});

describe("what a URL says", () => {
  const env: Record<string, string> = {};
  const secrets: SecretSources = {
    readFile: (path) => new TextEncoder().encode(`${path} holds this\n`),
    env,
  };

  afterEach(() => {
    delete env[PASSWORD];
  });

  test.each([
    ["etcd://h", { endpoints: ["h:2379"], tls: null, auth: null, compact: "auto", retentionMs: 600_000 }],
    ["ETCD://h", { endpoints: ["h:2379"] }],
    ["etcd://h1:1,h2,[2001:db8::1]:3,[::1]/", { endpoints: ["h1:1", "h2:2379", "[2001:db8::1]:3", "[::1]:2379"] }],
    ["etcd://h?compact=off&retentionMs=100", { compact: "off", retentionMs: 100 }],
    ["etcd://u:a%40b@h", { auth: { username: "u", password: "a@b" } }],
    ["etcd://u:a:b@h", { auth: { username: "u", password: "a:b" } }],
    ["etcd://u@h?passwordFile=/pw", { auth: { username: "u", password: "/pw holds this" } }],
    ["etcds://h?ca=/ca", { tls: { ca: new TextEncoder().encode("/ca holds this\n") } }],
    ["etcds://h", { tls: {} }],
  ])("%s", (url, expected) => {
    expect(parseEtcdUrl(url, secrets)).toMatchObject(expected);
  });

  const seeds = [
    { host: "a", port: 26_379 },
    { host: "b", port: 5 },
  ];

  test.each([
    ["redis://h", { where: { kind: "host", host: "h", port: 6379 }, tls: null, username: null, minReplicas: 0 }],
    ["redis://h/0", { where: { kind: "host", host: "h", port: 6379 } }],
    ["REDISS://[2001:db8::1]:7", { where: { kind: "host", host: "2001:db8::1", port: 7 }, tls: {} }],
    ["redis+unix:/run/redis.sock", { where: { kind: "unix", path: "/run/redis.sock" } }],
    [
      "redis+unix://u:p@/run/a@b.sock",
      { where: { kind: "unix", path: "/run/a@b.sock" }, username: "u", password: "p" },
    ],
    ["redis+sentinel://a,b:5/web", { where: { kind: "sentinel", name: "web", password: null, sentinels: seeds } }],
    [
      "rediss+sentinel://a/web?sentinelPasswordFile=/pw",
      { where: { kind: "sentinel", name: "web", password: "/pw holds this" }, tls: {} },
    ],
    ["redis+cluster://a:26379,b:5", { where: { kind: "cluster", nodes: seeds } }],
    ["redis://h?minReplicas=2", { minReplicas: 2 }],
    ["redis://u:a%40b@h", { username: "u", password: "a@b" }],
    ["redis://:p@h", { username: null, password: "p" }],
    ["redis://u@h?passwordFile=/pw", { username: "u", password: "/pw holds this" }],
    ["rediss://h?ca=/ca", { tls: { ca: "/ca holds this\n" } }],
  ])("%s", (url, expected) => {
    expect(parseRedisUrl(url, secrets)).toMatchObject(expected);
  });

  test("the password may come from the environment", () => {
    env[PASSWORD] = "from-env";
    expect(parseEtcdUrl("etcd://u@h", secrets).auth).toEqual({ username: "u", password: "from-env" });
    expect(parseRedisUrl("redis://h", secrets).password).toBe("from-env");
  });
});
