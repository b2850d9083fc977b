import { describe, expect, test } from "vitest";
import { type Instant, instant, later, NEVER } from "../../../src/base/time.ts";
import type { AnnouncePolicy } from "../../../src/vip/announcing.ts";
import { initialVips, nextVipWakeup, stepVips } from "../../../src/vip/machine.ts";
import type { VipEffect, VipEvent, VipPlan, VipState } from "../../../src/vip/state.ts";

const START = instant(1_000_000);
const UNTIL = later(START, 3_000);
const ANNOUNCE: AnnouncePolicy = { burst: 3, repeatAfterMs: 5_000, refreshMs: 60_000 };

function plan(name: string, ip: string, link: string, announce = ANNOUNCE): VipPlan {
  return { name, addresses: [{ family: 4, ip, prefix: 24, interface: link }], announce };
}

const WEB = plan("web", "10.0.0.1", "eth0");
const DB = plan("db", "10.0.0.2", "eth1");

/** A host whose kernel does at once what it is told, unless a test answers for it. */
class Host {
  now: Instant = START;
  state: VipState = initialVips();
  /** Every effect, in order. */
  readonly effects: VipEffect[] = [];
  private readonly answers: Partial<Record<VipEffect["type"], (effect: VipEffect) => VipEvent | undefined>>;

  constructor(plans: readonly VipPlan[] = [WEB, DB], answers: Host["answers"] = {}) {
    this.answers = answers;
    this.post({ type: "plan", plans });
  }

  post(event: VipEvent): readonly VipEffect[] {
    const from = this.effects.length;
    const queue = [event];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [state, effects] = stepVips(this.state, next, this.now);
      this.state = state;
      this.effects.push(...effects);
      queue.push(...effects.flatMap((effect) => this.answer(effect) ?? []));
    }
    return this.effects.slice(from);
  }

  /** Moves on to the next wake-up, and ticks. */
  wake(): readonly VipEffect[] {
    this.now = nextVipWakeup(this.state);
    return this.post({ type: "tick" });
  }

  gain(vip = "web", until = UNTIL): readonly VipEffect[] {
    return this.post({ type: "gain", vip, until });
  }

  phase(vip = "web"): string | undefined {
    return this.state.holdings.get(vip)?.phase;
  }

  private answer(effect: VipEffect): VipEvent | undefined {
    const own = this.answers[effect.type];
    if (own !== undefined) return own(effect);
    if (effect.type === "open") return { type: "opened", vips: effect.vips, until: effect.until };
    if (effect.type === "close") return { type: "closed", vip: effect.vip };
    return undefined;
  }
}

function types(effects: readonly VipEffect[]): readonly string[] {
  return effects.map(({ type }) => type);
}

describe("the order of steps", () => {
  test("gain: bind, open, announce, tell, probe", () => {
    const host = new Host();
    expect(types(host.gain())).toEqual(["bind", "open", "announce", "held", "probe"]);
    expect(host.effects).toContainEqual({ type: "open", vips: ["web"], until: UNTIL });
    expect(host.effects).toContainEqual({ type: "bind", vip: "web", lifetimeMs: 4_000 });
  });

  test("lose: close, and only when that is done, released", () => {
    const host = new Host([WEB], { close: () => undefined });
    host.gain();
    expect(types(host.post({ type: "lose", vip: "web", reason: "because" }))).toEqual(["close"]);
    expect(host.phase()).toBe("closing");
    expect(host.post({ type: "closed", vip: "web" })).toEqual([{ type: "released", vip: "web", reason: "because" }]);
    expect(host.phase()).toBeUndefined();
  });

  test("keep: all that is held is extended in one step, then its lifetime is refreshed", () => {
    const host = new Host();
    host.gain("web");
    host.gain("db");
    const until = later(UNTIL, 1_000);
    const effects = host.post({ type: "extend", until });
    expect(types(effects)).toEqual(["open", "bind", "bind"]);
    expect(effects[0]).toEqual({ type: "open", vips: ["web", "db"], until });
    expect(effects[1]).toEqual({ type: "bind", vip: "web", lifetimeMs: 5_000 });
  });

  test.each<{ name: string; event: VipEvent; expected: readonly string[] }>([
    { name: "an extension while nothing is held", event: { type: "extend", until: UNTIL }, expected: [] },
    { name: "a gain of what is not planned", event: { type: "gain", vip: "x", until: UNTIL }, expected: [] },
    {
      name: "a loss of what is not held is made sure of",
      event: { type: "lose", vip: "web", reason: "" },
      expected: ["close", "released"],
    },
    { name: "a tick too early", event: { type: "tick" }, expected: [] },
    { name: "a late answer to an open", event: { type: "opened", vips: ["web"], until: UNTIL }, expected: [] },
    { name: "a late word of slowness", event: { type: "too-late", vips: ["web"], until: UNTIL }, expected: [] },
  ])("$name", ({ event, expected }) => {
    expect(types(new Host().post(event))).toEqual(expected);
  });

  test("a second gain and a second loss change nothing", () => {
    const host = new Host([WEB], { close: () => undefined });
    host.gain();
    expect(host.gain()).toEqual([]);
    host.post({ type: "lose", vip: "web", reason: "first" });
    expect(host.post({ type: "lose", vip: "web", reason: "second" })).toEqual([]);
    expect(host.gain(), "while it closes it is not gained").toEqual([]);
  });

  test("an answer that comes while it closes does not open it again", () => {
    const host = new Host([WEB], { open: () => undefined, close: () => undefined });
    host.gain();
    host.post({ type: "lose", vip: "web", reason: "because" });
    expect(host.post({ type: "opened", vips: ["web"], until: UNTIL })).toEqual([]);
    expect(host.phase()).toBe("closing");
  });
});

describe("a fence that cannot be opened in time", () => {
  test("is tried three times, then the VIP is lost, and the host unfit", () => {
    const host = new Host([WEB], {
      open: (effect) =>
        effect.type === "open" ? { type: "too-late", vips: effect.vips, until: effect.until } : undefined,
    });
    const effects = types(host.gain());
    expect(effects.filter((type) => type === "open")).toHaveLength(3);
    expect(effects.slice(-3)).toEqual(["close", "unfit", "released"]);
    expect(effects).not.toContain("held");
  });

  test("once, is forgotten when the next try works", () => {
    let slow = 0;
    const host = new Host([WEB], {
      open: (effect) => {
        if (effect.type !== "open") return undefined;
        slow += 1;
        return { type: slow % 3 === 0 ? "opened" : "too-late", vips: effect.vips, until: effect.until };
      },
    });
    host.gain();
    for (let heartbeat = 1; heartbeat < 4; heartbeat += 1)
      host.post({ type: "extend", until: later(UNTIL, heartbeat * 1_000) });
    expect(host.phase()).toBe("on");
    expect(types(host.effects)).not.toContain("unfit");
  });
});

describe("a kernel that refuses", () => {
  test.each<VipEffect["type"]>(["bind", "open"])("to %s: the VIP is lost, and the host unfit", (step) => {
    const host = new Host([WEB], { [step]: () => ({ type: "failed", vip: "web", message: "EPERM" }) });
    const effects = host.gain();
    expect(effects).toContainEqual({ type: "unfit", vip: "web", reason: "EPERM" });
    expect(types(effects).at(-1)).toBe("released");
    expect(types(effects)).not.toContain("held");
  });

  test("to close is asked again, and not believed before its own timeouts have passed", () => {
    const host = new Host([WEB], { close: () => ({ type: "failed", vip: "web", message: "EBUSY" }) });
    host.gain();
    host.post({ type: "lose", vip: "web", reason: "because" });
    let closes = 0;
    for (let released = false; !released;) {
      const effects = types(host.wake());
      closes += effects.filter((type) => type === "close").length;
      released = effects.includes("released");
    }
    expect(host.now).toBeGreaterThan(UNTIL);
    expect(host.now).toBeLessThan(later(UNTIL, 3_000));
    expect(closes).toBeGreaterThan(10);
    expect(nextVipWakeup(host.state)).toBe(NEVER);
  });
});

describe("the kernel's news", () => {
  test("an address that somebody removed is put back and announced, while it is held", () => {
    const host = new Host();
    host.gain();
    host.now = later(START, 1_000);
    const effects = host.post({ type: "address-removed", ip: "10.0.0.1", interface: "eth0" });
    expect(types(effects)).toEqual(["note", "bind", "announce"]);
    expect(effects[1]).toEqual({ type: "bind", vip: "web", lifetimeMs: 3_000 });
  });

  test.each<{ name: string; held: boolean; event: VipEvent; expected: readonly string[] }>([
    {
      name: "removed, and not held",
      held: false,
      event: { type: "address-removed", ip: "10.0.0.1", interface: "eth0" },
      expected: [],
    },
    {
      name: "removed from another interface",
      held: true,
      event: { type: "address-removed", ip: "10.0.0.1", interface: "eth1" },
      expected: [],
    },
    {
      name: "another address removed",
      held: true,
      event: { type: "address-removed", ip: "10.0.0.9", interface: "eth0" },
      expected: [],
    },
    {
      name: "added by hand, and not held",
      held: false,
      event: { type: "address-added", ip: "10.0.0.1", interface: "eth0" },
      expected: ["sweep"],
    },
    {
      name: "added, and held",
      held: true,
      event: { type: "address-added", ip: "10.0.0.1", interface: "eth0" },
      expected: [],
    },
    {
      name: "another address added",
      held: false,
      event: { type: "address-added", ip: "10.0.0.9", interface: "eth0" },
      expected: [],
    },
    { name: "its link came up", held: true, event: { type: "link-up", interface: "eth0" }, expected: ["announce"] },
    { name: "another link came up", held: true, event: { type: "link-up", interface: "eth1" }, expected: [] },
    {
      name: "its link came up, and it is not held",
      held: false,
      event: { type: "link-up", interface: "eth0" },
      expected: [],
    },
    { name: "news were lost", held: true, event: { type: "resync" }, expected: ["bind", "sweep"] },
  ])("$name", ({ held, event, expected }) => {
    const host = new Host();
    if (held) host.gain();
    expect(types(host.post(event))).toEqual(expected);
  });

  test("an address that goes while the VIP is let go is not put back", () => {
    const host = new Host([WEB], { close: () => undefined });
    host.gain();
    host.post({ type: "lose", vip: "web", reason: "" });
    expect(host.post({ type: "address-removed", ip: "10.0.0.1", interface: "eth0" })).toEqual([]);
  });

  test("a second answerer is told once, and once more when it is gone", () => {
    const host = new Host();
    host.gain();
    const probed = (others: readonly string[]): readonly string[] =>
      types(host.post({ type: "probed", vip: "web", others }));
    expect(
      [probed([]), probed(["02:00"]), probed(["02:00"]), probed(["02:00", "04:00"]), probed([]), probed([])].flat(),
    ).toEqual(["note", "note", "note"]);
  });
});

describe("announcements", () => {
  function schedule(announce: AnnouncePolicy, count: number): readonly number[] {
    const host = new Host([plan("web", "10.0.0.1", "eth0", announce)]);
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
    { name: "one only", announce: { burst: 1, repeatAfterMs: 0, refreshMs: 0 }, times: [0] },
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
    const host = new Host([plan("web", "10.0.0.1", "eth0", { burst: 1, repeatAfterMs: 0, refreshMs: 1_000 })]);
    host.gain();
    expect(types(host.wake())).toEqual(["announce", "probe"]);
  });

  test("a machine that wakes late announces once, not once for all that it missed", () => {
    const host = new Host([plan("web", "10.0.0.1", "eth0", { burst: 5, repeatAfterMs: 0, refreshMs: 0 })]);
    host.gain();
    host.now = later(START, 70);
    expect(types(host.post({ type: "tick" }))).toEqual(["announce"]);
    expect(nextVipWakeup(host.state)).toBe(later(START, 100));
  });

  test("end with the holding", () => {
    const host = new Host();
    host.gain();
    host.post({ type: "lose", vip: "web", reason: "" });
    expect(nextVipWakeup(host.state)).toBe(NEVER);
  });
});
