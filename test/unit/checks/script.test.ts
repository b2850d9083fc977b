import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { CheckResult } from "../../../src/health/result.ts";
import { Recoveries } from "../../../src/checks/recoveries.ts";
import { recoveryPerformer, scriptPerformer } from "../../../src/checks/script.ts";
import { timeLimit } from "../../../src/runtime/time-limit.ts";
import { eventually } from "../../linux/namespaces.ts";
import { timers, useScripts } from "../process/scripts.ts";

const scripts = useScripts();

async function check(argv: readonly string[], user: string | null = null, timeoutMs = 5_000): Promise<CheckResult> {
  const limit = timeLimit(timers, timeoutMs, "check");
  const performer = scriptPerformer({ kind: "script", argv, user, graceMs: 100 }, { timers });
  try {
    return await performer.run(limit.signal);
  } finally {
    limit.clear();
  }
}

describe("a script", () => {
  test.each([
    { text: "echo fine", outcome: "ok", reason: /^exit status 0$/u, lastLine: "fine" },
    { text: "echo sick >&2; exit 7", outcome: "failed", reason: /^exit status 7$/u, lastLine: "sick" },
    { text: "kill -ABRT $$", outcome: "failed", reason: /^killed by SIGABRT$/u, lastLine: "" },
    { text: "sleep 60 &", outcome: "failed", reason: /left processes behind in its process group/u, lastLine: "" },
    { text: "yes", outcome: "failed", reason: /stopped after \d+ bytes of output/u, lastLine: "y" },
  ] as const)("$text: $outcome", async ({ text, outcome, reason, lastLine }) => {
    const result = await check([scripts().sh(text)]);
    expect(result).toMatchObject({ outcome, reason: expect.stringMatching(reason), lastLine });
  });

  test("that hangs has timed out, and its last line tells where", async () => {
    const result = await check([scripts().sh("echo asking the database; sleep 60")], null, 200);
    expect(result).toMatchObject({ outcome: "timed-out", lastLine: "asking the database" });
  });

  test("that is missing, not executable, or writable by others could not run", async () => {
    expect(await check(["/nonexistent"])).toMatchObject({ outcome: "could-not-run" });
    expect(await check([scripts().sh("exit 0", 0o644)])).toMatchObject({ reason: expect.stringMatching(/chmod \+x/u) });
    expect(await check([scripts().sh("exit 0", 0o777)])).toMatchObject({
      reason: expect.stringMatching(/chmod go-w/u),
    });
    expect(await check(["/bin/true"], "vipd-no-such")).toMatchObject({ outcome: "could-not-run" });
  });
});

describe("a recovery", () => {
  const service = (argv: readonly string[]) => ({ service: "nginx", argv, user: null, graceMs: 100 });

  test("may leave the service that it has started, and may print what it likes", async () => {
    const mark = scripts().mark;
    const script = scripts().sh(`VIPD_TEST_SCRIPT=${mark} sleep 60 > /dev/null 2>&1 & head -c 20000000 /dev/zero`);
    const performer = recoveryPerformer(service([script]), { timers });
    expect(await performer.run(AbortSignal.timeout(5_000))).toMatchObject({ outcome: "ok" });
    expect(scripts().survivors()).toHaveLength(1);
  });

  test("of one service runs once at a time, whoever asks; all get its result", async () => {
    const log = scripts().path("log");
    const script = scripts().sh(`echo begin >> ${log}; sleep 0.2; echo end >> ${log}`);
    const recoveries = new Recoveries();
    const performer = recoveryPerformer(service([script]), { timers });
    const ask = (name: string): Promise<CheckResult> => recoveries.run(name, performer, AbortSignal.timeout(5_000));
    const results = await Promise.all([ask("nginx"), ask("nginx"), ask("nginx")]);
    expect(results.map(({ outcome }) => outcome)).toEqual(["ok", "ok", "ok"]);
    expect(scripts().lines("log")).toEqual(["begin", "end"]);
    await ask("nginx");
    expect(scripts().lines("log")).toEqual(["begin", "end", "begin", "end"]);
  });

  test("is stopped when the last one that waits for it has gone, and no other begins before it has ended", async () => {
    const up = scripts().path("up");
    const script = scripts().sh(`trap '' TERM; echo > ${up}; while :; do sleep 0.02; done`);
    const recoveries = new Recoveries();
    const performer = recoveryPerformer(service([script]), { timers });
    const [first, second] = [new AbortController(), new AbortController()];
    let hasEnded = false;
    const both = [first, second].map(({ signal }) => recoveries.run("nginx", performer, signal));
    void Promise.all(both).then(() => (hasEnded = true));
    await eventually("it runs", () => existsSync(up));
    first.abort();
    const third = recoveries.run("nginx", performer, AbortSignal.abort());
    expect(hasEnded).toBe(false);
    second.abort();
    const late = await recoveries.run("nginx", performer, new AbortController().signal);
    expect(late).toMatchObject({ outcome: "could-not-run", reason: expect.stringMatching(/has not ended yet/u) });
    for (const result of await Promise.all([...both, third])) expect(result.outcome).toBe("failed");
    expect(
      await recoveries.run("nginx", { run: () => Promise.reject(new Error("broken")) }, first.signal),
    ).toMatchObject({
      outcome: "could-not-run",
      reason: "broken",
    });
  });
});
