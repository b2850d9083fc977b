// Configuration files that were made to hurt: refused, quickly and without a crash.

import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/config/parse.ts";
import { CONTEXT, MINIMAL, mistakes, withVip } from "./files.ts";

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

  test.each([
    ["VIPs", "store: sqlite:/s.db\nvips:\n  v#: {a: 1}\n", 20_000, "vips: holds 20000 VIPs; keep it within 8192"],
    ["keys", "k#: 1\n", 20_000, "the file has 20000 keys; is this the right file?"],
    ["keys of a VIP", `${withVip("interface: eth0")}\n    k#: 1\n`, 300, "vips.web: has 301 keys"],
    ["addresses", `${withVip("interface: eth0\naddresses:")}\n      - 10.0.0.#/8\n`, 40, "holds 40 addresses"],
  ])("too many %s: nothing else is told of them", (_what, pattern, count, told) => {
    const [last] = /[^\n]*#[^\n]*\n/u.exec(pattern) ?? [""];
    const many = Array.from({ length: count }, (_, i) => last.replace("#", String(i)));
    const found = mistakes(pattern.replace(last, many.join("")));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(told);
  });

  test("of many mistakes the first are told, and how many there are", () => {
    const vips = Array.from({ length: 300 }, (_, i) => `  v${i}: {interface: eth0, addresses: [10.0.0.10]}\n`);
    const result = parseConfig(`store: sqlite:/s.db\nvips:\n${vips.join("")}`, "f", CONTEXT);
    expect(result).toMatchObject({ kind: "issues", more: 200, issues: { length: 100 } });
  });

  test("the time grows with the file, not with its square", () => {
    const millisecondsOf = (count: number): number => {
      const vips = Array.from(
        { length: count },
        (_, i) => `  v${i}: {interface: eth0, addresses: [10.0.0.10], prio: 1}\n`,
      );
      const begin = performance.now();
      parseConfig(`store: sqlite:/s.db\nvips:\n${vips.join("")}`, "f", CONTEXT);
      return performance.now() - begin;
    };
    millisecondsOf(500);
    // Eight times the size: a square would take 64 times as long.
    expect(millisecondsOf(8_000)).toBeLessThan(32 * Math.max(20, millisecondsOf(1_000)));
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
