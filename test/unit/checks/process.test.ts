import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ProcessPerformer } from "../../../src/checks/process.ts";
import type { ExitWatch } from "../../../src/ports/programs.ts";
import type { ProcessCheckOptions } from "../../../src/config/check-options.ts";
import type { CheckResult } from "../../../src/health/result.ts";
import { eventually } from "../../linux/namespaces.ts";
import { timers } from "../process/scripts.ts";

let directory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdproc-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) await ended(child);
  rmSync(directory, { recursive: true, force: true });
});

const never = new AbortController().signal;

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exit;
}

/** Runs a copy of sleep(1) of this name. */
async function start(name: string, argv0 = name): Promise<ChildProcess> {
  const path = join(directory, name);
  if (!existsSync(path)) copyFileSync("/bin/sleep", path);
  const child = spawn(path, ["60"], { argv0, stdio: "ignore" });
  children.push(child);
  await new Promise((resolve) => child.once("spawn", resolve));
  return child;
}

function uniqueName(): string {
  return `vd${randomBytes(4).toString("hex")}`;
}

function performer(more: Partial<ProcessCheckOptions>, watchExit?: ExitWatch): ProcessPerformer {
  const options = { kind: "process", name: null, pidfile: null, least: 1, ...more } as const;
  return new ProcessPerformer(options, { timers, ...(watchExit === undefined ? {} : { watchExit }) });
}

function check(more: Partial<ProcessCheckOptions>): Promise<CheckResult> {
  return performer(more).run(never);
}

describe("processes of a name", () => {
  test("are counted, and there must be enough", async () => {
    const name = uniqueName();
    expect(await check({ name })).toMatchObject({ outcome: "failed", reason: `no process ${name}` });
    await start(name);
    expect(await check({ name })).toMatchObject({ outcome: "ok", reason: "1 process" });
    const two = performer({ name, least: 2 });
    expect(await two.run(never)).toMatchObject({ outcome: "failed", reason: `1 of at least 2 processes ${name}` });
    const second = await start(name);
    expect(await two.run(never)).toMatchObject({ outcome: "ok", reason: "2 processes" });
    await ended(second);
    expect(await two.run(never)).toMatchObject({ outcome: "failed" });
  });

  test("are found by their first argument too, and by names longer than the kernel keeps", async () => {
    const name = uniqueName();
    await start("sleep", `/opt/${name}`);
    expect(await check({ name })).toMatchObject({ outcome: "ok" });
    const long = `${uniqueName()}-with-a-long-name`;
    expect(await check({ name: long })).toMatchObject({ outcome: "failed" });
    await start(long);
    expect(await check({ name: long })).toMatchObject({ outcome: "ok" });
    expect(
      await check({ name: long.slice(0, 15) }),
      "the kernel cannot tell it from a name of 15 letters",
    ).toMatchObject({
      outcome: "ok",
    });
  });

  test("that are stopped run still; those that wait for their parent do not", async () => {
    const name = uniqueName();
    const child = await start(name);
    child.kill("SIGSTOP");
    expect(await check({ name })).toMatchObject({ outcome: "ok" });
    const parent = spawn("sh", ["-c", `${join(directory, name)} 0 & exec sleep 60`], { stdio: "ignore" });
    children.push(parent);
    await ended(child);
    const zombie = new RegExp(String.raw`^Z\S*\s+${name}`, "mu");
    const waits = (): boolean => zombie.test(execFileSync("ps", ["-eo", "stat,comm"], { encoding: "utf8" }));
    await eventually("the child has ended, and its parent has not asked", waits);
    expect(await check({ name })).toMatchObject({ outcome: "failed" });
  });
});

describe("the process of a pidfile", () => {
  test("runs, or does not", async () => {
    const name = uniqueName();
    const child = await start(name);
    const pidfile = join(directory, "pid");
    writeFileSync(pidfile, `${child.pid}\n`);
    expect(await check({ pidfile })).toMatchObject({ outcome: "ok", reason: `process ${child.pid} runs` });
    expect(await check({ pidfile, name })).toMatchObject({ outcome: "ok" });
    const other = await check({ pidfile, name: "nginx" });
    expect(other).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(new RegExp(`is ${name}, not nginx`, "u")),
    });
    await ended(child);
    expect(await check({ pidfile })).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(/does not run/u),
    });
  });

  test.each([
    { name: "that is missing", text: undefined, outcome: "failed", why: /is not there/u },
    { name: "that is empty", text: "", outcome: "failed", why: /holds no process id/u },
    { name: "with something else", text: "running", outcome: "failed", why: /holds no process id/u },
    { name: "of a number that no process has", text: "4194304999", outcome: "failed", why: /does not run/u },
    { name: "that is too long", text: "1".repeat(1_000), outcome: "could-not-run", why: /larger than 256 bytes/u },
  ] as const)("$name: $outcome", async ({ text, outcome, why }) => {
    const pidfile = join(directory, "pid");
    if (text !== undefined) writeFileSync(pidfile, text);
    expect(await check({ pidfile })).toMatchObject({ outcome, reason: expect.stringMatching(why) });
  });

  test("that is a symbolic link is refused", async () => {
    const pidfile = join(directory, "pid");
    symlinkSync("/proc/self/stat", pidfile);
    expect(await check({ pidfile })).toMatchObject({ outcome: "could-not-run" });
  });
});

describe("the exit of a process", () => {
  test("is news within a moment, where nobody tells", async () => {
    const name = uniqueName();
    const child = await start(name);
    const watched = performer({ name });
    let unwatch: (() => void) | undefined;
    const news = new Promise<void>((resolve) => {
      unwatch = watched.watch(resolve);
    });
    expect(await watched.run(never)).toMatchObject({ outcome: "ok" });
    const began = performance.now();
    await ended(child);
    await news;
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(await watched.run(never)).toMatchObject({ outcome: "failed" });
    unwatch?.();
  });

  test("is news at once, where the kernel tells; each process is followed once, and no longer than it counts", async () => {
    const name = uniqueName();
    const [one, two] = [await start(name), await start(name)];
    const followed = new Map<number, () => void>();
    const watchExit: ExitWatch = (pid, onExit) => {
      expect(followed.has(pid)).toBe(false);
      followed.set(pid, onExit);
      return () => followed.delete(pid);
    };
    const watched = performer({ name, least: 2 }, watchExit);
    let news = 0;
    const unwatch = watched.watch(() => {
      news += 1;
    });
    await watched.run(never);
    await watched.run(never);
    expect(new Set(followed.keys())).toEqual(new Set([one.pid, two.pid]));
    await ended(one);
    const tell = followed.get(one.pid ?? 0);
    followed.delete(one.pid ?? 0);
    tell?.();
    expect(news).toBe(1);
    await watched.run(never);
    expect([...followed.keys()]).toEqual([two.pid]);
    unwatch();
    expect(followed.size).toBe(0);
  });
});

test("a look through /proc ends with its signal", async () => {
  expect(await performer({ name: uniqueName() }).run(AbortSignal.abort())).toMatchObject({ outcome: "failed" });
});
