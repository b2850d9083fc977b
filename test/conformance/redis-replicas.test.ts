// What `minReplicas` promises: nothing that too few replicas have is believed, whether it was committed or read.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type FleetMember, joinFleet, openStore } from "../../src/index.ts";
import type { CallLimits, Store } from "../../src/ports/store.ts";
import { DURABLE, RedisServer } from "../servers/redis.ts";
import { waitFor } from "../servers/machine.ts";
import { PATIENT, put, thrownBy } from "./harness.ts";

/** As a fleet with a lease of 3 s asks: a sixth of it. */
const BRISK: CallLimits = { timeoutMs: 500 };

const servers: RedisServer[] = [];
const stores: Store[] = [];
const members: FleetMember[] = [];

afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.leave()));
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(...args: readonly string[]): Promise<RedisServer> {
  const server = await RedisServer.start([...DURABLE, "--repl-diskless-sync-delay", "0", ...args]);
  servers.push(server);
  return server;
}

/** A master with one replica, which has all that it has. */
async function startPair(): Promise<{ readonly master: RedisServer; readonly replica: RedisServer }> {
  const master = await start();
  const replica = await start("--replicaof", "127.0.0.1", String(master.port));
  await waitFor("the replica is connected", async () =>
    String(await master.command("INFO", "replication")).includes("state=online"),
  );
  return { master, replica };
}

async function open(url: string, readOnly = false): Promise<Store> {
  const store = await openStore(url, { readOnly });
  stores.push(store);
  return store;
}

function write(store: Store, limits = BRISK): Promise<unknown> {
  return store.commit({ guards: [], writes: [{ key: "k", value: "2" }] }, limits);
}

function recordOf(server: RedisServer): Promise<unknown> {
  return server.command("HGET", "{vipd}:records", "k");
}

describe("a read", () => {
  test("of a master without its replica fails: what it tells may be confirmed by nobody", async () => {
    const { master, replica } = await startPair();
    const store = await open(`${master.url}?minReplicas=1`);
    await put(store, "k", "1");
    await expect(store.read("", PATIENT)).resolves.toMatchObject({ records: [{ key: "k", value: "1" }] });
    await replica.kill();
    await expect(write(store)).rejects.toMatchObject({ code: "outcome-unknown" });
    await expect(store.read("", BRISK)).rejects.toMatchObject({
      code: "store-unavailable",
      // On a machine at work its answer comes too late.
      message: expect.stringMatching(/0 of 1 replicas|no answer/u),
    });
    await replica.startAgain();
    const seen = (): Promise<unknown> => store.read("", BRISK).then(({ records }) => records[0]?.value, String);
    await expect.poll(seen, { timeout: 10_000 }).toBe("2");
  });

  test("of a master whose replica was promoted fails, although that had taken everything before", async () => {
    const { master, replica } = await startPair();
    const store = await open(`${master.url}?minReplicas=1`);
    await put(store, "k", "1");
    await replica.command("REPLICAOF", "NO", "ONE");
    await expect(store.read("", BRISK)).rejects.toMatchObject({ code: "store-unavailable" });
  });

  test("on a connection that has written nothing yet fails too", async () => {
    const master = await start();
    await put(await open(master.url), "k", "1");
    const store = await open(`${master.url}?minReplicas=1`);
    await expect(store.read("", BRISK)).rejects.toMatchObject({ code: "store-unavailable" });
  });

  test("by one who only looks writes nothing, and tells what the master says", async () => {
    const { master, replica } = await startPair();
    await put(await open(master.url), "k", "1");
    await replica.kill();
    const changes = async (): Promise<string | undefined> =>
      /rdb_changes_since_last_save:\d+/u.exec(String(await master.command("INFO", "persistence")))?.[0];
    const before = await changes();
    const store = await open(`${master.url}?minReplicas=1`, true);
    await expect(store.read("", BRISK)).resolves.toMatchObject({ records: [{ key: "k" }] });
    expect(before).toMatch(/\d/u);
    expect(await changes()).toBe(before);
  });
});

describe("a member of a fleet", () => {
  const ttlMs = 1_000;

  async function enter(url: string): Promise<FleetMember> {
    const member = await joinFleet({ store: url, fleet: "test", ttlMs });
    members.push(member);
    return member;
  }

  test("leads no longer than its lease when the last replica is gone, and not again before it is back", async () => {
    const { master, replica } = await startPair();
    const member = await enter(`${master.url}?minReplicas=1`);
    let leading = 0;
    const campaign = new AbortController();
    const ended = member
      .lead(
        "job",
        async ({ signal }) => {
          leading += 1;
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          leading -= 1;
        },
        { again: true, signal: campaign.signal },
      )
      .catch(() => {});
    await expect.poll(() => leading, { timeout: 10_000 }).toBe(1);
    await replica.kill();
    const from = performance.now();
    await expect.poll(() => leading, { timeout: 10_000, interval: 10 }).toBe(0);
    // The last heartbeat that the replica had may have been sent just before; the rest is this process's own delay.
    expect(performance.now() - from).toBeLessThan(ttlMs + 300);
    const again: number[] = [];
    const watch = setInterval(() => again.push(leading), 20);
    await new Promise((resolve) => setTimeout(resolve, 4 * ttlMs));
    clearInterval(watch);
    expect(Math.max(...again)).toBe(0);
    await replica.startAgain();
    await expect.poll(() => leading, { timeout: 10_000 }).toBe(1);
    campaign.abort();
    await ended;
  });

  test("never leads on a master that has had no replica from the beginning", async () => {
    const member = await enter(`${(await start()).url}?minReplicas=1`);
    const work = member.lead("job", () => "led", { signal: AbortSignal.timeout(4 * ttlMs) });
    await expect(work).rejects.toMatchObject({ code: "aborted" });
  });
});

test("the rights that the documentation lists are all that is needed", async () => {
  const { master } = await startPair();
  const docs = readFileSync(join(import.meta.dirname, "../../docs/stores/redis.md"), "utf8");
  const [, listed = ""] = /^Needed rights: ([^]*?)\. With CONFIG GET/mu.exec(docs) ?? [];
  const commands = [...listed.matchAll(/\b(?:CLUSTER )?[A-Z]{3,}\b/gu)].map(([name]) => name.toLowerCase());
  const rights = [...new Set(commands)].filter((name) => !name.startsWith("cluster")).map((name) => `+${name}`);
  await master.command("ACL", "SETUSER", "lb", "on", ">a-password", "~{vipd}:*", "&{vipd}:*", ...rights);
  const store = await open(`redis://lb:a-password@127.0.0.1:${master.port}?minReplicas=1`);
  const { revision } = await store.read("", PATIENT);
  const changes = store.watch("", revision, AbortSignal.timeout(5_000))[Symbol.asyncIterator]();
  const next = changes.next();
  await put(store, "k", "1");
  await expect(next).resolves.toMatchObject({ value: { kind: "changes" } });
  await put(store, "k", null);
  await expect(store.read("", PATIENT)).resolves.toMatchObject({ records: [] });
});

describe("a commit that was applied is of unknown outcome, whatever becomes of WAIT", () => {
  test("when the user may not wait", async () => {
    const { master } = await startPair();
    await master.command("ACL", "SETUSER", "lb", "on", ">a-password", "~*", "&*", "+@all", "-wait");
    const store = await open(`redis://lb:a-password@127.0.0.1:${master.port}?minReplicas=1`);
    const error = await thrownBy(() => write(store, PATIENT));
    expect(error).toMatchObject({
      code: "outcome-unknown",
      message: expect.stringContaining("its user may not run WAIT"),
    });
    expect(await recordOf(master)).toMatch(/ 2$/u);
  });

  test("when the wait is broken off", async () => {
    const master = await start();
    const store = await open(`${master.url}?minReplicas=1`);
    const outcome = thrownBy(() => write(store, { timeoutMs: 10_000 }));
    const blocked = async (): Promise<string | undefined> =>
      /^id=(\d+) .* flags=b .* cmd=wait /mu.exec(String(await master.command("CLIENT", "LIST")))?.[1];
    await waitFor("a client waits", async () => (await blocked()) !== undefined);
    await master.command("CLIENT", "UNBLOCK", (await blocked()) ?? "", "ERROR");
    expect(await outcome).toMatchObject({ code: "outcome-unknown" });
    expect(await recordOf(master)).toMatch(/ 2$/u);
  });

  test("when the connection breaks while it waits", async () => {
    const master = await start();
    const store = await open(`${master.url}?minReplicas=1`);
    const outcome = thrownBy(() => write(store, { timeoutMs: 10_000 }));
    await waitFor("a client waits", async () => String(await master.command("CLIENT", "LIST")).includes(" flags=b "));
    await master.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    expect(await outcome).toMatchObject({ code: "outcome-unknown" });
    expect(await recordOf(master)).toMatch(/ 2$/u);
  });

  test("when the script itself is broken off in the middle, by what the user may not do", async () => {
    const master = await start();
    await master.command("ACL", "SETUSER", "lb", "on", ">a-password", "~*", "&*", "+@all", "-publish");
    const store = await open(`redis://lb:a-password@127.0.0.1:${master.port}`);
    expect(await thrownBy(() => write(store, PATIENT))).toMatchObject({ code: "outcome-unknown" });
    expect(await recordOf(master)).toMatch(/ 2$/u);
  });
});
