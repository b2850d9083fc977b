// How long a host leaves a VIP to others after it could not hold it.

import { describe, expect, test } from "vitest";
import { type Instant, instant, later } from "../../../src/base/time.ts";
import { HoldBackoff } from "../../../src/node/hold-backoff.ts";

const TTL_MS = 3_000;
const START = instant(1_000_000);
const LONGEST_MS = 300_000;

describe("failures", () => {
  /** Fails right after each back-off; the lengths of the back-offs. */
  function failing(backoff: HoldBackoff, from: Instant, times: number, heldForMs: number | null = null): number[] {
    const found: number[] = [];
    let now = from;
    for (let index = 0; index < times; index += 1) {
      if (heldForMs !== null) {
        backoff.held("web", now);
        now = later(now, heldForMs);
      }
      const until = backoff.failed("web", now);
      found.push(until - now);
      now = until;
    }
    return found;
  }

  test("that follow each other make it longer, up to the longest", () => {
    const found = failing(new HoldBackoff(TTL_MS), START, 9);
    expect(found).toEqual([6_000, 12_000, 24_000, 48_000, 96_000, 192_000, LONGEST_MS, LONGEST_MS, LONGEST_MS]);
  });

  test("of a VIP that is held for a moment in between still follow each other", () => {
    expect(failing(new HoldBackoff(TTL_MS), START, 3, 10 * TTL_MS)).toEqual([6_000, 12_000, 24_000]);
  });

  test("of a VIP that was held for more than ten leases in between begin anew", () => {
    expect(failing(new HoldBackoff(TTL_MS), START, 3, 10 * TTL_MS + 1)).toEqual([6_000, 6_000, 6_000]);
  });

  test("that come ten minutes after the last back-off begin anew", () => {
    const backoff = new HoldBackoff(TTL_MS);
    const until = backoff.failed("web", START);
    const almost = later(until, 2 * LONGEST_MS - 1);
    const again = backoff.failed("web", almost);
    expect(again - almost).toBe(12_000);
    const last = later(again, 2 * LONGEST_MS);
    expect(backoff.failed("web", last) - last).toBe(6_000);
  });

  test("that come without the VIP having been held again do not count an older holding", () => {
    const backoff = new HoldBackoff(TTL_MS);
    backoff.held("web", START);
    const first = later(START, 20 * TTL_MS);
    expect(backoff.failed("web", first) - first).toBe(6_000);
    const second = later(first, 6_000);
    expect(backoff.failed("web", second) - second).toBe(12_000);
  });

  test("of one VIP do not count for another", () => {
    const backoff = new HoldBackoff(TTL_MS);
    backoff.failed("web", START);
    expect(backoff.failed("db", START) - START).toBe(6_000);
  });
});
