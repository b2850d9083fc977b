// Who becomes master: the start, silence, farewells, priorities and pre-emption.

import { describe, expect, test } from "vitest";
import { vrrpTimers } from "../../../src/vrrp/machine.ts";
import { RFC_3768, RFC_9568 } from "../../../src/vrrp/router.ts";
import { HIGHER, Lab, LOWER, NO_LINK, OWN, STOPPED } from "./lab.ts";

describe("the start", () => {
  test("alone: a backup first, and the master when nobody was heard for three intervals and the skew", () => {
    const lab = new Lab().advance(10_000);
    expect(lab.transcript).toEqual([
      "0.000 initialize -> backup: vipd was started",
      "3.609 backup -> claiming: no master was heard in time",
      "3.609 speak 100 every 1000 ms",
      "3.609 claiming -> master: no master was heard in time",
      "3.609 gain, for 2992 ms",
    ]);
  });

  test("version 3 at 100 ms: the skew is a part of the interval", () => {
    const lab = new Lab({ version: 3, intervalMs: 100 });
    expect(lab.waitFor(() => lab.holds)).toBe(361);
  });

  test("version 2 at 10 s: the skew is a part of a second", () => {
    const lab = new Lab({ intervalMs: 10_000 });
    expect(lab.waitFor(() => lab.holds)).toBe(30_610);
  });

  test("the startup delay comes before all that, and adverts in it mean nothing", () => {
    const lab = new Lab({ startupDelayMs: 5_000 }).hear(200, HIGHER).advance(4_999);
    expect([lab.phase, lab.transcript]).toEqual(["initialize", []]);
    expect(lab.advance(1).phase).toBe("backup");
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("the owner of the addresses (priority 255) does not wait", () => {
    const lab = new Lab({ priority: 255 }).advance(0);
    expect(lab.transcript).toEqual([
      "0.000 initialize -> claiming: it owns the addresses (priority 255)",
      "0.000 speak 255 every 1000 ms",
      "0.000 claiming -> master: it owns the addresses (priority 255)",
      "0.000 gain, for 2992 ms",
    ]);
  });

  test("the owner waits for its startup delay, too", () => {
    const lab = new Lab({ priority: 255, startupDelayMs: 700 });
    expect(lab.waitFor(() => lab.holds)).toBe(700);
  });
});

describe("a backup", () => {
  test("stays one as long as a better master is heard, and takes over when it falls silent", () => {
    const lab = new Lab().hearFor(20_000, 150, HIGHER);
    expect([lab.phase, lab.speaks]).toEqual(["backup", undefined]);
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("takes over after the skew alone when the master says farewell (priority 0)", () => {
    const lab = new Lab().hearFor(5_000, 150, HIGHER).hear(0, HIGHER);
    expect(lab.waitFor(() => lab.holds)).toBe(610);
    expect(lab.transcript.at(-1)).toBe("5.609 gain, for 2992 ms");
    expect(lab.state.change).toEqual({
      code: "master-left",
      text: `the master ${HIGHER} has given it up (priority 0)`,
    });
  });

  test("takes over sooner after a farewell where the wait is bounded", () => {
    const lab = new Lab({ farewellWaitMs: 40 }).hearFor(5_000, 150, HIGHER).hear(0, HIGHER);
    expect(lab.waitFor(() => lab.holds)).toBe(25);
  });

  test("goes back to the full time when another master speaks after the farewell", () => {
    const lab = new Lab().hearFor(5_000, 150, HIGHER).hear(0, HIGHER).advance(600).hear(120, LOWER);
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("never takes over from a master of equal priority, whichever address is higher", () => {
    expect(new Lab().hearFor(60_000, 100, LOWER).phase).toBe("backup");
    expect(new Lab().hearFor(60_000, 100, HIGHER).phase).toBe("backup");
  });

  test("learns the master's interval in version 3, longer or shorter, and recomputes the skew", () => {
    const slow = new Lab({ version: 3, intervalMs: 100 }).hear(150, HIGHER, { intervalMs: 2_000 });
    expect(slow.waitFor(() => slow.holds)).toBe(6_000 + 1_219);
    const quick = new Lab({ version: 3, intervalMs: 2_000 }).hear(150, HIGHER, { intervalMs: 100 });
    expect(quick.waitFor(() => quick.holds)).toBe(300 + 61);
  });

  test("uses the learned interval for the skew after a farewell, too", () => {
    const lab = new Lab({ version: 3, intervalMs: 100 }).hear(150, HIGHER, { intervalMs: 2_000 }).hear(0, HIGHER);
    expect(lab.waitFor(() => lab.holds)).toBe(1_219);
  });

  test("speaks at its own interval when it has taken over", () => {
    const lab = new Lab({ version: 3, intervalMs: 100 }).hear(150, HIGHER, { intervalMs: 2_000 }).becomeMaster();
    expect(lab.speaks?.intervalMs).toBe(100);
  });
});

describe("pre-emption", () => {
  test("a master of lower priority is replaced when it is heard after the time of silence, so that it lives and lets go", () => {
    const lab = new Lab();
    lab.hearFor(4_000, 90).advance(50);
    expect(lab.transcript).toEqual([
      "0.000 initialize -> backup: vipd was started",
      `4.000 backup -> claiming: the master ${LOWER} has a lower priority`,
      "4.000 speak 100 every 1000 ms",
      "4.005 ask",
      `4.025 claiming -> master: the master ${LOWER} has a lower priority`,
      "4.025 gain, for 2967 ms",
    ]);
  });

  test("gives way to a better one that speaks in that moment", () => {
    const lab = new Lab().hearFor(4_000, 90).advance(20);
    expect(lab.phase).toBe("claiming");
    expect(lab.hear(150, HIGHER).advance(100).phase).toBe("backup");
  });

  test("a master of lower priority that falls silent is waited for as any other: its host may still answer", () => {
    const lab = new Lab().hearFor(3_000, 90);
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
    expect(lab.state.change.code).toBe("master-down");
  });

  test("none (nopreempt): a living master is obeyed, whatever its priority", () => {
    const lab = new Lab({ preempt: false }).hearFor(60_000, 1);
    expect(lab.phase).toBe("backup");
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("its delay begins with the first advert of a lower master; then comes the time of silence", () => {
    const lab = new Lab({ preemptDelayMs: 20_000 }).hearFor(4_000, 150, HIGHER);
    lab.hearFor(23_000, 90);
    // Heard first at 5 s; the last advert that was obeyed came at 24 s, within the delay.
    expect([lab.ms, lab.phase]).toEqual([27_000, "backup"]);
    expect(lab.hearFor(1_000, 90).advance(50).phase).toBe("master");
  });

  test("its delay ends when a better master is heard, and begins anew", () => {
    const lab = new Lab({ preemptDelayMs: 10_000 }).hearFor(8_000, 90).hear(150, HIGHER);
    expect(lab.hearFor(13_000, 90).phase).toBe("backup");
    expect(lab.hearFor(1_000, 90).advance(50).phase).toBe("master");
    expect(lab.ms).toBe(22_050);
  });

  test("its delay does not hold up a takeover from a dead master", () => {
    const lab = new Lab({ preemptDelayMs: 600_000 }).hearFor(5_000, 90);
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("by a priority that has risen: when the master is heard after the end of the wait that runs", () => {
    const lab = new Lab().hearFor(9_000, 150, HIGHER).post({ type: "priority", priority: 200 });
    expect(lab.hearFor(3_000, 150, HIGHER).phase).toBe("backup");
    expect(lab.hearFor(1_000, 150, HIGHER).advance(50).phase).toBe("master");
  });

  test("ends when a better master is heard before the sockets are drained", () => {
    const lab = new Lab();
    lab.onDrain = () => lab.hear(150, HIGHER);
    expect(lab.hearFor(6_000, 90).phase).toBe("backup");
  });
});

describe("a master", () => {
  test("gives way to a higher priority, at once and without a farewell", () => {
    const lab = new Lab().becomeMaster();
    lab.hear(101, LOWER).advance(0);
    expect(lab.transcript).toEqual([
      `3.610 master -> releasing: the master ${LOWER} takes precedence`,
      "3.610 hush",
      `3.610 lose: the master ${LOWER} takes precedence`,
      `3.610 releasing -> backup: the master ${LOWER} takes precedence`,
    ]);
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("of equal priority gives way to the higher address", () => {
    expect(new Lab().becomeMaster().hear(100, HIGHER).advance(0).phase).toBe("backup");
    expect(new Lab().becomeMaster().hear(100, LOWER).advance(0).phase).toBe("master");
  });

  test.each([
    ["9.0.0.1", "100.0.0.1", "backup"],
    ["10.77.0.5", "10.77.0.40", "backup"],
    ["200.0.0.1", "100.0.0.1", "master"],
    ["fe80::9", "fe80::10", "backup"],
    ["fe80::1:0", "fe80::ffff", "master"],
  ])("compares addresses as unsigned numbers: %s against %s, then it is %s", (source, other, phase) => {
    const addresses = [source.includes(":") ? "fe80::50" : "10.77.0.50"];
    const lab = new Lab({ version: 3, source, addresses }).becomeMaster();
    expect(lab.hear(100, other).advance(0).phase).toBe(phase);
  });

  test("measures the silence of the one that it gave way to by that one's interval", () => {
    const lab = new Lab({ version: 3, intervalMs: 100 }).becomeMaster().hear(200, HIGHER, { intervalMs: 1_000 });
    expect(lab.waitFor(() => lab.holds)).toBe(3_000 + 610);
  });

  test("answers a lower priority with an advert and an announcement", () => {
    const lab = new Lab().becomeMaster().hear(90);
    expect(lab.transcript).toEqual(["3.610 say 100", "3.610 announce"]);
  });

  test("answers a farewell with an advert: the sender's backups shall hear that there is a master", () => {
    const lab = new Lab().becomeMaster().hear(0);
    expect(lab.transcript).toEqual(["3.610 say 100"]);
  });

  test("does not answer a flood: 1,000 adverts in a second get 10 answers", () => {
    const lab = new Lab().becomeMaster();
    for (let i = 0; i < 1_000; i += 1) lab.hear(90).advance(1);
    expect(lab.transcript.filter((line) => line.endsWith("say 100"))).toHaveLength(10);
    expect(lab.transcript.filter((line) => line.endsWith("announce"))).toHaveLength(10);
  });

  test("goes on at its adverts' pace while it is not contradicted", () => {
    const lab = new Lab().becomeMaster().advance(600_000);
    expect(lab.transcript).toEqual([]);
    expect(lab.until - lab.ms).toBeGreaterThan(1_990);
  });
});

describe("the documents' own rules", () => {
  test("RFC 3768: a lower priority is discarded without an answer", () => {
    expect(new Lab({ rules: RFC_3768 }).becomeMaster().hear(90).transcript).toEqual([]);
  });

  test("RFC 9568: it is answered by an advert alone", () => {
    expect(new Lab({ rules: RFC_9568 }).becomeMaster().hear(90).transcript).toEqual(["3.610 say 100"]);
  });

  test("RFC 9568, section 7.1: the owner of the addresses drops all adverts", () => {
    const rules = RFC_9568;
    expect(new Lab({ rules, priority: 255 }).becomeMaster().hear(255, HIGHER).advance(0).phase).toBe("master");
    expect(new Lab({ priority: 255 }).becomeMaster().hear(255, HIGHER).advance(0).phase).toBe("backup");
  });

  test("RFC 9568: other addresses are told, and accepted", () => {
    const lab = new Lab({ rules: RFC_9568 }).advance(3_000).hear(150, HIGHER, { addresses: ["10.77.0.99"] });
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
    expect(lab.transcript[1]).toBe(
      `3.000 warning addresses-differ: an advert of ${HIGHER} does not fit: it lacks 10.77.0.50, and it has 10.77.0.99, not configured here`,
    );
  });
});

describe("the timers", () => {
  test("are named, and one runs in each phase", () => {
    const running = (lab: Lab): string[] =>
      Object.entries(vrrpTimers(lab.state)).flatMap(([name, at]) => (Number.isFinite(at) ? name : []));
    expect(running(new Lab({ startupDelayMs: 10 }))).toEqual(["startup"]);
    expect(running(new Lab())).toEqual(["master-down"]);
    expect(running(new Lab().becomeMaster())).toEqual(["lease"]);
    expect(running(new Lab().becomeMaster().advance(1_000).hear(90))).toEqual(["lease", "conflict"]);
    expect(running(new Lab().becomeMaster().post({ type: "unable" }).advance(0))).toEqual(["back-off"]);
    expect(running(new Lab().post({ type: "fitness", ineligible: NO_LINK }))).toEqual([]);
    expect(running(new Lab().post({ type: "stop", reason: STOPPED }))).toEqual([]);
  });

  test("that fire too early do no harm", () => {
    const lab = new Lab();
    for (let i = 0; i < 3_609; i += 1) lab.post({ type: "tick" }).advance(1);
    expect(lab.phase).toBe("backup");
    expect(lab.advance(1).state.router.source).toBe(OWN);
    expect(lab.phase).toBe("master");
  });
});
