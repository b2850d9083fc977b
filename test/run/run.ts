// npm test: the whole proof. Checks of the text first, then what computes, then real kernels and hosts, which have the
// machine for themselves. The last line printed is "N passed, N failed, N skipped".

import { join } from "node:path";
import process from "node:process";
import { assurePrograms } from "./programs.ts";
import { check, type Outcome } from "./step.ts";
import { vitest } from "./vitest.ts";

/** Runs a tool of the project with the Node.js that it brings, whatever the PATH has. */
const tool = (name: string, file: string, ...args: readonly string[]): Promise<Outcome> =>
  check(name, process.execPath, [join("node_modules", file), ...args]);

const CHECKS: readonly (() => Promise<Outcome>)[] = [
  () => tool("types", "typescript/bin/tsc", "-p", "tsconfig.json"),
  () => tool("lint", "oxlint/bin/oxlint", "--type-aware", "--deny-warnings"),
  () => tool("format", "oxfmt/bin/oxfmt", "--check"),
  () =>
    tool(
      "arrows of dependency",
      "dependency-cruiser/bin/dependency-cruiser.mjs",
      "--config",
      ".dependency-cruiser.mjs",
      "src",
      "adapters",
    ),
  () => tool("dead code", "knip/bin/knip.js"),
];

async function main(): Promise<number> {
  process.chdir(join(import.meta.dirname, "../.."));
  if (!assurePrograms()) return conclude([{ name: "programs", passed: 0, failed: 1, skipped: [] }]);
  const outcomes: Outcome[] = [];
  for (const run of CHECKS) outcomes.push(await run());
  outcomes.push(await vitest(["tidy", "unit", "conformance", "library", "simulation"], 900_000));
  outcomes.push(await vitest(["linux"], 300_000));
  outcomes.push(await vitest(["hosts"], 600_000));
  return conclude(outcomes);
}

function conclude(outcomes: readonly Outcome[]): number {
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const [passed, failed, skipped] = [sum((o) => o.passed), sum((o) => o.failed), sum((o) => o.skipped.length)];
  process.stdout.write("\n");
  for (const outcome of outcomes) for (const name of outcome.skipped) process.stdout.write(`skipped  ${name}\n`);
  for (const { name, failed: count } of outcomes) if (count > 0) process.stdout.write(`FAILED   ${name}: ${count}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

process.exitCode = await main();
