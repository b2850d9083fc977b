import { describe, expect, test } from "vitest";
import { candidacy, ELECTION, ELECTION_KEY, Fleet, type Node, TTL_MS } from "./fleet.ts";

/** A holder "a" of priority 100, and others that do not pre-empt. */
function begin(others: Readonly<Record<string, number>>): { fleet: Fleet; a: Node; others: readonly Node[] } {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(1_000);
  const nodes = Object.entries(others).map(([name, priority]) =>
    fleet.start(name, candidacy({ priority, preempt: false })),
  );
  // Between two heartbeats: nothing is under way.
  fleet.advance(10_400);
  return { fleet, a, others: nodes };
}

describe("pre-emption", () => {
  test.each<{ name: string; wish: Parameters<typeof candidacy>[0]; holder: string; afterMs?: number }>([
    { name: "a better candidate is handed it at once", wish: { priority: 150 }, holder: "b", afterMs: 0 },
    {
      name: "after its delay, when it wants one",
      wish: { priority: 150, preemptDelayMs: 2_500 },
      holder: "b",
      afterMs: 2_500,
    },
    { name: "not one that does not pre-empt", wish: { priority: 150, preempt: false }, holder: "a" },
    { name: "not an equal", wish: { priority: 100 }, holder: "a" },
    { name: "not one that is not eligible", wish: { priority: 150, eligible: false }, holder: "a" },
  ])("$name", ({ wish, holder, afterMs }) => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(5_000);
    fleet.start("b", candidacy(wish));
    const began = fleet.now;
    if (afterMs !== undefined) fleet.until(() => fleet.holders.includes("b"));
    expect(fleet.now - began).toBeGreaterThanOrEqual(afterMs ?? 0);
    expect(fleet.now - began).toBeLessThanOrEqual((afterMs ?? 0) + 5);
    fleet.advance(20_000);
    expect(fleet.holders).toEqual([holder]);
    expect(a.reasons).toEqual(holder === "b" ? ["b has a higher priority"] : []);
  });

  test("its delay begins anew when the candidate has changed", () => {
    const fleet = new Fleet();
    fleet.start("a");
    fleet.advance(5_000);
    const b = fleet.start("b", candidacy({ priority: 150, preemptDelayMs: 2_000 }));
    fleet.advance(1_500);
    b.post({ type: "candidacy", election: ELECTION, candidacy: candidacy({ priority: 160, preemptDelayMs: 2_000 }) });
    expect(fleet.until(() => b.holds)).toBeGreaterThanOrEqual(1_999);
  });

  test("a better candidate that dies while it waits is not handed anything", () => {
    const fleet = new Fleet();
    const a = fleet.start("a");
    fleet.advance(5_000);
    fleet.kill(fleet.start("b", candidacy({ priority: 150, preemptDelayMs: 4_000 })));
    fleet.advance(20_000);
    expect(fleet.record).toMatchObject({ holder: "a", seq: 1 });
    expect(a.reasons).toEqual([]);
  });
});

describe("a handover", () => {
  test("waits until the host has let go", () => {
    const {
      fleet,
      a,
      others: [b],
    } = begin({ b: 50 });
    a.obliging = false;
    a.post({ type: "step-down", election: ELECTION, to: null });
    fleet.advance(20_000);
    expect(a.reasons).toEqual(["stepped down"]);
    expect(fleet.record?.holder, "the store still names the one whose host has not let go").toBe("a");
    a.post({ type: "let-go", election: ELECTION });
    fleet.advance(5);
    expect(b?.holds).toBe(true);
  });

  test("is one commit: there is no vacancy in between, and the token grows", () => {
    const {
      fleet,
      a,
      others: [b],
    } = begin({ b: 50 });
    const before = fleet.record;
    a.post({ type: "step-down", election: ELECTION, to: null });
    fleet.advance(5);
    expect(fleet.record).toMatchObject({ holder: "b", seq: (before?.seq ?? 0) + 1, reason: "stepped down" });
    expect(b?.tokens).toEqual([fleet.record?.version]);
    expect(b?.tokens[0]).toBeGreaterThan(before?.version ?? 0n);
  });

  test.each<{ name: string; to: string | null; expected: string }>([
    { name: "to the best", to: null, expected: "c" },
    { name: "to the one who is named", to: "b", expected: "b" },
  ])("goes $name", ({ to, expected }) => {
    const { fleet, a } = begin({ b: 20, c: 50 });
    a.post({ type: "step-down", election: ELECTION, to });
    fleet.advance(20_000);
    expect(fleet.holders).toEqual([expected]);
  });

  test.each<{ name: string; others: Record<string, number>; to: string | null }>([
    { name: "nobody else is there", others: {}, to: null },
    { name: "the one who is named is not there", others: { b: 50 }, to: "nobody" },
  ])("does not happen when $name", ({ others, to }) => {
    const { fleet, a } = begin(others);
    a.post({ type: "step-down", election: ELECTION, to });
    fleet.advance(20_000);
    expect(fleet.holders).toEqual(["a"]);
    expect(a.reasons).toEqual([]);
    expect(a.notes).toContain("no eligible candidate to hand over to");
  });

  test("makes the one who stepped down preemptSuppressed: it does not ask for it back, but takes it when it is free", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ priority: 200 }));
    fleet.advance(1_000);
    const b = fleet.start("b");
    fleet.advance(5_000);
    a.post({ type: "step-down", election: ELECTION, to: null });
    fleet.advance(30_000);
    expect(fleet.holders).toEqual(["b"]);
    fleet.kill(b);
    fleet.until(() => a.holds);
    const c = fleet.start("b2", candidacy({ priority: 250 }));
    fleet.until(() => c.holds);
    c.post({ type: "candidacy", election: ELECTION, candidacy: candidacy({ priority: 10 }) });
    expect(
      fleet.until(() => a.holds),
      "having held again, it is preemptSuppressed no more",
    ).toBeLessThan(100);
  });

  test("whose answer was lost is not taken back: read before anything else", () => {
    const {
      fleet,
      a,
      others: [b],
    } = begin({ b: 50 });
    a.link = "deaf";
    a.post({ type: "step-down", election: ELECTION, to: null });
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
    } = begin({ b: 50 });
    a.link = "slow";
    fleet.arrivesMs = 4_000;
    a.post({ type: "candidacy", election: ELECTION, candidacy: candidacy({ eligible: false }) });
    fleet.advance(1);
    a.post({ type: "candidacy", election: ELECTION, candidacy: candidacy() });
    a.link = "refuses";
    fleet.advance(450);
    expect(a.state.inFlight, "the handover is under way").not.toBeNull();
    expect(a.holds).toBe(false);
    fleet.advance(450);
    expect(a.state.inDoubtAttempts, "its outcome is unknown").toHaveLength(1);
    expect(a.holds).toBe(false);
    a.commitLink = "refuses";
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

describe("a node that may not hold any more", () => {
  test.each<{ name: string; event: (node: Node) => void; reason: string }>([
    {
      name: "is not eligible",
      event: (node) =>
        node.post({
          type: "candidacy",
          election: ELECTION,
          candidacy: candidacy({ eligible: false, reason: "check failed" }),
        }),
      reason: "check failed",
    },
    {
      name: "has no candidacy",
      event: (node) => node.post({ type: "candidacy", election: ELECTION, candidacy: null }),
      reason: "no longer configured",
    },
    {
      name: "has a host that cannot",
      event: (node) => node.post({ type: "unfit", election: ELECTION, reason: "link is down", forMs: 60_000 }),
      reason: "link is down",
    },
    { name: "stops", event: (node) => node.post({ type: "stop" }), reason: "shutting down" },
  ])("because it $name hands over, or leaves a vacant record behind", ({ event, reason }) => {
    const {
      fleet,
      a,
      others: [b],
    } = begin({ b: 50 });
    event(a);
    fleet.advance(10);
    expect(fleet.holders).toEqual(["b"]);
    expect(a.reasons).toEqual([reason]);
    const { version = 0n, seq = 0 } = fleet.record ?? {};
    b?.post({ type: "stop" });
    fleet.advance(10);
    expect(fleet.record).toMatchObject({ holder: null, seq: seq + 1, reason: "shutting down" });
    const c = fleet.start("c");
    fleet.advance(10);
    expect(c.tokens[0], "the token grows over the vacancy").toBeGreaterThan(version);
  });

  test("that stops ends its session with the same commit, removes its candidacy, and says when it is done", () => {
    const { fleet, a } = begin({});
    a.post({ type: "stop" });
    fleet.advance(10);
    expect(a.times("stopped")).toHaveLength(1);
    expect(fleet.session("a")).toBeUndefined();
    expect(fleet.stored(`/vipd/f/live/candidates/${ELECTION}/a`)).toBeUndefined();
    const commits = a.commits.length;
    fleet.advance(30_000);
    expect(a.commits).toHaveLength(commits);
  });

  test("that stops keeps its session while its host still closes what the store gave to another", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ preempt: false }));
    fleet.advance(1_000);
    const b = fleet.start("b", candidacy({ preempt: false }));
    fleet.advance(TTL_MS);
    a.obliging = false;
    fleet.put(ELECTION_KEY, {
      ...fleet.record,
      format: 1,
      holder: "b",
      incarnation: "b-1",
      sinceWallMs: 0,
      version: undefined,
    });
    fleet.advance(10);
    expect(a.reasons).toEqual(["the store names another holder"]);
    a.post({ type: "stop" });
    fleet.advance(TTL_MS);
    expect(fleet.session("a"), "an address is still bound").toBeDefined();
    a.post({ type: "let-go", election: ELECTION });
    fleet.advance(10);
    expect(fleet.session("a")).toBeUndefined();
    expect(b.holds).toBe(true);
  });

  test("that stops out of the store's reach still lets go at once", () => {
    const { fleet, a } = begin({ b: 50 });
    a.link = "lost";
    a.post({ type: "stop" });
    fleet.advance(1);
    expect(a.holds).toBe(false);
    fleet.until(() => fleet.holders.includes("b"));
    expect(fleet.holders).toEqual(["b"]);
  });

  test("whose host could not tries again after a while", () => {
    const { fleet, a } = begin({});
    a.post({ type: "unfit", election: ELECTION, reason: "refused", forMs: 5_000 });
    fleet.advance(10);
    expect(fleet.record?.holder).toBeNull();
    const took = fleet.until(() => a.holds);
    expect(took).toBeGreaterThan(4_900);
    expect(took).toBeLessThan(5_100);
  });

  test("whose candidacy was withdrawn is no candidate in the store either, and stays alive", () => {
    const { fleet, a } = begin({});
    a.post({ type: "candidacy", election: ELECTION, candidacy: null });
    fleet.advance(2 * TTL_MS);
    expect(fleet.stored(`/vipd/f/live/candidates/${ELECTION}/a`)).toBeUndefined();
    expect(fleet.session("a")).toBeDefined();
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
