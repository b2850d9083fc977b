// What Redis and its client do to a store in real life: memory that forgets, servers that hang and wake, scripts that are
// forgotten, replicas that are missing, secrets that must not leak.

import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openStore } from "../../src/stores/index.ts";
import type { CallLimits, Store } from "../../src/ports/store.ts";
import { makeCertificates } from "../servers/certificates.ts";
import { PATIENT, put } from "./harness.ts";
import { waitFor } from "../servers/machine.ts";
import { startRedisCluster } from "../servers/redis-groups.ts";
import { DURABLE, RedisServer } from "../servers/redis.ts";

/** As a fleet with a lease of 3 s asks: a sixth of it. */
const BRISK: CallLimits = { timeoutMs: 500 };

const servers: RedisServer[] = [];
const stores: Store[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(...args: readonly string[]): Promise<RedisServer> {
  const server = await RedisServer.start(args);
  servers.push(server);
  return server;
}

async function open(url: string, readOnly = false): Promise<Store> {
  const store = await openStore(url, { readOnly });
  stores.push(store);
  return store;
}

/** Reads until the store is in another epoch; what cannot be read yet is no answer. */
async function untilOtherEpoch(store: Store, epoch: string): Promise<void> {
  const seen = (): Promise<string> =>
    store.read("", BRISK).then(
      (snapshot) => snapshot.epoch,
      () => epoch,
    );
  await expect.poll(seen, { timeout: 5_000 }).not.toBe(epoch);
}

test("a server without persistence forgets: the epoch is another, and revisions go on growing", async () => {
  const server = await start("--appendonly", "no");
  const store = await open(server.url);
  const before = await put(store, "k", "1");
  const { epoch } = await store.read("", PATIENT);
  await server.kill();
  await server.startAgain();
  await untilOtherEpoch(store, epoch);
  const after = await store.read("", PATIENT);
  expect(after.records).toEqual([]);
  expect(await put(store, "k", "2")).toBeGreaterThan(before);
});

test("a commit that a hanging server finds when it wakes, after its time, is not applied", async () => {
  const server = await start();
  const store = await open(server.url);
  const version = await put(store, "k", "before");
  server.signal("SIGSTOP");
  const late = store.commit(
    { guards: [{ key: "k", version }], writes: [{ key: "k", value: "late" }] },
    { timeoutMs: 200 },
  );
  await expect(late).rejects.toMatchObject({ code: "outcome-unknown" });
  await new Promise((resolve) => setTimeout(resolve, 300));
  server.signal("SIGCONT");
  await expect
    .poll(
      () =>
        store.read("k", BRISK).then(
          (seen) => seen.records,
          () => [],
        ),
      { timeout: 5_000 },
    )
    .toEqual([{ key: "k", value: "before", version }]);
});

test("a server that forgot its scripts is told them again", async () => {
  const server = await start();
  const store = await open(server.url);
  await put(store, "k", "1");
  await server.command("SCRIPT", "FLUSH");
  await put(store, "k", "2");
  await expect(store.read("k", PATIENT)).resolves.toMatchObject({ records: [{ value: "2" }] });
});

test("minReplicas: a commit without its replicas is of unknown outcome; with them it counts", async () => {
  const master = await start();
  const store = await open(`${master.url}?minReplicas=1`);
  const alone = store.commit({ guards: [], writes: [{ key: "k", value: "1" }] }, BRISK);
  await expect(alone).rejects.toMatchObject({
    code: "outcome-unknown",
    message: expect.stringContaining("0 of 1 replicas"),
  });
  const replica = await start();
  await replica.command("REPLICAOF", "127.0.0.1", String(master.port));
  const commits = (): Promise<string> =>
    store.commit({ guards: [], writes: [{ key: "k", value: "2" }] }, BRISK).then(
      ({ kind }) => kind,
      () => "not yet",
    );
  await expect.poll(commits, { timeout: 10_000 }).toBe("committed");
});

test("a replica takes no commits, and is not taken for a master", async () => {
  const master = await start();
  const replica = await start();
  await replica.command("REPLICAOF", "127.0.0.1", String(master.port));
  const store = await open(replica.url);
  const commit = store.commit({ guards: [], writes: [{ key: "k", value: "1" }] }, BRISK);
  await expect(commit).rejects.toMatchObject({ code: "store-unavailable" });
});

test("twenty outages: the same store works again each time, and keeps no more handles than before", async () => {
  const server = await start("--appendonly", "yes");
  const store = await open(server.url);
  await put(store, "k", "1");
  const handles = (): number => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/u.test(name)).length;
  const before = handles();
  for (let outage = 0; outage < 20; outage += 1) {
    await server.kill();
    await expect(store.read("", BRISK)).rejects.toMatchObject({ code: "store-unavailable" });
    await server.startAgain();
    const works = (): Promise<boolean> =>
      put(store, "k", String(outage)).then(
        () => true,
        () => false,
      );
    await expect.poll(works, { timeout: 3_000, interval: 20 }).toBe(true);
  }
  expect(handles()).toBeLessThanOrEqual(before + 3);
}, 120_000);

test("calls during an outage leave no listeners behind", async () => {
  const server = await start();
  const store = await open(server.url);
  await put(store, "k", "1");
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.name);
  process.on("warning", onWarning);
  try {
    await server.kill();
    for (let i = 0; i < 40; i += 1)
      await expect(store.read("", { timeoutMs: 10 })).rejects.toMatchObject({ code: "store-unavailable" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  } finally {
    process.off("warning", onWarning);
  }
});

test("a store that is opened for reading takes no commit", async () => {
  const server = await start();
  const store = await open(server.url);
  const version = await put(store, "k", "1");
  const looking = await open(server.url, true);
  await expect(looking.read("k", PATIENT)).resolves.toMatchObject({ records: [{ key: "k", value: "1", version }] });
  await expect(put(looking, "k", "2")).rejects.toMatchObject({ code: "store-unavailable" });
  await expect(store.read("k", PATIENT)).resolves.toMatchObject({ records: [{ version }] });
});

test("looking changes nothing, and says when there is nothing to look at", async () => {
  const server = await start();
  await server.command("FLUSHALL");
  const looking = openStore(server.url, { readOnly: true });
  await expect(looking).rejects.toMatchObject({
    code: "store-unavailable",
    message: expect.stringContaining("no fleet"),
  });
  expect(await server.command("DBSIZE")).toBe(0);
});

test("a hostile record or publication is told as such, and ends nothing else", async () => {
  const server = await start();
  const store = await open(server.url);
  const since = await put(store, "k", "1");
  const events = store.watch("", since, AbortSignal.timeout(5_000))[Symbol.asyncIterator]();
  const next = events.next();
  await expect.poll(() => server.command("PUBLISH", "{vipd}:changes", "garbage"), { timeout: 5_000 }).toBe(1);
  await expect(next).resolves.toMatchObject({ value: { kind: "gap" } });
  await server.command("HSET", "{vipd}:records", "bad", "no version");
  await expect(store.read("", PATIENT)).rejects.toMatchObject({
    code: "store-corrupt",
    message: expect.stringContaining("bad"),
  });
  await expect(store.read("k", PATIENT)).resolves.toMatchObject({ records: [{ key: "k" }] });
});

test("an entry that is longer than any commit, and one that is no commit, end a watch with a gap", async () => {
  const server = await start();
  const store = await open(server.url);
  const since = await put(store, "k", "1");
  const entry = { revision: String(since + 1n), epoch: "e", changes: [["k", "x".repeat(20 * 2 ** 20)]] };
  for (const text of [JSON.stringify(entry), JSON.stringify({ ...entry, changes: "none" })]) {
    const events = store.watch("", since, AbortSignal.timeout(5_000))[Symbol.asyncIterator]();
    const next = events.next();
    await expect.poll(() => server.command("PUBLISH", "{vipd}:changes", text), { timeout: 5_000 }).toBe(1);
    await expect(next).resolves.toMatchObject({ value: { kind: "gap" } });
    await expect(events.next()).resolves.toMatchObject({ done: true });
  }
});

test("a Cluster whose slot has moved: the store finds the other master, in another epoch, above all revisions", async () => {
  const group = await startRedisCluster();
  try {
    const store = await open(group.url);
    const before = await put(store, "k", "1");
    const { epoch } = await store.read("", PATIENT);
    const owner = await group.master();
    const other = group.servers.find((server) => server !== owner);
    if (other === undefined) throw new Error("a cluster of one");
    await owner.command("FLUSHALL");
    const slot = String(await owner.command("CLUSTER", "KEYSLOT", "{vipd}"));
    const id = String(await other.command("CLUSTER", "MYID"));
    for (const server of [other, ...group.servers.filter((one) => one !== other)])
      await server.command("CLUSTER", "SETSLOT", slot, "NODE", id);
    await untilOtherEpoch(store, epoch);
    expect(await put(store, "k", "2")).toBeGreaterThan(before);
    expect(await other.command("HEXISTS", "{vipd}:records", "k")).toBe(1);
  } finally {
    await group.close();
  }
});

describe("what a server says of itself", () => {
  const caveats = (store: Store): string => store.guarantees.caveats.join("\n");

  test("one that writes everything down: what remains is the clock", async () => {
    const store = await open((await start(...DURABLE)).url);
    const findings = (await store.examine?.(PATIENT)) ?? [];
    expect(findings.map(({ text }) => text)).toContain("appendonly yes, appendfsync always");
    expect(findings[0]?.text).toMatch(/^Redis \d+\./u);
    expect(findings.filter(({ fix }) => fix !== null)).toEqual([]);
    expect(store.guarantees).toMatchObject({ tokenDurable: true, failoverSafe: true });
    expect(store.guarantees.caveats).toHaveLength(1);
  });

  test.each([
    [["--appendonly", "no"], "keeps nothing over a restart"],
    [["--appendonly", "yes", "--appendfsync", "everysec"], "appendfsync everysec"],
  ])("%j is told as it is", async (args, text) => {
    const store = await open((await start(...args)).url);
    await store.read("", PATIENT);
    expect(caveats(store)).toContain(text);
  });

  test("one that does not let its users ask for settings is used all the same, and that is told", async () => {
    const server = await start(...DURABLE);
    await server.command("ACL", "SETUSER", "lb", "on", ">a-password", "~*", "&*", "+@all", "-config");
    const store = await open(`redis://lb:a-password@127.0.0.1:${server.port}`);
    await put(store, "k", "1");
    expect(caveats(store)).toContain("is not known");
  });

  test("with a replica a failover may lose what was confirmed", async () => {
    const master = await start(...DURABLE);
    const replica = await start("--replicaof", "127.0.0.1", String(master.port));
    await waitFor("the replica is connected", async () =>
      String(await master.command("INFO", "replication")).includes("state=online"),
    );
    const store = await open(master.url);
    await store.read("", PATIENT);
    expect(caveats(store)).toContain("failover");
    expect(store.guarantees.failoverSafe).toBe(false);
    expect(replica.port).not.toBe(master.port);
  });
});

describe("being let in", () => {
  test("by a password, by a user, and by no other; no message tells them", async () => {
    const server = await start("--requirepass", "s3cret-word");
    const store = await open(`redis://:s3cret-word@127.0.0.1:${server.port}`);
    await put(store, "k", "1");
    const wrong = await open(`redis://default:wr0ng-word@127.0.0.1:${server.port}`);
    const error = await wrong.read("", BRISK).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "store-unavailable" });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/wr0ng-word|s3cret-word/u);
  });

  test("by a unix socket, and by TLS with a certificate", async () => {
    const server = await start("--unixsocket", "s.sock");
    await put(await open(`redis+unix:${join(server.directory, "s.sock")}`), "k", "1");
    const { ca, cert, key } = makeCertificates(server.directory);
    await server
      .command(
        "CONFIG",
        "SET",
        "tls-cert-file",
        cert,
        "tls-key-file",
        key,
        "tls-ca-cert-file",
        ca,
        "tls-port",
        String(server.port + 1),
      )
      .catch(
        // A server that was built without TLS says so; then there is nothing to be let in by.
        (refused: unknown) => expect(String(refused)).toMatch(/TLS|unsupported|unknown/iu),
      );
    const tls = await open(`rediss://127.0.0.1:${server.port + 1}?ca=${ca}&cert=${cert}&key=${key}`);
    await expect(tls.read("k", PATIENT)).resolves.toMatchObject({ records: [{ key: "k" }] });
  });
});
