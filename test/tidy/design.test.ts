// docs/design.md is a map: what it names is there, and what is there has its row.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";

const DESIGN = "docs/design.md";
const text = readFileSync(DESIGN, "utf8");

/** Rooms of the first column of each table row, with the number of the row. */
const ROOMS = text.split("\n").flatMap((line, row) => {
  const [, first = ""] = /^\| (`(?:src|adapters|test)\/[^|]*) \|/u.exec(line) ?? [];
  return [...first.matchAll(/`([^`]+)`/gu)].map(([, room = ""]) => ({ room, row }));
});

const folders = (path: string): readonly string[] =>
  readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? join(path, entry.name).replaceAll("\\", "/") : [],
  );

test("every folder has a row in the tables of rooms, and every row is a folder or a file that is there", () => {
  const named = ROOMS.map(({ room }) => room);
  const wanted = [...folders("src"), ...folders("adapters"), ...folders("adapters/linux"), ...folders("test")];
  expect(wanted.filter((folder) => !named.includes(folder))).toEqual([]);
  expect(named.filter((room) => !existsSync(room))).toEqual([]);
});

test("rooms of src stand below those that they may import", async () => {
  const rules = z.array(
    z.object({ name: z.string(), to: z.object({ pathNot: z.union([z.string(), z.array(z.string())]).optional() }) }),
  );
  const url = new URL("../../.dependency-cruiser.mjs", import.meta.url).href;
  const config = (await import(url)) as { default: { forbidden: unknown } };
  const rowOf = (folder: string): number => ROOMS.find(({ room }) => room === `src/${folder}`)?.row ?? Number.NaN;
  const layers = rules.parse(config.default.forbidden).filter(({ name }) => name.startsWith("layer-"));
  expect(layers.length).toBeGreaterThan(15);
  const wrong = layers.flatMap(({ name, to }) => {
    const folder = name.slice("layer-".length);
    const allowed = /\(([a-z|]+)\)/u.exec(String(to.pathNot))?.[1]?.split("|") ?? [];
    expect(allowed).toContain(folder);
    return allowed.filter((other) => !(rowOf(other) <= rowOf(folder))).map((other) => `${folder} above ${other}`);
  });
  expect(wrong).toEqual([]);
});

test("each of its links leads to a file, and what it says to be in one is there", () => {
  const links = [...text.matchAll(/\]\(([^)#]+)\)/gu)].map(([, path = ""]) => join(dirname(DESIGN), path));
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter((path) => !existsSync(path))).toEqual([]);
  const claims = [...text.matchAll(/`([A-Z]+|[a-z]+[A-Z]\w+|Daemon\.\w+)` (?:in|of)\s+\[([\w/.-]+)\]/gu)];
  expect(claims.length).toBeGreaterThanOrEqual(3);
  for (const [, name = "", file = ""] of claims)
    expect(readFileSync(file, "utf8"), `${name} in ${file}`).toContain(name.replace(/^Daemon\./u, ""));
});

test("a walk leads through three files at most for each of its cases", () => {
  const walks = text
    .slice(text.indexOf("## Four walks"), text.indexOf("## Rooms"))
    .split(/\n(?=\*\*)/u)
    .slice(1);
  expect(walks).toHaveLength(4);
  for (const walk of walks) {
    const files = new Set([...walk.matchAll(/\]\(([^)]+)\)/gu)].map(([, path]) => path));
    // The first has one last file of three, by who decided.
    expect(files.size, walk.slice(0, 40)).toBeLessThanOrEqual(walk.startsWith("**Why") ? 5 : 3);
  }
});
