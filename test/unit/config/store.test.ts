// The store of a configuration: its URL is checked by its adapter, and its password is shown to nobody.

import { describe, expect, test } from "vitest";
import { VipdError } from "../../../src/base/errors.ts";
import type { KnownStore } from "../../../src/config/cross-checks.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { CONTEXT, mistakes } from "./files.ts";

test.each([
  ["mysql://me:hush@db/x?token=hush", '"mysql://***@db/x?token=***"'],
  ["redis://me:hu/sh@db", '"redis://***@db"'],
  ["etcd://me:hush@db:99999", '"etcd://***@db:99999"'],
])("an issue carries the value, without passwords: %s", (url, value) => {
  const result = parseConfig(`store: ${url}\nvips: {}`, "f", CONTEXT);
  expect(result).toMatchObject({ issues: [{ file: "f", line: 1, column: 8, path: "store", value }] });
  expect(JSON.stringify(result)).not.toMatch(/hu.?sh/u);
});

describe("what an adapter says of a store URL", () => {
  const told = (check: KnownStore["check"]): readonly string[] => {
    const store: KnownStore = {
      name: "Novel",
      schemes: ["novel"],
      example: "novel://h",
      minTtlMs: 1_000,
      check,
      secretFiles: () => [],
      localFile: () => null,
    };
    return mistakes("store: NOVEL:x\nttl: 900ms\nvips: {}", { ...CONTEXT, stores: [store] });
  };
  const TTL = "vipd.yaml:2:6: ttl: is shorter than a store on Novel can keep (1s); use 1s or more";

  test("is a mistake of the file, with what would be right, beside its other mistakes", () => {
    const check = (): never => {
      throw new VipdError("store-url", "x: y", { problem: "is odd", fix: "make it even" });
    };
    expect(told(check)).toEqual(["vipd.yaml:1:8: store: is odd; make it even", TTL]);
  });

  test("is told as it is when it does not say what would be right", () => {
    const check = (): never => {
      throw new VipdError("store-url", "is odd");
    };
    expect(told(check)).toEqual(["vipd.yaml:1:8: store: is odd; write one such as novel://h", TTL]);
  });

  test("is no mistake of the file when it is another failure", () => {
    const broken = (): never => {
      throw new TypeError("a bug");
    };
    expect(() => told(broken)).toThrow(TypeError);
    expect(told(() => {})).toEqual([TTL]);
  });
});
