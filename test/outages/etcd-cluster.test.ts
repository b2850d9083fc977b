// A fleet on an etcd of three members, each on a machine of its own: what befalls members, disks and the ways to them.

import { afterEach, beforeEach, expect, test } from "vitest";
import { isBelowFloor } from "../../adapters/etcd/examine.ts";
import { Disk } from "../servers/disk.ts";
import type { EtcdCluster, Member } from "../servers/etcd.ts";
import { cut } from "../hosts/harness/cut.ts";
import { type DaemonProcess, VIP } from "../hosts/harness/fleet.ts";
import { makeEtcd } from "../hosts/harness/stores.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";

const bench = useFleet(["a", "b", "c"]);

/** A fleet is well again this soon after its store is, in milliseconds. */
const BACK_MS = 3_000;

/** A member that hangs, or cannot be reached, does so for longer than any lease and any election, in milliseconds. */
const LONG_MS = 10_000;

let etcd: EtcdCluster;
const disks = new Map<Member, Disk>();

beforeEach(async () => {
  etcd = await makeEtcd(bench().lan, 3);
});

afterEach(async () => {
  // A server that waits for a frozen disk cannot even be killed.
  for (const disk of disks.values()) disk.thaw();
  await etcd.kill();
  for (const disk of disks.values()) disk.close();
  disks.clear();
  await etcd.close();
});

async function begin(ttl = "1s"): Promise<readonly DaemonProcess[]> {
  await etcd.startAll();
  return bench().startAll({ store: etcd.url, ttl }, "    preempt: false\n");
}

/** Nobody answered out of turn since `from`. */
function oneAtATime(from: number): void {
  expect(bench().outOfTurnMs("a", from)).toBe(0);
}

function allTakePart(daemons: readonly DaemonProcess[]): Promise<void> {
  return bench().allTakePart(daemons, BACK_MS);
}

test("a version with known bugs is named: once in the log, and by the doctor; so is a member that does not answer", async () => {
  const [a] = await begin();
  const { fleet } = bench();
  const host = bench().host("a");
  const version = /etcd Version: ([\d.]+)/u.exec(etcd.version())?.[1] ?? "";
  const times = isBelowFloor(version) ? 1 : 0;
  const warning = new RegExp(`etcd ${version} has bugs`, "gu");
  expect(a?.log().match(warning) ?? []).toHaveLength(times);
  await etcd.kill(etcd.members.slice(0, 1));
  const doctor = await fleet.vipctl(host, ["doctor", "--config", fleet.configFile(host)]);
  expect(doctor.stdout.match(warning) ?? []).toHaveLength(times);
  expect(doctor.stdout).toMatch(/^warning +store +10\.77\.0\.31:2379 cannot be asked/mu);
  expect(doctor.stdout).toMatch(/^ok +store +its database has [\d.]+ MB/mu);
  expect(doctor.code).toBe(0);
});

test("the leader is killed, and comes back", async () => {
  const daemons = await begin("3s");
  const from = await bench().mark("a");
  const leader = etcd.leader();
  await etcd.kill([leader]);
  await bench().idle(LONG_MS / 2);
  await allTakePart(daemons);
  etcd.spawn(leader);
  await etcd.ready();
  await bench().recorder.answered(VIP, () => true, bench().now());
  oneAtATime(from);
});

test("the leader hangs for ten seconds, and wakes", async () => {
  const daemons = await begin();
  const from = await bench().mark("a");
  const leader = etcd.leader();
  etcd.signal("SIGSTOP", [leader]);
  await bench().idle(LONG_MS);
  await allTakePart(daemons);
  etcd.signal("SIGCONT", [leader]);
  await bench().idle(1_000);
  await allTakePart(daemons);
  oneAtATime(from);
});

test("the leader's disk hangs: an old leader keeps nobody holding", async () => {
  for (const member of etcd.members) disks.set(member, new Disk(member.directory));
  const daemons = await begin();
  const from = await bench().mark("a");
  const disk = disks.get(etcd.leader());
  disk?.freeze();
  await bench().idle(LONG_MS);
  await allTakePart(daemons);
  disk?.thaw();
  await bench().idle(1_000);
  await allTakePart(daemons);
  oneAtATime(from);
});

test.each(["hears", "says"] as const)(
  "one member that %s nothing: the others are asked, and the VIP stays",
  async (way) => {
    const daemons = await begin("3s");
    const from = await bench().mark("a");
    const [member] = etcd.members.filter((other) => other !== etcd.leader());
    const heal = cut(bench().machine(member?.place.ip ?? ""), way, bench().lan.hosts);
    await bench().idle(LONG_MS / 2);
    await allTakePart(daemons);
    heal();
    await bench().idle(500);
    expect(bench().recorder.hands(VIP, from)).toEqual(["a"]);
  },
);

test.each(["the leader", "a follower"])(
  "%s is cut off from its peers, but not from the nodes: watches and reads find another member",
  async (which) => {
    const [a, b, c] = await begin("3s");
    const from = await bench().mark("a");
    const leader = etcd.leader();
    const member = which === "the leader" ? leader : etcd.members.find((other) => other !== leader);
    const machine = bench().machine(member?.place.ip ?? "");
    const peers = etcd.members.filter((other) => other !== member).map(({ place }) => bench().machine(place.ip));
    const heals = [cut(machine, "hears", peers), cut(machine, "says", peers)];
    await bench().idle(LONG_MS / 2);
    await allTakePart([a, b, c].filter((daemon) => daemon !== undefined));
    const { host } = await bench().recorder.answered(VIP, () => true, bench().now());
    const holder = [a, b, c].find((daemon) => daemon?.host.name === host);
    await holder?.admin.stepDown({ election: "web", to: null }, { timeoutMs: 2_000 });
    await bench().recorder.answered(VIP, (name) => name !== host, from);
    for (const heal of heals) heal();
    oneAtATime(from);
  },
);

test.each(["hears", "says"] as const)(
  "no member %s anything of the holder: another one takes over, and the holder campaigns again when it can",
  async (way) => {
    const [a, b, c] = await begin();
    const from = await bench().mark("a");
    const heals = etcd.members.map(({ place }) => cut(bench().machine(place.ip), way, [bench().host("a")]));
    await bench().recorder.answered(VIP, (host) => host !== "a", from);
    await bench().idle(LONG_MS / 2);
    for (const heal of heals) heal();
    await allTakePart([a, b, c].filter((daemon) => daemon !== undefined));
    oneAtATime(from);
  },
);

test("no member can be reached by anybody: nobody answers, and soon after that somebody does", async () => {
  const daemons = await begin();
  const from = await bench().mark("a");
  const heals = etcd.members.map(({ place }) => cut(bench().machine(place.ip), "hears", bench().lan.hosts));
  for (const daemon of daemons) await daemon.until("has let go", ({ elections: [web] }) => web?.role !== "holder");
  const silent = bench().now();
  await bench().idle(LONG_MS);
  expect(bench().recorder.hands(VIP, silent)).toEqual([]);
  for (const heal of heals) heal();
  await allTakePart(daemons);
  await bench().recorder.answered(VIP, () => true, silent);
  oneAtATime(from);
});

test("answers are lost for a moment, so that what was done is not known: the VIP stays, under its token", async () => {
  const [a] = await begin("3s");
  const before = await a?.holds();
  const from = await bench().mark("a");
  for (let round = 0; round < 5; round += 1) {
    const heals = etcd.members.map(({ place }) => cut(bench().machine(place.ip), "says", [bench().host("a")]));
    await bench().idle(700);
    for (const heal of heals) heal();
    await a?.until("has had an answer", ({ store }) => store.ok);
    await bench().idle(500);
  }
  const after = await a?.holds();
  expect(after?.elections[0]?.token).toBe(before?.elections[0]?.token);
  expect(bench().recorder.hands(VIP, from)).toEqual(["a"]);
});

test("history is compacted under the watches: a step-down is followed at once all the same", async () => {
  const [a, b] = await begin();
  const from = await bench().mark("a");
  for (let round = 0; round < 3; round += 1) {
    etcd.compact();
    await bench().idle(300);
  }
  await a?.admin.stepDown({ election: "web", to: "b" }, { timeoutMs: 2_000 });
  await b?.holds("web", 1_000);
  await bench().recorder.answered(VIP, (host) => host === "b", from);
  oneAtATime(from);
});
