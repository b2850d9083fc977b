// Counts a run of vitest. Nothing may look green that was not: a project without tests, a file that could not be loaded,
// a test that never ended, an error outside of all tests, a process left running, a run without a report.

import { z } from "zod";
import { type Ended, failure, type Outcome } from "./step.ts";

/** The variable that names the file for the report. */
export const REPORT_FILE = "VIPD_TEST_REPORT";

const reportSchema = z.object({
  tests: z.array(
    z.object({
      project: z.string(),
      name: z.string(),
      state: z.enum(["passed", "failed", "skipped", "pending"]),
      reason: z.string(),
    }),
  ),
  /** Files that failed outside of their tests. */
  broken: z.array(z.object({ project: z.string(), file: z.string() })),
  /** Errors that belong to no test. */
  unhandled: z.number(),
});

/** What one run of vitest has to tell. */
export type Report = z.infer<typeof reportSchema>;

/** Reads a report; undefined when it is none. */
export function parseReport(text: string): Report | undefined {
  try {
    return reportSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Counts the report of a run over these projects, with how vitest ended. */
export function tally(
  projects: readonly string[],
  { code, left }: Pick<Ended, "code" | "left">,
  report: Report | undefined,
): Outcome {
  const name = projects.join(", ");
  if (report === undefined) return failure(`${name}: vitest ended without a report`);
  const { tests, broken, unhandled } = report;
  const idle = projects.filter((project) => !tests.some((test) => test.project === project && hasRun(test.state)));
  const failed = [
    ...tests.filter(({ state }) => state === "failed").map((test) => `${test.project}: ${test.name}`),
    ...idle.map((project) => `${project}: it has run no test`),
    ...broken.map(({ project, file }) => `${project}: ${file} failed outside of its tests`),
    ...tests.filter(({ state }) => state === "pending").map((test) => `${test.project}: ${test.name} has not ended`),
    ...left.map((command) => `${name}: left running: ${command}`),
    ...(unhandled > 0 ? [`${name}: ${unhandled} errors outside of all tests`] : []),
  ];
  const isUnexplained = failed.length === 0 && code !== 0;
  return {
    passed: tests.filter(({ state }) => state === "passed").length,
    failed: isUnexplained ? [`${name}: vitest ended with ${code}, though no test failed`] : failed,
    skipped: tests
      .filter(({ state }) => state === "skipped")
      .map((test) => `${test.project}: ${test.name}: ${test.reason}`),
  };
}

function hasRun(state: string): boolean {
  return state === "passed" || state === "failed";
}
