import { describe, expect, test } from "vitest";
import { later, NEVER } from "../../../src/base/time.ts";
import type { CheckResult } from "../../../src/health/result.ts";
import { checkResult } from "../../../src/health/result.ts";
import { nextCheckWakeup } from "../../../src/health/machine.ts";
import { BAD, Bench, OK } from "./bench.ts";

/** Answers runs from a list of letters: o ok, x failed; the last one for ever. */
function letters(text: string): (run: number) => CheckResult {
  return (run) => (text[Math.min(run, text.length) - 1] === "o" ? OK : BAD);
}

const RECOVER = { tries: 2, waitMs: 3_000, timeoutMs: 5_000 };

describe("a verdict", () => {
  test.each([
    { first: OK, verdict: "ok" },
    { first: BAD, verdict: "failed" },
    { first: checkResult("could-not-run", "there is no program /x"), verdict: "failed" },
  ] as const)("that is pending is made by the first result alone: $verdict", ({ first, verdict }) => {
    const bench = new Bench({ rise: 3, fall: 3 });
    bench.answer = () => first;
    expect(bench.state.verdict).toBe("pending");
    bench.advance(0);
    expect(bench.take()).toEqual(["+0 run 1", `+0 verdict: ${verdict}, recovery none (${first.reason})`]);
  });

  test("follows `fall` failures and `rise` successes in a row, and nothing less", () => {
    const bench = new Bench({ rise: 2, fall: 3 });
    bench.answer = letters("oxxoxxxxooxoxoo");
    bench.advance(15_000);
    expect(bench.take().filter((line) => line.includes("verdict"))).toEqual([
      "+0 verdict: ok, recovery none (exit status 0)",
      "+6000 verdict: failed, recovery none (exit status 1)",
      "+9000 verdict: ok, recovery none (exit status 0)",
    ]);
  });

  test.each([
    { initial: "ok", results: "x", changes: ["+1000 verdict: failed"] },
    { initial: "failed", results: "o", changes: ["+1000 verdict: ok"] },
    { initial: "ok", results: "o", changes: [] },
    { initial: "failed", results: "x", changes: [] },
  ] as const)("begins as configured: $initial, then $results", ({ initial, results, changes }) => {
    const bench = new Bench({ initial });
    bench.answer = letters(results);
    bench.advance(5_000);
    const said = bench.take().filter((line) => line.includes("verdict"));
    expect(said.map((line) => line.split(",")[0])).toEqual(changes);
  });

  test("says since when and why it is, and keeps the last result beside it", () => {
    const bench = new Bench({ fall: 1 });
    bench.answer = letters("oxx");
    bench.advance(2_000);
    const begin = bench.state.grid;
    expect(bench.state).toMatchObject({ verdict: "failed", since: later(begin, 1_000), reason: "exit status 1" });
    expect(bench.state.last).toMatchObject({ result: BAD, at: later(begin, 2_000) });
    expect(bench.state).toMatchObject({ failures: 2, successes: 0 });
  });
});

describe("the number of a check", () => {
  test("is told when it changes, the verdict staying as it is", () => {
    const bench = new Bench();
    bench.answer = (run) => checkResult("ok", `says ${run > 2 ? -10 : 5}`, { value: run > 2 ? -10 : 5 });
    bench.advance(4_000);
    expect(bench.take().filter((line) => !line.includes("run"))).toEqual([
      "+0 verdict: ok, recovery none (says 5)",
      "+2000 value: ok, recovery none (says -10)",
    ]);
    expect(bench.state.value).toBe(-10);
  });
});

describe("the times of runs", () => {
  function starts(bench: Bench): readonly string[] {
    return bench.take().filter((line) => /^\+\d+ run/u.test(line));
  }

  test("stand on a grid, however long runs take", () => {
    const bench = new Bench({ timeoutMs: 5_000 });
    bench.advance(0);
    bench.advance(400);
    bench.ran(OK);
    bench.advance(1_000);
    bench.advance(1_800);
    bench.ran(OK);
    bench.advance(1_000);
    expect(starts(bench)).toEqual(["+0 run 1", "+1000 run 2", "+4000 run 3"]);
  });

  test("never overlap: a start that comes while one runs is skipped, and no failure", () => {
    const bench = new Bench({ timeoutMs: 10_000, fall: 1, initial: "ok" });
    bench.advance(5_000);
    expect(bench.take()).toEqual(["+0 run 1"]);
    expect(bench.state).toMatchObject({ failures: 0, verdict: "ok" });
  });

  test("come at once after news, and again when the news came in the middle of a run", () => {
    const bench = new Bench();
    bench.advance(0);
    bench.ran(OK);
    bench.advance(300);
    bench.post({ type: "nudge" });
    bench.advance(10);
    bench.post({ type: "nudge" });
    bench.ran(OK);
    bench.advance(100);
    bench.ran(OK);
    bench.advance(1_000);
    expect(starts(bench)).toEqual(["+0 run 1", "+300 run 2", "+350 run 3", "+1000 run 4"]);
  });

  test("news that never stop start no more than 20 runs a second", () => {
    const bench = new Bench();
    bench.answer = () => OK;
    for (let step = 0; step < 1_000; step += 1) {
      bench.post({ type: "nudge" });
      bench.advance(1);
    }
    const count = starts(bench).length;
    expect(count).toBeLessThanOrEqual(21);
    expect(count).toBeGreaterThan(15);
  });

  test("end with a stop, which takes along what is under way", () => {
    const bench = new Bench();
    bench.advance(0);
    bench.post({ type: "stop" });
    expect(bench.take()).toEqual(["+0 run 1", "+0 abandon run 1 (stop)"]);
    expect(nextCheckWakeup(bench.state)).toBe(NEVER);
    for (const event of [{ type: "tick" }, { type: "nudge" }, { type: "stop" }] as const) bench.post(event);
    bench.ran(BAD, 1);
    expect(bench.take()).toEqual([]);
    expect(bench.state.verdict).toBe("pending");
  });
});

describe("a run that hangs", () => {
  test("has failed at its deadline, and the next one starts when it has ended", () => {
    const bench = new Bench({ fall: 1, initial: "ok" });
    bench.advance(700);
    bench.ran(OK);
    bench.advance(300);
    expect(bench.take()).toEqual([
      "+0 run 1",
      "+500 abandon run 1 (timeout)",
      "+500 verdict: failed, recovery none (no result within 500 ms)",
      "+1000 run 2",
    ]);
  });

  test("and does not end when it is told to, fails again at each start that it bars", () => {
    const bench = new Bench({ fall: 3, initial: "ok" });
    bench.advance(3_000);
    expect(bench.take()).toEqual([
      "+0 run 1",
      "+500 abandon run 1 (timeout)",
      "+2000 verdict: failed, recovery none (the run before was stopped and has not ended yet)",
    ]);
    bench.advance(500);
    bench.ran(OK, 1);
    bench.advance(500);
    expect(bench.take()).toEqual(["+4000 run 2"]);
  });

  test("tells its last line when it has ended at last, and nothing else", () => {
    const bench = new Bench({ fall: 9, initial: "ok" });
    bench.advance(600);
    bench.ran(checkResult("ok", "exit status 0", { lastLine: "waiting for the disk" }), 1);
    expect(bench.state.last?.result).toMatchObject({ outcome: "timed-out", lastLine: "waiting for the disk" });
    expect(bench.state.failures).toBe(1);
  });

  test("is given a moment more when this process was held up over its deadline", () => {
    const bench = new Bench({ fall: 1, initial: "ok" });
    bench.advance(0);
    bench.now = later(bench.now, 2_000);
    bench.post({ type: "tick" });
    expect(bench.take()).toEqual(["+0 run 1"]);
    bench.advance(20);
    bench.ran(OK);
    expect(bench.state.verdict).toBe("ok");
    bench.take();
    bench.advance(980);
    bench.now = later(bench.now, 2_000);
    bench.post({ type: "tick" });
    bench.advance(200);
    expect(bench.take().map((line) => line.split(" (")[0])).toEqual([
      "+3000 run 2",
      "+5100 abandon run 2",
      "+5100 verdict: failed, recovery none",
    ]);
  });

  test("results of runs that nobody waits for count for nothing", () => {
    const bench = new Bench({ initial: "ok", fall: 1 });
    bench.ran(BAD, 7);
    bench.advance(0);
    bench.ran(OK);
    bench.ran(BAD);
    expect(bench.state).toMatchObject({ verdict: "ok", failures: 0 });
  });
});

describe("a recovery", () => {
  test("comes before the failure counts: nginx dead, restarted, looked at again, and the verdict never moved", () => {
    const bench = new Bench({ recover: RECOVER });
    bench.answer = letters("oxxoo");
    bench.advance(2_000);
    expect(bench.take()).toEqual([
      "+0 run 1",
      "+0 verdict: ok, recovery none (exit status 0)",
      "+1000 run 2",
      "+2000 run 3",
      "+2000 recover 1",
      "+2000 recovery: ok, recovery commanded (exit status 1)",
    ]);
    bench.advance(800);
    bench.post({ type: "recovered", attempt: 1, result: OK });
    bench.advance(3_200);
    expect(bench.take()).toEqual(["+5800 run 4", "+5800 recovery: ok, recovery none (exit status 0)"]);
    expect(bench.state).toMatchObject({ verdict: "ok", attempts: 1 });
    bench.advance(1_000);
    expect(bench.take(), "runs are back on the grid, and the tries are replenished").toEqual(["+7000 run 5"]);
    expect(bench.state.attempts).toBe(0);
  });

  test("that does not help is tried as often as configured, then the check has failed", () => {
    const bench = new Bench({ recover: RECOVER });
    bench.answer = letters("ox");
    bench.answerRecovery = () => OK;
    bench.advance(20_000);
    expect(bench.take().slice(2, 11)).toEqual([
      "+1000 run 2",
      "+2000 run 3",
      "+2000 recover 1",
      "+2000 recovery: ok, recovery commanded (exit status 1)",
      "+5000 run 4",
      "+5000 recover 2",
      "+5000 recovery: ok, recovery commanded (exit status 1)",
      "+8000 run 5",
      "+8000 verdict: failed, recovery none (exit status 1)",
    ]);
    expect(bench.state.verdict, "and is not tried again while it is failed").toBe("failed");
    expect(bench.take().join()).not.toContain("recover");
  });

  test("whose command fails is looked at all the same", () => {
    const bench = new Bench({ recover: RECOVER });
    bench.answer = letters("oxxo");
    bench.answerRecovery = () => BAD;
    bench.advance(6_000);
    expect(bench.state).toMatchObject({ verdict: "ok", lastRecovery: { result: BAD } });
  });

  test("whose command hangs is stopped, and looked at after the wait", () => {
    const bench = new Bench({ recover: { ...RECOVER, tries: 1 } });
    bench.answer = letters("ox");
    bench.advance(2_000);
    bench.take();
    bench.advance(9_000);
    expect(bench.take().slice(0, 3)).toEqual([
      "+7000 abandon recovery 1 (timeout)",
      "+10000 run 4",
      "+10000 verdict: failed, recovery none (exit status 1)",
    ]);
    expect(bench.state.lastRecovery?.result).toMatchObject({ outcome: "timed-out" });
    expect(bench.state.lastRecovery?.tookMs).toBe(5_000);
  });

  test("is tried for a check that fails from the start, and the verdict waits for it", () => {
    const bench = new Bench({ recover: { ...RECOVER, tries: 1 } });
    bench.answer = letters("xo");
    bench.answerRecovery = () => OK;
    bench.advance(2_999);
    expect(bench.state).toMatchObject({ verdict: "pending", recovery: { phase: "settling", attempt: 1 } });
    bench.advance(1);
    expect(bench.state).toMatchObject({ verdict: "ok", recovery: { phase: "none" } });
  });

  test("is not tried for a check that counts as failed already", () => {
    const bench = new Bench({ recover: RECOVER, initial: "failed" });
    bench.answer = letters("x");
    bench.advance(10_000);
    expect(bench.take().join()).not.toContain("recover");
  });

  test("that has helped once is not there again before the check was ok `rise` times in a row", () => {
    const bench = new Bench({ recover: { ...RECOVER, tries: 1, waitMs: 0 }, rise: 3 });
    bench.answer = letters("oxxooxx");
    bench.answerRecovery = () => OK;
    bench.advance(10_000);
    expect(bench.take().filter((line) => /recover \d|verdict/u.test(line))).toEqual([
      "+0 verdict: ok, recovery none (exit status 0)",
      "+2000 recover 1",
      "+5000 verdict: failed, recovery none (exit status 1)",
    ]);
  });

  test("news and wake-ups start no run and no second recovery while it is under way", () => {
    const bench = new Bench({ recover: RECOVER });
    bench.answer = letters("ox");
    bench.advance(2_000);
    bench.take();
    for (let step = 0; step < 100; step += 1) {
      bench.post({ type: "nudge" });
      bench.post({ type: "tick" });
      bench.advance(10);
    }
    bench.post({ type: "recovered", attempt: 1, result: OK });
    bench.post({ type: "nudge" });
    bench.advance(100);
    expect(bench.take()).toEqual([]);
  });

  test("is stopped by a stop", () => {
    const bench = new Bench({ recover: RECOVER });
    bench.answer = letters("ox");
    bench.advance(2_500);
    bench.take();
    bench.post({ type: "stop" });
    expect(bench.take()).toEqual(["+2500 abandon recovery 1 (stop)"]);
    bench.post({ type: "recovered", attempt: 1, result: OK });
    bench.advance(10_000);
    expect(bench.take()).toEqual([]);
  });

  test("of a check whose run cannot be ended: the look behind it finds that out", () => {
    const bench = new Bench({ recover: { ...RECOVER, tries: 1 }, fall: 1, initial: "ok" });
    bench.answerRecovery = () => OK;
    bench.advance(4_000);
    expect(bench.take()).toEqual([
      "+0 run 1",
      "+500 abandon run 1 (timeout)",
      "+500 recover 1",
      "+500 recovery: ok, recovery commanded (no result within 500 ms)",
      "+3500 verdict: failed, recovery none (the run before was stopped and has not ended yet)",
    ]);
  });
});
