import { describe, expect, test } from "vitest";
import { instant, later } from "../../../src/base/time.ts";
import { procClock, sleep, systemEntropy, systemTimers } from "../../../src/runtime/timers.ts";
import { VirtualTimers } from "./virtual-timers.ts";

/** As a process that is stopped: nothing happens, and time passes. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

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
    const clock = procClock(() => String(Number(process.hrtime.bigint()) / 1e9 + suspendedS));
    const before = clock.now();
    suspendedS = 3_600;
    const passed = clock.now() - before;
    expect(passed).toBeGreaterThanOrEqual(3_600_000 - 50);
    expect(passed).toBeLessThan(3_601_000);
  });

  test("takes a process that was stopped between two readings for just that", () => {
    let stopMs = 0;
    const uptime = (): string => String(performance.now() / 1_000 + 5_000);
    const clock = procClock(() => {
      spin(stopMs);
      const text = uptime();
      spin(stopMs);
      return text;
    });
    const [before, began] = [clock.now(), performance.now()];
    stopMs = 150;
    clock.now();
    stopMs = 0;
    expect(Math.abs(clock.now() - before - (performance.now() - began))).toBeLessThan(20);
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
