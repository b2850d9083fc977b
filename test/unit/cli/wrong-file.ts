// A wrong file before vipd --check: what must be said of it, and what must not.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { readConfigFile } from "../../../src/bin/host-look.ts";
import { handleVipdArguments } from "../../../src/cli/vipd-arguments.ts";
import { Desk } from "./desk.ts";

/** Words of stacks, of the YAML parser, of the schema library; and the password of the tables. */
const INTERNALS =
  /^\s+at |Zod|YAML stream|token|implicit|scalar|collections|directive should|Unrecognized|; see vipd\.yaml|undefined|\[object|NaN|Unexpected|hush/u;

/**
 * The file is refused with exit 78 on a host that has 10.0.0.1: a line tells `place` (line:column) and `told`, and none shows
 * what it is made with.
 */
export async function refuses(file: string | Buffer, place: string, told: string): Promise<void> {
  const desk = new Desk();
  const own = { family: 4, ip: "10.0.0.1", prefix: 24, interface: "eth0", permanent: true } as const;
  desk.network = {
    links: ["eth0"],
    addresses: [{ ...own, ours: false, keepalived: false, secondary: false }],
  };
  const directory = mkdtempSync(join(tmpdir(), "vdw-"));
  try {
    const path = join(directory, "vipd.yaml");
    writeFileSync(path, file);
    const result = await handleVipdArguments(["--check", "-c", path], { ...desk.deps, readFile: readConfigFile });
    expect(result).toEqual({ kind: "exit", code: 78 });
    const { lines, text } = desk.err;
    const line = lines.find((each) => each.startsWith(`${path}:${place}: `));
    expect(line, text).toContain(told);
    expect(lines.at(-1)).toMatch(/^\d+ mistakes? in /u);
    expect(desk.out.text).toBe("");
    for (const shown of lines) expect(shown).not.toMatch(INTERNALS);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
