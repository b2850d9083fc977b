// The order of steps to gain, keep and lose VIPs, in batches, and what happens when a step is refused.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { later, NEVER } from "../../../src/base/time.ts";
import { nextVipWakeup } from "../../../src/vip/machine.ts";
import type { VipEffect, VipEvent } from "../../../src/vip/state.ts";
import { DB, FENCE_STUCK, FIRST_NUMBER, Host, NOTHING, only, START, types, UNTIL, WEB, WHY } from "./host.ts";

/** The slack of lifetimes, and how much longer a kernel is given that will not close. */
const SLACK_MS = 30_000;
const GIVE_UP_MS = SLACK_MS + 2_000;

describe("the order of steps", () => {
  test("gain: bind, open, announce, tell, probe", () => {
    const host = new Host();
    expect(host.gain()).toEqual([
      { type: "bind", vips: ["web"], lifetimeMs: 3_000 + SLACK_MS },
      { type: "open", vips: ["web"], deadline: 0, number: FIRST_NUMBER, until: UNTIL },
      { type: "announce", vips: ["web"] },
      { type: "held", vips: ["web"] },
      { type: "probe", vips: ["web"] },
    ]);
  });

  test("lose: close, and only when that is done, released", () => {
    const host = new Host([WEB], { close: NOTHING });
    host.gain();
    expect(host.lose("web")).toEqual([{ type: "close", vips: ["web"] }]);
    expect(host.phase()).toBe("closing");
    expect(host.post({ type: "closed", vips: ["web"] })).toEqual([
      { type: "released", losses: [{ vip: "web", reason: WHY }] },
    ]);
    expect(host.phase()).toBeUndefined();
  });

  test("keep: the deadline is extended in one step, whatever is held under it", () => {
    const host = new Host();
    host.gain(["web", "db"]);
    const until = later(UNTIL, 1_000);
    expect(host.extend(until)).toEqual([{ type: "open", vips: [], deadline: 0, number: FIRST_NUMBER, until }]);
    expect(host.deadline()?.until).toBe(until);
  });

  test("all that is gained at once is bound and opened in one step each, and so is what is lost", () => {
    const host = new Host();
    expect(types(host.gain(["web", "db"]))).toEqual(["bind", "open", "announce", "held", "probe"]);
    expect(only(host.effects, "bind")[0]?.vips).toEqual(["web", "db"]);
    expect(only(host.effects, "open")[0]?.vips).toEqual(["web", "db"]);
    expect(types(host.lose("web", "db"))).toEqual(["close", "released"]);
    expect(only(host.effects, "released")[0]?.losses.map(({ vip }) => vip)).toEqual(["web", "db"]);
  });

  test.each<{ name: string; event: VipEvent; expected: readonly string[] }>([
    { name: "an extension while nothing is held", event: { type: "extend", deadline: 0, until: UNTIL }, expected: [] },
    {
      name: "a gain of what is not planned",
      event: { type: "gain", grants: [{ vip: "x", addresses: ["10.0.0.1"] }], deadline: 0, until: UNTIL },
      expected: [],
    },
    {
      name: "a loss of what is not held, which is closed to be sure",
      event: { type: "lose", losses: [{ vip: "web", reason: WHY }] },
      expected: ["close", "released"],
    },
    { name: "a tick too early", event: { type: "tick" }, expected: [] },
    { name: "a late answer to a bind", event: { type: "bound", vips: ["web"] }, expected: [] },
    {
      name: "a late answer to an open",
      event: { type: "opened", vips: ["web"], deadline: 0, until: UNTIL },
      expected: [],
    },
    {
      name: "a late report of slowness",
      event: { type: "too-late", vips: ["web"], deadline: 0, until: UNTIL },
      expected: [],
    },
    { name: "a late answer to a close", event: { type: "closed", vips: ["web"] }, expected: [] },
    {
      name: "a late answer to a drop",
      event: { type: "dropped", drops: [{ vip: "web", addresses: [] }] },
      expected: ["shrunk"],
    },
    { name: "a probe of what is not held", event: { type: "probed", vip: "web", others: ["02:00"] }, expected: [] },
  ])("$name", ({ event, expected }) => {
    expect(types(new Host().post(event))).toEqual(expected);
  });

  test("a second gain and a second loss change nothing", () => {
    const host = new Host([WEB], { close: NOTHING });
    host.gain();
    expect(host.gain()).toEqual([]);
    host.lose("web");
    expect(host.lose("web")).toEqual([]);
    expect(host.gain(), "while it closes it is not gained").toEqual([]);
  });

  test("of a batch only what is not held yet is gained", () => {
    const host = new Host();
    host.gain(["web"]);
    expect(only(host.gain(["web", "db"]), "bind").map(({ vips }) => vips)).toEqual([["db"]]);
  });

  test("a VIP that is lost while its address is bound is not opened when that is done", () => {
    const host = new Host([WEB], { bind: NOTHING, close: NOTHING });
    host.gain();
    expect(host.phase()).toBe("opening");
    expect(types(host.lose("web"))).toEqual(["close"]);
    expect(host.post({ type: "bound", vips: ["web"] })).toEqual([]);
    expect(host.phase()).toBe("closing");
  });

  test("an answer that comes while it closes does not open it again", () => {
    const host = new Host([WEB], { open: NOTHING, close: NOTHING });
    host.gain();
    host.lose("web");
    expect(host.post({ type: "opened", vips: ["web"], deadline: 0, until: UNTIL })).toEqual([]);
    expect(host.phase()).toBe("closing");
  });
});

describe("a kernel that refuses", () => {
  const refuse = (vip: string) => (): VipEvent => ({ type: "failed", vip, message: "EPERM" });

  test.each<VipEffect["type"]>(["bind", "open", "refresh"])("to %s: the VIP is lost, and the host says so", (step) => {
    const host = new Host([WEB], { [step]: refuse("web") });
    host.gain();
    host.post({ type: "resync" });
    const why = reason("hold-failed", "EPERM");
    expect(host.effects).toContainEqual({ type: "hold-failed", vip: "web", reason: why });
    expect(host.effects).toContainEqual({ type: "released", losses: [{ vip: "web", reason: why }] });
    expect(only(host.effects, "held")).toHaveLength(step === "refresh" ? 1 : 0);
    expect(host.phase()).toBeUndefined();
  });

  test("to bind a part of a batch: the rest is held, that part is closed and reported", () => {
    const host = new Host([WEB, DB], {
      bind: () => [
        { type: "failed", vip: "db", message: "there is no interface eth1" },
        { type: "bound", vips: ["web"] },
      ],
    });
    const effects = host.gain(["web", "db"]);
    const why = reason("hold-failed", "there is no interface eth1");
    expect(effects).toContainEqual({ type: "close", vips: ["db"] });
    expect(effects).toContainEqual({ type: "hold-failed", vip: "db", reason: why });
    expect(effects).toContainEqual({ type: "released", losses: [{ vip: "db", reason: why }] });
    expect(only(effects, "held")).toEqual([{ type: "held", vips: ["web"] }]);
    expect([host.phase("web"), host.phase("db")]).toEqual(["on", undefined]);
  });

  test("a sweep: that is only noted", () => {
    const host = new Host([WEB], { sweep: refuse("web") });
    expect(host.post({ type: "resync" })).toEqual([
      { type: "sweep", vips: ["web"] },
      { type: "note", vip: "web", level: "warning", text: "EPERM" },
    ]);
  });

  test("to unbind is asked again, and reported as released as soon as it obeys", () => {
    const host = new Host([WEB], { close: refuse("web") });
    host.gain();
    expect(types(host.lose("web"))).toEqual(["close", "note"]);
    expect(types(host.wake())).toEqual(["close", "note"]);
    expect(host.now).toBe(later(START, 100));
    host.answers = {};
    expect(types(host.wake())).toEqual(["close", "released"]);
    expect(nextVipWakeup(host.state)).toBe(NEVER);
  });

  test("to close is asked again, and not reported as released before its own timeouts have passed", () => {
    const host = new Host([WEB], { close: FENCE_STUCK });
    host.gain();
    host.lose("web");
    let closes = 0;
    for (let released = false; !released;) {
      const effects = types(host.wake());
      closes += effects.filter((type) => type === "close").length;
      released = effects.includes("released");
    }
    expect(host.now).toBeGreaterThan(later(UNTIL, GIVE_UP_MS));
    expect(host.now).toBeLessThan(later(UNTIL, GIVE_UP_MS + 500));
    expect(closes).toBeGreaterThan(100);
    expect(nextVipWakeup(host.state)).toBe(NEVER);
  });

  test("to close what a former process left is asked for as long as it refuses: nobody knows when that ends", () => {
    const host = new Host([WEB], { close: FENCE_STUCK });
    host.lose("web");
    const effects = host.wakeUntil(later(START, 60_000));
    expect(types(effects)).not.toContain("released");
    host.answers = {};
    expect(types(host.wake())).toEqual(["close", "released"]);
  });

  test("one VIP does not keep another one from its release", () => {
    const host = new Host([WEB, DB], {
      close: () => [
        { type: "failed", vip: "web", message: "EBUSY" },
        { type: "closed", vips: ["db"] },
      ],
    });
    host.gain(["web", "db"]);
    const released = only(host.lose("web", "db"), "released");
    expect(released).toEqual([{ type: "released", losses: [{ vip: "db", reason: WHY }] }]);
  });
});
