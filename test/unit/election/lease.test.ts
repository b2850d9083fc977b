// The arithmetic of a lease: it has ended for its holder before anybody may break it.

import { describe, expect, test } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { DRIFT, fenceUntil, giveUpAt, leaseTimings, observerWaitMs, validUntil } from "../../../src/election/lease.ts";

const SENT = instant(1_000);

describe.each([200, 500, 1_000, 3_000, 10_000, 60_000, 600_000])("a lease of %i ms", (ttlMs) => {
  const timings = leaseTimings(ttlMs);

  test("has ended, by the slowest clock, before the fastest clock may break it", () => {
    const trueEnd = timings.validityMs / (1 - DRIFT);
    const trueBreak = observerWaitMs(ttlMs) / (1 + DRIFT);
    expect(trueEnd).toBeLessThan(trueBreak);
  });

  test("ends in order: the daemon gives up, the fence closes, the validity ends, all before the ttl", () => {
    const until = validUntil(SENT, timings);
    const order = [SENT, giveUpAt(until, timings), fenceUntil(until), until, SENT + ttlMs];
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(new Set(order).size).toBe(order.length);
  });

  test("has room for a heartbeat that fails once, and from 300 ms on twice", () => {
    const { heartbeatEveryMs, requestTimeoutMs, retryEveryMs, validityMs, giveUpMarginMs } = timings;
    const failures = ttlMs < 300 ? 1 : 2;
    expect(heartbeatEveryMs + failures * requestTimeoutMs + retryEveryMs).toBeLessThan(validityMs - giveUpMarginMs);
  });

  test("is read short once a lease, and whole at most once a minute", () => {
    expect(timings.resyncEveryMs).toBe(ttlMs);
    expect(timings.fullReadEveryMs).toBeGreaterThanOrEqual(60_000);
    expect(timings.fullReadEveryMs).toBeGreaterThanOrEqual(20 * ttlMs);
  });
});
