import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filePerformer } from "../../../src/checks/file.ts";
import type { FileCheckOptions } from "../../../src/config/check-options.ts";
import type { Performer } from "../../../src/checks/performer.ts";
import type { CheckResult } from "../../../src/health/result.ts";
import { recordingLog } from "./recording-log.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdfile-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const never = new AbortController().signal;

function performer(path: string, wants: FileCheckOptions["wants"]): Performer {
  return filePerformer({ kind: "file", path, wants }, { log: recordingLog().log });
}

function look(path: string, wants: FileCheckOptions["wants"]): Promise<CheckResult> {
  return performer(path, wants).run(never);
}

describe("a file that is a switch", () => {
  test.each([
    { is: "there", wants: "present", outcome: "ok" },
    { is: "there", wants: "absent", outcome: "failed" },
    { is: "not there", wants: "present", outcome: "failed" },
    { is: "not there", wants: "absent", outcome: "ok" },
  ] as const)("is $is, and $wants is wanted: $outcome", async ({ is, wants, outcome }) => {
    const path = join(directory, "maintenance");
    if (is === "there") writeFileSync(path, "");
    expect(await look(path, wants)).toMatchObject({ outcome, reason: `${path} is ${is}` });
  });

  test("may lie in a directory that does not exist, or under a file", async () => {
    writeFileSync(join(directory, "file"), "");
    expect(await look(join(directory, "a/b/c"), "absent")).toMatchObject({ outcome: "ok" });
    expect(await look(join(directory, "file/c"), "absent")).toMatchObject({ outcome: "ok" });
  });
});

describe("a file with a number", () => {
  test.each([
    { text: "10", value: 10 },
    { text: " -20\n", value: -20 },
    { text: "+5", value: 5 },
    { text: "99999", value: 254 },
    { text: "-99999", value: -254 },
  ])("says $text: $value", async ({ text, value }) => {
    const path = join(directory, "weight");
    writeFileSync(path, text);
    expect(await look(path, "number")).toMatchObject({ outcome: "ok", value });
  });

  test.each(["", "ten", "1 2", "0x10", "1.5", "9".repeat(50)])("that says %j cannot be used", async (text) => {
    const path = join(directory, "weight");
    writeFileSync(path, text);
    expect(await look(path, "number")).toMatchObject({ outcome: "could-not-run", value: null });
  });

  test("is 0 where there is no file, as keepalived has it", async () => {
    expect(await look(join(directory, "weight"), "number")).toMatchObject({ outcome: "ok", value: 0 });
  });
});

describe("what is no plain file", () => {
  test.each([
    { name: "symbolic link", make: (path: string) => symlinkSync("/etc/hostname", path), why: /is a symbolic link/u },
    { name: "directory", make: (path: string) => mkdirSync(path), why: /is a directory/u },
    { name: "FIFO", make: (path: string) => execFileSync("mkfifo", [path]), why: /is a FIFO/u },
    {
      name: "huge file",
      make: (path: string) => execFileSync("truncate", ["-s", "10G", path]),
      why: /is larger than 4096 bytes/u,
    },
  ])("is refused with the reason, at once: $name", async ({ name, make, why }) => {
    const path = join(directory, "thing");
    make(path);
    const began = performance.now();
    expect(await look(path, "number")).toMatchObject({ outcome: "could-not-run", reason: expect.stringMatching(why) });
    const outcome = name === "huge file" ? "ok" : "could-not-run";
    expect(await look(path, "present")).toMatchObject({ outcome });
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test.each(["/dev/zero", "/dev/tty", "/proc"])("is refused: %s", async (path) => {
    expect(await look(path, "number")).toMatchObject({ outcome: "could-not-run" });
  });
});

describe("news of a file", () => {
  /** Follows a path until the check says what the test waits for, woken by news alone. */
  class Follower {
    private readonly check: Performer;
    private wake: () => void = () => {};
    private news = 0;
    private seen = 0;
    private readonly unwatch: () => void;

    constructor(path: string, wants: FileCheckOptions["wants"] = "present") {
      this.check = performer(path, wants);
      const end = this.check.watch?.(() => {
        this.news += 1;
        this.wake();
      });
      if (end === undefined) throw new Error("a file can be followed");
      this.unwatch = end;
    }

    async until(isSo: (result: CheckResult) => boolean, withinMs = 5_000): Promise<void> {
      const limit = AbortSignal.timeout(withinMs);
      for (;;) {
        await new Promise<void>((resolve, reject) => {
          this.wake = resolve;
          limit.addEventListener("abort", () => reject(limit.reason as Error), { once: true });
          if (this.news > this.seen) resolve();
        });
        this.seen = this.news;
        if (isSo(await this.check.run(never))) return;
      }
    }

    get count(): number {
      return this.news;
    }

    close(): void {
      this.unwatch();
    }
  }

  const isOk = ({ outcome }: CheckResult): boolean => outcome === "ok";
  const isFailed = ({ outcome }: CheckResult): boolean => outcome === "failed";

  test("come when it is made, replaced and removed", async () => {
    const path = join(directory, "switch");
    const follower = new Follower(path);
    writeFileSync(path, "");
    await follower.until(isOk);
    rmSync(path);
    await follower.until(isFailed);
    writeFileSync(`${path}.new`, "");
    renameSync(`${path}.new`, path);
    await follower.until(isOk);
    follower.close();
  });

  test("come when its number changes in place", async () => {
    const path = join(directory, "weight");
    writeFileSync(path, "1");
    const follower = new Follower(path, "number");
    writeFileSync(path, "-7");
    await follower.until(({ value }) => value === -7);
    follower.close();
  });

  test("come when even its directories are made only later, go, and come again", async () => {
    const path = join(directory, "a/b/switch");
    const follower = new Follower(path);
    for (let round = 0; round < 3; round += 1) {
      mkdirSync(join(directory, "a/b"), { recursive: true });
      writeFileSync(path, "");
      await follower.until(isOk);
      rmSync(join(directory, "a"), { recursive: true });
      await follower.until(isFailed);
    }
    follower.close();
  });

  test("come when its directory is replaced by another one", async () => {
    const path = join(directory, "a/switch");
    mkdirSync(join(directory, "a"));
    const follower = new Follower(path);
    mkdirSync(join(directory, "b"));
    writeFileSync(join(directory, "b/switch"), "");
    renameSync(join(directory, "a"), join(directory, "old"));
    renameSync(join(directory, "b"), join(directory, "a"));
    await follower.until(isOk);
    rmSync(path);
    await follower.until(isFailed);
    follower.close();
  });

  test("do not come for its neighbours, nor after the end", async () => {
    const path = join(directory, "switch");
    const [follower, ended] = [new Follower(path), new Follower(path)];
    ended.close();
    for (let i = 0; i < 100; i += 1) writeFileSync(join(directory, `other${i}`), "");
    writeFileSync(path, "");
    await follower.until(isOk);
    rmSync(path);
    await follower.until(isFailed);
    expect(follower.count).toBeLessThan(10);
    expect(ended.count).toBe(0);
    follower.close();
  });
});
