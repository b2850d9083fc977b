// A fleet on a real Redis at the switch: what befalls holders, and what befalls Redis.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);
const SETTINGS = { store: "redis://10.77.0.1:6379" };

let directory = "";
let server: ChildProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdrh-"));
  bench().lan.bridge.exec("ip", "address", "add", "10.77.0.1/24", "dev", "br0");
  startServer();
});

afterEach(async () => {
  await killServer();
  rmSync(directory, { recursive: true, force: true });
});

/** Daemons may start before their store does, so nobody waits for it here. */
function startServer(): void {
  const args = [
    "--bind",
    "10.77.0.1",
    "--protected-mode",
    "no",
    "--save",
    "",
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
  ];
  server = spawn("ip", ["netns", "exec", bench().lan.bridge.name, "redis-server", "--dir", directory, ...args], {
    stdio: "ignore",
  });
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

test("step-down, then SIGSTOP of the holder: one answers at a time", async () => {
  const { recorder, idle } = bench();
  const [a, b] = await bench().startAll(SETTINGS);
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

test("Redis killed and started again: the VIP is let go within the lease, and held again with a token that has not fallen", async () => {
  const { recorder, now, idle } = bench();
  const daemons = await bench().startAll(SETTINGS);
  const token = (await daemons[0]?.holds())?.elections[0]?.token ?? "0";
  await killServer();
  for (const daemon of daemons)
    await daemon.until("has let go", (status) => status.elections[0]?.role !== "holder" && !status.store.ok);
  const silent = now();
  await idle(500);
  expect(recorder.hands(VIP, silent)).toEqual([]);
  startServer();
  const back = await recorder.answered(VIP, () => true, silent);
  const after = await daemons.find((daemon) => daemon.host.name === back.host)?.holds();
  expect(BigInt(after?.elections[0]?.token ?? 0)).toBeGreaterThanOrEqual(BigInt(token));
  expect(recorder.hands(VIP, silent)).toEqual([back.host]);
});

test("Redis forgets everything: everybody waits a lease, tokens go on growing", async () => {
  const { recorder } = bench();
  const daemons = await bench().startAll(SETTINGS);
  const before = (await daemons[0]?.holds())?.elections[0]?.token ?? "0";
  const from = await bench().mark("a");
  await killServer();
  rmSync(join(directory, "appendonlydir"), { recursive: true });
  startServer();
  const isNew = (token: string | null | undefined): boolean =>
    token !== null && token !== undefined && BigInt(token) > BigInt(before);
  await Promise.any(
    daemons.map((daemon) =>
      daemon.until("holds anew", ({ elections: [web] }) => web?.role === "holder" && isNew(web.token), 15_000),
    ),
  );
  const back = await recorder.answered(VIP, () => true, bench().now());
  expect(recorder.overlapMs(VIP, back.host === "a" ? ["a"] : ["a", back.host], from)).toBe(0);
});
