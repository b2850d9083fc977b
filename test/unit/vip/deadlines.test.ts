// Fence deadlines: shared by what is held under one lease, numbered, given up when a close was refused under them, and
// what happens when one cannot be extended in time.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { later } from "../../../src/base/time.ts";
import { nextVipWakeup, stepVips } from "../../../src/vip/machine.ts";
import { initialVips, type VipEvent } from "../../../src/vip/state.ts";
import {
  type Answer,
  DB,
  FENCE_STUCK,
  FIRST_NUMBER,
  Host,
  obey,
  only,
  START,
  TOO_LATE,
  types,
  UNTIL,
  WEB,
  grantsOf,
} from "./host.ts";

/** The end of the lease after so many more seconds. */
function grown(seconds: number): typeof UNTIL {
  return later(UNTIL, seconds * 1_000);
}

describe("numbers", () => {
  test("begin where no former process was, and stay the same while anything is held", () => {
    const host = new Host();
    host.gain(["web"]);
    host.gain(["db"], grown(1));
    host.lose("web");
    host.gain(["web"], grown(2));
    expect(only(host.effects, "open").map(({ number }) => number)).toEqual([FIRST_NUMBER, FIRST_NUMBER, FIRST_NUMBER]);
  });

  test("are not used again once all is released", () => {
    const host = new Host([WEB]);
    host.gain();
    host.lose("web");
    host.gain();
    expect(only(host.effects, "open").map(({ number }) => number)).toEqual([FIRST_NUMBER, FIRST_NUMBER + 1]);
  });

  test("have 32 bits, and begin again at 0", () => {
    const state = initialVips(0xffff_ffff);
    const numbers: number[] = [];
    stepVips(state, { type: "plan", plans: [WEB, DB] }, START);
    for (const [deadline, vip] of ["web", "db"].entries()) {
      stepVips(state, { type: "gain", grants: grantsOf(state, [vip]), deadline, until: UNTIL }, START);
      for (const effect of only(stepVips(state, { type: "bound", vips: [vip] }, START), "open"))
        numbers.push(effect.number);
    }
    expect(numbers).toEqual([0xffff_ffff, 0]);
    expect(initialVips(2 ** 32 + 7).nextNumber).toBe(7);
  });

  test("differ for VIPs of two leases, which are extended and lost apart", () => {
    const host = new Host();
    host.gain(["web"], UNTIL, 0);
    host.gain(["db"], UNTIL, 1);
    const [first, second] = [FIRST_NUMBER, FIRST_NUMBER + 1];
    expect(host.extend(grown(1), 1)).toEqual([
      { type: "open", vips: [], deadline: 1, number: second, until: grown(1) },
    ]);
    expect([host.deadline(0)?.until, host.deadline(1)?.until]).toEqual([UNTIL, grown(1)]);
    host.answers = { open: TOO_LATE };
    const effects = host.extend(grown(2), 0);
    expect(only(effects, "open").map(({ number }) => number)).toEqual([first, first, first]);
    expect([host.phase("web"), host.phase("db")]).toEqual([undefined, "on"]);
  });
});

describe("a fence that could not be closed", () => {
  /** `web` and `db` are held, and `web` is lost: the kernel will not close it. */
  function stuck(): Host {
    const host = new Host([WEB, DB]);
    host.gain(["web", "db"]);
    host.answers = { close: FENCE_STUCK };
    host.lose("web");
    return host;
  }

  test("is extended no more: what is held on moves to another deadline with the next extension", () => {
    const host = stuck();
    expect(only(host.extend(grown(1)), "open")).toEqual([
      { type: "open", vips: ["db"], deadline: 0, number: FIRST_NUMBER + 1, until: grown(1) },
    ]);
    expect(host.phase("db")).toBe("on");
    expect(only(host.extend(grown(2)), "open")).toEqual([
      { type: "open", vips: [], deadline: 0, number: FIRST_NUMBER + 1, until: grown(2) },
    ]);
  });

  test("is not extended by a gain either", () => {
    const plans = [WEB, DB];
    const host = new Host(plans);
    host.gain(["web"]);
    host.answers = { close: FENCE_STUCK };
    host.lose("web");
    expect(only(host.gain(["db"], grown(1)), "open")).toEqual([
      { type: "open", vips: ["db"], deadline: 0, number: FIRST_NUMBER + 1, until: grown(1) },
    ]);
    expect(host.phase("db")).toBe("on");
  });

  test("moves what is held on also when a gain is what extends it", () => {
    const host = stuck();
    host.answers = { close: FENCE_STUCK };
    host.plan(WEB, DB, { ...WEB, name: "mail", addresses: [] });
    const opened = only(host.gain(["mail"], grown(1)), "open");
    expect(opened.map(({ number }) => number)).toEqual([FIRST_NUMBER + 1]);
    expect(opened[0]?.vips.toSorted()).toEqual(["db", "mail"]);
  });

  test("is closed for good by its own deadline, which the release waits for", () => {
    const host = stuck();
    host.extend(grown(60));
    const holding = host.state.holdings.get("web");
    expect(holding).toMatchObject({ phase: "closing", until: UNTIL });
  });

  test("whose addresses only could not be removed goes on under its number: it is closed", () => {
    const host = new Host([WEB, DB]);
    host.gain(["web", "db"]);
    host.answers = { close: () => ({ type: "failed", vip: "web", message: "EBUSY" }) };
    host.lose("web");
    expect(only(host.extend(grown(1)), "open")).toEqual([
      { type: "open", vips: [], deadline: 0, number: FIRST_NUMBER, until: grown(1) },
    ]);
  });
});

describe("a process that was frozen: the fence cannot be opened in time", () => {
  test("is tried three times, then the VIP is lost, and the host says so", () => {
    const host = new Host([WEB], { open: TOO_LATE });
    const effects = host.gain();
    expect(only(effects, "open")).toHaveLength(3);
    expect(types(effects).slice(-3)).toEqual(["close", "hold-failed", "released"]);
    expect(only(effects, "hold-failed")[0]?.reason).toEqual(reason("too-slow"));
    expect(types(effects)).not.toContain("held");
  });

  test("loses all that is held under the deadline, when it is an extension", () => {
    const host = new Host();
    host.gain(["web", "db"]);
    host.answers = { open: TOO_LATE };
    const effects = host.extend(grown(1));
    expect(only(effects, "open")).toHaveLength(3);
    expect(only(effects, "close")).toEqual([{ type: "close", vips: ["web", "db"] }]);
    expect(only(effects, "hold-failed").map(({ vip }) => vip)).toEqual(["web", "db"]);
    expect(only(effects, "released")).toHaveLength(1);
  });

  test("costs nothing when the second try works", () => {
    const host = new Host([WEB]);
    host.gain();
    let tries = 0;
    const first: Answer = (effect) => ((tries += 1) === 1 ? TOO_LATE(effect) : obey(effect));
    host.answers = { open: first };
    expect(types(host.extend(grown(1)))).toEqual(["open", "open"]);
    expect(host.phase()).toBe("on");
    expect(host.deadline()?.until).toBe(grown(1));
  });

  test("twice in a row, again and again, is forgotten whenever the third try works", () => {
    let tries = 0;
    const third: Answer = (effect) => ((tries += 1) % 3 === 0 ? obey(effect) : TOO_LATE(effect));
    const host = new Host([WEB], { open: third });
    host.gain();
    for (let heartbeat = 1; heartbeat < 4; heartbeat += 1) host.extend(grown(heartbeat));
    expect(tries).toBe(12);
    expect(host.phase()).toBe("on");
    expect(types(host.effects)).not.toContain("hold-failed");
  });
});

describe("a fence that the kernel refuses to extend", () => {
  const refused: Answer = (effect) =>
    effect.type === "open" ? { type: "extend-failed", deadline: effect.deadline, message: "ENOMEM" } : [];

  test("costs all that is held under the deadline", () => {
    const host = new Host();
    host.gain(["web", "db"]);
    host.answers = { open: refused };
    const effects = host.extend(grown(1));
    expect(types(effects)).toEqual(["open", "close", "hold-failed", "hold-failed", "released"]);
    expect(only(effects, "hold-failed").map(({ reason: why }) => why)).toEqual([
      reason("hold-failed", "ENOMEM"),
      reason("hold-failed", "ENOMEM"),
    ]);
  });

  test("costs nothing under another deadline", () => {
    const host = new Host();
    host.gain(["web"], UNTIL, 0);
    host.gain(["db"], UNTIL, 1);
    host.answers = { open: refused };
    host.extend(grown(1), 1);
    expect([host.phase("web"), host.phase("db")]).toEqual(["on", undefined]);
  });

  test("does not bear on what is closing already", () => {
    const host = new Host([WEB], { close: () => [] });
    host.gain();
    host.lose("web");
    const late: VipEvent = { type: "extend-failed", deadline: 0, message: "ENOMEM" };
    expect(host.post(late)).toEqual([]);
    expect(nextVipWakeup(host.state)).toBe(Number.POSITIVE_INFINITY);
  });
});
