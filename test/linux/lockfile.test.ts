// The lock that is free when its holder is dead, and not before.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FileLock } from "../../adapters/linux/lockfile.ts";
import { lockFile } from "../../adapters/linux/lockfile.ts";
import { eventually } from "./namespaces.ts";
import { Script } from "./process.ts";

let folder = "";
let path = "";
const closers: (() => void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vd"));
  path = join(folder, "lock");
});

afterEach(() => {
  for (const closer of closers.splice(0)) closer();
  rmSync(folder, { recursive: true });
});

function held(lock: FileLock | "busy"): FileLock {
  if (lock === "busy") throw new Error("the lock is busy");
  closers.push(() => lock.release());
  return lock;
}

/** A process that has the lock. */
async function otherHolder(): Promise<Script> {
  const script = new Script([], "lock-holder.ts", path);
  closers.push(() => script.signal("SIGKILL"));
  expect(await script.line()).toBe("locked");
  return script;
}

describe("a lock", () => {
  it("has one holder at a time, also within a process", () => {
    const lock = held(lockFile(path));
    expect(lockFile(path)).toBe("busy");
    lock.release();
    lock.release();
    held(lockFile(path));
  });

  it("is a file that only its owner reads", () => {
    held(lockFile(path));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("is free once its process was killed", async () => {
    const other = await otherHolder();
    expect(lockFile(path)).toBe("busy");
    await other.kill();
    held(lockFile(path));
  });

  it("is free once its process has ended", async () => {
    const other = await otherHolder();
    await other.end();
    held(lockFile(path));
  });

  it("stays with a process that is stopped: it may come back", async () => {
    const other = await otherHolder();
    other.signal("SIGSTOP");
    const stopped = (): boolean =>
      execFileSync("cat", [`/proc/${other.pid}/stat`], { encoding: "utf8" }).includes(") T ");
    await eventually("the process stopped", stopped);
    expect(lockFile(path)).toBe("busy");
    other.signal("SIGCONT");
    expect(await other.ask("")).toBe("alive");
    expect(lockFile(path)).toBe("busy");
  });

  it("is not handed down to the programs that its process starts", () => {
    const lock = held(lockFile(path));
    const child = spawn("sleep", ["30"], { stdio: "ignore" });
    closers.push(() => child.kill("SIGKILL"));
    lock.release();
    held(lockFile(path));
    expect(child.exitCode).toBeNull();
  });

  it("in a folder that is not there says so", () => {
    expect(() => lockFile(join(folder, "no", "lock"))).toThrow(
      expect.objectContaining({
        code: "state-dir",
        message: expect.stringMatching(/cannot be opened \(ENOENT: .+\); free its disk, make it writable/u),
      }),
    );
  });
});
