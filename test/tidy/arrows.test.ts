// The check of the arrows must see each kind of import that it forbids: a check that sees no modules passes everything.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";

const file = new URL("../../.dependency-cruiser.mjs", import.meta.url).href;
const { default: config } = (await import(file)) as { default: { forbidden: { name: string }[] } };
const CANARY = "test/tidy/canary/";
const report = z.object({
  modules: z.array(z.unknown()),
  summary: z.object({ violations: z.array(z.object({ rule: z.object({ name: z.string() }) })) }),
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

test("every rule is broken by the canary, and seen", () => {
  const seen = new Set(cruise(CANARY, CANARY).summary.violations.map(({ rule }) => rule.name));
  expect([...seen].sort()).toEqual(config.forbidden.map(({ name }) => name).sort());
});

test("the check sees every file of the program", () => {
  const files = ["src", "adapters"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  expect(cruise("", "src", "adapters").modules.length).toBeGreaterThanOrEqual(files.length);
});
