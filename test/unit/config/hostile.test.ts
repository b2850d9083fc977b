// Configuration files that were made to hurt: refused, quickly and without a crash.

import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/config/parse.ts";
import { CONTEXT, MINIMAL, mistakes } from "./files.ts";

describe("hostile files are refused, quickly and without a crash", () => {
  const bomb = [
    "a: &a [x,x,x,x,x,x,x,x,x,x]",
    ...Array.from({ length: 9 }, (_, i) => {
      const [to, from] = ["bcdefghij"[i] ?? "", "abcdefghi"[i] ?? ""];
      return `${to}: &${to} [${`*${from},`.repeat(9)}*${from}]`;
    }),
  ].join("\n");

  test.each([
    ["an alias bomb", bomb, "the file, with its aliases expanded, holds more than 500000 values"],
    ["an alias that leads nowhere", "a: *b", "the alias *b names no anchor before it"],
    ["deep nesting", "[".repeat(100_000), "the file is nested too deeply"],
    ["a huge file", "#".repeat(3 * 1024 * 1024), "the file is larger than 2097152 bytes"],
    ["a NUL", "store: \0", ""],
    ["a prototype's name", `__proto__: {store: x}\n${MINIMAL}`, "is not a known key"],
    ["a constructor", `constructor: x\n${MINIMAL}`, "is not a known key"],
    ["a tag of another language", `store: !!js/function "x"\nvips: {}`, "the tag that begins with ! is not known here"],
  ])("%s", (_what, file, told) => {
    const found = mistakes(file);
    expect(found.length).toBeGreaterThan(0);
    expect(found.join("\n")).toContain(told);
  });

  test("mangled files never throw", () => {
    for (let i = 0; i < MINIMAL.length; i++) {
      for (const put of ["", ":", "[", "&a ", "*a", "\t", "\u0000", "- ", "{", '"', "!!int "]) {
        const file = MINIMAL.slice(0, i) + put + MINIMAL.slice(i + 1);
        expect(() => parseConfig(file, "f", CONTEXT)).not.toThrow();
      }
    }
  });
});
