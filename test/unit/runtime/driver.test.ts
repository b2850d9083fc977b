// The driver: one event at a time, effects in order, one timer.

import { describe, expect, test } from "vitest";
import { MAX_QUEUED_EVENTS } from "../../../src/base/bounds.ts";
import { type Instant, later, NEVER } from "../../../src/base/time.ts";
import { Driver, type Machine } from "../../../src/runtime/driver.ts";
import { VirtualTimers } from "./virtual-timers.ts";

type React = (event: string, now: Instant) => { effects?: readonly string[]; wakeAt?: Instant };

/** A machine that notes its events; its wake-ups and effects are as the test says. */
class Notes implements Machine<string, string> {
  readonly tick = "tick";
  readonly seen: string[] = [];
  private readonly react: React;
  private wakeAt: Instant = NEVER;

  constructor(react: React = () => ({})) {
    this.react = react;
  }

  step(event: string, now: Instant): readonly string[] {
    const { effects = [], wakeAt = this.wakeAt } = this.react(event, now);
    this.seen.push(event);
    this.wakeAt = wakeAt;
    return effects;
  }

  nextWakeup(): Instant {
    return this.wakeAt;
  }
}

describe("events", () => {
  test("that effects cause wait until all effects of the step are done", () => {
    const order: string[] = [];
    const timers = new VirtualTimers();
    const machine = new Notes((event) => ({ effects: event === "go" ? ["one", "two"] : [] }));
    const driver: Driver<string, string> = new Driver(machine, {
      timers,
      perform: (effect) => {
        order.push(effect);
        driver.post(`after ${effect}`);
        order.push(`${effect} is done with ${machine.seen.length} seen`);
      },
    });
    driver.post("go");
    expect(order).toEqual(["one", "one is done with 1 seen", "two", "two is done with 1 seen"]);
    expect(machine.seen).toEqual(["go", "after one", "after two"]);
  });

  test("are dealt with in their order, in time that never falls", async () => {
    const timers = new VirtualTimers();
    const times: Instant[] = [];
    const machine = new Notes((_event, now) => {
      times.push(now);
      return {};
    });
    const driver = new Driver(machine, { timers, perform: () => {} });
    for (const event of ["a", "b", "c"]) {
      driver.post(event);
      await timers.advance(5);
    }
    expect(machine.seen).toEqual(["a", "b", "c"]);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test("after the close are none, and the rest of a step's effects is not performed", async () => {
    const timers = new VirtualTimers();
    const done: string[] = [];
    const machine = new Notes((_event, now) => ({ effects: ["one", "two"], wakeAt: later(now, 10) }));
    const driver: Driver<string, string> = new Driver(machine, {
      timers,
      perform: (effect) => {
        done.push(effect);
        driver.close();
      },
    });
    driver.post("go");
    driver.post("more");
    await timers.advance(1_000);
    expect(done).toEqual(["one"]);
    expect(machine.seen).toEqual(["go"]);
    expect(timers.waiting).toBe(0);
  });

  test("that come faster than they are dealt with are a bug that ends it, not a leak", () => {
    const driver: Driver<string, string> = new Driver(new Notes(() => ({ effects: ["flood"] })), {
      timers: new VirtualTimers(),
      perform: () => {
        for (let count = 0; count <= MAX_QUEUED_EVENTS; count += 1) driver.post("more");
      },
    });
    expect(() => driver.post("go")).toThrow(/faster than they come/u);
  });

  test("go on after a step that threw", () => {
    const machine = new Notes((event) => {
      if (event === "bad") throw new Error("bug");
      return {};
    });
    const driver = new Driver(machine, { timers: new VirtualTimers(), perform: () => {} });
    expect(() => driver.post("bad")).toThrow("bug");
    driver.post("good");
    expect(machine.seen).toEqual(["good"]);
  });
});

describe("rest", () => {
  test("is when all events are dealt with, those that effects caused too", () => {
    const order: string[] = [];
    const machine = new Notes((event) => ({ effects: event === "go" ? ["one"] : [] }));
    const driver: Driver<string, string> = new Driver(machine, {
      timers: new VirtualTimers(),
      perform: () => driver.post("caused"),
      onRest: () => order.push(machine.seen.join()),
    });
    driver.post("go");
    driver.post("other");
    expect(order).toEqual(["go,caused", "go,caused,other"]);
  });

  test("may bring new events, which are dealt with at once", () => {
    const machine = new Notes();
    let rests = 0;
    const driver: Driver<string, string> = new Driver(machine, {
      timers: new VirtualTimers(),
      perform: () => {},
      onRest: () => {
        rests += 1;
        if (rests > 1) return;
        driver.post("from rest");
        machine.seen.push("after the post");
      },
    });
    driver.post("go");
    expect(machine.seen).toEqual(["go", "from rest", "after the post"]);
    expect(rests).toBe(2);
  });

  test("comes after the driver's own ticks too", async () => {
    const timers = new VirtualTimers();
    let rests = 0;
    const machine = new Notes((event, now) => ({ wakeAt: event === "go" ? later(now, 10) : NEVER }));
    const driver = new Driver(machine, { timers, perform: () => {}, onRest: () => (rests += 1) });
    driver.post("go");
    await timers.advance(100);
    expect(machine.seen).toEqual(["go", "tick"]);
    expect(rests).toBe(2);
  });

  test("does not come when it was closed meanwhile", () => {
    let rests = 0;
    const driver: Driver<string, string> = new Driver(new Notes(() => ({ effects: ["one"] })), {
      timers: new VirtualTimers(),
      perform: () => driver.close(),
      onRest: () => (rests += 1),
    });
    driver.post("go");
    expect(rests).toBe(0);
  });
});

describe("wake-ups", () => {
  test("come when the machine wants them, once each", async () => {
    const timers = new VirtualTimers();
    const began = timers.now();
    const times: number[] = [];
    const machine = new Notes((_event, now) => {
      times.push(now - began);
      return { wakeAt: times.length < 4 ? later(now, 100) : NEVER };
    });
    new Driver(machine, { timers, perform: () => {} }).post("go");
    await timers.advance(10_000);
    expect(times).toEqual([0, 100, 200, 300]);
    expect(timers.waiting).toBe(0);
  });

  test("are moved by an event that wants them sooner, later or not at all", async () => {
    const timers = new VirtualTimers();
    const began = timers.now();
    const machine = new Notes((event) =>
      event === "tick" ? { wakeAt: NEVER } : { wakeAt: event === "never" ? NEVER : later(began, Number(event)) },
    );
    const driver = new Driver(machine, { timers, perform: () => {} });
    for (const event of ["500", "100", "300"]) driver.post(event);
    expect(timers.waiting).toBe(1);
    await timers.advance(299);
    expect(machine.seen).not.toContain("tick");
    await timers.advance(1);
    expect(machine.seen).toEqual(["500", "100", "300", "tick"]);
    driver.post("900");
    driver.post("never");
    await timers.advance(5_000);
    expect(machine.seen.filter((event) => event === "tick")).toHaveLength(1);
  });

  test("that are always overdue do not make it spin", async () => {
    const timers = new VirtualTimers();
    const machine = new Notes((_event, now) => ({ wakeAt: later(now, -1) }));
    const driver = new Driver(machine, { timers, perform: () => {} });
    driver.post("go");
    await timers.advance(10);
    expect(machine.seen.length).toBeLessThanOrEqual(21);
    expect(machine.seen.length).toBeGreaterThan(10);
    driver.close();
  });
});
