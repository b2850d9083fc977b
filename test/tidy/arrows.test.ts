// The check of the arrows must see each kind of import that it forbids: a check that sees no modules passes everything.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";

const file = new URL("../../.dependency-cruiser.mjs", import.meta.url).href;
const { default: config } = (await import(file)) as { default: { forbidden: { name: string }[] } };
const CANARY = "test/tidy/canary/";
const report = z.object({
  modules: z.array(z.unknown()),
  summary: z.object({ violations: z.array(z.object({ from: z.string(), rule: z.object({ name: z.string() }) })) }),
});

function cruise(root: string, ...paths: readonly string[]): z.infer<typeof report> {
  const { stdout } = spawnSync(
    process.execPath,
    [
      "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs",
      "--config",
      ".dependency-cruiser.mjs",
      "--output-type",
      "json",
      ...paths,
    ],
    {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, VIPD_ARROWS_ROOT: root },
    },
  );
  return report.parse(JSON.parse(stdout));
}

/** Rules for a single file, which the canary has under its own name; and a cycle, which is told of one of its files. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "no-cycles": "no-cycles-back",
  "vipctl-never-loads-the-daemon": "vipctl",
  "the-index-shows-the-library": "index",
};

test("every rule is broken by the canary, and seen where it is broken: imports of values, of types, and at run time", () => {
  const { violations } = cruise(CANARY, CANARY).summary;
  const isCanary = (file: string, rule: string): boolean => basename(file, ".ts") === (ELSEWHERE[rule] ?? rule);
  const unseen = config.forbidden.filter(
    ({ name }) => !violations.some(({ from, rule }) => rule.name === name && isCanary(from, name)),
  );
  expect(config.forbidden.length).toBeGreaterThan(20);
  expect(unseen).toEqual([]);
});

test("the check lets stand what breaks no rule: adapters that bin loads, and that a store adapter loads when it is opened", () => {
  const { modules, summary } = cruise(CANARY, `${CANARY}src/bin/fine.ts`);
  expect(modules.length).toBeGreaterThan(5);
  expect(summary.violations).toEqual([]);
});

test("every folder of the program has a rule that says what it may import", () => {
  const folders = readdirSync("src", { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? entry.name : [],
  );
  const rules = config.forbidden.map(({ name }) => name);
  expect(folders.length).toBeGreaterThan(10);
  expect(folders.filter((folder) => folder !== "bin" && !rules.includes(`layer-${folder}`))).toEqual([]);
});

test("the check sees every file of the program", () => {
  const files = ["src", "adapters"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  expect(cruise("", "src", "adapters").modules.length).toBeGreaterThanOrEqual(files.length);
});
