// What the holder tells the kernel, in which order, and what it makes of refusals.

import { describe, expect, test } from "vitest";
import { later } from "../../../src/base/time.ts";
import { address } from "./fake-host.ts";
import { begin, FIRST_DEADLINE, LEASE_MS, OPEN_MS, plan, WHY } from "./holder.ts";

/** How long an address outlives its fence, in milliseconds. */
const SLACK_MS = 30_000;

describe("orders to the kernel", () => {
  test("a batch is bound, opened, closed and unbound in one call each", () => {
    const { host, holder } = begin();
    holder.gain("a", "b");
    expect(host.news()).toEqual([
      "bind 10.0.0.1,10.0.0.2",
      `open 10.0.0.1,10.0.0.2 under ${FIRST_DEADLINE} for ${OPEN_MS}`,
      "announce 10.0.0.1",
      "announce 10.0.0.2",
    ]);
    expect(host.lifetimesMs.get("10.0.0.1")).toBe(LEASE_MS + SLACK_MS);
    expect(host.answering()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    holder.lose("a", "b");
    expect(host.news()).toEqual(["close 10.0.0.1,10.0.0.2", "unbind 10.0.0.1,10.0.0.2"]);
    expect(holder.reports).toEqual(["held a,b", "released a: step-down,b: step-down"]);
  });

  test("an extension is one call, whatever is held", async () => {
    const { host, holder } = begin();
    holder.gain("a", "b");
    host.news();
    await host.timers.advance(1_000);
    holder.extend();
    expect(host.news()).toEqual([`open under ${FIRST_DEADLINE} for ${OPEN_MS}`]);
  });

  describe("of several deadlines", () => {
    const second = FIRST_DEADLINE + 1;

    function beginTwo(): ReturnType<typeof begin> {
      const begun = begin();
      const { holder, host } = begun;
      holder.gain("a");
      holder.post({ type: "gain", grants: holder.grantsOf("b"), deadline: 1, until: holder.until });
      host.news();
      return begun;
    }

    const both = (holder: ReturnType<typeof begin>["holder"]): void =>
      holder.vips.extend([0, 1].map((deadline) => ({ deadline, until: holder.until })));

    test("are extended in one call", async () => {
      const { host, holder } = beginTwo();
      await host.timers.advance(LEASE_MS / 2);
      both(holder);
      expect(host.news()).toEqual([`extend ${FIRST_DEADLINE},${second}`]);
      await host.timers.advance(LEASE_MS / 2 + 1);
      expect(host.answering()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
      expect(holder.vips.state.deadlines.get(1)?.until).toBe(later(host.timers.now(), LEASE_MS / 2 - 1));
    });

    test("are extended each by itself where that fails, so that only what is too late ends", () => {
      const { host, holder } = beginTwo();
      host.refused.add("extend");
      both(holder);
      expect(host.news().slice(1)).toEqual([
        `open under ${FIRST_DEADLINE} for ${OPEN_MS}`,
        `open under ${second} for ${OPEN_MS}`,
      ]);
      host.refused.clear();
      host.tooLate = 1;
      both(holder);
      expect(host.news()).toHaveLength(3);
      expect(holder.phases()).toEqual({ a: "on", b: "on" });
    });

    test("leave out the number under which an address is open that the kernel would not close", () => {
      const { host, holder } = beginTwo();
      host.refused.add("close");
      holder.lose("b");
      host.news();
      both(holder);
      expect(host.news()).toEqual([`extend ${FIRST_DEADLINE},${second + 1}`]);
    });

    test("are opened again where somebody took the fence away", () => {
      const { host, holder } = beginTwo();
      host.flushFence();
      both(holder);
      expect(host.answering()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    });
  });

  test("the kernel ends what is not extended", async () => {
    const { host, holder } = begin();
    holder.gain("a");
    await host.timers.advance(OPEN_MS);
    expect(host.answering()).toEqual([]);
  });

  test("an election that is lost while the release of another one is reported does not open its fence afterwards", () => {
    const { host, holder } = begin();
    holder.onReport = (report) => {
      if (!report.startsWith("released a")) return;
      host.calls.push("b is gained");
      holder.gain("b");
      host.calls.push("b is lost");
      holder.lose("b");
    };
    holder.gain("a");
    host.news();
    holder.lose("a");
    expect(host.news()).toEqual([
      "close 10.0.0.1",
      "unbind 10.0.0.1",
      "b is gained",
      "bind 10.0.0.2",
      `open 10.0.0.2 under ${FIRST_DEADLINE + 1} for ${OPEN_MS}`,
      "announce 10.0.0.2",
      "b is lost",
      "close 10.0.0.2",
      "unbind 10.0.0.2",
    ]);
    expect(holder.reports).toEqual(["held a", "released a: step-down", "held b", "released b: step-down"]);
  });

  test("what a former process may have left open is closed when an election is lost without having been held", () => {
    const { host, holder } = begin();
    host.put(address("10.0.0.1"));
    holder.lose("a");
    expect(host.news()).toEqual(["close 10.0.0.1", "unbind 10.0.0.1"]);
    expect(holder.reports).toEqual(["released a: step-down"]);
  });
});

describe("a bind that the kernel refuses", () => {
  test("for one address of a batch costs that VIP alone", () => {
    const { host, holder } = begin();
    host.unbindable.add("10.0.0.2");
    holder.gain("a", "b");
    expect(holder.phases()).toEqual({ a: "on" });
    expect(host.answering()).toEqual(["10.0.0.1/24"]);
    expect(holder.reports).toEqual([
      "failed b: the kernel refused: the host refuses to bind 10.0.0.2",
      "released b: hold-failed",
      "held a",
    ]);
  });

  test("for one address of a VIP costs the VIP: its other addresses are removed", () => {
    const { host, holder } = begin([plan("a", address("10.0.0.1"), address("10.0.0.3"))]);
    host.unbindable.add("10.0.0.3");
    holder.gain("a");
    expect(host.addresses()).toEqual([]);
    expect(host.answering()).toEqual([]);
    expect(holder.reports.at(-1)).toBe("released a: hold-failed");
  });

  test("as a whole costs each VIP of the batch", () => {
    const { host, holder } = begin();
    host.refused.add("bind");
    holder.gain("a", "b");
    expect(host.calls.filter((call) => call.startsWith("open"))).toEqual([]);
    expect(holder.phases()).toEqual({});
    expect(holder.reports.filter((report) => report.startsWith("failed"))).toHaveLength(2);
  });

  test("for the refresh of a lifetime costs the VIP, and no other one", async () => {
    const { host, holder } = begin();
    holder.gain("a", "b");
    host.unbindable.add("10.0.0.1");
    for (let heartbeat = 0; heartbeat < 10; heartbeat += 1) {
      await host.timers.advance(2_000);
      holder.extend();
    }
    await host.timers.advance(1);
    expect(holder.phases()).toEqual({ b: "on" });
    expect(holder.reports).toContain("released a: hold-failed");
  });
});

describe("a fence", () => {
  test("that was damaged is put up again before anything is opened", () => {
    const { host, holder } = begin();
    host.intact = false;
    holder.gain("a");
    expect(host.news().slice(0, 3)).toEqual([
      "bind 10.0.0.1",
      "protect 10.0.0.1,10.0.0.2",
      `open 10.0.0.1 under ${FIRST_DEADLINE} for ${OPEN_MS}`,
    ]);
  });

  test("that somebody took away is opened again, for all that is held, with the next extension", () => {
    const { host, holder } = begin();
    holder.gain("a", "b");
    host.flushFence();
    expect(host.answering()).toEqual([]);
    holder.extend();
    expect(host.answering()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    host.news();
    holder.extend();
    expect(host.news(), "once").toEqual([`open under ${FIRST_DEADLINE} for ${OPEN_MS}`]);
  });

  test("that somebody took away is opened for what is lost meanwhile no more", () => {
    const { host, holder } = begin();
    holder.gain("a", "b");
    host.flushFence();
    holder.lose("a");
    holder.extend();
    expect(host.answering()).toEqual(["10.0.0.2/24"]);
  });

  test.each(["open", "protect"] as const)("that the kernel refuses to %s costs what would be gained", (call) => {
    const { host, holder } = begin();
    host.intact = false;
    host.refused.add(call);
    holder.gain("a");
    expect(holder.phases()).toEqual({});
    expect(host.addresses()).toEqual([]);
    expect(holder.reports).toEqual([
      `failed a: the kernel refused: the host refuses to ${call}`,
      "released a: hold-failed",
    ]);
  });

  test("that the kernel refuses to extend costs all that is held", () => {
    const { host, holder } = begin();
    holder.gain("a", "b");
    host.refused.add("open");
    holder.extend();
    expect(holder.phases()).toEqual({});
    expect(holder.reports.slice(1)).toEqual([
      "failed a: the kernel refused: the host refuses to open",
      "failed b: the kernel refused: the host refuses to open",
      "released a: hold-failed,b: hold-failed",
    ]);
  });

  test("that is opened too late, since the process was frozen, is tried again", () => {
    const { host, holder } = begin();
    host.tooLate = 2;
    holder.gain("a");
    expect(host.calls.filter((call) => call.startsWith("open"))).toHaveLength(3);
    expect(holder.reports).toEqual(["held a"]);
  });

  test("that is always opened too late costs what would be gained", () => {
    const { host, holder } = begin();
    host.tooLate = 3;
    holder.gain("a");
    expect(holder.reports).toEqual([
      "failed a: this host was too slow to extend the fence within the lease",
      "released a: too-slow",
    ]);
    expect(host.answering()).toEqual([]);
  });

  test("that cannot be closed has its address taken off, is not released by that, and is asked again until it closes", async () => {
    const { host, holder } = begin();
    holder.gain("a");
    host.news();
    host.refused.add("close");
    holder.lose("a");
    await host.timers.advance(250);
    expect(host.news()).toEqual(Array.from({ length: 3 }, () => ["close 10.0.0.1", "unbind 10.0.0.1"]).flat());
    expect([host.addresses(), holder.reports]).toEqual([[], ["held a"]]);
    host.refused.clear();
    await host.timers.advance(100);
    expect(host.news()).toEqual(["close 10.0.0.1", "unbind 10.0.0.1"]);
    expect(holder.reports.at(-1)).toBe("released a: step-down");
  });

  test("that cannot be closed for one VIP does not stay open by the heartbeats for another", async () => {
    const { host, holder } = begin();
    holder.gain("a", "b");
    host.refused.add("close");
    holder.lose("a");
    for (let heartbeat = 0; heartbeat < 4; heartbeat += 1) {
      await host.timers.advance(1_000);
      holder.extend();
    }
    expect(host.answering()).toEqual(["10.0.0.2/24"]);
    expect(holder.phases()).toEqual({ a: "closing", b: "on" });
  });
});

describe("an address that cannot be removed", () => {
  test("is closed all the same, asked for again, and keeps no other VIP from its release", async () => {
    const { host, holder } = begin();
    holder.gain("a", "b");
    host.stuck.add("10.0.0.1");
    holder.lose("a", "b");
    expect(host.answering()).toEqual([]);
    expect(holder.reports).toEqual(["held a,b", "released b: step-down"]);
    host.stuck.clear();
    await host.timers.advance(100);
    expect(holder.reports.at(-1)).toBe("released a: step-down");
  });

  test("is said to be released when its own lifetime has ended it", async () => {
    const { host, holder } = begin();
    holder.gain("a");
    host.stuck.add("10.0.0.1");
    holder.lose("a");
    await host.timers.advance(LEASE_MS + SLACK_MS);
    expect(holder.reports).toEqual(["held a"]);
    await host.timers.advance(3_000);
    expect(holder.reports.at(-1)).toBe("released a: step-down");
    expect(holder.log.messages("warn").at(-1)).toBe("the kernel would not release it; its own timeouts have closed it");
  });
});

test("the lease's end that is handed in is what the fence is opened for, less what is in flight", () => {
  const { host, holder } = begin();
  holder.post({ type: "gain", grants: holder.grantsOf("a"), deadline: 0, until: later(host.timers.now(), 500) });
  expect(host.calls).toContain(`open 10.0.0.1 under ${FIRST_DEADLINE} for 498`);
  holder.post({ type: "lose", losses: [{ vip: "a", reason: WHY }] });
});
