// Real time: the clock of the boot, timers over it, sleep, and unique names.

import { describe, expect, test } from "vitest";
import { instant, later } from "../../../src/base/time.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { procClock, sleep, systemEntropy, systemTimers } from "../../../src/runtime/timers.ts";
import { VirtualTimers } from "./virtual-timers.ts";

/** As a process that is stopped: nothing happens, and time passes. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A reading of a clock, and the times of the monotonic clock right before and after it, all in milliseconds. */
function reading(clock: Clock): { readonly ms: number; readonly from: number; readonly to: number } {
  const from = performance.now();
  const ms = clock.now();
  return { ms, from, to: performance.now() };
}

/** How far a clock went ahead of the monotonic one between two readings: at least, and at most. */
function ahead(first: ReturnType<typeof reading>, last: ReturnType<typeof reading>): readonly [number, number] {
  const passed = last.ms - first.ms;
  return [passed - (last.to - first.from), passed - (last.from - first.to)];
}

/** Of what two readings of the same clock may differ by rounding, in milliseconds. */
const ROUNDING_MS = 1;

describe("the clock of /proc/uptime", () => {
  test("goes on with the monotonic clock, and never falls", () => {
    const clock = procClock();
    let last = clock.now();
    for (let index = 0; index < 1_000; index += 1) {
      const now = clock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  test("moves on by a suspend that the monotonic clock has missed", () => {
    let suspendedS = 0;
    const began = performance.now();
    const clock = procClock(() => String(Number(process.hrtime.bigint()) / 1e9 + suspendedS));
    const madeInMs = performance.now() - began;
    const before = reading(clock);
    suspendedS = 3_600;
    const [least, most] = ahead(before, reading(clock));
    expect(least).toBeLessThanOrEqual(3_600_000 + ROUNDING_MS);
    // The file and the monotonic clock are not read at the same moment: so much may be missing.
    expect(most).toBeGreaterThanOrEqual(3_600_000 - (most - least) - madeInMs - ROUNDING_MS);
  });

  test("takes a process that was stopped between two readings for just that", () => {
    let stopMs = 0;
    const clock = procClock(() => {
      block(stopMs);
      const text = String(performance.now() / 1_000 + 5_000);
      block(stopMs);
      return text;
    });
    const before = reading(clock);
    stopMs = 150;
    clock.now();
    stopMs = 0;
    const [least, most] = ahead(before, reading(clock));
    expect(least).toBeLessThanOrEqual(ROUNDING_MS);
    expect(most).toBeGreaterThanOrEqual(-ROUNDING_MS);
  });

  test.each([
    ["is not there", ""],
    ["is garbage", "x y"],
  ])("is the monotonic clock alone where the file %s", (_name, text) => {
    const clock = procClock(() => text);
    const before = clock.now();
    expect(Number.isFinite(before)).toBe(true);
    expect(clock.now()).toBeGreaterThanOrEqual(before);
  });
});

describe("timers", () => {
  const timers = systemTimers(procClock());

  test("call back at their instant, never before", async () => {
    const when = later(timers.now(), 15.5);
    const at = await new Promise<number>((resolve) => timers.at(when, () => resolve(timers.now())));
    expect(at).toBeGreaterThanOrEqual(when);
  });

  test("for an instant that is over call back soon, but not within the call", async () => {
    let called = false;
    const done = new Promise<void>((resolve) =>
      timers.at(instant(0), () => {
        called = true;
        resolve();
      }),
    );
    expect(called).toBe(false);
    await done;
  });

  test("that were cancelled do not call back", async () => {
    let called = false;
    const cancel = timers.at(later(timers.now(), 5), () => {
      called = true;
    });
    cancel();
    await new Promise<void>((resolve) => timers.at(later(timers.now(), 20), resolve));
    expect(called).toBe(false);
  });
});

describe("sleep", () => {
  test("lasts as long as it should", async () => {
    const timers = new VirtualTimers();
    let awake = false;
    const done = sleep(timers, 100).then(() => (awake = true));
    await timers.advance(99);
    expect(awake).toBe(false);
    await timers.advance(1);
    await done;
    expect(awake).toBe(true);
  });

  test.each([true, false])(
    "ends with its signal's reason (aborted before: %s), and leaves no timer",
    async (before) => {
      const timers = new VirtualTimers();
      const abort = new AbortController();
      if (before) abort.abort(new Error("enough"));
      const done = sleep(timers, 100, abort.signal);
      abort.abort(new Error("enough"));
      await expect(done).rejects.toThrow("enough");
      expect(timers.waiting).toBe(0);
    },
  );
});

test("unique names are unique, and 32 hex digits", () => {
  const names = new Set(Array.from({ length: 100 }, () => systemEntropy.uniqueId()));
  expect(names.size).toBe(100);
  expect([...names].every((name) => /^[0-9a-f]{32}$/u.test(name))).toBe(true);
});
