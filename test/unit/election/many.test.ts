import { describe, expect, test } from "vitest";
import { MAX_TXN_OPERATIONS } from "../../../src/base/bounds.ts";
import { leaseTimings } from "../../../src/election/lease.ts";
import { candidacy, Fleet, type Node, TTL_MS } from "./fleet.ts";

const COUNT = 300;
const NAMES = Array.from({ length: COUNT }, (_, index) => `vip${index}`);
const { heartbeatEveryMs } = leaseTimings(TTL_MS);

function startMany(fleet: Fleet, name: string, priority: number): Node {
  const node = fleet.start(name, null);
  for (const election of NAMES)
    node.post({ type: "candidacy", election, candidacy: candidacy({ priority, preempt: false }) });
  return node;
}

function held(node: Node): number {
  return [...node.state.tenures.values()].filter(({ phase }) => phase === "on").length;
}

describe(`${COUNT} elections of one node`, () => {
  test("are all taken, in commits that stay within the store's bounds", () => {
    const fleet = new Fleet();
    const a = startMany(fleet, "a", 100);
    fleet.until(() => held(a) === COUNT, 1_000);
    const sizes = a.commits.map(({ guards, writes }) => guards.length + writes.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_TXN_OPERATIONS);
  });

  test("cost no more commits than one, once they are held", () => {
    const fleet = new Fleet();
    const a = startMany(fleet, "a", 100);
    fleet.until(() => held(a) === COUNT, 1_000);
    const before = a.commits.length;
    fleet.advance(10 * heartbeatEveryMs);
    const after = a.commits.slice(before);
    expect(after.length).toBeLessThanOrEqual(11);
    expect(after.every(({ guards, writes }) => guards.length === 1 && writes.length === 1)).toBe(true);
  });

  test("are all broken when their holder dies, and all handed over when it stops", () => {
    const fleet = new Fleet();
    const a = startMany(fleet, "a", 100);
    fleet.until(() => held(a) === COUNT, 1_000);
    const b = startMany(fleet, "b", 50);
    fleet.advance(5_000);
    fleet.kill(a);
    fleet.until(() => held(b) === COUNT, 2 * TTL_MS);
    const c = startMany(fleet, "c", 10);
    fleet.advance(5_000);
    const before = b.commits.length;
    b.post({ type: "stop" });
    expect(fleet.until(() => held(c) === COUNT, 1_000)).toBeLessThan(50);
    expect(b.commits.length - before).toBeLessThan(20);
    fleet.until(() => b.state.stopped, 1_000);
    const reasons = NAMES.map(
      (name) => JSON.parse(fleet.stored(`/vipd/f/live/elections/${name}`)?.value ?? "{}") as unknown,
    );
    expect(reasons, "each was handed over, none was found without its holder").toEqual(
      NAMES.map(() => expect.objectContaining({ holder: "c", reason: "shutting down" })),
    );
    expect(fleet.session("b")).toBeUndefined();
  });
});
