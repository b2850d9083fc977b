// Timers on the kernel's boot clock.

import { afterEach, beforeEach, expect, it } from "vitest";
import { type BootTimers, bootTimers } from "../../adapters/linux/timers.ts";
import { later, NEVER } from "../../src/base/time.ts";
import { eventually } from "./namespaces.ts";

let timers: BootTimers;
beforeEach(() => {
  timers = bootTimers();
});
afterEach(() => timers.close());

it("calls back in the order of the instants, never before them", async () => {
  const calls: (readonly [string, number])[] = [];
  const start = timers.now();
  const note = (name: string, ms: number): void => {
    const when = later(start, ms);
    timers.at(when, () => calls.push([name, timers.now() - when]));
  };
  note("third", 60);
  note("first", 20);
  note("second", 40);
  await eventually("three calls", () => calls.length === 3);
  expect(calls.map(([name]) => name)).toEqual(["first", "second", "third"]);
  expect(calls.filter(([, lateMs]) => lateMs < 0)).toEqual([]);
  expect(timers.waiting).toBe(0);
});

it("calls back for an instant that is over, but not before at() returns", async () => {
  const calls: string[] = [];
  timers.at(later(timers.now(), -5), () => calls.push("over"));
  expect(calls).toEqual([]);
  await eventually("the call", () => calls.length === 1);
});

it("does not call what was cancelled, also by a callback of the same instant", async () => {
  const calls: string[] = [];
  const when = later(timers.now(), 10);
  timers.at(when, () => {
    calls.push("first");
    cancel();
  });
  const cancel = timers.at(when, () => calls.push("cancelled"));
  timers.at(later(when, 10), () => calls.push("last"));
  await eventually("the last call", () => calls.includes("last"));
  expect(calls).toEqual(["first", "last"]);
});

it("takes timers from callbacks, and is not disturbed by those that never come", async () => {
  timers.at(NEVER, () => expect.unreachable());
  let rounds = 0;
  const again = (): void => {
    rounds += 1;
    if (rounds < 20) timers.at(later(timers.now(), 1), again);
  };
  again();
  await eventually("twenty rounds", () => rounds === 20);
});

it("tells nothing more when it is closed", async () => {
  let called = false;
  timers.at(later(timers.now(), 5), () => {
    called = true;
  });
  timers.close();
  timers.close();
  const other = bootTimers();
  let passed = false;
  other.at(later(other.now(), 30), () => {
    passed = true;
  });
  await eventually("the other's call", () => passed);
  other.close();
  expect(called).toBe(false);
});
