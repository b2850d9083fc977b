// The log in systemd's journal: each line with its priority.

import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isJournal } from "../../../src/runtime/journal.ts";

const MODULE = new URL("../../../src/runtime/logger.ts", import.meta.url).href;
const programOf = (format: string): string => `import { createLogger } from ${JSON.stringify(MODULE)};
const log = await createLogger({ level: "debug", format: "${format}", node: "n1" });
for (const level of ["error", "warn", "info", "debug"]) log[level]({}, level);`;

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdj-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What a process writes whose standard output is this file, and JOURNAL_STREAM names what `named` says. */
async function written(named: (stream: string) => string, format = "json"): Promise<readonly string[]> {
  const path = join(directory, "journal");
  const fd = openSync(path, "w");
  const { dev, ino } = fstatSync(fd);
  const env = { ...process.env, JOURNAL_STREAM: named(`${dev}:${ino}`) };
  const child = spawn(process.execPath, ["--input-type=module", "-e", programOf(format)], {
    env,
    stdio: ["ignore", fd, "inherit"],
  });
  closeSync(fd);
  await new Promise((resolve) => child.once("exit", resolve));
  return readFileSync(path, "utf8").trim().split("\n");
}

test("each line begins with its priority, as sd-daemon(3) has it, and names its level", async () => {
  const lines = await written((stream) => stream);
  const seen = lines.map((line) => [line.slice(0, 3), (JSON.parse(line.slice(3)) as { level: unknown }).level]);
  expect(seen).toEqual([
    ["<3>", "error"],
    ["<4>", "warn"],
    ["<6>", "info"],
    ["<7>", "debug"],
  ]);
});

test("lines that go elsewhere have none: standard output may be redirected within a unit", async () => {
  const lines = await written(() => "1:1");
  expect(lines.map((line) => line[0])).toEqual(["{", "{", "{", "{"]);
});

test("pretty lines are for people, and have none", async () => {
  const lines = await written((stream) => stream, "pretty");
  expect(lines).toHaveLength(4);
  for (const line of lines) expect(line).not.toMatch(/^<|"level"/u);
});

test("nothing is the journal where systemd names none, or the descriptor is closed", () => {
  expect(isJournal(1, undefined)).toBe(false);
  expect(isJournal(9_999, "1:1")).toBe(false);
});
