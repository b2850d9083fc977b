// Runs a TypeScript program of this project from a fresh clone: installs the packages when they are missing or older than
// the lock file, then hands over to the Node.js that the project brings. Plain JavaScript, for any Node.js from 18 on.
//
//   node test/setup/start.mjs <program.ts> [arguments]

import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NODE = join(ROOT, "node_modules/node/bin/node");

/** npm writes this file last: a clone whose installation was cut off counts as not installed. */
const INSTALLED = join(ROOT, "node_modules/.package-lock.json");

function isInstalled() {
  if (!existsSync(NODE) || !existsSync(INSTALLED)) return false;
  return statSync(INSTALLED).mtimeMs >= statSync(join(ROOT, "package-lock.json")).mtimeMs || works();
}

/** A lock file that a checkout has touched may still say the same. */
function works() {
  return spawnSync(npm(), ["ls", "--all", "--silent"], { cwd: ROOT, stdio: "ignore" }).status === 0;
}

function npm() {
  return process.platform === "win32" ? "npm.cmd" : "npm";
}

/** `npm ci` would refuse a lock file that lacks optional packages of other platforms, as mirrors of the registry may. */
function install() {
  process.stderr.write("installing the packages of the project (npm install --no-save) ...\n");
  const { status } = spawnSync(npm(), ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: ROOT,
    stdio: ["ignore", 2, 2],
  });
  if (status === 0 && existsSync(NODE)) return;
  process.stderr.write("the packages could not be installed: see above; the project needs npm and its registry once\n");
  process.exit(69);
}

if (!isInstalled()) install();
const [program, ...rest] = process.argv.slice(2);
const child = spawn(NODE, ["--disable-warning=ExperimentalWarning", join(ROOT, program ?? ""), ...rest], {
  stdio: "inherit",
  cwd: ROOT,
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 70)));
