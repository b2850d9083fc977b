// npm test: the whole proof. Checks of the text first, then what computes, then real kernels and hosts, which have the
// machine for themselves. The last line printed is "N passed, N failed, N skipped".
//
//   npm test                      everything
//   npm test -- static unit ...   these parts of it

import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { endAll } from "./processes.ts";
import { checkPrograms, missingProgram } from "./programs.ts";
import { check, failure, type Outcome, runAll } from "./step.ts";
import { type Group, vitest } from "./vitest.ts";

/** The whole proof ends within this time, whatever hangs. */
const WHOLE_MS = 45 * 60_000;

/** So many checks of the text run at a time. */
const CHECKS_AT_ONCE = 2;

/** Runs a tool of the project with the Node.js that it brings, whatever the PATH has. */
const tool = (name: string, file: string, ...args: readonly string[]): Promise<Outcome> =>
  check(name, process.execPath, [join("node_modules", file), ...args]);

const ARROWS = ["--config", ".dependency-cruiser.mjs", "src", "adapters"];
const CHECKS: readonly (() => Promise<Outcome>)[] = [
  () => tool("types", "typescript/bin/tsc", "-p", "tsconfig.json"),
  () => tool("arrows of dependency", "dependency-cruiser/bin/dependency-cruiser.mjs", ...ARROWS),
  () => tool("lint", "oxlint/bin/oxlint", "--type-aware", "--deny-warnings"),
  () => tool("format", "oxfmt/bin/oxfmt", "--check"),
  () => tool("dead code", "knip/bin/knip.js"),
];

/** What freezes a processor for long would end leases of hosts, so those have the machine for themselves. */
const GROUPS: readonly Group[] = [
  {
    projects: ["tidy", "unit", "conformance", "library", "simulation"],
    deadlineMs: 20 * 60_000,
    namespaces: false,
  },
  { projects: ["linux"], deadlineMs: 6 * 60_000, namespaces: true },
  { projects: ["hosts"], deadlineMs: 15 * 60_000, namespaces: true },
  { projects: ["outages"], deadlineMs: 15 * 60_000, namespaces: true },
  { projects: ["systemd"], deadlineMs: 10 * 60_000, namespaces: true },
  { projects: ["interop"], deadlineMs: 10 * 60_000, namespaces: true, needs: "keepalived", workers: 5 },
];

const STATIC = "static";
const PARTS: readonly string[] = [STATIC, ...GROUPS.flatMap(({ projects }) => projects)];

async function main(wanted: readonly string[]): Promise<number> {
  const until = performance.now() + WHOLE_MS;
  const unknown = wanted.filter((part) => !PARTS.includes(part));
  if (unknown.length > 0) {
    process.stderr.write(`no such part: ${unknown.join(", ")}; there are ${PARTS.join(", ")}\n`);
    return 2;
  }
  const parts = wanted.length === 0 ? PARTS : wanted;
  const outcomes: Outcome[] = [];
  if (parts.includes(STATIC)) outcomes.push(...(await runAll(CHECKS, CHECKS_AT_ONCE)));
  const groups = GROUPS.map((group) => ({ ...group, projects: group.projects.filter((name) => parts.includes(name)) }));
  const ready = groups.every(({ projects }) => projects.length === 0) || checkPrograms();
  if (!ready) outcomes.push(failure("programs: some are missing"));
  for (const group of groups)
    if (ready && group.projects.length > 0) outcomes.push(await runGroup(group, until - performance.now()));
  return conclude(outcomes);
}

async function runGroup(group: Group, restMs: number): Promise<Outcome> {
  const name = group.projects.join(", ");
  const missing = group.needs === undefined ? undefined : missingProgram(group.needs);
  if (missing !== undefined) {
    process.stdout.write(`\n--- ${name}\nSKIPPED  ${missing}\n`);
    return { passed: 0, failed: [], skipped: [`${name}: all of it: ${missing}`] };
  }
  const obstacle =
    restMs <= 0
      ? `the whole proof has taken ${WHOLE_MS / 60_000} minutes`
      : group.namespaces && process.getuid?.() !== 0
        ? "it makes network namespaces and needs root: sudo npm test"
        : undefined;
  if (obstacle === undefined) return vitest({ ...group, deadlineMs: Math.min(group.deadlineMs, restMs) });
  process.stdout.write(`\n--- ${name}\nFAILED  ${obstacle}\n`);
  return failure(`${name}: ${obstacle}`);
}

function conclude(outcomes: readonly Outcome[]): number {
  const [failed, skipped] = [outcomes.flatMap((o) => o.failed), outcomes.flatMap((o) => o.skipped)];
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  process.stdout.write("\n");
  for (const line of skipped) process.stdout.write(`SKIPPED  ${line}\n`);
  for (const line of failed) process.stdout.write(`FAILED   ${line}\n`);
  process.stdout.write(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped\n`);
  return failed.length === 0 && passed > 0 ? 0 : 1;
}

process.chdir(join(import.meta.dirname, "../.."));
for (const [signal, number] of [["SIGINT", 2] as const, ["SIGTERM", 15] as const, ["SIGHUP", 1] as const])
  process.once(signal, () => {
    endAll();
    process.exit(128 + number);
  });
process.exitCode = await main(process.argv.slice(2));
