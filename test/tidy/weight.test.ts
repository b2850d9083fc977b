// What the programs do not load, because it would cost every start and every daemon dearly.

import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

/** The names of Node's own modules that are there once these files are imported. */
function loadedBy(...files: readonly string[]): readonly string[] {
  const imports = files.map((file) => `await import(${JSON.stringify(pathToFileURL(resolve(file)).href)});`);
  const script = `${imports.join("")}console.log(JSON.stringify(process.moduleLoadList));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(stderr.replaceAll(/^.*Warning.*$/gmu, "").trim()).toBe("");
  return JSON.parse(stdout) as string[];
}

test("neither the daemon nor vipctl loads Node's web client", () => {
  const loaded = loadedBy("src/bin/daemon.ts", "src/bin/command-line.ts", "src/admin/client.ts", "src/net/exchange.ts");
  expect(loaded).toContain("NativeModule http");
  expect(loaded.filter((name) => name.includes("undici"))).toEqual([]);
});

test("an import as a module would", () => {
  expect(loadedBy("test/tidy/canary/test/http-as-module.ts").some((name) => name.includes("undici"))).toBe(true);
});
