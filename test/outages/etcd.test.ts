// A fleet on a real etcd at the switch: what befalls holders, and what befalls etcd.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { VIP } from "../hosts/harness/fleet.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";

const bench = useFleet(["a", "b", "c"]);
const SETTINGS = { store: "etcd://10.77.0.1:2379" };

let directory = "";
let server: ChildProcess | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "vdet-"));
  bench().lan.bridge.exec("ip", "address", "add", "10.77.0.1/24", "dev", "br0");
  bench().lan.bridge.exec("ip", "link", "set", "lo", "up");
  await startServer();
});

afterEach(async () => {
  await killServer();
  rmSync(directory, { recursive: true, force: true });
});

async function startServer(): Promise<void> {
  const { bridge } = bench().lan;
  const client = ["--listen-client-urls", "http://10.77.0.1:2379", "--advertise-client-urls", "http://10.77.0.1:2379"];
  const args = [
    "netns",
    "exec",
    bridge.name,
    "etcd",
    "--data-dir",
    join(directory, "data"),
    "--log-level",
    "error",
    ...client,
  ];
  server = spawn("ip", args, { stdio: "ignore" });
  const healthy = (): boolean => {
    try {
      return bridge.exec("env", "ETCDCTL_API=3", "etcdctl", "--endpoints", "10.77.0.1:2379", "get", "none") === "";
    } catch {
      return false;
    }
  };
  await expect.poll(healthy, { timeout: 15_000, interval: 100 }).toBe(true);
}

async function killServer(): Promise<void> {
  const child = server;
  server = undefined;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGCONT");
  child.kill("SIGKILL");
  await ended;
}

test("step-down, SIGKILL and SIGSTOP of the holder: one answers at a time", async () => {
  const { recorder, idle } = bench();
  const [a, b, c] = await bench().startAll(SETTINGS);
  const from = await bench().mark("a");
  await a?.admin.stepDown({ election: "web", to: "b" }, { timeoutMs: 2_000 });
  await b?.holds();
  await b?.kill();
  const next = await recorder.answered(VIP, (name) => name !== "b" && name !== "", bench().now());
  const successor = next.host === "a" ? a : c;
  const other = next.host === "a" ? "c" : "a";
  await successor?.holds();
  successor?.signal("SIGSTOP");
  await recorder.answered(VIP, (name) => name === other, bench().now());
  successor?.signal("SIGCONT");
  await idle(500);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b", next.host, other]);
  expect(recorder.overlapMs(VIP, ["a", "b", next.host, other], from)).toBe(0);
});

test("etcd killed and started again: the VIP is let go within the lease, and held again soon after etcd is back", async () => {
  const { recorder, now, idle } = bench();
  const daemons = await bench().startAll(SETTINGS);
  const token = (await daemons[0]?.holds())?.elections[0]?.token ?? "0";
  await killServer();
  for (const daemon of daemons)
    await daemon.until("has let go", (status) => status.elections[0]?.role !== "holder" && !status.store.ok);
  const silent = now();
  await idle(500);
  expect(recorder.hands(VIP, silent)).toEqual([]);
  await startServer();
  const back = await recorder.answered(VIP, () => true, silent);
  const holder = daemons.find((daemon) => daemon.host.name === back.host);
  const after = await holder?.holds();
  expect(BigInt(after?.elections[0]?.token ?? 0)).toBeGreaterThanOrEqual(BigInt(token));
  expect(recorder.hands(VIP, silent)).toEqual([back.host]);
});

test("etcd frozen for longer than the lease: nobody answers meanwhile, and nothing late is applied to make two", async () => {
  const { recorder, now, idle } = bench();
  const daemons = await bench().startAll(SETTINGS);
  server?.kill("SIGSTOP");
  for (const daemon of daemons) await daemon.until("has let go", (status) => status.elections[0]?.role !== "holder");
  const silent = now();
  await idle(1_000);
  expect(recorder.hands(VIP, silent)).toEqual([]);
  server?.kill("SIGCONT");
  const back = await recorder.answered(VIP, () => true, silent);
  await idle(1_500);
  expect(recorder.overlapMs(VIP, [back.host], silent)).toBe(0);
});

test("etcd loses all its data: everybody waits a lease, tokens go on growing", async () => {
  const { recorder, now } = bench();
  const daemons = await bench().startAll(SETTINGS);
  const before = (await daemons[0]?.holds())?.elections[0]?.token ?? "0";
  const from = await bench().mark("a");
  await killServer();
  rmSync(join(directory, "data"), { recursive: true });
  await startServer();
  const isNew = (token: string | null | undefined): boolean =>
    token !== null && token !== undefined && BigInt(token) > BigInt(before);
  await Promise.any(
    daemons.map((daemon) =>
      daemon.until("holds anew", ({ elections: [web] }) => web?.role === "holder" && isNew(web.token), 15_000),
    ),
  );
  const back = await recorder.answered(VIP, () => true, now());
  expect(recorder.overlapMs(VIP, back.host === "a" ? ["a"] : ["a", back.host], from)).toBe(0);
});
