// When VIPs are announced, and how many at a time.

import type { AnnouncePolicy } from "../../../src/base/vip.ts";
import { describe, expect, test } from "vitest";
import { later, NEVER } from "../../../src/base/time.ts";
import { nextVipWakeup } from "../../../src/vip/machine.ts";
import { address, ANNOUNCE, Host, manyPlans, ONCE, only, plan, START, types } from "./host.ts";

/** So many VIPs are announced in one go. */
const SLICE = 128;

function hostOf(announce: AnnouncePolicy): Host {
  return new Host([plan("web", [address("10.0.0.1")], announce)]);
}

describe("one VIP", () => {
  function schedule(announce: AnnouncePolicy, count: number): readonly number[] {
    const host = hostOf(announce);
    host.gain();
    const times = [0];
    for (let index = 1; index < count && nextVipWakeup(host.state) !== NEVER; index += 1) {
      expect(types(host.wake())).toContain("announce");
      times.push(host.now - START);
    }
    return times;
  }

  test.each<{ name: string; announce: AnnouncePolicy; times: readonly number[] }>([
    {
      name: "a burst, its repetition, and the refresh",
      announce: ANNOUNCE,
      times: [0, 10, 20, 5_000, 5_010, 5_020, 65_020, 125_020],
    },
    { name: "one only", announce: ONCE, times: [0] },
    {
      name: "a long burst",
      announce: { burst: 7, repeatAfterMs: 0, refreshMs: 0 },
      times: [0, 10, 20, 50, 100, 200, 300],
    },
    {
      name: "one, and the refresh",
      announce: { burst: 1, repeatAfterMs: 0, refreshMs: 1_000 },
      times: [0, 1_000, 2_000, 3_000],
    },
  ])("$name", ({ announce, times }) => {
    expect(schedule(announce, times.length + (announce.refreshMs === 0 ? 5 : 0))).toEqual(times);
  });

  test("a refresh looks for a second answerer too", () => {
    const host = hostOf({ burst: 1, repeatAfterMs: 0, refreshMs: 1_000 });
    host.gain();
    expect(host.wake()).toEqual([
      { type: "announce", vips: ["web"] },
      { type: "probe", vips: ["web"] },
    ]);
  });

  test("the announcements of a burst do not", () => {
    const host = hostOf(ANNOUNCE);
    host.gain();
    expect(types(host.wake())).toEqual(["announce"]);
  });

  test("a machine that wakes late announces once, not once for all that it missed", () => {
    const host = hostOf({ burst: 5, repeatAfterMs: 0, refreshMs: 0 });
    host.gain();
    host.now = later(START, 70);
    expect(types(host.post({ type: "tick" }))).toEqual(["announce"]);
    expect(nextVipWakeup(host.state)).toBe(later(START, 100));
  });

  test("announcements end with the holding", () => {
    const host = hostOf(ANNOUNCE);
    host.gain();
    host.lose("web");
    expect(nextVipWakeup(host.state)).toBe(NEVER);
  });

  test("heartbeats bring no announcements", () => {
    const host = hostOf(ONCE);
    host.gain();
    expect(types(host.extend(later(START, 4_000)))).toEqual(["open"]);
    expect(nextVipWakeup(host.state)).toBe(NEVER);
  });
});

describe("many VIPs", () => {
  const plans = manyPlans(2 * SLICE + 44);
  const names = plans.map(({ name }) => name);

  function slices(host: Host): readonly (readonly string[])[] {
    const found = only(host.effects, "announce").map(({ vips }) => vips);
    while (nextVipWakeup(host.state) !== NEVER) found.push(...only(host.wake(), "announce").map(({ vips }) => vips));
    return found;
  }

  test("that are gained at once are held at once, and announced in slices", () => {
    const host = new Host(plans);
    const effects = host.gain(names);
    expect(only(effects, "held").map(({ vips }) => vips.length)).toEqual([names.length]);
    const found = slices(host);
    expect(found.map(({ length }) => length)).toEqual([SLICE, SLICE, 44]);
    expect(found.flat().toSorted()).toEqual(names.toSorted());
  });

  test("on a link that comes up are announced in slices", () => {
    const host = new Host(plans);
    host.gain(names);
    slices(host);
    host.effects.length = 0;
    host.post({ type: "link-up", interface: "eth0" });
    expect(slices(host).map(({ length }) => length)).toEqual([SLICE, SLICE, 44]);
  });

  test("that are lost before their slice comes are not announced", () => {
    const host = new Host(plans);
    host.gain(names);
    host.lose(...names);
    expect(only(host.effects, "announce").map(({ vips }) => vips.length)).toEqual([SLICE]);
    expect(nextVipWakeup(host.state)).toBe(NEVER);
  });
});
