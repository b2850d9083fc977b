import { describe, expect, test } from "vitest";
import { elapsedMs, instant } from "../../../src/base/time.ts";
import { RFC_5798 } from "../../../src/vrrp/router.ts";
import { farewellMs, giveUpAt, masterDownMs, skewMs, validUntil } from "../../../src/vrrp/timing.ts";
import { router } from "./lab.ts";

describe("the skew", () => {
  // RFC 3768, section 6.1: (256 - priority) / 256 seconds.
  test.each([
    [1, 996.09375],
    [100, 609.375],
    [254, 7.8125],
    [255, 3.90625],
  ])("of version 2 at priority %d is %d ms, whatever the interval is", (priority, ms) => {
    expect(skewMs(2, priority, 1000)).toBe(ms);
    expect(skewMs(2, priority, 10_000)).toBe(ms);
  });

  // RFC 9568, section 6.1: the same part of the master's interval.
  test.each([
    [100, 1000, 609.375],
    [100, 100, 60.9375],
    [255, 100, 0.390625],
    [1, 40_950, 40_790.0390625],
  ])("of version 3 at priority %d and interval %d ms is %d ms", (priority, intervalMs, ms) => {
    expect(skewMs(3, priority, intervalMs)).toBe(ms);
  });
});

describe("the master-down time", () => {
  test("is three intervals and the skew", () => {
    expect(masterDownMs(router(), 100, 1000)).toBe(3609.375);
    expect(masterDownMs(router({ version: 3 }), 100, 100)).toBe(360.9375);
  });

  test("of RFC 5798 keeps the skew of the own interval", () => {
    const given = { version: 3, intervalMs: 1000, rules: RFC_5798 } as const;
    expect(masterDownMs(router(given), 100, 100)).toBe(300 + 609.375);
  });
});

describe("the wait after a farewell", () => {
  test("is the skew", () => {
    expect(farewellMs(router(), 100, 1000)).toBe(609.375);
  });

  test("may be bounded, and keeps the order of priorities", () => {
    const quick = router({ farewellWaitMs: 40 });
    expect(farewellMs(quick, 100, 1000)).toBe(24.375);
    expect(farewellMs(quick, 200, 1000)).toBe(8.75);
    expect(farewellMs(router({ version: 3, farewellWaitMs: 40 }), 200, 10)).toBeCloseTo(2.1875);
  });
});

describe("the lease that an advert gives", () => {
  test.each([100, 1000, 10_000])(
    "of interval %d ms ends before the quickest backup with a fast clock takes over",
    (ms) => {
      const sentAt = instant(5_000_000);
      const lease = elapsedMs(sentAt, validUntil(sentAt, ms));
      // A backup of priority 255 whose clock is 0.1 % fast, while the master's is 0.1 % slow.
      expect(lease / (1 - 1e-3)).toBeLessThan((3 * ms) / (1 + 1e-3));
      expect(lease).toBeGreaterThan(2.9 * ms);
      expect(elapsedMs(sentAt, giveUpAt(validUntil(sentAt, ms), ms))).toBeGreaterThan(2.7 * ms);
    },
  );
});
