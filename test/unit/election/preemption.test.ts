// When a holder hands an election to a better candidate by itself.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { observerWaitMs } from "../../../src/election/lease.ts";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { candidacy, ELECTION, ineligible, KEYS, TTL_MS } from "./samples.ts";

/** A holder "a" of priority 100. */
function holding(): { fleet: Fleet; a: Node } {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(5_000);
  return { fleet, a };
}

describe("a better candidate", () => {
  test.each<{ name: string; wish: ReturnType<typeof candidacy>; holder: string; afterMs?: number }>([
    { name: "is handed the election at once", wish: candidacy({ priority: 150 }), holder: "b", afterMs: 0 },
    {
      name: "is handed it after its delay, when it has one",
      wish: candidacy({ priority: 150, preemptDelayMs: 2_500 }),
      holder: "b",
      afterMs: 2_500,
    },
    {
      name: "is not handed it when it does not pre-empt",
      wish: candidacy({ priority: 150, preempt: false }),
      holder: "a",
    },
    { name: "is not one of the same priority", wish: candidacy({ priority: 100 }), holder: "a" },
    { name: "is not one that is not eligible", wish: ineligible("http", { priority: 150 }), holder: "a" },
  ])("$name", ({ wish, holder, afterMs }) => {
    const { fleet, a } = holding();
    fleet.start("b", wish);
    const began = fleet.now;
    if (afterMs !== undefined) fleet.until(() => fleet.holders.includes("b"));
    expect(fleet.now - began).toBeGreaterThanOrEqual(afterMs ?? 0);
    expect(fleet.now - began).toBeLessThanOrEqual((afterMs ?? 0) + 5);
    fleet.advance(20_000);
    expect(fleet.holders).toEqual([holder]);
    expect(a.losses.map(({ reason: why }) => why)).toEqual(holder === "b" ? [reason("preempted", "b")] : []);
  });

  test("waits its whole delay again after it has changed", () => {
    const { fleet } = holding();
    const b = fleet.start("b", candidacy({ priority: 150, preemptDelayMs: 2_000 }));
    fleet.advance(1_500);
    b.wish(candidacy({ priority: 160, preemptDelayMs: 2_000 }));
    expect(fleet.until(() => b.holds)).toBeGreaterThanOrEqual(1_999);
  });

  test("that dies while it waits is not handed anything", () => {
    const { fleet, a } = holding();
    fleet.kill(fleet.start("b", candidacy({ priority: 150, preemptDelayMs: 4_000 })));
    fleet.advance(20_000);
    expect(fleet.record).toMatchObject({ holder: "a", seq: 1 });
    expect(a.reasons).toEqual([]);
  });

  test("that dies while it waits makes room for the next one at the end of its lease, not of its delay", () => {
    const { fleet } = holding();
    const c = fleet.start("c", candidacy({ priority: 150 }));
    // Better than c, and long in waiting: c is not asked while it lives.
    const b = fleet.start("b", candidacy({ priority: 200, preemptDelayMs: 600_000 }));
    fleet.until(() => c.holds, 10);
    fleet.advance(TTL_MS);
    c.wish(candidacy({ priority: 10 }));
    fleet.advance(2 * TTL_MS);
    expect(fleet.holders, "b is the best, and still waits").toEqual(["c"]);
    fleet.kill(b);
    const a = fleet.nodes.find(({ name }) => name === "a");
    const took = fleet.until(() => a?.holds === true, 2 * TTL_MS);
    expect(took).toBeLessThan(observerWaitMs(TTL_MS) + 10);
  });

  test("that does not pre-empt does not keep a lesser one from pre-empting", () => {
    const { fleet } = holding();
    fleet.start("b", candidacy({ priority: 200, preempt: false }));
    const c = fleet.start("c", candidacy({ priority: 150 }));
    fleet.until(() => c.holds, 50);
    expect(fleet.record).toMatchObject({ holder: "c", reason: reason("preempted", "c") });
  });

  test("that a new process finds in its first read is handed nothing before its next heartbeat", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ priority: 200 }));
    const b = fleet.start("b", candidacy({ priority: 150 }));
    fleet.advance(10_000);
    fleet.kill(b);
    const successor = fleet.restart(a, candidacy({ priority: 100 }));
    fleet.advance(2 * TTL_MS);
    expect(successor.holds).toBe(true);
    expect(successor.reasons, "b was dead all the time").toEqual([]);
    fleet.start("b", candidacy({ priority: 150 }));
    fleet.until(() => fleet.holders.includes("b"), 10);
  });
});

test("what has just been gained is handed over at once to a better candidate that came meanwhile", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy({ priority: 50 }));
  fleet.advance(TTL_MS);
  const [b, c] = [fleet.start("b", ineligible()), fleet.start("c", ineligible())];
  fleet.advance(TTL_MS);
  b.wish(candidacy({ priority: 60, preempt: false }));
  c.wish(candidacy({ priority: 90, preempt: true, preemptDelayMs: 1_000 }));
  fleet.advance(100);
  a.stepDown("b");
  fleet.until(() => b.holds, 10);
  const took = fleet.until(() => c.holds);
  expect(took, "the delay counts from when b began to hold").toBeGreaterThanOrEqual(999);
  expect(took).toBeLessThan(1_010);
  expect(fleet.history().map(({ to }) => to)).toEqual(["a", "b", "c"]);
  expect(fleet.stored(KEYS.candidate(ELECTION, "a"))?.value, "a has stepped down").toContain('"preempt":false');
});
