// A node that is not fit holds as a last resort: only while nobody who is fit is alive, and never beside another one.

import { describe, expect, test } from "vitest";
import { Fleet } from "./fleet.ts";
import { candidacy, ineligible, TTL_MS } from "./samples.ts";

const sick = (changes: Parameters<typeof ineligible>[1] = {}): ReturnType<typeof candidacy> =>
  ineligible("http", { lastResort: true, ...changes });

describe("a holder that falls sick", () => {
  test("hands over at once to a healthy candidate, whatever its priority", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ priority: 150 }));
    const b = fleet.start("b", candidacy({ priority: 50, preempt: false }));
    fleet.advance(2 * TTL_MS);
    a.wish(sick({ priority: 150 }));
    expect(fleet.until(() => b.holds)).toBeLessThan(10);
    expect(a.reasons.at(-1)).toBe("check-failed");
  });

  test("keeps it while there is nobody healthy, and hands it over to the first who is", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    const b = fleet.start("b", sick());
    fleet.advance(2 * TTL_MS);
    a.wish(sick());
    fleet.advance(10 * TTL_MS);
    expect(fleet.holders).toEqual(["a"]);
    b.wish(candidacy({ priority: 1, preempt: false }));
    expect(fleet.until(() => b.holds)).toBeLessThan(10);
    expect(fleet.history().map(({ to }) => to)).toEqual(["a", "b"]);
  });

  test("drops it at once where that is wanted, and nobody takes it until somebody is healthy", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    const b = fleet.start("b", ineligible());
    fleet.advance(2 * TTL_MS);
    a.wish(ineligible());
    fleet.advance(5 * TTL_MS);
    expect(fleet.holders).toEqual([]);
    b.wish(candidacy());
    expect(fleet.until(() => b.holds)).toBeLessThan(TTL_MS);
  });

  test("takes it back when the healthy one, to whom it gave it, is gone", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    const b = fleet.start("b", candidacy({ preempt: false }));
    fleet.advance(2 * TTL_MS);
    a.wish(sick());
    fleet.until(() => b.holds);
    fleet.kill(b);
    expect(fleet.until(() => a.holds)).toBeLessThan(2 * TTL_MS);
  });
});

describe("where all are sick", () => {
  test("the best of them takes what is free, and the others leave it there", () => {
    const fleet = new Fleet();
    const [a, b] = [fleet.start("a", sick({ priority: 100 })), fleet.start("b", sick({ priority: 150 }))];
    fleet.until(() => fleet.holders.length > 0);
    fleet.advance(5 * TTL_MS);
    expect(fleet.holders).toHaveLength(1);
    expect(fleet.history()).toHaveLength(1);
    const holder = a.holds ? a : b;
    fleet.kill(holder);
    fleet.until(() => fleet.holders.length > 0);
    expect(fleet.holders).not.toEqual([holder.name]);
  });
});

test("a holder is not asked to hand over to a better one before it has held for its least time", () => {
  const fleet = new Fleet();
  fleet.start("a", candidacy({ priority: 50, minHoldMs: 5_000 }));
  fleet.until(() => fleet.holders.length > 0);
  const b = fleet.start("b", candidacy({ priority: 150 }));
  const took = fleet.until(() => b.holds);
  expect(took).toBeGreaterThanOrEqual(4_900);
  expect(took).toBeLessThan(5_100);
});
