// What etcd and its client do to a store in real life: leaders die, members hang, tokens end, disks fill, secrets leak.

import { afterEach, describe, expect, test } from "vitest";
import { isBelowFloor } from "../../adapters/etcd/examine.ts";
import { openStore } from "../../src/stores/index.ts";
import type { CallLimits, Store } from "../../src/ports/store.ts";
import { EtcdCluster } from "../servers/etcd.ts";
import { PATIENT, put } from "./harness.ts";

/** As a fleet with a lease of 3 s asks: a sixth of it. */
const BRISK: CallLimits = { timeoutMs: 500 };

let cluster: EtcdCluster | undefined;
const stores: Store[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await cluster?.close();
  cluster = undefined;
});

async function begin(size: number, tls = false): Promise<{ cluster: EtcdCluster; store: Store }> {
  const made = await EtcdCluster.start(size, tls);
  cluster = made;
  return { cluster: made, store: await open(made.url) };
}

async function open(url: string, readOnly = false): Promise<Store> {
  const store = await openStore(url, { readOnly });
  stores.push(store);
  return store;
}

/** Heartbeats as a node does until one is confirmed: how long it took, in milliseconds. */
async function untilCommitted(store: Store, key: string): Promise<number> {
  const from = performance.now();
  for (;;) {
    const done = await store.commit({ guards: [], writes: [{ key, value: "1" }] }, BRISK).then(
      (result) => result.kind === "committed",
      () => false,
    );
    if (done) return performance.now() - from;
    expect(performance.now() - from).toBeLessThan(20_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("three members", () => {
  test("the leader is killed: commits are refused or unknown for a while, then go through; nothing confirmed is lost", async () => {
    const { cluster: made, store } = await begin(3);
    const version = await put(store, "k", "before");
    await made.kill([made.leader()]);
    await untilCommitted(store, "heartbeat");
    const { records } = await store.read("k", PATIENT);
    expect(records).toEqual([{ key: "k", value: "before", version }]);
  });

  test("a member that hangs costs one call: the next one asks another member", async () => {
    const { cluster: made, store } = await begin(3);
    await put(store, "k", "1");
    const [first] = made.members;
    first?.child?.kill("SIGSTOP");
    try {
      await untilCommitted(store, "heartbeat");
      await expect(store.read("k", BRISK)).resolves.toMatchObject({ records: [{ key: "k" }] });
    } finally {
      first?.child?.kill("SIGCONT");
    }
  });

  test("a read goes round the members that are gone, within one call", async () => {
    const { cluster: made, store } = await begin(3);
    await put(store, "k", "1");
    const [first] = made.members;
    if (first !== undefined) await made.kill([first]);
    await untilCommitted(store, "heartbeat");
    const fresh = await open(made.url);
    await expect(fresh.read("k", { timeoutMs: 3_000 })).resolves.toMatchObject({ records: [{ key: "k" }] });
  });
});

describe("what the members say of themselves", () => {
  test("their version, and which of them does not answer", async () => {
    const { cluster: made, store } = await begin(3);
    const [first] = made.members;
    if (first !== undefined) await made.kill([first]);
    await untilCommitted(store, "heartbeat");
    const findings = (await store.examine?.({ timeoutMs: 2_000 })) ?? [];
    const version = /etcd Version: ([\d.]+)/u.exec(made.version())?.[1];
    const named = findings.filter(({ text }) => text.startsWith(`etcd ${version}`));
    expect(named).toHaveLength(1);
    expect(named[0]?.fix === null).toBe(!isBelowFloor(version ?? ""));
    const silent = findings.filter(({ text }) => text.includes("cannot be asked"));
    expect(silent.map(({ text }) => text)).toEqual([expect.stringContaining(`127.0.0.1:${first?.client}`)]);
  });
});

describe("one member", () => {
  test("a commit to a server that hangs is of unknown outcome, and a guard tells afterwards whether it was applied", async () => {
    const { cluster: made, store } = await begin(1);
    const version = await put(store, "k", "1");
    made.signal("SIGSTOP");
    const commit = store.commit({ guards: [{ key: "k", version }], writes: [{ key: "k", value: "2" }] }, BRISK);
    await expect(commit).rejects.toMatchObject({ code: "outcome-unknown" });
    made.signal("SIGCONT");
    const { records } = await store.read("k", PATIENT);
    expect(["1", "2"]).toContain(records[0]?.value);
  });

  test("twenty outages: the same store works again each time, and keeps no more handles than before", async () => {
    const { cluster: made, store } = await begin(1);
    await untilCommitted(store, "heartbeat");
    const handles = (): number => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/u.test(name)).length;
    const before = handles();
    for (let outage = 0; outage < 20; outage += 1) {
      await made.kill();
      await expect(store.read("", BRISK)).rejects.toMatchObject({ code: "store-unavailable" });
      await made.startAll();
      expect(await untilCommitted(store, "heartbeat")).toBeLessThan(3_000);
    }
    expect(handles()).toBeLessThanOrEqual(before + 3);
  }, 120_000);

  test("`compact: auto` throws old history away where nobody else does", async () => {
    const { cluster: made } = await begin(1);
    const store = await open(made.urlOf(made.members, "compact=auto&retentionMs=300"));
    const since = (await store.read("", PATIENT)).revision;
    const isForgotten = async (): Promise<boolean> => {
      await put(store, "k", String(performance.now()));
      for await (const event of store.watch("", since, AbortSignal.timeout(1_000))) return event.kind === "gap";
      return false;
    };
    await expect.poll(isForgotten, { timeout: 10_000 }).toBe(true);
    expect(store.guarantees.caveats.join("\n")).not.toContain("compacted:");
  });

  test("a store that is opened for reading takes no commit", async () => {
    const { cluster: made, store } = await begin(1);
    const version = await put(store, "k", "1");
    const looking = await open(made.url, true);
    await expect(looking.read("k", PATIENT)).resolves.toMatchObject({ records: [{ key: "k", value: "1", version }] });
    await expect(put(looking, "k", "2")).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(store.read("k", PATIENT)).resolves.toMatchObject({ records: [{ version }] });
  });

  test("looking changes nothing, and says when there is nothing to look at", async () => {
    const { cluster: made } = await begin(1);
    made.ctl("del", "/vipd-epoch");
    const looking = openStore(made.url, { readOnly: true });
    await expect(looking).rejects.toMatchObject({
      code: "store-unavailable",
      message: expect.stringContaining("no fleet"),
    });
    expect(made.ctl("get", "--prefix", "/vipd", "--keys-only").trim()).toBe("");
  });
});

describe("a backup is put back", () => {
  test.each([
    ["in place: who has seen more begins a new epoch", undefined, true],
    ["as another cluster: also who has seen nothing begins a new epoch", "another-cluster", false],
  ])("%s, above all revisions that were given out", async (_what, token, sawMore) => {
    const { cluster: made, store } = await begin(1);
    await put(store, "k", "kept");
    const { epoch } = await store.read("", PATIENT);
    const file = made.backup();
    for (let i = 0; i < 20; i += 1) await put(store, "k", `lost ${i}`);
    const last = await put(store, "k", "lost");
    await made.restore(file, token);
    const reader = sawMore ? store : await open(made.url);
    const after = await reader.read("", PATIENT).catch(() => reader.read("", PATIENT));
    expect(after.epoch).not.toBe(epoch);
    expect(after.revision).toBeGreaterThan(last);
    expect(after.records).toMatchObject([{ key: "k", value: "kept" }]);
    const stale = store.commit({ guards: [{ key: "k", version: last }], writes: [{ key: "k", value: "x" }] }, PATIENT);
    await expect(stale.catch(() => ({ kind: "refused" }))).resolves.not.toMatchObject({ kind: "committed" });
    expect(await put(reader, "k", "new")).toBeGreaterThan(last);
    const other = await open(made.url);
    await expect(other.read("", PATIENT)).resolves.toMatchObject({ epoch: after.epoch, records: [{ value: "new" }] });
  });
});

describe("a commit by who has not noticed that a backup was put back", () => {
  test.each([
    ["in place", undefined],
    ["as another cluster", "another-cluster"],
  ])("%s: is never confirmed at a revision that was given out before", async (_what, token) => {
    const { cluster: made, store } = await begin(1);
    await put(store, "k", "kept");
    const file = made.backup();
    for (let i = 0; i < 5; i += 1) await put(store, "k", `lost ${i}`);
    const last = await put(store, "k", "lost");
    await made.restore(file, token);
    const confirmed: bigint[] = [];
    const attempt = async (): Promise<number> => {
      const result = await store
        .commit({ guards: [], writes: [{ key: "other", value: "1" }] }, BRISK)
        .catch(() => null);
      if (result?.kind === "committed") confirmed.push(result.revision);
      return confirmed.length;
    };
    await expect.poll(attempt, { timeout: 10_000 }).toBe(3);
    expect(confirmed.filter((revision) => revision <= last)).toEqual([]);
  });
});

describe("TLS and authentication", () => {
  test("a client certificate and a password let in; after a restart of etcd the store signs in anew", async () => {
    const { cluster: made } = await begin(1, true);
    made.enableAuth("s3cret-word");
    const store = await open(made.url);
    await put(store, "k", "1");
    await made.kill();
    await made.startAll();
    await untilCommitted(store, "k");
  });

  test("a wrong password is refused, and no message tells it", async () => {
    const { cluster: made } = await begin(1, true);
    made.enableAuth("s3cret-word");
    const store = await open(made.urlOf(made.members, "compact=off", "root:wr0ng-word"));
    const error = await store.read("", BRISK).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "store-unavailable" });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/wr0ng-word|s3cret-word/u);
  });

  test("without a certificate nothing is answered", async () => {
    const { cluster: made } = await begin(1, true);
    const store = await open(
      `etcds://127.0.0.1:${made.members[0]?.client ?? 0}?ca=${made.certificates?.ca ?? ""}&compact=off`,
    );
    await expect(store.read("", BRISK)).rejects.toMatchObject({ code: "store-unavailable" });
  });
});
