// Commands of every bad kind, as real processes.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { eventually } from "../../linux/namespaces.ts";
import { programStarter } from "../../../adapters/linux/programs.ts";
import { VipdError } from "../../../src/base/errors.ts";
import type { FinishedCommand } from "../../../src/process/command.ts";
import { endingInWords } from "../../../src/process/command.ts";
import { refusalOf, runCommand, type RunLimits } from "../../../src/process/run.ts";
import { timeLimit } from "../../../src/runtime/time-limit.ts";
import { timers, useScripts, zombies } from "./scripts.ts";

const scripts = useScripts();

interface Wanted extends Partial<RunLimits> {
  readonly user?: string;
  readonly timeoutMs?: number;
  readonly graceMs?: number;
}

/** Programs of this process's own user are started without fork(2), where that can be; others are forked. */
const WAYS = [
  { way: "by posix_spawn", startProgram: programStarter() },
  { way: "by fork", startProgram: undefined },
];

test("this host can start a program without fork(2)", () => {
  expect(programStarter()).toBeDefined();
});

describe.each(WAYS)("$way:", ({ startProgram }) => {
  async function run(argv: readonly string[], wanted: Wanted = {}): Promise<FinishedCommand> {
    const { user = null, timeoutMs = 10_000, graceMs = 150, ...limits } = wanted;
    const limit = timeLimit(timers, timeoutMs, "the command");
    try {
      return await runCommand(
        { argv, user, graceMs },
        { maxOutputBytes: 1e6, leftovers: "kill", environment: scripts().environment, ...limits },
        { timers, startProgram },
        limit.signal,
      );
    } finally {
      limit.clear();
      expect(zombies()).toEqual([]);
    }
  }

  describe("a command that ends", () => {
    test("tells its exit status and its last line, whichever stream that came on", async () => {
      const finished = await run([scripts().sh("echo one; echo two >&2; sleep 0.05; echo; printf three; exit 3")]);
      expect(finished).toMatchObject({ ending: { kind: "exited", status: 3 }, lastLine: "three", unkillable: [] });
      expect(finished.outputBytes).toBe(14);
    });

    test("gets its arguments as they are, no shell between", async () => {
      const finished = await run([scripts().sh('echo "$# $1 $2"'), "a b", "$HOME;`id`"]);
      expect(finished.lastLine).toBe("2 a b $HOME;`id`");
    });

    test("is looked up in the fixed path when it is named without one", async () => {
      expect((await run(["true"])).ending).toEqual({ kind: "exited", status: 0 });
      expect((await run(["false"])).ending).toEqual({ kind: "exited", status: 1 });
    });

    test("has /dev/null as input, / as directory, and an environment of its own", async () => {
      process.env["VIPD_TEST_SECRET"] = "do not leak";
      try {
        const text = await outputOf(scripts().sh("cat; pwd; env"));
        expect(text).toMatch(/^\/\n/u);
        expect(text).toContain("PATH=/usr/local/sbin:");
        expect(text).toContain(`VIPD_TEST_SCRIPT=${scripts().mark}`);
        expect(text).not.toContain("VIPD_TEST_SECRET");
      } finally {
        delete process.env["VIPD_TEST_SECRET"];
      }
    });

    test("has none of this process's files open", async () => {
      const path = scripts().path("opened");
      const fd = openSync(path, "w");
      try {
        const open = await outputOf(scripts().sh("ls -l /proc/$$/fd"));
        expect(open).toContain("/dev/null");
        expect(open).not.toContain(path);
      } finally {
        closeSync(fd);
      }
    });

    if (startProgram !== undefined)
      test("opens /dev/stdout and /dev/stderr by name", async () => {
        const finished = await run([scripts().sh("echo one > /dev/stdout; sleep 0.05; echo two > /dev/stderr")]);
        expect(finished).toMatchObject({ ending: { kind: "exited", status: 0 }, lastLine: "two", outputBytes: 8 });
      });

    test("has no signal blocked or ignored, and begins a session of its own", async () => {
      const text = await outputOf(scripts().sh("cat /proc/$$/stat; exec grep -E '^Sig(Blk|Ign)' /proc/self/status"));
      expect(text).toMatch(/\nSigBlk:\t0+\nSigIgn:\t0+\n$/u);
      const [pid, , , , group, session] = text.split(" ");
      expect([group, session]).toEqual([pid, pid]);
    });

    test("is shown without control characters, and cut", async () => {
      const finished = await run([scripts().sh(String.raw`printf 'red \033[31m\007 text\r\n'; printf '\n \n'`)]);
      expect(finished.lastLine).toBe("red  [31m  text");
      const long = await run([scripts().sh("head -c 100000 /dev/zero | tr '\\0' x")]);
      expect(long.lastLine).toHaveLength(256);
    });

    test("is a script of the shell when its file has no #! line", async () => {
      const path = scripts().path("plain");
      writeFileSync(path, 'echo "$0 $1"; exit 4\n', { mode: 0o755 });
      expect(await run([path, "one"])).toMatchObject({
        ending: { kind: "exited", status: 4 },
        lastLine: `${path} one`,
      });
    });

    if (startProgram !== undefined)
      test("by a real-time signal has not succeeded", async () => {
        const { ending } = await run([scripts().sh("kill -40 $$")]);
        expect(ending).toEqual({ kind: "signalled", signal: "signal 40" });
      });

    if (startProgram !== undefined)
      test("while another process traces it is waited for without a busy loop", async () => {
        const script = scripts().sh(`while ! [ -e ${scripts().path("traced")} ]; do :; done; exit 7`);
        const finished = run([script], { timeoutMs: 20_000 });
        await eventually("the script runs", () => scripts().survivors().length > 0);
        const tracer = traceBriefly(Number.parseInt(scripts().survivors()[0] ?? "", 10), scripts().path("traced"));
        await eventually("the script has ended, and is its tracer's", () => zombies().length > 0);
        const before = performance.nodeTiming.uvMetricsInfo.loopCount;
        await pause(300);
        expect(performance.nodeTiming.uvMetricsInfo.loopCount - before).toBeLessThan(200);
        tracer.kill();
        expect((await finished).ending).toEqual({ kind: "exited", status: 7 });
      });

    test("by a signal tells which", async () => {
      const finished = await run([scripts().sh("kill -SEGV $$")]);
      expect(finished.ending).toEqual({ kind: "signalled", signal: "SIGSEGV" });
      expect(endingInWords(finished.ending)).toBe("killed by SIGSEGV");
    });

    test("while a daemon that it started in a session of its own lives on is not kept waiting", async () => {
      const finished = await run([scripts().sh("setsid sleep 30 & exit 0")]);
      expect(finished.ending).toEqual({ kind: "exited", status: 0 });
      expect(finished.tookMs).toBeLessThan(2_000);
      expect(scripts().survivors()).toHaveLength(1);
    });
  });

  describe("a command that does not end", () => {
    test("an endless loop is stopped", async () => {
      const finished = await run([scripts().sh("while :; do :; done")], { timeoutMs: 200 });
      expect(finished.ending).toEqual({ kind: "timed-out" });
      expect(finished.tookMs).toBeLessThan(2_000);
      expect(scripts().survivors()).toEqual([]);
    });

    test("one that ignores SIGTERM is killed after the grace", async () => {
      const finished = await run([scripts().sh("trap '' TERM; while :; do sleep 0.02; done")], { timeoutMs: 200 });
      expect(finished.ending).toEqual({ kind: "timed-out" });
      expect(finished.tookMs).toBeGreaterThanOrEqual(350);
      expect(scripts().survivors()).toEqual([]);
    });

    test("one that tidies up on SIGTERM has the time to", async () => {
      const path = scripts().path("tidy");
      const script = scripts().sh(`trap 'sleep 0.1; echo done > ${path}; exit 1' TERM; while :; do sleep 0.02; done`);
      const finished = await run([script], { timeoutMs: 300, graceMs: 5_000 });
      expect(finished.ending).toEqual({ kind: "timed-out" });
      expect(readFileSync(path, "utf8")).toBe("done\n");
      expect(finished.tookMs).toBeLessThan(3_000);
    });

    test("its children go with it, also those that ignore SIGTERM or have made a group of their own", async () => {
      const text = "(trap '' TERM; sleep 60) & timeout 60 sleep 60 & sleep 60";
      const finished = await run([scripts().sh(text)], { timeoutMs: 300 });
      expect(finished.ending).toEqual({ kind: "timed-out" });
      expect(scripts().survivors()).toEqual([]);
    });

    test("one that forks without end ends with all of them", async () => {
      const text = "n=0; while [ $n -lt 300 ]; do n=$((n+1)); (trap '' TERM; sleep 60) & done; wait";
      const finished = await run([scripts().sh(text)], { timeoutMs: 300, graceMs: 50 });
      expect(finished).toMatchObject({ ending: { kind: "timed-out" }, unkillable: [] });
      expect(scripts().survivors()).toEqual([]);
    });

    test("is stopped when the caller wants it, and says that", async () => {
      const abort = new AbortController();
      const script = scripts().sh(`echo up > ${scripts().path("up")}; sleep 60`);
      const limits = { maxOutputBytes: 1e6, leftovers: "kill", environment: scripts().environment } as const;
      const finished = runCommand(
        { argv: [script], user: null, graceMs: 100 },
        limits,
        { timers, startProgram },
        abort.signal,
      );
      await eventually("the script runs", () => scripts().survivors().length > 0);
      abort.abort(new VipdError("aborted", "enough"));
      expect((await finished).ending).toEqual({ kind: "stopped" });
      expect(scripts().survivors()).toEqual([]);
      const late = await runCommand(
        { argv: [script], user: null, graceMs: 100 },
        limits,
        { timers, startProgram },
        abort.signal,
      );
      expect(late.ending).toEqual({ kind: "stopped" });
    });
  });

  describe("a command that leaves processes behind", () => {
    test("of its group: they are killed, and it says so", async () => {
      const finished = await run([scripts().sh("sleep 60 & exit 0")]);
      expect(finished.ending).toEqual({ kind: "left-processes", status: 0 });
      expect(scripts().survivors()).toEqual([]);
    });

    test("that hold its output open and have left the group: they are killed too", async () => {
      const finished = await run([scripts().sh("timeout 60 sleep 60 & exit 0")]);
      expect(finished.ending).toEqual({ kind: "left-processes", status: 0 });
      expect(scripts().survivors()).toEqual([]);
    });

    test("that end by themselves at once have not been left", async () => {
      const finished = await run([scripts().sh("sleep 0.02 & exit 0")]);
      expect(finished.ending).toEqual({ kind: "exited", status: 0 });
    });

    test("may do so when that is what it is for", async () => {
      const finished = await run([scripts().sh("sleep 60 > /dev/null 2>&1 & exit 0")], { leftovers: "keep" });
      expect(finished.ending).toEqual({ kind: "exited", status: 0 });
      expect(scripts().survivors()).toHaveLength(1);
    });
  });

  describe("a command that floods its output", () => {
    test("is stopped when it may not", async () => {
      const finished = await run([scripts().sh("head -c 1000000000 /dev/zero")]);
      expect(finished.ending.kind).toBe("flooded");
      expect(finished.outputBytes).toBeLessThan(2e6);
      expect(scripts().survivors()).toEqual([]);
    });

    test("with 1 GB when it may: all is read, none is kept", async () => {
      const before = process.memoryUsage().rss;
      let most = 0;
      let seen = 0;
      const finished = await run([scripts().sh("head -c 1000000000 /dev/zero; echo; echo end")], {
        maxOutputBytes: Number.POSITIVE_INFINITY,
        onOutput: (_, chunk) => {
          seen += chunk.length;
          if (seen % 64 === 0) most = Math.max(most, process.memoryUsage().rss);
        },
      });
      expect(finished).toMatchObject({
        ending: { kind: "exited", status: 0 },
        lastLine: "end",
        outputBytes: 1_000_000_005,
      });
      expect(most - before).toBeLessThan(150e6);
    });
  });

  describe("a command that cannot be run", () => {
    test.each([
      { name: "no such program", argv: ["/nonexistent/check"], why: /there is no program \/nonexistent\/check$/u },
      {
        name: "no such program in the path",
        argv: ["vipd-no-such"],
        why: /no program vipd-no-such in \/usr\/local\/sbin:/u,
      },
      { name: "a directory", argv: ["/etc"], why: /\/etc is a directory/u },
      { name: "a file that is not executable", argv: ["/etc/passwd"], why: /not executable: chmod \+x \/etc\/passwd/u },
      { name: "no program at all", argv: [""], why: /there is no program/u },
      { name: "no such user", argv: ["/bin/true"], user: "vipd-no-such", why: /there is no user vipd-no-such/u },
      { name: "no such group", argv: ["/bin/true"], user: "root:vipd-no-such", why: /there is no group vipd-no-such/u },
      {
        name: "a number without a group",
        argv: ["/bin/true"],
        user: "54321",
        why: /name the group too, as in 54321:54321/u,
      },
      { name: "an empty user", argv: ["/bin/true"], user: "", why: /no user; write a name/u },
      { name: "a user of three parts", argv: ["/bin/true"], user: "a:b:c", why: /a:b:c is no user/u },
      { name: "a NUL in an argument", argv: ["/bin/true", "a\0b"], why: /null bytes/u },
    ])("$name", async ({ argv, user, why }) => {
      const { ending } = await run(argv, user === undefined ? {} : { user });
      expect(ending).toMatchObject({ kind: "not-run" });
      expect(endingInWords(ending)).toMatch(why);
      const known = await refusalOf({ argv, user: user ?? null });
      if (!argv.includes("a\0b"))
        expect(known).toEqual({ why: expect.stringMatching(why), isUser: user !== undefined });
    });

    test("a program that can be run has nothing against it", async () => {
      expect(await refusalOf({ argv: [scripts().sh("exit 1")], user: "nobody" })).toBeUndefined();
    });

    test("an interpreter that is not there", async () => {
      const path = scripts().path("bad");
      writeFileSync(path, "#!/nonexistent/interpreter\n", { mode: 0o755 });
      expect((await run([path])).ending).toMatchObject({
        why: expect.stringMatching(/interpreter .* does not exist/u),
      });
    });

    test("a program that its user may not reach", async () => {
      const script = scripts().sh("exit 0");
      const { ending } = await run([script], { user: "nobody" });
      expect(ending).toMatchObject({ why: expect.stringMatching(/^nobody may not execute/u) });
    });
  });

  describe("a command's user", () => {
    test.each([
      { user: "nobody", expected: /^uid=65534\(nobody\) gid=65534\(nogroup\) groups=65534\(nogroup\)$/u },
      { user: "nobody:daemon", expected: /^uid=65534\(nobody\) gid=1\(daemon\) groups=1\(daemon\)$/u },
      { user: "12345:23456", expected: /^uid=12345 gid=23456 groups=23456$/u },
      { user: "root", expected: /^uid=0\(root\) gid=0\(root\) groups=0\(root\)$/u },
      { user: "0:0", expected: /^uid=0\(root\) gid=0\(root\) groups=0\(root\)$/u },
    ])("$user: with no supplementary groups", async ({ user, expected }) => {
      expect((await run(["id"], { user })).lastLine).toMatch(expected);
    });

    test("is told in its environment", async () => {
      const text = await outputOf("/usr/bin/env", { user: "nobody" });
      expect(text).toContain("USER=nobody\n");
      expect(text).toContain("HOME=/nonexistent\n");
    });
  });

  /** All that a program prints. */
  async function outputOf(program: string, wanted: Wanted = {}): Promise<string> {
    const chunks: Buffer[] = [];
    await run([program], { ...wanted, onOutput: (_, chunk) => chunks.push(chunk) });
    return Buffer.concat(chunks).toString("utf8");
  }
});

/** Another process that traces one (PTRACE_SEIZE), tells so by a file, and never waits for it. */
function traceBriefly(pid: number, path: string): ChildProcess {
  const text = `
    const koffi = require("koffi");
    const ptrace = koffi.load(null).func("long ptrace(long request, int pid, intptr_t address, intptr_t data)");
    if (ptrace(0x4206, ${pid}, 0, 0) !== 0) throw new Error("cannot trace");
    require("node:fs").writeFileSync(${JSON.stringify(path)}, "");
    setTimeout(() => {}, 30_000);`;
  return spawn(process.execPath, ["-e", text], { stdio: ["ignore", "ignore", "inherit"] });
}
