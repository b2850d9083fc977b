// What people do while something is under way on a host: a check's recovery that takes long, a hook that hangs, a script that
// is replaced. None of it keeps a VIP, a stop or a reload waiting, and no process is left.

import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DaemonProcess } from "./harness/fleet.ts";
import { oneVip, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"], [VIP]);

const path = (name: string): string => join(bench().fleet.directory, name);

/** An executable script that only its owner may change. */
function script(name: string, ...lines: readonly string[]): string {
  const file = path(name);
  writeFileSync(`${file}.new`, `#!/bin/sh\n${lines.join("\n")}\n`, { mode: 0o755 });
  renameSync(`${file}.new`, file);
  return file;
}

/** The process that has noted its id there; `null`: there is none any more. */
function noted(name: string): number | null {
  const pid = existsSync(path(name)) ? Number(readFileSync(path(name), "utf8")) : 0;
  return pid > 0 && existsSync(`/proc/${pid}`) ? pid : null;
}

/** A check that fails while a file is there, and a recovery that hangs and ignores SIGTERM. */
function hangingRecovery(): string {
  const check = script("check", `test ! -e ${path("sick")}`);
  const repair = script("repair", `echo $$ > ${path("repairing")}`, "trap '' TERM", "while :; do sleep 0.1; done");
  return `checks:\n  service: { script: [${check}], interval: 100ms, fall: 1, recover: { run: [${repair}], timeout: 60s } }`;
}

/** Two nodes, the first of which holds the VIP. */
async function pair(more: string, extra: string): Promise<readonly [DaemonProcess, DaemonProcess]> {
  const { fleet } = bench();
  const a = fleet.start(bench().host("a"), { vips: oneVip(200, more), extra });
  await a.holds();
  const b = fleet.start(bench().host("b"), { vips: oneVip(100, "") });
  await b.backs();
  return [a, b];
}

test("a reload that takes a check away ends its recovery, and the VIP stays", async () => {
  const [a] = await pair("    checks: [service]\n", hangingRecovery());
  const from = await bench().mark4("a");
  writeFileSync(path("sick"), "");
  await expect.poll(() => noted("repairing"), { timeout: 10_000 }).not.toBe(null);
  bench().fleet.configure(a.host, { vips: oneVip(200) });
  a.signal("SIGHUP");
  await a.until("has no check", ({ checks }) => checks.length === 0);
  await expect.poll(() => noted("repairing"), { timeout: 10_000 }).toBe(null);
  expect(bench().recorder.hands(VIP, from)).toEqual(["a"]);
  expect((await a.holds()).elections[0]?.ineligibleReasons).toEqual([]);
});

test("maintenance does not wait for a recovery that is under way", async () => {
  const [a, b] = await pair("    checks: [service]\n", hangingRecovery());
  writeFileSync(path("sick"), "");
  await expect.poll(() => noted("repairing"), { timeout: 10_000 }).not.toBe(null);
  const asked = await bench().fleet.vipctl(a.host, ["maintenance", "--socket", bench().fleet.socketOf(a.host)]);
  expect(asked.code, asked.stderr).toBe(0);
  await b.holds();
  expect(bench().isBound(a.host, VIP)).toBe(false);
  a.signal("SIGTERM");
  await expect(a.ended).resolves.toEqual({ code: 0, signal: null });
  expect(noted("repairing")).toBe(null);
});

test("a stop gives the VIP up at once, whatever hook hangs, and leaves no process", async () => {
  const hook = script("hook", `echo $$ > ${path("hooking")}`, "trap '' TERM", "while :; do sleep 0.1; done");
  const [a, b] = await pair(`    hooks: { notify: [${hook}], timeout: 1s }\n`, "");
  await expect.poll(() => noted("hooking"), { timeout: 10_000 }).not.toBe(null);
  const from = bench().now();
  a.signal("SIGTERM");
  await bench().recorder.answered(VIP, (name) => name === "b", from, 3_000);
  await b.holds();
  await expect(a.ended).resolves.toEqual({ code: 0, signal: null });
  expect(noted("hooking")).toBe(null);
});

test("a check's script that is replaced by one that others may write to has failed with that reason, and the VIP moves", async () => {
  const check = script("check", "exit 0");
  const extra = `checks:\n  service: { script: [${check}], interval: 100ms, fall: 1 }`;
  const [a, b] = await pair("    checks: [service]\n", extra);
  chmodSync(script("check", "exit 0"), 0o777);
  await b.holds();
  const seen = await a.until("is sick", ({ checks: [service] }) => service?.verdict === "failed");
  expect(seen.checks[0]?.reason).toMatch(/others may write to|chmod go-w/u);
});
