// What is published runs as plain JavaScript: no import still names a TypeScript file, and the programs and the library
// come up from it.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

let dist: string;

beforeAll(() => {
  mkdirSync(".cache", { recursive: true });
  // Below the project, so that the packages are found.
  dist = mkdtempSync(resolve(".cache", "build-"));
  const built = node("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", dist);
  expect(built).toMatchObject({ status: 0, stdout: "" });
});
afterAll(() => rmSync(dist, { recursive: true, force: true }));

function node(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-strip-types", ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("no import names a TypeScript file", () => {
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  expect(files).toContain(join("src", "bin", "vipd.js"));
  const left = files.filter((name) =>
    /(?:from|import\(?)\s*"\.[^"]*\.ts"/u.test(readFileSync(join(dist, name), "utf8")),
  );
  expect(left).toEqual([]);
});

test("the programs that package.json names come up", () => {
  const { bin, version } = JSON.parse(readFileSync("package.json", "utf8")) as {
    bin: Record<string, string>;
    version: string;
  };
  for (const file of Object.values(bin)) {
    const program = join(dist, file.replace(/^dist\//u, ""));
    expect(readFileSync(program, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/u);
    expect(node(program, "--help")).toMatchObject({ status: 0, stderr: "" });
  }
  expect(node(join(dist, "src/bin/vipd.js"), "--version").stdout).toBe(`${version}\n`);
});

test("the library elects from the built files", () => {
  const script = `
    import { joinFleet, openStore } from ${JSON.stringify(pathToFileURL(join(dist, "src/index.js")).href)};
    console.log(typeof joinFleet, typeof openStore);
    const store = await openStore("sqlite:" + process.argv[1]);
    console.log((await store.read("", { timeoutMs: 5000 })).records.length);
    await store.close();`;
  const { status, stdout, stderr } = node("--input-type=module", "-e", script, join(dist, "fleet.db"));
  expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: "function function\n0\n" });
});
