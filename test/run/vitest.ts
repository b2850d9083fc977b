// A run of vitest over some of its projects, counted from its own report.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { type Outcome, runProgram } from "./step.ts";

const report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().default(""),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

/** Runs the projects; a project without a single test is a failure. */
export async function vitest(projects: readonly string[], deadlineMs: number): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "vdrun-"));
  const file = join(directory, "report.json");
  const name = projects.join(", ");
  process.stdout.write(`\n--- ${name}\n`);
  try {
    const args = [
      "node_modules/vitest/vitest.mjs",
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
      ...projects.flatMap((project) => ["--project", project]),
    ];
    const { code } = await runProgram(process.execPath, args, deadlineMs, true);
    return count(name, projects, code, readReport(file));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Report = z.infer<typeof report>;

function readReport(file: string): Report | undefined {
  try {
    return report.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

function count(name: string, projects: readonly string[], code: number, found: Report | undefined): Outcome {
  if (found === undefined) {
    process.stdout.write(`FAILED  ${name}: no report came of it\n`);
    return { name, passed: 0, failed: 1, skipped: [] };
  }
  const tests = found.testResults.flatMap((file) => file.assertionResults);
  const passed = tests.filter(({ status }) => status === "passed").length;
  const skipped = tests.filter(({ status }) => !["passed", "failed"].includes(status)).map(({ fullName }) => fullName);
  const empty = projects.filter(
    (project) =>
      !found.testResults.some((file) => file.name.includes(`/test/${project}/`) && file.assertionResults.length > 0),
  );
  for (const project of empty) process.stdout.write(`FAILED  ${project}: it has run no test\n`);
  // A file that cannot be loaded fails without a test of its own; an unhandled error fails the run only.
  const broken = found.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  ).length;
  const failed = tests.filter(({ status }) => status === "failed").length + broken + empty.length;
  return { name, passed, failed: failed === 0 && code !== 0 ? 1 : failed, skipped };
}
