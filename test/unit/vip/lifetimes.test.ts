// The lifetimes of addresses in the kernel: longer than the fence by a slack, and refreshed in slices.

import { describe, expect, test } from "vitest";
import { type Instant, later, NEVER } from "../../../src/base/time.ts";
import { nextVipWakeup } from "../../../src/vip/machine.ts";
import { address, Host, manyPlans, NOTHING, ONCE, only, plan, START, types, UNTIL } from "./host.ts";

const SLACK_MS = 30_000;
const EVERY_MS = 20_000;
/** So many are refreshed at a time, and this long after the ones before, in milliseconds. */
const SLICE = 128;
const PAUSE_MS = 20;
const HEARTBEAT_MS = 1_000;

const ONE = [plan("web", [address("10.0.0.1")], ONCE)];

/** Extends the lease every second until `until`, ticking in between; the refreshes and when each came. */
function refreshes(
  host: Host,
  until: Instant,
  deadlines: readonly number[] = [0],
): readonly [number, readonly string[]][] {
  const found: [number, readonly string[]][] = [];
  while (host.now < until) {
    const heartbeat = later(host.now, HEARTBEAT_MS);
    while (nextVipWakeup(host.state) < heartbeat)
      for (const { vips } of only(host.wake(), "refresh")) found.push([host.now - START, vips]);
    host.now = heartbeat;
    for (const deadline of deadlines) host.extend(later(heartbeat, 3_000), deadline);
  }
  return found;
}

test("an address is bound for longer than the lease, by the slack", () => {
  const host = new Host(ONE);
  expect(only(host.gain(), "bind")[0]?.lifetimeMs).toBe(3_000 + SLACK_MS);
});

test("heartbeats refresh lifetimes only every twenty seconds", () => {
  const host = new Host(ONE);
  host.gain();
  const found = refreshes(host, later(START, 70_000));
  expect(found).toEqual([20_000, 40_000, 60_000].map((at) => [at, ["web"]]));
});

test("an address outlives its fence by what is left of the slack at a refresh at least, and by all of it at most", () => {
  const host = new Host(ONE);
  host.gain();
  let diesAt = later(START, only(host.effects, "bind")[0]?.lifetimeMs ?? 0);
  for (let heartbeat = 1; heartbeat < 60; heartbeat += 1) {
    host.now = later(START, heartbeat * 700);
    host.extend(later(host.now, 3_000));
    for (const { lifetimeMs } of only(host.post({ type: "tick" }), "refresh")) diesAt = later(host.now, lifetimeMs);
    const slackMs = diesAt - (host.deadline()?.until ?? NEVER);
    expect(slackMs).toBeGreaterThanOrEqual(SLACK_MS - EVERY_MS);
    expect(slackMs).toBeLessThanOrEqual(SLACK_MS);
  }
});

test("a lease that has passed leaves the slack", () => {
  const host = new Host(ONE);
  host.gain();
  host.now = later(UNTIL, 5_000);
  expect(only(host.post({ type: "resync" }), "refresh")[0]?.lifetimeMs).toBe(SLACK_MS);
});

describe("many VIPs", () => {
  const count = 2 * SLICE + 50;
  const plans = manyPlans(count);
  const names = plans.map(({ name }) => name);

  test("are refreshed in slices, with pauses between them, each once a round", () => {
    const host = new Host(plans);
    host.gain(names);
    const found = refreshes(host, later(START, EVERY_MS + 1_000));
    expect(found.map(([at, vips]) => [at, vips.length])).toEqual([
      [EVERY_MS, SLICE],
      [EVERY_MS + PAUSE_MS, SLICE],
      [EVERY_MS + 2 * PAUSE_MS, 50],
    ]);
    expect(found.flatMap(([, vips]) => vips).toSorted()).toEqual(names.toSorted());
  });

  test("that are lost between two slices are not bound again", () => {
    const host = new Host(plans);
    host.gain(names);
    host.now = later(START, EVERY_MS);
    host.extend(later(host.now, 3_000));
    const first = only(host.post({ type: "tick" }), "refresh")[0]?.vips ?? [];
    const rest = names.filter((name) => !first.includes(name));
    host.lose(...rest.slice(1));
    const effects = host.wakeUntil(later(host.now, 1_000));
    expect(only(effects, "refresh").map(({ vips }) => vips)).toEqual([rest.slice(0, 1)]);
  });

  test("of two leases are each refreshed with the time of their own lease", () => {
    const host = new Host(manyPlans(2));
    host.gain(["vip-0"], UNTIL, 0);
    host.gain(["vip-1"], later(UNTIL, 7_000), 1);
    expect(only(host.post({ type: "resync" }), "refresh")).toEqual([
      { type: "refresh", vips: ["vip-0"], lifetimeMs: 3_000 + SLACK_MS },
      { type: "refresh", vips: ["vip-1"], lifetimeMs: 10_000 + SLACK_MS },
    ]);
  });

  test("of leases that end close together are refreshed in one batch, none for longer than its own lease allows", () => {
    const host = new Host(manyPlans(3));
    host.gain(["vip-0"], later(UNTIL, 700), 0);
    host.gain(["vip-1"], UNTIL, 1);
    host.gain(["vip-2"], later(UNTIL, 3_000), 2);
    expect(only(host.post({ type: "resync" }), "refresh")).toEqual([
      { type: "refresh", vips: ["vip-0", "vip-1"], lifetimeMs: 3_000 + SLACK_MS },
      { type: "refresh", vips: ["vip-2"], lifetimeMs: 6_000 + SLACK_MS },
    ]);
  });

  test("of two leases that are extended at the same time are all refreshed", () => {
    const host = new Host(plans);
    host.gain(names.slice(1), UNTIL, 0);
    host.gain(names.slice(0, 1), UNTIL, 1);
    const found = refreshes(host, later(START, EVERY_MS + 1_000), [0, 1]);
    expect(found.flatMap(([, vips]) => vips).toSorted()).toEqual(names.toSorted());
  });
});

describe("news from the kernel that may have been lost", () => {
  test("bind what is held again at once, and sweep what is not", () => {
    const host = new Host(manyPlans(3));
    host.gain(["vip-1"]);
    expect(host.post({ type: "resync" })).toEqual([
      { type: "sweep", vips: ["vip-0", "vip-2"] },
      { type: "refresh", vips: ["vip-1"], lifetimeMs: 3_000 + SLACK_MS },
    ]);
  });

  test("begin a round of refreshing anew", () => {
    const plans = manyPlans(SLICE + 1);
    const host = new Host(plans);
    host.gain(plans.map(({ name }) => name));
    host.post({ type: "resync" });
    host.post({ type: "resync" });
    const effects = host.wakeUntil(later(host.now, 1_000));
    expect(only(effects, "refresh").map(({ vips }) => vips.length)).toEqual([1]);
  });

  test("neither bind nor sweep what is opening or closing", () => {
    const host = new Host(manyPlans(2), { open: NOTHING, close: NOTHING });
    host.gain(["vip-0"]);
    host.gain(["vip-1"]);
    host.lose("vip-1");
    expect(types(host.post({ type: "resync" }))).toEqual([]);
  });
});
