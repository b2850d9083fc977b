// The table of deadlines by name, against a plain list that does the same.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { type Instant, instant, NEVER } from "../../../src/base/time.ts";
import { Wakeups } from "../../../src/base/wakeups.ts";

function tableOf(deadlines: Readonly<Record<string, number>>): Wakeups {
  const table = new Wakeups();
  for (const [name, at] of Object.entries(deadlines)) table.set(name, instant(at));
  return table;
}

test("an empty table never wakes anybody", () => {
  const table = new Wakeups();
  expect([table.size, table.next(), table.at("a")]).toEqual([0, NEVER, NEVER]);
  expect(table.takeDue(instant(1e12))).toEqual([]);
});

test("the soonest deadline is next, whatever the order in which they were set", () => {
  for (const names of [
    ["a", "b", "c"],
    ["c", "b", "a"],
    ["b", "c", "a"],
  ]) {
    const table = tableOf(Object.fromEntries(names.map((name) => [name, name.charCodeAt(0)])));
    expect(table.next()).toBe("a".charCodeAt(0));
    expect(table.takeDue(instant("b".charCodeAt(0)))).toEqual(["a", "b"]);
    expect([table.size, table.next()]).toEqual([1, "c".charCodeAt(0)]);
  }
});

describe("a deadline", () => {
  test("is due at its instant, not before", () => {
    const table = tableOf({ a: 10 });
    expect(table.takeDue(instant(9.999))).toEqual([]);
    expect(table.takeDue(instant(10))).toEqual(["a"]);
    expect(table.takeDue(instant(10)), "once").toEqual([]);
    expect(table.at("a")).toBe(NEVER);
  });

  test.each([5, 15])("that is set again, to %i, takes the place of the former one", (at) => {
    const table = tableOf({ a: 10 });
    table.set("a", instant(at));
    expect([table.size, table.next(), table.at("a")]).toEqual([1, at, at]);
    expect(table.takeDue(instant(20))).toEqual(["a"]);
    expect(table.next()).toBe(NEVER);
  });

  test("that is taken away wakes nobody", () => {
    const table = tableOf({ a: 10, b: 20 });
    table.set("a", NEVER);
    expect([table.size, table.next()]).toEqual([1, 20]);
    expect(table.takeDue(instant(15))).toEqual([]);
    table.set("unknown", NEVER);
    expect(table.size).toBe(1);
  });

  test("that was taken away, or taken out, may be set to the same instant again", () => {
    const table = tableOf({ a: 10 });
    table.set("a", NEVER);
    table.set("a", instant(10));
    expect(table.takeDue(instant(10))).toEqual(["a"]);
    table.set("a", instant(10));
    expect(table.takeDue(instant(10))).toEqual(["a"]);
    expect(table.takeDue(instant(10))).toEqual([]);
  });
});

test("at most so many names are taken out at a time, the soonest first; the rest stays due", () => {
  const table = tableOf({ d: 4, a: 1, c: 3, b: 2 });
  expect(table.takeDue(instant(10), 3)).toEqual(["a", "b", "c"]);
  expect([table.size, table.next()]).toEqual([1, 4]);
  expect(table.takeDue(instant(10), 3)).toEqual(["d"]);
  expect(table.takeDue(instant(10), 0)).toEqual([]);
});

test("a list shows the soonest deadlines, and takes none out", () => {
  const table = tableOf({ c: 3, a: 1, b: 2 });
  expect(table.list(2)).toEqual([
    { name: "a", at: 1 },
    { name: "b", at: 2 },
  ]);
  expect(table.size).toBe(3);
});

test("what a long random use takes out is what a plain list would", () => {
  const random = seededRandom(1);
  const table = new Wakeups();
  const plain = new Map<string, Instant>();
  for (let round = 0; round < 20_000; round += 1) {
    const name = `n${random.int(0, 99)}`;
    const now = instant(round);
    const at = random.chance(0.2) ? NEVER : instant(round + random.int(0, 300));
    table.set(name, at);
    if (at === NEVER) plain.delete(name);
    else plain.set(name, at);
    if (random.chance(0.3)) {
      const due = [...plain].filter(([, when]) => when <= now);
      const taken = table.takeDue(now);
      const times = taken.map((each) => plain.get(each) ?? 0);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect([...taken].sort()).toEqual(due.map(([each]) => each).sort());
      for (const each of taken) plain.delete(each);
    }
    expect([table.size, table.next(), table.at(name)]).toEqual([
      plain.size,
      Math.min(NEVER, ...plain.values()),
      plain.get(name) ?? NEVER,
    ]);
  }
});

test("a deadline that moves with every heartbeat does not make the table grow", () => {
  const table = tableOf({ a: 1, b: 2 });
  for (let round = 0; round < 100_000; round += 1) table.set("a", instant(1_000_000 - round));
  const { heap } = table as unknown as { readonly heap: readonly unknown[] };
  expect(heap.length).toBeLessThanOrEqual(65);
  expect(table.takeDue(instant(2_000_000))).toEqual(["b", "a"]);
});
