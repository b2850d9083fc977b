// What the host and people ask: fitness, priority, step-down, stop, another configuration.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { HIGHER, Lab, LOWER, NO_LINK, router, STOPPED } from "./lab.ts";

describe("stop", () => {
  test("of a master: the host lets go, and only then the farewell is said", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab.post({ type: "stop", reason: STOPPED }).advance(250);
    expect(lab.transcript).toEqual([
      "3.610 master -> releasing: vipd was stopped",
      "3.610 hush",
      "3.610 lose: vipd was stopped",
    ]);
    lab.post({ type: "released" });
    expect(lab.transcript.slice(3)).toEqual([
      "3.860 say 0",
      "3.860 releasing -> stopped: vipd was stopped",
      "3.860 stopped",
    ]);
  });

  test("of a claim: adverts may have left, so that the farewell is said", () => {
    const lab = new Lab();
    lab.sends = false;
    lab.waitFor(() => lab.phase === "claiming");
    lab.transcript.length = 0;
    lab.post({ type: "stop", reason: STOPPED });
    expect(lab.transcript).toEqual([
      "3.610 hush",
      "3.610 say 0",
      "3.610 claiming -> stopped: vipd was stopped",
      "3.610 stopped",
    ]);
  });

  test.each<[string, Lab]>([
    ["a backup", new Lab()],
    ["one that waits to start", new Lab({ startupDelayMs: 9_000 })],
    ["one that may not hold", new Lab().post({ type: "fitness", ineligible: NO_LINK })],
  ])("of %s is silent and immediate", (_, lab) => {
    lab.transcript.length = 0;
    lab.post({ type: "stop", reason: STOPPED });
    expect(lab.transcript.map((line) => line.slice(6).replace(/^\w+ -> /u, ""))).toEqual([
      "stopped: vipd was stopped",
      "stopped",
    ]);
  });

  test("while the host lets go for another reason ends there; where no farewell was due, none is said", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab.hear(150, HIGHER).post({ type: "stop", reason: STOPPED }).post({ type: "released" });
    expect(lab.transcript.slice(-2)).toEqual(["3.610 releasing -> stopped: vipd was stopped", "3.610 stopped"]);
    expect(lab.transcript.join("\n")).not.toContain("say");
  });

  test("is the last word", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab.post({ type: "stop", reason: STOPPED }).post({ type: "fitness", ineligible: NO_LINK }).post({ type: "unable" });
    lab.post({ type: "released" });
    expect(lab.phase).toBe("stopped");
    const { state } = lab;
    lab.post({ type: "tick" }).hear(90).post({ type: "stop", reason: STOPPED }).advance(60_000);
    expect(lab.state).toBe(state);
  });
});

describe("the farewell", () => {
  test("is not said when another master speaks while the host lets go", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab.post({ type: "stop", reason: STOPPED }).hear(90).post({ type: "released" });
    expect(lab.transcript.join("\n")).not.toContain("say");
  });

  test("is said when only another farewell was heard", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab.post({ type: "stop", reason: STOPPED }).hear(0).post({ type: "released" });
    expect(lab.transcript).toContain("3.610 say 0");
  });

  test("is not said by a host that has not confirmed: the addresses may still answer there", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab.post({ type: "stop", reason: STOPPED }).advance(60_000);
    expect([lab.phase, lab.speaks]).toEqual(["releasing", undefined]);
    expect(lab.transcript.join("\n")).not.toContain("say");
  });
});

describe("fitness", () => {
  test("lost by a master: it lets go, says farewell, and takes no part until it is fit again", () => {
    const lab = new Lab()
      .becomeMaster()
      .post({ type: "fitness", ineligible: reason("ineligible", "the check http fails") })
      .advance(60_000);
    lab.post({ type: "fitness", ineligible: null });
    expect(lab.transcript).toEqual([
      "3.610 master -> releasing: the check http fails",
      "3.610 hush",
      "3.610 lose: the check http fails",
      "3.610 say 0",
      "3.610 releasing -> fault: the check http fails",
      "63.610 fault -> backup: nothing speaks against it any more",
    ]);
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("lost by a backup, a claim, and one that starts", () => {
    const ineligible = { type: "fitness", ineligible: NO_LINK } as const;
    expect(new Lab().post(ineligible).phase).toBe("fault");
    const claim = new Lab();
    claim.sends = false;
    claim.waitFor(() => claim.phase === "claiming");
    expect(claim.post(ineligible).transcript.slice(-3)).toEqual([
      "3.610 hush",
      "3.610 say 0",
      "3.610 claiming -> fault: no link",
    ]);
    expect(new Lab({ startupDelayMs: 10 }).post(ineligible).advance(10).phase).toBe("fault");
  });

  test("lost and found while the host lets go", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab
      .post({ type: "fitness", ineligible: NO_LINK })
      .post({ type: "fitness", ineligible: null })
      .post({ type: "released" });
    expect(lab.advance(1).phase).toBe("backup");
    const other = new Lab().becomeMaster();
    other.releases = false;
    other
      .post({ type: "step-down", reason: reason("step-down") })
      .post({ type: "fitness", ineligible: NO_LINK })
      .post({ type: "released" });
    expect([other.phase, other.state.change.text]).toEqual(["fault", "no link"]);
  });

  test("adverts mean nothing to one that may not hold; what it learned of the interval is forgotten", () => {
    const lab = new Lab({ version: 3 })
      .hear(150, HIGHER, { intervalMs: 5_000 })
      .post({ type: "fitness", ineligible: reason("ineligible", "x") });
    lab.hear(90).hear(0).post({ type: "fitness", ineligible: null });
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("as it was changes nothing", () => {
    const lab = new Lab().becomeMaster().post({ type: "fitness", ineligible: null });
    expect([lab.holds, lab.transcript]).toEqual([true, []]);
  });
});

describe("the effective priority", () => {
  test("of a master is spoken at once", () => {
    const lab = new Lab().becomeMaster().post({ type: "priority", priority: 80 });
    expect(lab.transcript).toEqual(["3.610 speak 80 every 1000 ms"]);
    expect(lab.hear(90).advance(0).phase).toBe("backup");
  });

  test("of a backup moves the end of its wait by the difference of the skews", () => {
    const lab = new Lab().post({ type: "priority", priority: 200 });
    expect(lab.waitFor(() => lab.holds)).toBe(3_219);
    const lower = new Lab().advance(1_000).post({ type: "priority", priority: 10 });
    expect(lower.waitFor(() => lower.holds)).toBe(2_961);
  });

  test("of one that lets go counts when it listens again", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab.hear(150, HIGHER).post({ type: "priority", priority: 200 }).post({ type: "released" });
    expect(lab.waitFor(() => lab.holds)).toBe(3_219);
  });

  test("of an owner is never altered", () => {
    const lab = new Lab({ priority: 255 }).becomeMaster().post({ type: "priority", priority: 10 });
    expect([lab.state.priority, lab.transcript]).toEqual([255, []]);
  });

  test("is 1 to 254: another is a bug", () => {
    for (const priority of [0, 255, 1.5, -1]) {
      expect(() => new Lab().post({ type: "priority", priority })).toThrow(/broken assumption/u);
    }
  });
});

describe("a step-down", () => {
  test("gives the addresses away, and leaves the successor alone although its priority is lower", () => {
    const lab = new Lab()
      .becomeMaster()
      .post({ type: "step-down", reason: reason("step-down") })
      .advance(610);
    lab.hearFor(600_000, 90);
    expect(lab.transcript).toEqual([
      "3.610 master -> releasing: step-down was requested",
      "3.610 hush",
      "3.610 lose: step-down was requested",
      "3.610 say 0",
      "3.610 releasing -> backup: step-down was requested",
    ]);
  });

  test("is over when the successor has gone: then it takes over, and pre-empts again later", () => {
    const lab = new Lab()
      .becomeMaster()
      .post({ type: "step-down", reason: reason("step-down") })
      .hearFor(30_000, 90);
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
    lab.hear(150, HIGHER).hearFor(4_000, 150, HIGHER);
    expect(lab.hearFor(4_000, 90).advance(50).phase).toBe("master");
  });

  test("is over after twice the time of silence when nobody takes over", () => {
    const lab = new Lab().becomeMaster().post({ type: "step-down", reason: reason("step-down") });
    expect(lab.waitFor(() => lab.holds)).toBe(2 * 3_609.375 + 0.25);
  });

  test("may be kept from pre-empting for a bounded time only", () => {
    const lab = new Lab({ preemptPauseMs: 10_000 })
      .becomeMaster()
      .post({ type: "step-down", reason: reason("step-down") });
    expect(lab.hearFor(9_000, 90).phase).toBe("backup");
    expect(lab.hearFor(5_000, 90).phase).toBe("master");
  });

  test("of one that holds nothing changes nothing", () => {
    const lab = new Lab();
    const { state } = lab;
    expect(lab.post({ type: "step-down", reason: reason("step-down") }).state).toBe(state);
  });
});

describe("a host that cannot hold the addresses", () => {
  const unable = { type: "unable" } as const;

  test("gives them up with a farewell, and tries again after a pause", () => {
    const lab = new Lab().becomeMaster().post(unable).advance(3_000);
    expect(lab.transcript).toEqual([
      "3.610 master -> releasing: this host could not hold it: its log says why",
      "3.610 hush",
      "3.610 lose: this host could not hold it: its log says why",
      "3.610 say 0",
      "3.610 releasing -> fault: this host could not hold it: its log says why",
      "6.610 fault -> backup: nothing speaks against it any more",
    ]);
  });

  test("waits twice as long each time, a minute at most", () => {
    const lab = new Lab();
    const pauses = [1, 2, 3, 4, 5, 6, 7].map(() => {
      lab.waitFor(() => lab.holds);
      lab.post(unable);
      return Math.round(lab.waitFor(() => lab.phase === "backup") / 1000);
    });
    expect(pauses).toEqual([3, 6, 12, 24, 48, 60, 60]);
  });

  test("that has held them for a minute begins anew", () => {
    const lab = new Lab();
    for (let i = 0; i < 3; i += 1) {
      lab.waitFor(() => lab.holds);
      lab.post(unable);
    }
    lab.waitFor(() => lab.holds);
    lab.advance(62_000).post(unable);
    expect(Math.round(lab.waitFor(() => lab.phase === "backup") / 1000)).toBe(3);
  });

  test("stays away for its pause even when its fitness comes back in between", () => {
    const lab = new Lab().becomeMaster().post(unable).post({ type: "fitness", ineligible: NO_LINK }).advance(1_000);
    expect(lab.post({ type: "fitness", ineligible: null }).phase).toBe("fault");
    expect(lab.advance(2_000).phase).toBe("backup");
  });

  test("says so while it lets go for another reason", () => {
    const lab = new Lab().becomeMaster();
    lab.releases = false;
    lab.hear(150, HIGHER).post(unable).post({ type: "released" });
    expect(lab.transcript.slice(-1)).toEqual([
      "3.610 releasing -> fault: this host could not hold it: its log says why",
    ]);
  });
});

describe("a host that was too slow to hold the addresses", () => {
  const slow = { type: "too-slow" } as const;

  test("gives them up with a farewell, and takes them again where nobody else does", () => {
    const lab = new Lab().becomeMaster().post(slow).advance(20_000);
    expect(lab.transcript).toEqual([
      "3.610 master -> releasing: this host was too slow to extend the fence within the lease",
      "3.610 hush",
      "3.610 lose: this host was too slow to extend the fence within the lease",
      "3.610 say 0",
      "3.610 releasing -> backup: this host was too slow to extend the fence within the lease",
      "10.829 backup -> claiming: no master was heard in time",
      "10.829 speak 100 every 1000 ms",
      "10.829 claiming -> master: no master was heard in time",
      "10.829 gain, for 2992 ms",
    ]);
  });

  test("waits no longer when it happens again", () => {
    const lab = new Lab();
    const pauses = [1, 2, 3, 4].map(() => {
      lab.waitFor(() => lab.holds);
      lab.post(slow);
      return Math.round(lab.waitFor(() => lab.holds) / 1000);
    });
    expect(new Set(pauses).size).toBe(1);
  });

  test("and holds nothing goes on as it is", () => {
    const lab = new Lab();
    const { state } = lab;
    expect(lab.post(slow).state).toEqual(state);
  });
});

describe("a master that has given way, as another channel tells", () => {
  test("is followed at once, when the sockets hold nothing against it", () => {
    const lab = new Lab().hearFor(5_000, 150, HIGHER).post({ type: "given-way" }).advance(0);
    expect([lab.phase, lab.ms, lab.state.change.code]).toEqual(["master", 5_000, "master-left"]);
    const other = new Lab().hearFor(5_000, 150, HIGHER);
    other.onDrain = () => other.hear(150, LOWER);
    expect(other.post({ type: "given-way" }).advance(0).phase).toBe("backup");
  });

  test("means nothing to one that is no backup", () => {
    const lab = new Lab().post({ type: "fitness", ineligible: NO_LINK });
    expect(lab.post({ type: "given-way" }).advance(0).phase).toBe("fault");
  });
});

describe("another configuration", () => {
  test("of a master is spoken at once: addresses, interval, priority", () => {
    const addresses = ["10.77.0.50", "10.77.0.51"];
    const lab = new Lab().becomeMaster().post({ type: "configure", router: router({ addresses, priority: 120 }) });
    expect(lab.transcript).toEqual(["3.610 speak 120 every 1000 ms"]);
    expect(lab.speaks).toMatchObject({ addresses, priority: 120 });
  });

  test("with a shorter interval cuts the lease down before an advert says so, and one that left before counts no more", () => {
    const lab = new Lab({ version: 3, intervalMs: 1_000 }).becomeMaster().advance(100);
    const before = lab.now;
    lab.sends = false;
    lab.advance(100).post({ type: "configure", router: router({ version: 3, intervalMs: 100 }) });
    const { until } = lab;
    expect(until - lab.ms).toBeLessThan(300);
    lab.post({ type: "sent", at: before });
    expect(lab.until).toBe(until);
  });

  test("with a longer interval leaves the lease as it is until an advert says so", () => {
    const lab = new Lab({ version: 3, intervalMs: 1_000 }).becomeMaster().advance(100);
    const { until } = lab;
    lab.sends = false;
    lab.post({ type: "configure", router: router({ version: 3, intervalMs: 3_000 }) });
    expect(lab.until).toBe(until);
  });

  test("of a backup: a new interval begins a new wait, a new priority moves the one that runs", () => {
    const slower = new Lab().advance(3_000).post({ type: "configure", router: router({ intervalMs: 5_000 }) });
    expect(slower.waitFor(() => slower.holds)).toBe(15_610);
    const better = new Lab().advance(3_000).post({ type: "configure", router: router({ priority: 200 }) });
    expect(better.waitFor(() => better.holds)).toBe(219);
  });

  test("that makes it the owner makes it the master", () => {
    const lab = new Lab().post({ type: "configure", router: router({ priority: 255 }) }).advance(0);
    expect(lab.phase).toBe("master");
  });

  test("before the start and in a fault counts later", () => {
    const lab = new Lab({ startupDelayMs: 100 }).post({ type: "configure", router: router({ priority: 200 }) });
    expect(lab.waitFor(() => lab.holds)).toBe(100 + 3_219);
  });

  test("with another id or version is a bug: that is another router", () => {
    for (const other of [router({ vrid: 52 }), router({ version: 3 })])
      expect(() => new Lab().post({ type: "configure", router: other })).toThrow(/broken assumption/u);
  });
});
