// A claim against a master that lives: nothing is held before nobody else answers, or may.

import { beforeEach, describe, expect, test } from "vitest";
import { vrrpTimers } from "../../../src/vrrp/machine.ts";
import { NO_LINK, HIGHER, Lab, LOWER, STOPPED, router } from "./lab.ts";

/** Of priority 100, in version 2, with an interval of a second. */
const DOWN_MS = 3_610;

let lab: Lab;
beforeEach(() => {
  // It has claimed at 4 s, by an advert that left at once.
  lab = new Lab();
  lab.isAnswered = true;
  lab.hearFor(4_000, 90);
});

const asked = (): readonly number[] =>
  lab.transcript.flatMap((line) => (line.endsWith(" ask") ? Math.round(Number.parseFloat(line) * 1_000) - 4_000 : []));

describe("while somebody answers for the addresses", () => {
  test("it speaks, holds nothing, and asks again, less and less often", () => {
    lab.advance(1_000);
    expect([lab.phase, lab.speaks?.priority, lab.until]).toEqual(["claiming", 100, Number.NaN]);
    expect(asked()).toEqual([5, 30, 60, 100, 160, 260, 440, 710, 980]);
  });

  test("it holds them at the end of the first question that nobody answers", () => {
    lab.advance(500);
    lab.isAnswered = false;
    expect(lab.waitFor(() => lab.holds)).toBe(230);
    expect(lab.state.change.code).toBe("lower-master");
  });

  test("it holds them when no advert that was heard lets anybody hold any more", () => {
    expect(lab.waitFor(() => lab.holds)).toBe(DOWN_MS);
    expect(lab.until - lab.ms).toBeLessThan(2_992);
  });

  test("a master that advertises less often may hold for longer", () => {
    lab = new Lab({ version: 3, intervalMs: 100 });
    lab.isAnswered = true;
    lab.hear(90, LOWER, { intervalMs: 2_000 }).hearFor(14_000, 90, LOWER, 2_000);
    expect(lab.phase).toBe("claiming");
    expect(lab.ms + lab.waitFor(() => lab.holds)).toBeGreaterThanOrEqual(14_000 + 6_000);
  });

  test("and goes on as a lower master, which has not heard the claim, its right begins anew with each advert", () => {
    for (let i = 0; i < 10; i += 1) lab.advance(1_000).hear(90);
    expect(lab.phase).toBe("claiming");
    expect(lab.transcript.filter((line) => line.endsWith("say 100"))).toHaveLength(10);
    expect(lab.waitFor(() => lab.holds)).toBe(DOWN_MS);
  });
});

describe("a question", () => {
  test("that was open when the lower master was heard counts no more", () => {
    lab.isAnswered = false;
    lab.advance(15).hear(90).advance(10);
    expect(lab.phase).toBe("claiming");
    expect(lab.waitFor(() => lab.holds)).toBe(15);
  });

  test("that is never answered is asked again, and the right of the former master is waited for", () => {
    lab.isAnswered = null;
    expect(lab.waitFor(() => lab.holds)).toBe(DOWN_MS);
    expect(asked()).toEqual([5, 610, 1_220, 1_840, 2_480, 3_160]);
  });

  test("whose answer comes when another one is open, or late, changes nothing", () => {
    const askedAt = lab.now;
    lab.isAnswered = null;
    lab.advance(5).post({ type: "answered", askedAt, isSilent: true });
    expect(lab.phase).toBe("claiming");
    lab.post({ type: "answered", askedAt: lab.now, isSilent: true }).advance(0);
    expect(lab.phase).toBe("master");
  });

  test("whose answer was read long after it came is asked anew", () => {
    lab.advance(5);
    const askedAt = lab.now;
    lab.freeze(700).post({ type: "answered", askedAt, isSilent: true });
    expect(lab.phase).toBe("claiming");
  });

  test("is not asked before the claim has left", () => {
    lab = new Lab();
    lab.sends = false;
    lab.hearFor(4_000, 90).advance(900);
    expect([lab.phase, asked()]).toEqual(["claiming", []]);
    lab.sends = true;
    lab.advance(200);
    expect([lab.phase, asked()]).toEqual(["master", [1_005]]);
  });

  test("is asked anew behind a claim of another priority", () => {
    lab.isAnswered = false;
    lab.advance(20).post({ type: "priority", priority: 120 }).advance(10);
    expect([lab.phase, asked()]).toEqual(["claiming", [5, 25]]);
    expect(lab.advance(15).phase).toBe("master");
  });
});

describe("before it holds, the sockets are drained", () => {
  test("a better master that spoke meanwhile is obeyed", () => {
    lab.isAnswered = false;
    lab.onDrain = () => lab.hear(150, HIGHER);
    expect(lab.advance(100).phase).toBe("backup");
  });

  test("a lower one that spoke meanwhile has not let go, though its time seemed to be over", () => {
    lab.onDrain = () => {
      lab.onDrain = () => {};
      lab.hear(90);
    };
    lab.advance(DOWN_MS + 100);
    expect(lab.phase).toBe("claiming");
    expect(lab.waitFor(() => lab.holds)).toBeGreaterThanOrEqual(DOWN_MS - 101);
  });

  test("an answer of the sockets that is missing, or late, is asked for again", () => {
    lab.isAnswered = false;
    let drains = 0;
    lab.onDrain = null;
    lab.advance(30);
    expect(lab.phase).toBe("claiming");
    lab.onDrain = () => (drains += 1);
    lab.freeze(800).post({ type: "drained" });
    expect([lab.phase, drains]).toEqual(["claiming", 0]);
    expect([lab.advance(0).phase, drains]).toEqual(["master", 1]);
  });
});

describe("while it waits", () => {
  test("a better master is obeyed", () => {
    expect(lab.advance(100).hear(150, HIGHER).advance(0).phase).toBe("backup");
  });

  test("a stop says farewell at once: there is nothing to let go of", () => {
    lab.advance(100).transcript.length = 0;
    lab.post({ type: "stop", reason: STOPPED });
    expect([lab.phase, lab.transcript.slice(0, 2)]).toEqual(["stopped", ["4.100 hush", "4.100 say 0"]]);
  });

  test("a step-down, and a host that may not hold, leave the addresses where they are", () => {
    expect(lab.advance(100).post({ type: "step-down", reason: STOPPED }).phase).toBe("backup");
    lab = new Lab();
    lab.isAnswered = true;
    lab.hearFor(4_000, 90).post({ type: "fitness", ineligible: NO_LINK });
    expect([lab.phase, lab.advance(10_000).until]).toEqual(["fault", Number.NaN]);
  });

  test("a priority that has fallen below the other's has it obey that one", () => {
    lab.advance(100).post({ type: "priority", priority: 80 });
    expect(lab.advance(100).hear(90).phase).toBe("backup");
  });

  test("another configuration is claimed with anew", () => {
    lab.advance(100).post({ type: "configure", router: router({ priority: 110 }) });
    lab.isAnswered = false;
    expect([lab.waitFor(() => lab.holds), lab.speaks?.priority]).toEqual([25, 110]);
  });

  test("a farewell of the former master is no right to hold; the wire is asked all the same", () => {
    lab.advance(100).hear(0, LOWER);
    expect(lab.phase).toBe("claiming");
    lab.isAnswered = false;
    expect(lab.waitFor(() => lab.holds)).toBeLessThan(200);
  });

  test("a host that was frozen for long holds by its next advert, when its sockets have nothing against it", () => {
    lab.freeze(60_000);
    expect(lab.waitFor(() => lab.holds)).toBeLessThan(2_000);
    expect(lab.until - lab.ms).toBeGreaterThan(1_900);
  });

  test("one timer runs", () => {
    const { settling, ...others } = vrrpTimers(lab.state);
    expect(settling - lab.now).toBe(5);
    expect(Object.values(others).filter((at) => Number.isFinite(at))).toEqual([]);
  });
});

describe("other claims", () => {
  test("by silence find a lower master that speaks before the first advert has left: it lives", () => {
    lab = new Lab();
    lab.sends = false;
    lab.isAnswered = true;
    lab.waitFor(() => lab.phase === "claiming");
    lab.hear(90);
    lab.sends = true;
    lab.advance(2_000);
    expect(lab.phase).toBe("claiming");
    lab.isAnswered = false;
    expect(lab.waitFor(() => lab.holds)).toBeLessThan(300);
  });

  test("of one that becomes the owner of the addresses wait for the master that it heard", () => {
    lab = new Lab({ preempt: false });
    lab.isAnswered = true;
    lab.hearFor(4_000, 90).post({ type: "configure", router: router({ priority: 255 }) });
    expect([lab.phase, lab.advance(1_000).phase]).toEqual(["claiming", "claiming"]);
    lab.isAnswered = false;
    expect(lab.waitFor(() => lab.holds)).toBeLessThan(300);
  });
});
