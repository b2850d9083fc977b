// What a listener makes of adverts that say less than they seem to: of another than the master, old ones, and other intervals.
// Found by the simulation (test/simulation/vrrp): each of these ended in two that answered.

import { describe, expect, test } from "vitest";
import { HIGHER, Lab, LOWER, router } from "./lab.ts";

/** The time of silence of priority 100 at intervals of 3 s, in version 3. */
const SILENCE_OF_3_S = 9_000 + 1_829;

describe("a farewell", () => {
  test("of another than the master is not followed: it may have been overtaken by the adverts of its successor", () => {
    const lab = new Lab().hearFor(5_000, 150, LOWER).hear(120, HIGHER).hear(0, LOWER);
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
    expect(lab.state.change.code).toBe("master-down");
  });

  test("of one that was never heard is followed where no master is known", () => {
    const lab = new Lab().hear(0, LOWER);
    expect(lab.waitFor(() => lab.holds)).toBe(610);
  });

  test("of the master itself is followed, also when it comes twice", () => {
    const lab = new Lab().hearFor(5_000, 150, HIGHER).hear(0, HIGHER).advance(100).hear(0, HIGHER);
    expect(lab.waitFor(() => lab.holds)).toBe(610);
  });
});

describe("an advert of a lower master that may be old", () => {
  test("found in the sockets when silence was to be believed: the next one shows that it lives", () => {
    const lab = new Lab();
    lab.onDrain = () => lab.hear(90, LOWER);
    expect(lab.advance(3_610).phase).toBe("backup");
    lab.onDrain = () => {};
    expect(lab.hearFor(1_000, 90).advance(100).phase).toBe("master");
    expect(lab.state.change.code).toBe("lower-master");
  });

  test("handed in after the time had run out, before any tick: this host did not run meanwhile", () => {
    const lab = new Lab().hearFor(3_000, 90).freeze(3_700).hear(90, LOWER).advance(0);
    expect(lab.phase).toBe("backup");
    expect(lab.hearFor(1_000, 90).advance(100).phase).toBe("master");
  });

  test("and that nothing follows is a master that has fallen silent", () => {
    const lab = new Lab();
    lab.onDrain = () => lab.hear(90, LOWER);
    lab.advance(3_610);
    lab.onDrain = () => {};
    expect(lab.waitFor(() => lab.holds)).toBe(3_609);
    expect(lab.state.change.code).toBe("master-down");
  });
});

describe("an interval in version 3", () => {
  test("of its own that becomes shorter does not make the master's shorter", () => {
    const lab = new Lab({ version: 3, intervalMs: 3_000 }).hearFor(12_000, 150, HIGHER);
    for (const intervalMs of [1_000, 100])
      lab.post({ type: "configure", router: router({ version: 3, intervalMs }) }).advance(0);
    expect(lab.waitFor(() => lab.holds)).toBe(SILENCE_OF_3_S);
  });

  test("of its own counts while no master is known", () => {
    const lab = new Lab({ version: 3, intervalMs: 3_000 });
    lab.post({ type: "configure", router: router({ version: 3, intervalMs: 100 }) });
    expect(lab.waitFor(() => lab.holds)).toBe(300 + 61);
  });

  test.each([
    ["the same master", HIGHER],
    ["another master, or an advert of a former one that comes late", LOWER],
  ])("of %s that is shorter does not end what was advertised before", (_, source) => {
    const lab = new Lab({ version: 3, intervalMs: 3_000 }).hear(150, HIGHER).hear(200, source, { intervalMs: 100 });
    expect(lab.waitFor(() => lab.holds)).toBe(SILENCE_OF_3_S);
  });
});
