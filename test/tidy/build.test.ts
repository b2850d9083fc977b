// What is published runs as plain JavaScript: no import still names a TypeScript file, and the programs and the library
// come up from it.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tooOld } from "../../src/bin/node-version.ts";

let dist: string;

beforeAll(() => {
  mkdirSync(".cache", { recursive: true });
  // Below the project, so that the packages are found.
  dist = mkdtempSync(resolve(".cache", "build-"));
  const { status, stderr } = spawnSync("npm", ["run", "--silent", "build"], {
    encoding: "utf8",
    env: { ...process.env, OUT: dist },
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
});
afterAll(() => rmSync(dist, { recursive: true, force: true }));

function node(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-strip-types", ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("no import names a TypeScript file", () => {
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  expect(files).toEqual(expect.arrayContaining([join("bin", "vipd.js"), join("src", "index.js")]));
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
    expect(statSync(program).mode & 0o777, "npm does not change the mode again").toBe(0o755);
    expect(node(program, "--help")).toMatchObject({ status: 0, stderr: "" });
  }
  expect(node(join(dist, "bin/vipd.js"), "--version").stdout).toBe(`${version}\n`);
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

test("with an older Node the programs say so, whatever of them it can parse", (context) => {
  const old = olderNode();
  if (old === undefined) context.skip("the PATH has no Node older than 22.18");
  for (const name of ["vipd", "vipctl"]) {
    const { status, stderr } = spawnSync(old ?? "", [join(dist, "bin", `${name}.js`), "--version"], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({
      status: 78,
      stderr: expect.stringMatching(
        new RegExp(`^${name}: needs Node 22\\.18 or later, this is Node \\S+ \\(.+\\)\\n$`, "u"),
      ),
    });
  }
});

/** A Node of the PATH that is too old for vipd. */
function olderNode(): string | undefined {
  const candidates = (process.env["PATH"] ?? "").split(":").map((folder) => join(folder, "node"));
  return candidates.find((path) => {
    const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
    return status === 0 && tooOld(stdout.trim().slice(1)) !== undefined;
  });
}
