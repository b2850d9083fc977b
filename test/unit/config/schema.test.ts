// The schema of the configuration file, and the words that its mistakes are told in.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "../../../src/config/duration.ts";
import { jsonSchema, knownKeys } from "../../../src/config/schema.ts";
import { redactUrl } from "../../../src/base/store-url.ts";
import { nearest } from "../../../src/config/suggest.ts";

test("docs/config.schema.json is the schema of this code (vipd --print-schema writes it)", () => {
  const published = readFileSync(new URL("../../../docs/config.schema.json", import.meta.url), "utf8");
  expect(published).toBe(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
});

test("every key of the schema has a description, and no group takes unknown keys", () => {
  for (const path of [
    [],
    ["admin"],
    ["log"],
    ["vips", "x"],
    ["vips", "x", "announce"],
    ["vips", "x", "vrrp"],
    ["realServers", "x"],
  ])
    expect(knownKeys(path)?.length).toBeGreaterThan(1);
  expect(jsonSchema()).toMatchObject({ additionalProperties: false });
  expect(jsonSchema()).not.toHaveProperty("required");
});

test.each([
  ["500ms", 500],
  ["3s", 3000],
  ["1.5s", 1500],
  ["1m", 60_000],
  ["2h", 7_200_000],
  ["0s", 0],
  ["3", undefined],
  ["3 s", undefined],
  ["-3s", undefined],
  ["3d", undefined],
  ["1e3s", undefined],
  ["", undefined],
])("duration %s", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  [0, "0s"],
  [1500, "1500ms"],
  [90_000, "90s"],
  [60_000, "1m"],
  [7_200_000, "2h"],
])("%d ms is written %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ["intreface", "interface"],
  ["prioritty", "priority"],
  ["Priority", "priority"],
  ["preempt_delay", "preemptDelay"],
  ["tll", "ttl"],
  ["zzz", undefined],
  ["", undefined],
])("the nearest key to %s", (word, key) => {
  expect(nearest(word, ["interface", "priority", "preemptDelay", "ttl"])).toBe(key);
});

test.each([
  ["sqlite:/var/lib/x.db", "sqlite:/var/lib/x.db"],
  ["redis://me:p@ss@h:1/0", "redis://***@h:1/0"],
  ["etcd://a:b@h1,c:d@h2/x", "etcd://***@h2/x"],
  ["x://h/?password=a&b=1", "x://h/?password=***&b=1"],
])("%s is shown without its secrets", (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});
