// How a holder hands an election over.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { Fleet } from "./fleet.ts";
import { holderAndOthers } from "./scenes.ts";
import { candidacy, ineligible, TTL_MS } from "./samples.ts";

describe("a handover", () => {
  test("waits until the host has released", () => {
    const {
      fleet,
      a,
      others: [b],
    } = holderAndOthers({ b: 50 });
    a.releasesAtOnce = false;
    a.stepDown();
    fleet.advance(20_000);
    expect(a.reasons).toEqual(["step-down"]);
    expect(fleet.record?.holder, "the store still names the node whose host has not released").toBe("a");
    a.released();
    fleet.advance(5);
    expect(b?.holds).toBe(true);
  });

  test("is one commit: there is no vacancy in between, and the token grows", () => {
    const {
      fleet,
      a,
      others: [b],
    } = holderAndOthers({ b: 50 });
    const before = fleet.record;
    a.stepDown();
    fleet.advance(5);
    expect(fleet.record).toMatchObject({
      holder: "b",
      seq: (before?.seq ?? 0) + 1,
      reason: reason("step-down"),
      previousToken: String(before?.version),
    });
    expect(b?.tokens).toEqual([fleet.record?.version]);
    expect(b?.tokens[0]).toBeGreaterThan(before?.version ?? 0n);
    expect(fleet.history().at(-1)).toMatchObject({ from: "a", to: "b", vacantMs: 0 });
  });

  test.each<{ name: string; to: string | null; expected: string }>([
    { name: "to the best", to: null, expected: "c" },
    { name: "to the one who is named", to: "b", expected: "b" },
  ])("goes $name", ({ to, expected }) => {
    const { fleet, a } = holderAndOthers({ b: 20, c: 50 });
    a.stepDown(to);
    fleet.advance(20_000);
    expect(fleet.holders).toEqual([expected]);
  });

  test("goes to the best when the one who is named has become ineligible before the host had released", () => {
    const {
      fleet,
      a,
      others: [b],
    } = holderAndOthers({ b: 20, c: 50 });
    a.releasesAtOnce = false;
    a.stepDown("b");
    fleet.advance(10);
    b?.wish(ineligible());
    fleet.advance(10);
    a.released();
    fleet.advance(10);
    expect(fleet.holders).toEqual(["c"]);
  });

  test("comes to nothing when the last candidate leaves before the host has released: the node holds again", () => {
    const {
      fleet,
      a,
      others: [b],
    } = holderAndOthers({ b: 20 });
    a.releasesAtOnce = false;
    a.stepDown();
    fleet.advance(10);
    b?.post({ type: "stop" });
    fleet.advance(10);
    a.released();
    fleet.until(() => a.holds, 10);
    expect(fleet.record).toMatchObject({ holder: "a", seq: 1 });
  });

  test.each<{ name: string; others: Record<string, number>; to: string | null }>([
    { name: "nobody else is there", others: {}, to: null },
    { name: "the one who is named is not there", others: { b: 50 }, to: "nobody" },
  ])("does not happen when $name", ({ others, to }) => {
    const { fleet, a } = holderAndOthers(others);
    a.stepDown(to);
    fleet.advance(20_000);
    expect(fleet.holders).toEqual(["a"]);
    expect(a.reasons).toEqual([]);
    expect(a.notes).toContain("no eligible candidate to hand over to");
  });

  test("of an election that the node does not hold does nothing", () => {
    const {
      fleet,
      others: [b],
    } = holderAndOthers({ b: 50 });
    const before = fleet.record;
    b?.stepDown();
    fleet.advance(TTL_MS);
    expect(fleet.record).toEqual(before);
    expect(b?.notes).toEqual([]);
  });

  test("suppresses pre-emption by the node that stepped down, until it has held again", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ priority: 200 }));
    fleet.advance(1_000);
    const b = fleet.start("b");
    fleet.advance(5_000);
    a.stepDown();
    fleet.advance(30_000);
    expect(fleet.holders).toEqual(["b"]);
    fleet.kill(b);
    fleet.until(() => a.holds);
    const c = fleet.start("b2", candidacy({ priority: 250 }));
    fleet.until(() => c.holds);
    c.wish(candidacy({ priority: 10 }));
    expect(
      fleet.until(() => a.holds),
      "having held again, it pre-empts again",
    ).toBeLessThan(100);
  });

  test("whose answer was lost is read before anything else, and not taken back", () => {
    const {
      fleet,
      a,
      others: [b],
    } = holderAndOthers({ b: 50 });
    a.link = "unanswered";
    a.stepDown();
    fleet.advance(50);
    expect(fleet.record?.holder).toBe("b");
    a.link = "good";
    let both = 0;
    for (let ms = 0; ms < 20_000; ms += 1) {
      fleet.advance(1);
      if (a.holds && b?.holds === true) both += 1;
    }
    expect(both).toBe(0);
    expect(fleet.holders).toEqual(["b"]);
  });

  test("that may yet be applied keeps its sender from holding, until it is settled", () => {
    const {
      fleet,
      a,
      others: [b],
    } = holderAndOthers({ b: 50 });
    a.link = "late";
    fleet.arrivesMs = 4_000;
    a.wish(ineligible());
    fleet.advance(1);
    a.wish(candidacy());
    a.link = "refused";
    fleet.advance(450);
    expect(a.state.inFlight, "the handover is under way").not.toBeNull();
    expect(a.holds).toBe(false);
    fleet.advance(450);
    expect(a.state.inDoubtAttempts, "its outcome is unknown").toHaveLength(1);
    expect(a.holds).toBe(false);
    a.commitLink = "refused";
    a.link = "good";
    fleet.advance(400);
    expect(fleet.record?.holder, "a read does not settle what may come later").toBe("a");
    expect(a.holds).toBe(false);
    a.commitLink = undefined;
    expect(
      fleet.until(() => a.holds),
      "its own next heartbeat settles it: the handover can come no more",
    ).toBeLessThan(400);
    fleet.advance(20_000);
    expect(fleet.record).toMatchObject({ holder: "a", seq: 1 });
    expect(b?.tokens).toEqual([]);
  });
});

test("tokens only grow, over handovers, breaks, vacancies and restarts", () => {
  const fleet = new Fleet();
  const tokens: bigint[] = [];
  for (let round = 0; round < 6; round += 1) {
    const node = fleet.start(`n${round}`);
    fleet.until(() => fleet.holders.length > 0);
    tokens.push(...node.tokens);
    if (round % 2 === 0) fleet.kill(node);
    else node.post({ type: "stop" });
    fleet.advance(100);
  }
  expect(tokens).toHaveLength(6);
  expect(tokens).toEqual([...new Set(tokens)].toSorted((x, y) => Number(x - y)));
});
