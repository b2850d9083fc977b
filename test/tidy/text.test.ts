// What no compiler sees: traces of one machine, documents that have fallen behind the program.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { jsonSchema } from "../../src/config/schema.ts";

/** Every file of the project, also those that the next commit will bring or take away. */
const tracked = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
})
  .split("\0")
  .filter((name) => name !== "" && name !== "package-lock.json" && existsSync(name));

test("package-lock.json says of the project what package.json does: npm install changes nothing in a clone", () => {
  const read = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
  const own = (read("package-lock.json") as { packages: Record<string, unknown> }).packages[""];
  expect(read("package.json")).toMatchObject(own as object);
});

test("no file names a path of the machine it was written on, or a private registry", () => {
  const traces = tracked.filter(
    (name) =>
      !name.startsWith("test/tidy/") && /\/(?:work|home|root)\/[a-z]|"resolved"/u.test(readFileSync(name, "utf8")),
  );
  expect(traces).toEqual([]);
  expect(readFileSync("package-lock.json", "utf8")).not.toMatch(/"resolved": "https?:\/\/(?!registry\.npmjs\.org)/u);
});

const UNDONE = new RegExp(
  `\\b(?:${["TO", "FIX"].map((start, i) => start + ["DO", "ME"][i]).join("|")})\\b|[\\w)]\\.only\\(`,
  "u",
);

test("nothing is left undone in the text of the program", () => {
  expect(UNDONE.test(["test", "only(1)"].join("."))).toBe(true);
  expect(UNDONE.test("[...only('x')]")).toBe(false);
  const undone = tracked.filter(
    (name) => /^(?:src|adapters|test)\//u.test(name) && UNDONE.test(readFileSync(name, "utf8")),
  );
  expect(undone).toEqual([]);
});

test("every key of the configuration is described in the reference", () => {
  const reference = readFileSync("docs/configuration.md", "utf8");
  const keys = keysOf(jsonSchema());
  expect(keys.length).toBeGreaterThan(15);
  expect(keys.filter((key) => !reference.includes(`\`${key}\``) && !reference.includes(`.${key}\``))).toEqual([]);
});

test("the published schema is the one that the program reads by", () => {
  expect(JSON.parse(readFileSync("docs/config.schema.json", "utf8"))).toEqual(JSON.parse(JSON.stringify(jsonSchema())));
});

test("every relative link of a document leads somewhere", () => {
  const pages = tracked.filter((name) => name.endsWith(".md"));
  const broken = pages.flatMap((page) =>
    [...readFileSync(page, "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/gu)]
      .map((match) => new URL(match[1] ?? "", `file:///${page}`).pathname.slice(1))
      .filter((target) => !tracked.includes(target) && !tracked.some((name) => name.startsWith(target)))
      .map((target) => `${page} -> ${target}`),
  );
  expect(broken).toEqual([]);
});

/** The names of all properties, at any depth of a JSON Schema. */
function keysOf(schema: unknown): readonly string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const { properties, ...others } = schema as { properties?: Record<string, unknown> };
  return [
    ...Object.keys(properties ?? {}),
    ...[...Object.values(properties ?? {}), ...Object.values(others)].flatMap(keysOf),
  ];
}
