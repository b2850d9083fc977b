// One address under two election names has one holder all the same.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { observerWaitMs } from "../../../src/election/lease.ts";
import { parseValue } from "../../../src/election/records.ts";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { addressValue, candidacy, ELECTION_KEY, electionValue, KEYS, TTL_MS } from "./samples.ts";

const IP = "10.0.0.1";
const WAIT_MS = observerWaitMs(TTL_MS);

function ownerOf(fleet: Fleet, ip = IP): string | undefined {
  const stored = fleet.stored(KEYS.address(ip));
  return stored && parseValue("address", stored.value)?.election;
}

/** Node "a" holds "web" with the address, and "b" is a candidate of "db" with the same one. */
function rivals(): { fleet: Fleet; a: Node; b: Node } {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy({ addresses: [`${IP}/24`] }));
  fleet.advance(100);
  const b = fleet.start("b", null);
  b.wish(candidacy({ addresses: [`${IP}/16`], priority: 255 }), "db");
  fleet.advance(3 * TTL_MS + 400);
  return { fleet, a, b };
}

test("whoever takes an election writes to whom its addresses belong, with the same commit", () => {
  const fleet = new Fleet();
  fleet.start("a", candidacy({ addresses: [`${IP}/24`, "fd00::1/64", `${IP}/32`] }));
  fleet.advance(1);
  const { version } = fleet.record ?? {};
  for (const ip of [IP, "fd00::1"]) {
    expect(ownerOf(fleet, ip)).toBe("web");
    expect(fleet.stored(KEYS.address(ip))?.version).toBe(version);
  }
});

describe("an address that two elections claim", () => {
  test("is held by one of them only, which people are told on both nodes", () => {
    const { fleet, a, b } = rivals();
    expect(a.holds).toBe(true);
    expect(b.tokens).toEqual([]);
    expect(ownerOf(fleet)).toBe("web");
    const text = `${IP} is configured under 2 names: web on a; db on b; only the holder of web answers for it`;
    for (const node of [a, b]) expect(node.notes.filter((note) => note === text)).toHaveLength(1);
  });

  test.each([true, false])(
    "has one holder also when both take at the same moment and know nothing of each other (watching: %s)",
    (watching) => {
      const fleet = new Fleet();
      const [a, b] = [fleet.start("a", null), fleet.start("b", null)];
      fleet.advance(TTL_MS + 400);
      for (const node of [a, b]) [node.watching, node.lagMs] = [watching, 50];
      a.wish(candidacy({ addresses: [`${IP}/24`] }));
      b.wish(candidacy({ addresses: [`${IP}/24`] }), "db");
      for (let ms = 0; ms < 3 * TTL_MS; ms += 1) {
        fleet.advance(1);
        expect(a.held + b.held).toBeLessThanOrEqual(1);
      }
      expect(a.held + b.held).toBe(1);
    },
  );

  test("goes to the other one as soon as the holder's candidacy is withdrawn and its host has released", () => {
    const { fleet, a, b } = rivals();
    a.releasesAtOnce = false;
    a.wish(null);
    fleet.advance(TTL_MS);
    expect(b.tokens, "the host of a has not released").toEqual([]);
    a.released();
    expect(fleet.until(() => b.holdsElection("db"))).toBeLessThan(10);
    expect(ownerOf(fleet)).toBe("db");
    expect(b.notes).toContain("no address is configured under two names any more");
  });

  test("goes to the other one as soon as the holder has left the fleet", () => {
    const { fleet, a, b } = rivals();
    a.post({ type: "stop" });
    expect(fleet.until(() => b.holdsElection("db"))).toBeLessThan(10);
  });

  test("goes to the other one when the holder is dead and its lease has run out, not before", () => {
    const { fleet, a, b } = rivals();
    fleet.untilHeartbeat(a);
    fleet.kill(a);
    const took = fleet.until(() => b.holdsElection("db"));
    expect(took).toBeGreaterThanOrEqual(WAIT_MS - 1);
    expect(took).toBeLessThan(WAIT_MS + 10);
    expect(fleet.session("a"), "its lease is broken by the same commit").toBeUndefined();
    expect(fleet.recordOf("db")?.reason).toEqual(reason("first-holder"));
  });

  test("goes to the other one at once when the session of the dead holder ends", () => {
    const { fleet, a, b } = rivals();
    fleet.kill(a);
    fleet.advance(10);
    fleet.put(KEYS.session("a"), null);
    expect(fleet.until(() => b.holdsElection("db"))).toBeLessThan(5);
  });

  test("stays with its election while a candidate of that lives that can hold it, when its holder dies", () => {
    const { fleet, a, b } = rivals();
    const c = fleet.start("c", candidacy({ addresses: [`${IP}/24`] }));
    fleet.advance(TTL_MS);
    fleet.kill(a);
    fleet.until(() => c.holds);
    fleet.advance(5 * TTL_MS);
    expect(b.tokens).toEqual([]);
    fleet.kill(c);
    const took = fleet.until(() => b.holdsElection("db"));
    expect(took).toBeGreaterThan(WAIT_MS - TTL_MS / 3 - 1);
  });

  test.each([
    { lastResort: false, taken: true },
    { lastResort: true, taken: false },
  ])("is not kept by a candidate that cannot hold it (as a last resort: $lastResort)", ({ lastResort, taken }) => {
    const { fleet, a, b } = rivals();
    const ineligible = reason("link-down", "eth0 is down");
    fleet.start("c", candidacy({ addresses: [`${IP}/24`], ineligible, lastResort }));
    fleet.advance(TTL_MS);
    fleet.kill(a);
    fleet.advance(5 * TTL_MS);
    expect(b.holdsElection("db")).toBe(taken);
  });

  test("is left to a holder that cannot be seen, for as long as its election is", () => {
    const { fleet, a, b } = rivals();
    fleet.untilHeartbeat(a);
    a.link = "lost";
    fleet.put(KEYS.session("a"), "rubbish");
    fleet.put(ELECTION_KEY, electionValue({ waitMs: TTL_MS }));
    fleet.until(() => b.holdsElection("db"));
    expect(a.holds).toBe(false);
  });

  test("is not taken from under an election whose candidates have it when its record cannot be read", () => {
    const { fleet, a, b } = rivals();
    fleet.put(KEYS.address(IP), "rubbish");
    fleet.advance(5 * TTL_MS);
    expect([a.holds, b.holdsElection("db")]).toEqual([true, false]);
    fleet.kill(a);
    fleet.until(() => b.holdsElection("db"), 3 * TTL_MS);
    expect(ownerOf(fleet)).toBe("db");
  });

  test("stays with a holder that lives, though its candidacy is not in the store", () => {
    const { fleet, a, b } = rivals();
    a.watching = false;
    fleet.put(KEYS.candidate("web", "a"), null);
    fleet.advance(TTL_MS);
    expect(fleet.stored(KEYS.candidate("web", "a")), "a has not noticed").toBeUndefined();
    expect([a.holds, b.held]).toEqual([true, 0]);
    fleet.kill(a);
    fleet.until(() => b.holdsElection("db"), 2 * TTL_MS);
  });

  test("keeps the whole other election from its candidates, also its addresses that nobody else claims", () => {
    const { fleet, b } = rivals();
    b.wish(candidacy({ addresses: ["10.0.0.7/24", `${IP}/24`] }), "db");
    fleet.advance(3 * TTL_MS);
    expect(b.tokens).toEqual([]);
    expect(ownerOf(fleet, "10.0.0.7")).toBeUndefined();
    b.wish(candidacy({ addresses: ["10.0.0.7/24"] }), "db");
    fleet.until(() => b.holdsElection("db"), 10);
  });

  test("goes to the other one when its holder has released it, and goes on with other addresses", () => {
    const { fleet, a, b } = rivals();
    a.wish(null);
    a.wish(candidacy({ addresses: ["10.0.0.2/24"] }));
    fleet.until(() => b.holdsElection("db") && a.holds, TTL_MS);
    expect([ownerOf(fleet), ownerOf(fleet, "10.0.0.2")]).toEqual(["db", "web"]);
  });
});

describe("an election that is handed over", () => {
  function handedOver(takenByOther: boolean): { fleet: Fleet; b: Node; c: Node } {
    const fleet = new Fleet();
    const c = fleet.start("c", null);
    if (takenByOther) c.wish(candidacy({ addresses: ["10.0.0.2/24"] }), "db");
    fleet.advance(100);
    const a = fleet.start("a", candidacy({ addresses: [`${IP}/24`] }));
    const b = fleet.start("b", candidacy({ addresses: [`${IP}/24`, "10.0.0.2/24"], priority: 50 }));
    fleet.advance(TTL_MS);
    expect(a.holds).toBe(true);
    a.wish(null);
    return { fleet, b, c };
  }

  test("to a node that has more addresses is held by it only once these belong to the election", () => {
    const { fleet, b } = handedOver(false);
    fleet.until(() => b.holds, 10);
    expect(ownerOf(fleet, "10.0.0.2")).toBe("web");
    expect(b.tokens, "the claim does not change the token").toEqual([fleet.record?.version]);
    expect(fleet.stored(KEYS.address("10.0.0.2"))?.version).toBeGreaterThan(fleet.record?.version ?? 0n);
  });

  test("to a node with an address that another election holds is held by it without that one, until it is free", () => {
    const { fleet, b, c } = handedOver(true);
    fleet.until(() => b.holds, 10);
    expect(b.grants.map(({ addresses }) => addresses)).toEqual([[IP]]);
    fleet.advance(3 * TTL_MS);
    expect(b.bound.get("web")).toEqual([IP]);
    expect(ownerOf(fleet, "10.0.0.2")).toBe("db");
    c.wish(null, "db");
    fleet.until(() => b.bound.get("web")?.length === 2, 10);
    expect(b.bound.get("web")).toEqual([IP, "10.0.0.2"]);
    expect(ownerOf(fleet, "10.0.0.2")).toBe("web");
  });
});

describe("a held election that gains an address by a new configuration", () => {
  /** Node "a" holds "web" with one address, and node "b" holds "db" with another one. */
  function twoHolders(): { fleet: Fleet; a: Node; b: Node } {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ addresses: [`${IP}/24`] }));
    const b = fleet.start("b", null);
    b.wish(candidacy({ addresses: ["10.0.0.2/24"] }), "db");
    fleet.until(() => a.holds && b.holdsElection("db"), TTL_MS);
    return { fleet, a, b };
  }

  test("answers for one that nobody has once the store says so, and nothing else moves", () => {
    const { fleet, a } = twoHolders();
    a.wish(candidacy({ addresses: [`${IP}/24`, "10.0.0.3/24"] }));
    expect(a.bound.get("web"), "the claim is not committed").toEqual([IP]);
    fleet.until(() => a.bound.get("web")?.length === 2, 10);
    expect(ownerOf(fleet, "10.0.0.3")).toBe("web");
    expect(a.tokens).toHaveLength(1);
    expect(a.losses).toEqual([]);
  });

  test("does not answer for one that another holder has, as long as that has it, and goes on with its own", () => {
    const { fleet, a, b } = twoHolders();
    b.wish(candidacy({ addresses: ["10.0.0.2/24", `${IP}/24`] }), "db");
    fleet.advance(5 * TTL_MS);
    expect([a.bound.get("web"), b.bound.get("db")]).toEqual([[IP], ["10.0.0.2"]]);
    a.wish(candidacy({ addresses: ["10.0.0.7/24"] }));
    fleet.until(() => b.bound.get("db")?.length === 2, 10);
    expect([a.bound.get("web"), b.bound.get("db")]).toEqual([["10.0.0.7"], ["10.0.0.2", IP]]);
  });

  test("answers for it when the other holder is dead and its lease has run out, not before", () => {
    const { fleet, a, b } = twoHolders();
    b.wish(candidacy({ addresses: ["10.0.0.2/24", `${IP}/24`] }), "db");
    fleet.advance(TTL_MS);
    fleet.untilHeartbeat(a);
    fleet.kill(a);
    const took = fleet.until(() => b.bound.get("db")?.length === 2);
    expect(took).toBeGreaterThanOrEqual(WAIT_MS - 1);
    expect(took).toBeLessThan(WAIT_MS + 10);
  });

  test("does not answer again for one that it gave away and got back while another was about to claim it", () => {
    const { fleet, a, b } = twoHolders();
    b.wish(candidacy({ addresses: ["10.0.0.2/24", `${IP}/24`] }), "db");
    fleet.advance(TTL_MS);
    a.commitLink = "unanswered";
    a.wish(candidacy({ addresses: ["10.0.0.7/24"] }));
    a.wish(candidacy({ addresses: ["10.0.0.7/24", `${IP}/24`] }));
    fleet.until(() => b.bound.get("db")?.length === 2, 10);
    a.commitLink = "good";
    fleet.advance(3 * TTL_MS);
    expect(a.bound.get("web")).toEqual(["10.0.0.7"]);
  });

  test("released by a restart, whose addresses are all another's, goes to nobody who has the same ones", () => {
    const { fleet, a, b } = twoHolders();
    const again = fleet.restart(b, null);
    again.wish(candidacy({ addresses: [`${IP}/24`] }), "db");
    fleet.until(() => fleet.recordOf("db")?.holder === null, TTL_MS);
    expect(fleet.recordOf("db")?.reason.code).toBe("address-claimed");
    expect(fleet.recordOf("db")?.reason.text).toContain("web");
    fleet.advance(3 * TTL_MS);
    expect(again.tokens).toEqual([]);
    expect(a.holds).toBe(true);
    again.wish(candidacy({ addresses: ["10.0.0.2/24"] }), "db");
    fleet.until(() => again.holdsElection("db"), 10);
  });
});

describe("an address's record", () => {
  test("that names an election which nobody holds and nobody wants is no obstacle", () => {
    const fleet = new Fleet();
    fleet.put(KEYS.address(IP), addressValue("long-gone"));
    const a = fleet.start("a", candidacy({ addresses: [`${IP}/24`] }));
    fleet.until(() => a.holds, 10);
    expect(ownerOf(fleet)).toBe("web");
  });

  test("that does not parse is written anew", () => {
    const fleet = new Fleet();
    fleet.put(KEYS.address(IP), "garbage");
    const a = fleet.start("a", candidacy({ addresses: [`${IP}/24`] }));
    fleet.until(() => a.holds, 10);
    expect(ownerOf(fleet)).toBe("web");
  });

  test("that names an election whose record does not parse is left alone until that is repaired", () => {
    const { fleet, a, b } = rivals();
    fleet.kill(a);
    fleet.put(ELECTION_KEY, "garbage");
    fleet.advance(5 * TTL_MS);
    expect(b.tokens).toEqual([]);
    fleet.put(ELECTION_KEY, null);
    fleet.until(() => b.holdsElection("db"), 2 * TTL_MS);
  });
});

describe("an address that a held election had, gave up, and is to have again", () => {
  const OTHER = "10.0.0.2";
  const both = [`${IP}/24`, `${OTHER}/24`];

  test.each([true, false])("is answered for by one holder at a time (watching: %s)", (watching) => {
    for (let pauseMs = 0; pauseMs < 60; pauseMs += 3) {
      const fleet = new Fleet();
      const a = fleet.start("a", candidacy({ addresses: both }));
      const b = fleet.start("b", null);
      b.wish(candidacy({ addresses: [`${OTHER}/24`] }), "db");
      fleet.advance(3 * TTL_MS);
      expect(a.bound.get("web")).toEqual([IP, OTHER]);
      a.watching = watching;
      a.wish(candidacy({ addresses: both.slice(0, 1) }));
      fleet.advance(pauseMs);
      a.wish(candidacy({ addresses: both }));
      for (let ms = 0; ms < 2 * TTL_MS; ms += 1) {
        fleet.advance(1);
        const holders = [a.bound.get("web")?.includes(OTHER) === true, b.bound.get("db")?.includes(OTHER) === true];
        expect(
          holders.filter(Boolean).length,
          `${ms} ms after the second reload, ${pauseMs} after the first`,
        ).toBeLessThan(2);
      }
    }
  });
});

describe("a virtual MAC", () => {
  const MAC = "00:00:5e:00:01:33";
  const OTHER_MAC = "00:00:5e:00:01:34";
  const [web, db] = [`${IP}/32`, "10.0.0.2/32"];

  test("that two elections claim is sent with by the holder of one of them only, which people are told on both nodes", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ addresses: [web], macs: [MAC] }));
    fleet.until(() => a.holds, TTL_MS);
    expect(ownerOf(fleet, MAC)).toBe("web");
    expect(a.bound.get("web")).toEqual([IP, MAC]);
    const b = fleet.start("b", null);
    b.wish(candidacy({ addresses: [db], macs: [MAC], priority: 255 }), "db");
    fleet.advance(3 * TTL_MS);
    expect(b.tokens).toEqual([]);
    const text = `${MAC} is configured under 2 names: web on a; db on b; only the holder of web sends with it`;
    for (const node of [a, b]) expect(node.notes.filter((note) => note === text)).toHaveLength(1);
    a.wish(null);
    expect(fleet.until(() => b.holdsElection("db"))).toBeLessThan(10);
    expect(ownerOf(fleet, MAC)).toBe("db");
  });

  test("that a held election gains is sent with once the store says so, and not while another holder has it", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ addresses: [web], macs: [MAC] }));
    const b = fleet.start("b", null);
    b.wish(candidacy({ addresses: [db] }), "db");
    fleet.until(() => a.holds && b.holdsElection("db"), TTL_MS);
    b.wish(candidacy({ addresses: [db], macs: [OTHER_MAC] }), "db");
    expect(b.bound.get("db"), "the claim is not committed").toEqual(["10.0.0.2"]);
    fleet.until(() => b.bound.get("db")?.includes(OTHER_MAC) === true, 10);
    b.wish(candidacy({ addresses: [db], macs: [MAC] }), "db");
    fleet.advance(3 * TTL_MS);
    expect([a.bound.get("web"), b.bound.get("db")]).toEqual([[IP, MAC], ["10.0.0.2"]]);
    a.wish(candidacy({ addresses: [web] }));
    fleet.until(() => b.bound.get("db")?.includes(MAC) === true, 10);
    expect(a.bound.get("web")).toEqual([IP]);
    expect(b.tokens, "no election has moved").toHaveLength(1);
  });

  test("that is still on the host of its former holder is claimed all the same, and nobody else's", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ addresses: [web], macs: [MAC] }));
    const b = fleet.start("b", null);
    b.wish(candidacy({ addresses: [db] }), "db");
    fleet.until(() => a.holds && b.holdsElection("db"), TTL_MS);
    a.wish(candidacy({ addresses: [web], macs: [OTHER_MAC, MAC] }));
    b.wish(candidacy({ addresses: [db], macs: [MAC] }), "db");
    fleet.advance(TTL_MS);
    expect([ownerOf(fleet, MAC), ownerOf(fleet, OTHER_MAC)]).toEqual(["web", "web"]);
    expect(b.bound.get("db")).toEqual(["10.0.0.2"]);
  });

  test("without which no address could be answered for keeps a holder from taking up its election again", () => {
    const fleet = new Fleet();
    const a = fleet.start("a", candidacy({ addresses: [web], macs: [MAC] }));
    const b = fleet.start("b", null);
    b.wish(candidacy({ addresses: [db] }), "db");
    fleet.until(() => a.holds && b.holdsElection("db"), TTL_MS);
    const again = fleet.restart(b, null);
    again.wish(candidacy({ addresses: [db], macs: [MAC] }), "db");
    fleet.until(() => fleet.recordOf("db")?.holder === null, TTL_MS);
    expect(fleet.recordOf("db")?.reason).toEqual(reason("address-claimed", `${MAC} is web's, by a`));
    fleet.advance(3 * TTL_MS);
    expect(again.tokens).toEqual([]);
    const six = fleet.start("c", null);
    six.wish(candidacy({ addresses: ["fd00::2/128"], macs: ["00:00:5e:00:02:33"] }), "db");
    fleet.until(() => six.holdsElection("db"), 3 * TTL_MS);
  });
});
