// The programs say which Node they need, before they load what an older one cannot parse.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { LEAST_NODE, tooOld } from "../../../src/bin/node-version.ts";

it.each(["22.18.0", "22.18.1", "22.19.0", "23.0.0", "24.21.0"])("Node %s is new enough", (version) => {
  expect(tooOld(version)).toBeUndefined();
});

it.each(["18.20.4", "20.11.1", "22.17.9", "22.0.0"])("Node %s is too old, and the message names both", (version) => {
  expect(tooOld(version)).toBe(`needs Node 22.18 or later, this is Node ${version}`);
});

it("the least version is the one that package.json asks for", () => {
  const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } };
  expect(engines.node).toBe(`>=${LEAST_NODE.replace(/\.0$/u, "")}`);
});

it.each(["vipd", "vipctl"])("the front door of %s loads nothing but the check itself before it checks", (program) => {
  const text = readFileSync(`src/bin/${program}.ts`, "utf8");
  const loaded = [...text.matchAll(/^import .* from "(.*)";$/gmu)].map(([, from]) => from);
  expect(loaded.filter((from) => from !== "node:v8")).toEqual(["./node-version.ts"]);
  expect(text.indexOf("refuseOldNode(")).toBeLessThan(text.indexOf("await import("));
});
