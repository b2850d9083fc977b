// npm run bench [-- [--json] name ...]: time and memory, against their bars and against keepalived in the same run.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { checkCost, failing, manyChecks } from "./checks.ts";
import { answers, commits, idle } from "./idle.ts";
import { migration } from "./migration.ts";
import { planned, restarts, violent } from "./moves.ts";
import { reloads } from "./reloads.ts";
import { held, vips } from "./vips.ts";
import { growth, many } from "./scale.ts";
import { leader, remote, stale, steady } from "./stores.ts";
import { storms } from "./storms.ts";
import { adverts, routers } from "./vrrp.ts";
import { busy } from "./vrrp-busy.ts";
import { print, type Row } from "./table.ts";

const BENCHES: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  planned,
  violent,
  restarts,
  idle,
  answers,
  commits,
  remote,
  leader,
  stale,
  many,
  vips: () => vips(),
  held,
  reloads: () => reloads(),
  storms,
  failing,
  cost: checkCost,
  checks: manyChecks,
  routers,
  adverts,
  busy,
  migration,
  steady,
  growth,
};

/** `--json`: a line of JSON for each row, for programs. */
async function main(args: readonly string[]): Promise<number> {
  const isJson = args.includes("--json");
  const names = args.filter((name) => name !== "--json");
  const unknown = names.filter((name) => !Object.hasOwn(BENCHES, name));
  if (unknown.length > 0) {
    process.stderr.write(`no benchmark ${unknown.join(", ")}: there are ${Object.keys(BENCHES).join(", ")}\n`);
    return 2;
  }
  execFileSync("npm", ["run", "--silent", "build"], { cwd: join(import.meta.dirname, "../.."), stdio: "inherit" });
  let met = true;
  for (const [name, run] of Object.entries(BENCHES)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const rows = await run();
    if (isJson) for (const row of rows) process.stdout.write(`${JSON.stringify({ bench: name, ...row })}\n`);
    else print(rows);
    met = met && rows.every((row) => row.met !== false);
  }
  return met ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
