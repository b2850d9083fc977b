// A fleet on Redis servers that belong together, each on a machine of its own: Sentinel with two replicas, and a Cluster.

import { afterEach, describe, expect, test } from "vitest";
import { waitFor } from "../servers/machine.ts";
import { type RedisGroup, startRedisCluster, startSentinelGroup } from "../servers/redis-groups.ts";
import type { RedisServer } from "../servers/redis.ts";
import { cut } from "../hosts/harness/cut.ts";
import type { Station } from "../hosts/harness/lan.ts";
import { type DaemonProcess, VIP } from "../hosts/harness/fleet.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

/** Sentinel needs so long to notice, to agree and to promote; then everybody waits a lease. In milliseconds. */
const FAILOVER_MS = 15_000;
const BACK_MS = 10_000;
const LONG_MS = 10_000;

let group: RedisGroup | undefined;

afterEach(async () => {
  await group?.close();
  group = undefined;
});

async function begin(
  start: () => Promise<RedisGroup>,
): Promise<{ daemons: readonly DaemonProcess[]; group: RedisGroup }> {
  group = await start();
  await group.ready();
  return { group, daemons: await bench().startAll({ store: group.url }, "    preempt: false\n") };
}

const machines = (count = 3) => Array.from({ length: count }, () => bench().lan.addServer());

function tokenOf(status: Awaited<ReturnType<DaemonProcess["holds"]>> | undefined): bigint {
  return BigInt(status?.elections[0]?.token ?? 0);
}

/** Does something to a master; what it gives repairs that. */
type Strike = (master: RedisServer) => Promise<() => Promise<void>>;

const kill: Strike = async (master) => {
  await master.kill();
  return () => master.startAgain();
};

const hang: Strike = (master) => {
  master.signal("SIGSTOP");
  return Promise.resolve(() => Promise.resolve(master.signal("SIGCONT")));
};

describe("Sentinel with two replicas, and a commit counts when one replica has it", () => {
  const start = (): Promise<RedisGroup> => startSentinelGroup({ downAfterMs: 500, places: machines() });

  test.each<[string, Strike]>([
    ["is killed", kill],
    ["hangs, and wakes", hang],
    [
      "is cut off from everybody, and comes back",
      (master) => {
        const machine = bench().machine(master.place.ip);
        const heals = [cut(machine, "hears"), cut(machine, "says")];
        return Promise.resolve(() => Promise.resolve(heals.forEach((heal) => heal())));
      },
    ],
  ])("the master %s: a replica takes its place, tokens grow, and one answers at a time", async (_what, strike) => {
    const { daemons, group: made } = await begin(start);
    const before = tokenOf(await daemons[0]?.holds());
    const from = await bench().mark("a");
    const master = await made.master();
    const fix = await strike(master);
    await expect
      .poll(() => made.master().catch(() => master), { timeout: FAILOVER_MS, interval: 200 })
      .not.toBe(master);
    await bench().allTakePart(daemons, FAILOVER_MS);
    await fix();
    await bench().idle(2_000);
    await bench().allTakePart(daemons, BACK_MS);
    const { host } = await bench().recorder.answered(VIP, () => true, bench().now());
    const after = await daemons.find((daemon) => daemon.host.name === host)?.holds();
    expect(tokenOf(after)).toBeGreaterThanOrEqual(before);
    expect(bench().outOfTurnMs("a", from)).toBe(0);
  });
});

test("Sentinel: a master cut off from its replicas, but not from the nodes, confirms nothing; they find the new one", async () => {
  const { daemons, group: made } = await begin(() => startSentinelGroup({ downAfterMs: 500, places: machines() }));
  const from = await bench().mark("a");
  const master = await made.master();
  const others = made.servers.filter((server) => server !== master).map(({ place }) => bench().machine(place.ip));
  const machine = bench().machine(master.place.ip);
  const heals = [cut(machine, "hears", others), cut(machine, "says", others)];
  await expect.poll(() => made.master().catch(() => master), { timeout: FAILOVER_MS, interval: 200 }).not.toBe(master);
  await bench().allTakePart(daemons, FAILOVER_MS);
  await bench().recorder.answered(VIP, () => true, bench().now());
  for (const heal of heals) heal();
  await bench().idle(2_000);
  await bench().allTakePart(daemons, BACK_MS);
  expect(bench().outOfTurnMs("a", from)).toBe(0);
});

/** The machines of one side and of the other hear nothing of each other; the result repairs that. */
function part(these: readonly Station[], those: readonly Station[]): () => void {
  const heals = these.flatMap((machine) => [cut(machine, "hears", those), cut(machine, "says", those)]);
  return () => heals.forEach((heal) => heal());
}

test("Sentinel without minReplicas: nodes leave a master that is cut off from the others, though it goes on confirming", async () => {
  const made = await startSentinelGroup({ downAfterMs: 500, minReplicas: 0, places: machines() });
  group = made;
  await made.ready();
  const daemons = await bench().startAll({ store: made.url, ttl: "3s" }, "    preempt: false\n");
  const from = await bench().mark("a");
  const master = await made.master();
  const others = made.servers.filter((server) => server !== master).map(({ place }) => bench().machine(place.ip));
  const heal = part([bench().machine(master.place.ip)], others);
  await expect.poll(() => made.master().catch(() => master), { timeout: FAILOVER_MS, interval: 200 }).not.toBe(master);
  const next = await made.master();
  await waitFor("vipd has begun an epoch on the new master", async () => {
    const run = /run_id:(\w+)/u.exec(String(await next.command("INFO", "server")))?.[1] ?? "unknown";
    return String(await next.command("HGET", "{vipd}:meta", "run")).startsWith(run);
  });
  await bench().allTakePart(daemons, FAILOVER_MS);
  const { host } = await bench().recorder.answered(VIP, () => true, bench().now());
  expect(["a", "b"]).toContain(host);
  heal();
  await bench().idle(2_000);
  await bench().allTakePart(daemons, FAILOVER_MS);
  expect(bench().outOfTurnMs("a", from)).toBe(0);
});

describe("Sentinel, and the holder alone with the old master and one Sentinel, while all others are on the other side", () => {
  const ttl = "1500ms";

  async function divide(places: readonly Station[], witnesses: readonly Station[]) {
    const made = await startSentinelGroup({ downAfterMs: 500, places, witnesses });
    group = made;
    await made.ready();
    const daemons = await bench().startAll({ store: made.url, ttl }, "    preempt: false\n");
    const from = await bench().mark("a");
    const [mine, ...theirs] = [...places, ...witnesses];
    const heal = part([bench().host("a"), ...(mine === undefined ? [] : [mine])], [bench().host("b"), ...theirs]);
    const [a] = daemons;
    await a?.until("has let go", ({ elections: [web], store }) => web?.role !== "holder" && !store.ok);
    return { daemons, from, heal, group: made };
  }

  test("the replicas are two: one is promoted and the other confirms, and the other node holds; never both", async () => {
    const { daemons, from, heal } = await divide(machines(), []);
    await daemons[1]?.holds("web", FAILOVER_MS);
    const turned = bench().now();
    await bench().idle(LONG_MS);
    expect(bench().recorder.hands(VIP, turned)).toEqual(["b"]);
    heal();
    await bench().idle(2_000);
    await bench().allTakePart(daemons, BACK_MS);
    expect(bench().outOfTurnMs("a", from)).toBe(0);
  });

  test("the replica is the only one: it is promoted, and nothing is confirmed on either side until they meet", async () => {
    const { daemons, from, heal, group: made } = await divide(machines(2), machines(1));
    const master = made.servers[1];
    await expect.poll(() => made.master(), { timeout: FAILOVER_MS, interval: 200 }).toBe(master);
    const silent = bench().now();
    await bench().idle(LONG_MS);
    expect(bench().recorder.hands(VIP, silent)).toEqual([]);
    heal();
    await bench().allTakePart(daemons, 2 * FAILOVER_MS);
    await bench().recorder.answered(VIP, () => true, silent);
    expect(bench().outOfTurnMs("a", from)).toBe(0);
  });
});

describe("a Cluster of three", () => {
  const start = (): Promise<RedisGroup> => startRedisCluster(machines());

  test.each<[string, Strike]>([
    ["is killed, and started again", kill],
    ["hangs, and wakes", hang],
  ])("the master of vipd's slot %s: nobody answers meanwhile, and then one does", async (_what, strike) => {
    const { daemons, group: made } = await begin(start);
    const before = tokenOf(await daemons[0]?.holds());
    const from = await bench().mark("a");
    const fix = await strike(await made.master());
    for (const daemon of daemons) await daemon.until("has let go", ({ elections: [web] }) => web?.role !== "holder");
    const silent = bench().now();
    await bench().idle(LONG_MS / 2);
    expect(bench().recorder.hands(VIP, silent)).toEqual([]);
    await fix();
    await made.ready();
    await bench().allTakePart(daemons, BACK_MS);
    const { host } = await bench().recorder.answered(VIP, () => true, silent);
    const after = await daemons.find((daemon) => daemon.host.name === host)?.holds();
    expect(tokenOf(after)).toBeGreaterThanOrEqual(before);
    expect(bench().outOfTurnMs("a", from)).toBe(0);
  });
});

test.each<[string, Strike]>([
  ["is killed, and started again", kill],
  ["hangs, and wakes", hang],
])("a Cluster with a replica of vipd's slot, whose master %s: the replica takes its place", async (_what, strike) => {
  const { daemons, group: made } = await begin(() => startRedisCluster(machines(4), "?minReplicas=1"));
  const before = tokenOf(await daemons[0]?.holds());
  const from = await bench().mark("a");
  const fix = await strike(await made.master());
  const replica = made.servers.at(-1);
  await waitFor("the replica is the master", async () =>
    String(await replica?.command("ROLE").catch(() => "")).startsWith("master"),
  );
  // It counts commits only when the old master has come back, as its replica.
  await fix();
  await bench().allTakePart(daemons, FAILOVER_MS);
  const { host } = await bench().recorder.answered(VIP, () => true, bench().now());
  const after = await daemons.find((daemon) => daemon.host.name === host)?.holds();
  expect(tokenOf(after)).toBeGreaterThan(before);
  expect(bench().outOfTurnMs("a", from)).toBe(0);
});
