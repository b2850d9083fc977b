import { describe, expect, test } from "vitest";
import { MAX_QUEUED_EVENTS } from "../../../src/base/bounds.ts";
import { type Instant, later, NEVER } from "../../../src/base/time.ts";
import { Driver, type Machine } from "../../../src/runtime/driver.ts";
import { VirtualTimers } from "./virtual-timers.ts";

/** A machine that notes its events; its wake-ups and effects are as the test says. */
interface Notes {
  readonly seen: readonly string[];
  readonly wakeAt: Instant;
}

function machine(
  react: (event: string, now: Instant) => { effects?: readonly string[]; wakeAt?: Instant },
): Machine<Notes, string, string> {
  return {
    step: ({ seen, wakeAt }, event, now) => {
      const reaction = react(event, now);
      return [{ seen: [...seen, event], wakeAt: reaction.wakeAt ?? wakeAt }, reaction.effects ?? []];
    },
    nextWakeup: ({ wakeAt }) => wakeAt,
    tick: "tick",
  };
}

const START: Notes = { seen: [], wakeAt: NEVER };

describe("events", () => {
  test("that effects cause wait until all effects of the step are done", () => {
    const order: string[] = [];
    const timers = new VirtualTimers();
    const driver: Driver<Notes, string, string> = new Driver(
      machine((event) => ({ effects: event === "go" ? ["one", "two"] : [] })),
      START,
      {
        timers,
        perform: (effect) => {
          order.push(effect);
          driver.post(`after ${effect}`);
          order.push(`${effect} is done with ${driver.state.seen.length} seen`);
        },
      },
    );
    driver.post("go");
    expect(order).toEqual(["one", "one is done with 1 seen", "two", "two is done with 1 seen"]);
    expect(driver.state.seen).toEqual(["go", "after one", "after two"]);
  });

  test("are dealt with in their order, in time that never falls", () => {
    const driver = new Driver(
      machine(() => ({})),
      START,
      { timers: new VirtualTimers(), perform: () => {} },
    );
    for (const event of ["a", "b", "c"]) driver.post(event);
    expect(driver.state.seen).toEqual(["a", "b", "c"]);
  });

  test("after the close are none, and the rest of a step's effects is not performed", async () => {
    const timers = new VirtualTimers();
    const done: string[] = [];
    const driver: Driver<Notes, string, string> = new Driver(
      machine((_event, now) => ({ effects: ["one", "two"], wakeAt: later(now, 10) })),
      START,
      {
        timers,
        perform: (effect) => {
          done.push(effect);
          driver.close();
        },
      },
    );
    driver.post("go");
    driver.post("more");
    await timers.advance(1_000);
    expect(done).toEqual(["one"]);
    expect(timers.waiting).toBe(0);
  });

  test("that come faster than they are dealt with are a bug that ends it, not a leak", () => {
    const driver: Driver<Notes, string, string> = new Driver(
      { step: (state) => [state, ["flood"]], nextWakeup: () => NEVER, tick: "tick" },
      START,
      {
        timers: new VirtualTimers(),
        perform: () => {
          for (let count = 0; count <= MAX_QUEUED_EVENTS; count += 1) driver.post("more");
        },
      },
    );
    expect(() => driver.post("go")).toThrow(/faster than they come/u);
  });

  test("go on after a step that threw", () => {
    const driver = new Driver(
      machine((event) => {
        if (event === "bad") throw new Error("bug");
        return {};
      }),
      START,
      { timers: new VirtualTimers(), perform: () => {} },
    );
    expect(() => driver.post("bad")).toThrow("bug");
    driver.post("good");
    expect(driver.state.seen).toEqual(["good"]);
  });
});

describe("wake-ups", () => {
  test("come when the machine wants them, once each", async () => {
    const timers = new VirtualTimers();
    const began = timers.now();
    const times: number[] = [];
    const driver = new Driver(
      machine((_event, now) => {
        times.push(now - began);
        return { wakeAt: times.length < 4 ? later(now, 100) : NEVER };
      }),
      START,
      { timers, perform: () => {} },
    );
    driver.post("go");
    await timers.advance(10_000);
    expect(times).toEqual([0, 100, 200, 300]);
    expect(timers.waiting).toBe(0);
  });

  test("are moved by an event that wants them sooner, later or not at all", async () => {
    const timers = new VirtualTimers();
    const began = timers.now();
    const driver = new Driver(
      machine((event) =>
        event === "tick" ? { wakeAt: NEVER } : { wakeAt: event === "never" ? NEVER : later(began, Number(event)) },
      ),
      START,
      { timers, perform: () => {} },
    );
    for (const event of ["500", "100", "300"]) driver.post(event);
    expect(timers.waiting).toBe(1);
    await timers.advance(299);
    expect(driver.state.seen).not.toContain("tick");
    await timers.advance(1);
    expect(driver.state.seen).toEqual(["500", "100", "300", "tick"]);
    driver.post("900");
    driver.post("never");
    await timers.advance(5_000);
    expect(driver.state.seen.filter((event) => event === "tick")).toHaveLength(1);
  });

  test("that are always overdue do not make it spin", async () => {
    const timers = new VirtualTimers();
    const driver = new Driver(
      machine((_event, now) => ({ wakeAt: later(now, -1) })),
      START,
      { timers, perform: () => {} },
    );
    driver.post("go");
    await timers.advance(10);
    expect(driver.state.seen.length).toBeLessThanOrEqual(21);
    driver.close();
  });
});
