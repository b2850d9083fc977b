// The lease of a master: its own adverts give it, and without them it falls silent before a backup can take over.

import { describe, expect, test } from "vitest";
import { later } from "../../../src/base/time.ts";
import { HIGHER, Lab } from "./lab.ts";

describe("a claim", () => {
  test("becomes a mastership when an advert has left, not before", () => {
    const lab = new Lab();
    lab.sends = false;
    lab.advance(10_000);
    expect([lab.phase, lab.until]).toEqual(["claiming", Number.NaN]);
    expect(lab.transcript.slice(-1)).toEqual([
      "3.609 warning send-failed: an advert did not leave: sendto failed: Network is down (ENETDOWN)",
    ]);
    lab.sends = true;
    expect(lab.waitFor(() => lab.holds)).toBeLessThanOrEqual(1_000);
  });

  test("counts from the moment before the advert was handed to the socket", () => {
    const lab = new Lab({}, { begin: false }).post({ type: "tick" });
    lab.sends = false;
    lab.waitFor(() => lab.phase === "claiming");
    const sentAt = lab.now;
    lab.freeze(400).post({ type: "sent", at: sentAt });
    expect(lab.phase).toBe("master");
    expect(lab.until).toBeCloseTo(sentAt - 1_000_000 + 2_992, 0);
  });

  test("is not granted by an advert of an earlier mastership, nor by one that left too long ago", () => {
    const lab = new Lab();
    lab.sends = false;
    const before = lab.now;
    lab.waitFor(() => lab.phase === "claiming");
    const claimedAt = lab.now;
    expect(lab.post({ type: "sent", at: before }).phase).toBe("claiming");
    expect(lab.freeze(2_900).post({ type: "sent", at: claimedAt }).phase).toBe("claiming");
  });

  test("gives way to a better master, and nothing has to be released", () => {
    const lab = new Lab();
    lab.sends = false;
    lab.waitFor(() => lab.phase === "claiming");
    lab.transcript.length = 0;
    lab.hear(150, HIGHER);
    expect(lab.transcript).toEqual(["3.610 hush", `3.610 claiming -> backup: the master ${HIGHER} takes precedence`]);
  });

  test("is defended against a lower priority", () => {
    const lab = new Lab();
    lab.sends = false;
    lab.waitFor(() => lab.phase === "claiming");
    lab.transcript.length = 0;
    expect(lab.hear(90).transcript).toEqual(["3.610 say 100", "3.610 announce"]);
  });
});

describe("the right to hold", () => {
  test("is extended by each advert that leaves, three intervals from before its send", () => {
    const lab = new Lab().becomeMaster();
    const [first, second] = [lab.until, lab.advance(1_000).until];
    expect(second - first).toBe(1_000);
    expect(lab.advance(2_000).until - second).toBe(2_000);
  });

  test("is not extended by reports that come twice or in the wrong order", () => {
    const lab = new Lab().becomeMaster().advance(5_000);
    const { until, state } = lab;
    for (const back of [0, 500, 4_000, 60_000]) lab.post({ type: "sent", at: later(lab.now, -back - 1_000) });
    expect([lab.until, lab.state.phase]).toEqual([until, state.phase]);
  });

  test("ends when adverts do not leave any more, and a backup cannot have taken over by then", () => {
    const lab = new Lab().becomeMaster();
    lab.sends = false;
    const lastSent = lab.ms;
    lab.waitFor(() => !lab.holds);
    expect(lab.ms - lastSent).toBeLessThan(2_990);
    expect(lab.advance(0).transcript.slice(1)).toEqual([
      "6.451 master -> releasing: no advert could be sent in time, so that others may take over",
      "6.451 hush",
      "6.451 lose: no advert could be sent in time, so that others may take over",
      "6.451 releasing -> backup: no advert could be sent in time, so that others may take over",
    ]);
  });

  test("is taken up again after the time of silence, when adverts leave again", () => {
    const lab = new Lab().becomeMaster();
    lab.sends = false;
    lab.waitFor(() => lab.phase === "backup");
    lab.sends = true;
    expect(lab.waitFor(() => lab.holds)).toBe(3_609);
  });
});

describe("a frozen program", () => {
  test("that thaws as a master gives up first of all, and says no farewell: others are about to take over", () => {
    const lab = new Lab().becomeMaster().advance(500).freeze(10_000);
    lab.post({ type: "tick" }).advance(0);
    expect(lab.transcript.slice(0, 3)).toEqual([
      "14.110 master -> releasing: no advert could be sent in time, so that others may take over",
      "14.110 hush",
      "14.110 lose: no advert could be sent in time, so that others may take over",
    ]);
    expect(lab.transcript.join("\n")).not.toContain("say");
  });

  test("goes on when the pause was short", () => {
    const lab = new Lab().becomeMaster().advance(500).freeze(1_500).post({ type: "tick" }).advance(5_000);
    expect([lab.holds, lab.transcript]).toEqual([true, []]);
  });

  test("goes on when its sender sent on meanwhile and the reports are handed in first", () => {
    const lab = new Lab().becomeMaster().freeze(5_000);
    lab.post({ type: "sent", at: later(lab.now, -300) }).post({ type: "tick" });
    expect([lab.holds, lab.transcript]).toEqual([true, []]);
  });

  test("whose sender fell silent has it speak again, within the lease only", () => {
    const within = new Lab().becomeMaster().freeze(1_900).post({ type: "silenced" });
    expect(within.transcript).toEqual(["5.510 speak 100 every 1000 ms"]);
    const beyond = new Lab().becomeMaster().freeze(4_000).post({ type: "silenced" });
    expect([beyond.phase, beyond.speaks]).toEqual(["releasing", undefined]);
  });

  test("whose sender fell silent while it claimed has it speak again", () => {
    const lab = new Lab();
    lab.sends = false;
    lab.waitFor(() => lab.phase === "claiming");
    lab.transcript.length = 0;
    expect(lab.post({ type: "silenced" }).transcript).toEqual(["3.610 speak 100 every 1000 ms"]);
    expect(new Lab().post({ type: "silenced" }).transcript).toHaveLength(1);
  });

  test("that thaws as a backup finds the master's adverts in its sockets, and stays one", () => {
    const lab = new Lab().hearFor(5_000, 150, HIGHER).advance(3_500);
    lab.onDrain = () => lab.hear(150, HIGHER);
    lab.freeze(200).advance(0).advance(3_000);
    expect([lab.phase, lab.transcript.length]).toEqual(["backup", 1]);
  });

  test("that thaws long after its time listens once more, since what it slept through may be lost", () => {
    const lab = new Lab().hearFor(5_000, 150, HIGHER).freeze(60_000).advance(0);
    expect(lab.phase).toBe("backup");
    expect(lab.transcript.at(-1)).toBe(
      "65.000 warning overslept: this host was not scheduled for 56391 ms when it was to take over: it listens once more",
    );
    // One interval and the skew.
    expect(lab.waitFor(() => lab.holds)).toBe(1_610);
  });

  test("that oversleeps again and again takes over in the end", () => {
    const lab = new Lab();
    for (let i = 0; i < 3 && lab.phase === "backup"; i += 1) lab.freeze(30_000).advance(0);
    expect(lab.phase).toBe("master");
  });

  test("that is frozen between the question to the sockets and the answer asks once more", () => {
    const lab = new Lab();
    lab.onDrain = null;
    lab.advance(3_620);
    let drains = 0;
    lab.onDrain = () => (drains += 1);
    lab.freeze(700).post({ type: "drained" });
    expect([lab.phase, drains]).toEqual(["backup", 0]);
    expect(lab.advance(0).phase).toBe("master");
    expect(drains).toBe(1);
  });

  test("whose integrator forgets to answer is asked again, and nothing is taken meanwhile", () => {
    const lab = new Lab();
    lab.onDrain = null;
    expect(lab.advance(60_000).phase).toBe("backup");
    lab.onDrain = () => {};
    expect(lab.advance(200).phase).toBe("master");
  });
});

describe("an answer of the sockets", () => {
  test("that brings a master's advert ends the takeover", () => {
    const lab = new Lab().hearFor(5_000, 150, HIGHER);
    lab.onDrain = () => lab.hear(150, HIGHER);
    expect(lab.advance(60_000).phase).toBe("backup");
  });

  test("without a question changes nothing", () => {
    expect(new Lab().post({ type: "drained" }).advance(3_600).post({ type: "drained" }).phase).toBe("backup");
    expect(new Lab().becomeMaster().post({ type: "drained" }).phase).toBe("master");
  });
});
