// The runner of all tests is a test's only witness: it must not count green what was not, and must leave nothing running.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runAll, runProgram } from "../run/step.ts";
import { parseReport, type Report, tally } from "../run/tally.ts";

const ENDED = { code: 0, left: [] };
const one = (state: Report["tests"][number]["state"], reason = ""): Report => ({
  tests: [{ project: "unit", name: "it", state, reason }],
  broken: [],
  unhandled: 0,
});

describe("the tally", () => {
  test("counts what passed, failed and was skipped, with the reason", () => {
    expect(tally(["unit"], ENDED, one("passed"))).toEqual({ passed: 1, failed: [], skipped: [] });
    expect(tally(["unit"], { ...ENDED, code: 1 }, one("failed"))).toEqual({
      passed: 0,
      failed: ["unit: it"],
      skipped: [],
    });
    const mixed = { ...one("passed"), tests: [...one("passed").tests, ...one("skipped", "no kernel").tests] };
    expect(tally(["unit"], ENDED, mixed)).toEqual({ passed: 1, failed: [], skipped: ["unit: it: no kernel"] });
  });

  test.each([
    ["a project without tests", ["unit", "hosts"], ENDED, one("passed"), "hosts: it has run no test"],
    ["a project whose tests were all skipped", ["unit"], ENDED, one("skipped"), "unit: it has run no test"],
    ["a run without a report", ["unit"], ENDED, undefined, "unit: vitest ended without a report"],
    [
      "a file that could not be loaded",
      ["unit"],
      ENDED,
      { ...one("passed"), broken: [{ project: "unit", file: "a.test.ts" }] },
      "unit: a.test.ts failed outside of its tests",
    ],
    ["an error outside of all tests", ["unit"], ENDED, { ...one("passed"), unhandled: 2 }, "unit: 2 errors"],
    ["a process left running", ["unit"], { code: 0, left: ["7 vipd"] }, one("passed"), "unit: left running: 7 vipd"],
    ["an exit code that no test explains", ["unit"], { ...ENDED, code: 1 }, one("passed"), "unit: vitest ended with 1"],
  ])("%s is a failure", (_, projects, ended, report, remark) => {
    expect(tally(projects, ended, report).failed).toEqual([expect.stringContaining(remark)]);
  });

  test("what is no report is none", () => {
    expect(parseReport("")).toBeUndefined();
    expect(parseReport('{"tests":[]}')).toBeUndefined();
    expect(parseReport(JSON.stringify(one("passed")))).toEqual(one("passed"));
  });
});

describe("a program", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "vdrt-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const sh = (script: string, deadlineMs = 20_000): ReturnType<typeof runProgram> =>
    runProgram("sh", ["-c", script, "sh", directory], { deadlineMs, echo: false });
  const isAlive = (file: string): boolean =>
    existsSync(`/proc/${readFileSync(join(directory, file), "utf8").trim()}/cwd`);

  test("gives its output and its exit code", async () => {
    expect(await sh("echo out; echo err >&2; exit 3")).toEqual({ code: 3, output: "out\nerr\n", left: [] });
  });

  test("that can not be started says why", async () => {
    const ended = await runProgram("/no/such/program", [], { deadlineMs: 5_000, echo: false });
    expect(ended).toMatchObject({ code: 70, output: expect.stringContaining("ENOENT") as string });
  });

  test("is ended at its deadline, with what it has started in sessions of their own", async () => {
    const script = 'setsid sh -c \'echo $$ > "$1/child"; sleep 60\' sh "$1" & sleep 60';
    const { code, output } = await sh(script, 1_500);
    expect(code).not.toBe(0);
    expect(output).toContain("deadline");
    expect(isAlive("child")).toBe(false);
  });

  test("that leaves something running is told of it, and it is ended", async () => {
    const { code, left } = await sh('env -i sleep 61 & echo $! > "$1/child"');
    expect(code).toBe(0);
    expect(left).toEqual([expect.stringContaining("sleep 61")]);
    expect(isAlive("child")).toBe(false);
  });
});

test("no more steps run at a time than asked for, and the results keep their order", async () => {
  let running = 0;
  let most = 0;
  const step = (ms: number) => async (): Promise<number> => {
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setTimeout(resolve, ms));
    running -= 1;
    return ms;
  };
  expect(await runAll([30, 1, 20, 2].map(step), 2)).toEqual([30, 1, 20, 2]);
  expect(most).toBe(2);
});
