// What vitest tells the runner: each test with its state, and why it was skipped. (Its JSON report leaves the reason out.)

import { writeFileSync } from "node:fs";
import process from "node:process";
import type { Reporter, TestModule } from "vitest/node";
import { REPORT_FILE, type Report } from "./tally.ts";

/** A reporter for vitest: writes the report to the file that the environment names. */
export default class implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const file = process.env[REPORT_FILE];
    if (file !== undefined) writeFileSync(file, JSON.stringify(summarize(modules, unhandled)));
  }
}

function summarize(modules: readonly TestModule[], unhandled: readonly unknown[]): Report {
  return {
    tests: modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => {
        const result = test.result();
        const reason = result.state === "skipped" ? (result.note ?? "no reason is given") : "";
        return { project: module.project.name, name: test.fullName, state: result.state, reason };
      }),
    ),
    broken: modules
      .filter((module) => module.errors().length > 0 || ["queued", "pending"].includes(module.state()))
      .map((module) => ({ project: module.project.name, file: module.relativeModuleId })),
    unhandled: unhandled.length,
  };
}
