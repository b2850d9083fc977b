import { describe, expect, test } from "vitest";
import { assert, AssertionError } from "../../../src/base/assert.ts";
import { isVipdError, messageOf, VipdError } from "../../../src/base/errors.ts";
import { isName } from "../../../src/base/names.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { earliest, elapsedMs, instant, later, LONG_AGO, NEVER } from "../../../src/base/time.ts";

describe("names", () => {
  test.each(["a", "node1", "A.b-c_d", "9", "x".repeat(63)])("%j is one", (text) => {
    expect(isName(text)).toBe(true);
  });

  test.each(["", ".", "..", "-a", "a-", "a/b", "a b", "ä", "a\n", "\0", "x".repeat(64), "a%"])("%j is none", (text) => {
    expect(isName(text)).toBe(false);
  });
});

describe("time", () => {
  test("is counted in both directions", () => {
    expect(elapsedMs(instant(5), later(instant(5), 3))).toBe(3);
    expect(elapsedMs(later(instant(5), 3), instant(5))).toBe(-3);
  });

  test.each<[number[], number]>([
    [[], NEVER],
    [[3, 1, 2], 1],
    [[3, LONG_AGO], LONG_AGO],
    [[NEVER, NEVER], NEVER],
  ])("the earliest of %j is %d", (times, first) => {
    expect(earliest(...times.map(instant))).toBe(first);
  });
});

describe("random numbers", () => {
  test("are the same from the same seed on every machine", () => {
    const random = seededRandom(42);
    expect(Array.from({ length: 5 }, () => random.int(0, 999))).toEqual([601, 448, 852, 669, 174]);
  });

  test("stay in their bounds, and reach them", () => {
    const random = seededRandom(7);
    const seen = new Set(Array.from({ length: 1_000 }, () => random.int(-2, 2)));
    expect([...seen].toSorted((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
    expect(["a", "b"]).toContain(random.pick(["a", "b"]));
    expect(() => random.pick([])).toThrow(RangeError);
  });
});

describe("errors", () => {
  test("carry a code, facts and the cause", () => {
    const cause = new Error("EACCES");
    const error = new VipdError("kernel", "refused", { errno: 13 }, cause);
    expect(error).toMatchObject({ name: "VipdError", code: "kernel", context: { errno: 13 }, cause });
    expect([isVipdError(error), isVipdError(error, "kernel"), isVipdError(error, "fence"), isVipdError(cause)]).toEqual(
      [true, true, false, false],
    );
    expect([messageOf(error), messageOf("text"), messageOf(undefined)]).toEqual(["refused", "text", "undefined"]);
  });

  test("of the program's own reasoning are no VipdErrors", () => {
    expect(() => assert(false, "one is two")).toThrow(AssertionError);
    expect(() => assert(false, "one is two")).toThrow(/one is two/u);
    assert(true, "one is one");
  });
});
