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

/** Rules for a single file: the canary has it under its own name. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "vipctl-never-loads-the-daemon": "vipctl",
  "the-index-shows-the-library": "index",
};

test("every rule is broken by the canary, and seen where it is broken: imports of values, of types, and at run time", () => {
  const { violations } = cruise(CANARY, CANARY).summary;
  const unseen = config.forbidden.filter(
    ({ name }) =>
      !violations.some(({ from, rule }) => rule.name === name && basename(from).startsWith(ELSEWHERE[name] ?? name)),
  );
  expect(config.forbidden.length).toBeGreaterThan(20);
  expect(unseen).toEqual([]);
});

test("the check lets stand what breaks no rule", () => {
  const { violations } = cruise(CANARY, `${CANARY}src/base/fine.ts`, `${CANARY}adapters/linux/fine.ts`).summary;
  expect(violations).toEqual([]);
});

test("the check sees every file of the program", () => {
  const files = ["src", "adapters"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  expect(cruise("", "src", "adapters").modules.length).toBeGreaterThanOrEqual(files.length);
});
