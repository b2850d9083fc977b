// A fleet on a real Redis on a machine of its own: what befalls holders, Redis, its disk and the way to it.

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Disk } from "../servers/disk.ts";
import { DURABLE, RedisServer } from "../servers/redis.ts";
import { cut } from "../hosts/harness/cut.ts";
import { type DaemonProcess, VIP } from "../hosts/harness/fleet.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

/** A fleet is well again this soon after its store is, in milliseconds. */
const BACK_MS = 3_000;

/** A server that hangs, or cannot be reached, does so for longer than any lease, in milliseconds. */
const LONG_MS = 10_000;

let server: RedisServer;
let disk: Disk | undefined;

beforeEach(async () => {
  server = await RedisServer.make(DURABLE, bench().lan.addServer());
});

afterEach(async () => {
  // A server that waits for a frozen disk cannot even be killed.
  disk?.thaw();
  await server.kill();
  disk?.close();
  disk = undefined;
  await server.close();
});

async function begin(ttl = "1s"): Promise<readonly DaemonProcess[]> {
  await server.startAgain();
  return bench().startAll({ store: server.url, ttl }, "    preempt: false\n");
}

function oneAtATime(from: number): void {
  expect(bench().outOfTurnMs("a", from)).toBe(0);
}

function allTakePart(daemons: readonly DaemonProcess[]): Promise<void> {
  return bench().allTakePart(daemons, BACK_MS);
}

async function allLetGo(daemons: readonly DaemonProcess[]): Promise<void> {
  for (const daemon of daemons)
    await daemon.until("has let go", ({ elections: [web], store }) => web?.role !== "holder" && !store.ok);
}

function tokenOf(status: Awaited<ReturnType<DaemonProcess["holds"]>> | undefined): bigint {
  return BigInt(status?.elections[0]?.token ?? 0);
}

test("step-down, then SIGSTOP of the holder: one answers at a time", async () => {
  const { recorder, idle } = bench();
  const [a, b] = await begin();
  const from = await bench().mark("a");
  await a?.admin.stepDown({ election: "web", to: "b" }, { timeoutMs: 2_000 });
  await b?.holds();
  b?.signal("SIGSTOP");
  await a?.holds();
  await recorder.answered(VIP, (name) => name === "a", bench().now());
  b?.signal("SIGCONT");
  await idle(500);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b", "a"]);
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
});

test("what it is and cannot promise is told: by the doctor, by status, and once in the log", async () => {
  const [a] = await begin();
  const { fleet } = bench();
  const host = bench().host("a");
  const doctor = await fleet.vipctl(host, ["doctor", "--config", fleet.configFile(host)]);
  expect(doctor.stdout).toMatch(/^ok +store +Redis \d+\./mu);
  expect(doctor.stdout).toMatch(/^ok +store +appendonly yes, appendfsync always/mu);
  expect(doctor.stdout).toMatch(/^ok +store +its clock and this host's differ by 0\.0 s/mu);
  expect(doctor.stdout).toMatch(/^warning +store +the way to it is not encrypted\n +-> use rediss/mu);
  expect(doctor.code).toBe(0);
  const status = await fleet.vipctl(host, ["status", "--verbose", "--socket", fleet.socketOf(host)]);
  expect(status.stdout).toContain("redis: tokens keep growing over lost data");
  expect(a?.log().match(/the way to it is not encrypted/gu)).toHaveLength(1);
});

test("its password is in no log, no status, no list of processes", async () => {
  const password = "s3cret-word";
  server = await RedisServer.make([...DURABLE, "--requirepass", password], bench().lan.addServer());
  await server.startAgain();
  const { fleet } = bench();
  const [a] = await bench().startAll({ store: server.url.replace("//", `//:${password}@`) });
  const host = bench().host("a");
  await server.kill();
  await a?.until("misses the store", ({ store }) => !store.ok);
  const shown = await Promise.all([
    fleet.vipctl(host, ["status", "--json", "--socket", fleet.socketOf(host)]),
    fleet.vipctl(host, ["doctor", "--config", fleet.configFile(host)]),
    fleet.vipctl(host, ["who-owns", "web", "--config", fleet.configFile(host)]),
  ]);
  const said = shown.map(({ stdout, stderr }) => stdout + stderr).join("");
  expect(said).toContain("10.77.0.");
  expect(said + (a?.log() ?? "") + readFileSync(`/proc/${a?.pid}/cmdline`, "latin1")).not.toContain(password);
});

test("killed and started again: the VIP is let go within the lease, and held again with a token that has not fallen", async () => {
  const { recorder, now, idle } = bench();
  const daemons = await begin();
  const token = tokenOf(await daemons[0]?.holds());
  await server.kill();
  await allLetGo(daemons);
  const silent = now();
  await idle(500);
  expect(recorder.hands(VIP, silent)).toEqual([]);
  await server.startAgain();
  await allTakePart(daemons);
  const back = await recorder.answered(VIP, () => true, silent);
  const after = await daemons.find((daemon) => daemon.host.name === back.host)?.holds();
  expect(tokenOf(after)).toBeGreaterThanOrEqual(token);
  expect(recorder.hands(VIP, silent)).toEqual([back.host]);
});

test("it forgets everything: everybody waits a lease, tokens go on growing", async () => {
  const daemons = await begin();
  const before = tokenOf(await daemons[0]?.holds());
  const from = await bench().mark("a");
  await server.kill();
  server.wipe();
  await server.startAgain();
  await Promise.any(
    daemons.map((daemon) =>
      daemon.until(
        "holds anew",
        (status) => status.elections[0]?.role === "holder" && tokenOf(status) > before,
        15_000,
      ),
    ),
  );
  await bench().recorder.answered(VIP, () => true, bench().now());
  oneAtATime(from);
});

test("it hangs for ten seconds: nobody answers meanwhile, and nothing late is applied to make two", async () => {
  const daemons = await begin();
  const from = await bench().mark("a");
  server.signal("SIGSTOP");
  await allLetGo(daemons);
  const silent = bench().now();
  await bench().idle(LONG_MS);
  expect(bench().recorder.hands(VIP, silent)).toEqual([]);
  server.signal("SIGCONT");
  await allTakePart(daemons);
  await bench().recorder.answered(VIP, () => true, silent);
  oneAtATime(from);
});

test("its disk hangs: as if it hung itself", async () => {
  disk = new Disk(server.directory);
  const daemons = await begin();
  const from = await bench().mark("a");
  disk.freeze();
  await allLetGo(daemons);
  const silent = bench().now();
  await bench().idle(1_000);
  expect(bench().recorder.hands(VIP, silent)).toEqual([]);
  disk.thaw();
  await allTakePart(daemons);
  await bench().recorder.answered(VIP, () => true, silent);
  oneAtATime(from);
});

test.each(["hears", "says"] as const)(
  "it %s nothing of the holder: the other node takes over, and the holder campaigns again when it can",
  async (way) => {
    const daemons = await begin();
    const from = await bench().mark("a");
    const heal = cut(bench().machine(server.place.ip), way, [bench().host("a")]);
    await bench().recorder.answered(VIP, (host) => host === "b", from);
    await bench().idle(LONG_MS / 2);
    heal();
    await allTakePart(daemons);
    oneAtATime(from);
  },
);

test("nobody can reach it: nobody answers, and soon after that somebody does", async () => {
  const daemons = await begin();
  const from = await bench().mark("a");
  const heal = cut(bench().machine(server.place.ip), "hears", bench().lan.hosts);
  await allLetGo(daemons);
  const silent = bench().now();
  await bench().idle(LONG_MS);
  expect(bench().recorder.hands(VIP, silent)).toEqual([]);
  heal();
  await allTakePart(daemons);
  await bench().recorder.answered(VIP, () => true, silent);
  oneAtATime(from);
});

test("answers are lost for a moment, so that what was done is not known: the VIP stays, under its token", async () => {
  const [a] = await begin("3s");
  const before = tokenOf(await a?.holds());
  const from = await bench().mark("a");
  for (let round = 0; round < 5; round += 1) {
    const heal = cut(bench().machine(server.place.ip), "says", [bench().host("a")]);
    await bench().idle(700);
    heal();
    await a?.until("has had an answer", ({ store }) => store.ok);
    await bench().idle(500);
  }
  expect(tokenOf(await a?.holds())).toBe(before);
  expect(bench().recorder.hands(VIP, from)).toEqual(["a"]);
});
