// The linter must see what it forbids: the globs of its overrides fail silently, and so does its knowledge of types.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

const CANARY = "test/tidy/canary/src/election/lint.ts";
const report = z.object({ diagnostics: z.array(z.object({ code: z.string(), message: z.string() })) });

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdlint-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What the linter says of a file by the project's own rules, save that it does not look away. */
function lint(file: string): readonly string[] {
  const config = join(directory, "lint.json");
  const {
    ignorePatterns: _,
    $schema: __,
    ...rules
  } = JSON.parse(readFileSync(".oxlintrc.json", "utf8")) as object & {
    ignorePatterns?: unknown;
    $schema?: unknown;
  };
  writeFileSync(config, JSON.stringify(rules));
  const args = ["node_modules/oxlint/bin/oxlint", "--type-aware", "--config", config, "--format", "json", file];
  const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return report.parse(JSON.parse(stdout)).diagnostics.map(({ code, message }) => `${code} ${message}`);
}

test("a pure part that reads clocks, makes timers, draws lots and skips types is seen in each of these", () => {
  const said = lint(CANARY).join("\n");
  const pure = ["Date", "performance", "setTimeout", "setInterval", "setImmediate", "crypto", "process", "Buffer"];
  for (const name of [...pure, "fetch"]) expect(said).toContain(`Unexpected use of '${name}'`);
  for (const rule of ["no-restricted-properties", "no-console", "no-explicit-any", "no-non-null-assertion"])
    expect(said).toContain(rule);
  for (const rule of ["no-floating-promises", "switch-exhaustiveness-check", "no-unsafe-member-access"])
    expect(said).toContain(rule);
});

test("what is right is let stand", () => {
  expect(lint("test/tidy/canary/src/election/fine.ts")).toEqual([]);
});
