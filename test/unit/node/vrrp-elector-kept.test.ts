// VRRP as an elector: what an earlier process saw, and keys and MACs that change.

import { beforeEach, describe, expect, test } from "vitest";
import { assert } from "../../../src/base/assert.ts";
import { reason } from "../../../src/base/reasons.ts";
import type { VrrpAuthentication } from "../../../src/base/vrrp.ts";
import type { VipConfig, VrrpConfig } from "../../../src/config/types.ts";
import type { Sighting } from "../../../src/node/vrrp-history.ts";
import { DOWN_MS, Node, VRRP, WEB } from "./vrrp-node.ts";

let node: Node;
beforeEach(() => {
  node = new Node();
});

describe("what an earlier process saw", () => {
  const former = (to: string | null, token: bigint): Sighting => ({
    atWallMs: 5,
    from: null,
    to,
    token,
    reason: reason("first-holder"),
  });

  test("is in the history, and what that process held is free from the start of this one", async () => {
    node = new Node([former("n1", 7n)]);
    await node.hold();
    expect(node.histories.changes).toBe(2);
    const history = node.elector.all.get("web")?.history.all ?? [];
    expect(history.map(({ from, to, reason: why }) => `${from} > ${to}: ${why.code}`)).toEqual([
      "null > n1: master-down",
      "n1 > null: started",
      "null > n1: first-holder",
    ]);
  });

  test("says which master was heard last", async () => {
    node = new Node([former("10.0.0.9", 7n)]);
    node.wish().start();
    node.hear(150);
    await node.timers.advance(1);
    expect(node.histories.changes).toBe(0);
    expect(node.elector.all.get("web")?.history.all).toHaveLength(1);
  });

  test("has tokens that all later ones exceed, though the wall clock was set back", async () => {
    const token = 9_000_000_000_000n;
    node = new Node([former("n1", token)]);
    await node.hold();
    expect(node.elector.tokenOf("web")).toBe(token + 1n);
  });
});

describe("other keys", () => {
  const keyed = (sendKeyId: number, ...ids: readonly number[]): VipConfig => {
    const keys = ids.map((id) => ({ id, secret: new Uint8Array(32).fill(id) }));
    const authentication = { kind: "hmac", keys, sendKeyId, windowS: 5 } as const;
    return { ...WEB, vrrp: { ...VRRP, authentication } };
  };

  test("are taken on in place: a master goes on as one, and speaks by them at once", async () => {
    node.vips = [keyed(1, 1)];
    await node.hold();
    node.news();
    node.wire.news();
    await node.timers.advance(500);
    node.vips = [keyed(2, 1, 2)];
    node.elector.refresh();
    expect(node.wire.news()).toEqual(["close", "speak 51 100 10.0.0.50"]);
    expect(node.wire.voices.at(-1)?.route.authentication).toMatchObject({ sendKeyId: 2 });
    node.wire.voices.at(-1)?.send();
    expect(node.news()).toEqual(["confirm web 10.0.0.50", "extend 1 for 2992"]);
    node.elector.refresh();
    expect(node.wire.news(), "the same keys").toEqual([]);
  });

  test("do not lose the advert that left last by the old ones", async () => {
    node.vips = [keyed(1, 1)];
    await node.hold();
    await node.timers.advance(1_000);
    node.wire.voices[0]?.send(false);
    node.news();
    node.vips = [keyed(2, 2)];
    node.elector.refresh();
    expect(node.news()).toEqual(["extend 1 for 2992", "confirm web 10.0.0.50"]);
  });

  test("are believed from others, and former ones no more", async () => {
    const advert = { version: 2, vrid: 51, priority: 150, intervalMs: 1_000, addresses: ["10.0.0.50"] } as const;
    const sign = (id: number): VrrpAuthentication => ({
      kind: "hmac",
      keys: [{ id, secret: new Uint8Array(32).fill(id) }],
      sendKeyId: id,
      windowS: 5,
    });
    node.vips = [keyed(1, 1)];
    node.wish().start();
    node.wire.hear(advert, "10.0.0.9", sign(1));
    expect(node.elector.all.get("web")?.master?.source).toBe("10.0.0.9");
    node.vips = [keyed(2, 2)];
    node.elector.refresh();
    await node.timers.advance(1_000);
    node.news();
    node.wire.hear(advert, "10.0.0.8", sign(1));
    expect(node.news()).toEqual([expect.stringContaining("names key 1, which is not configured on this host")]);
    node.wire.hear(advert, "10.0.0.8", sign(2));
    expect(node.elector.all.get("web")?.master?.source).toBe("10.0.0.8");
  });

  test("for which no socket can be had leave the old ones in use, with a word", async () => {
    node.vips = [keyed(1, 1)];
    await node.hold();
    node.news();
    node.wire.refuses = true;
    node.vips = [keyed(2, 2)];
    node.elector.refresh();
    expect(node.news()).toEqual([
      "warning web: VRRP goes on with the authentication and the source MAC that it had: no more sockets",
      "confirm web 10.0.0.50",
    ]);
    node.wire.voices[0]?.send();
    expect(node.elector.tokenOf("web")).toBeDefined();
  });
});

describe("a virtual MAC", () => {
  const MAC = "00:00:5e:00:01:33";
  const [own] = WEB.addresses;
  assert(own !== undefined, "web has an address");
  const virtual: VipConfig = {
    ...WEB,
    addresses: [{ ...own, prefix: 32, interface: "vipd4-51", virtualMac: { mac: MAC, parent: "eth0" } }],
  };

  test.each([
    ["on", WEB, virtual, MAC],
    ["off", virtual, WEB, undefined],
  ])("is turned %s in place: a master goes on as one, and its adverts change at once", async (_, from, to, mac) => {
    node.vips = [from];
    await node.hold();
    const token = node.elector.tokenOf("web");
    await node.timers.advance(1_000);
    node.wire.voices[0]?.send(false);
    node.news();
    node.wire.news();
    node.vips = [to];
    node.elector.refresh();
    expect(node.wire.news()).toEqual(["close", "speak 51 100 10.0.0.50"]);
    expect(node.wire.voices.at(-1)?.route.sourceMac).toBe(mac);
    expect(node.news(), "with the lease of the last advert").toEqual([
      "extend 1 for 2992",
      `confirm web ${["10.0.0.50", ...(mac === undefined ? [] : [mac])].join(",")}`,
    ]);
    expect(node.elector.tokenOf("web")).toBe(token);
    node.elector.refresh();
    expect(node.wire.news(), "the same MAC").toEqual([]);
  });

  test("for which no socket can be had leaves the former one in use, with a word", async () => {
    await node.hold();
    node.news();
    node.wire.refuses = true;
    node.vips = [virtual];
    node.elector.refresh();
    expect(node.news()).toEqual([
      "warning web: VRRP goes on with the authentication and the source MAC that it had: no more sockets",
      "confirm web 10.0.0.50,00:00:5e:00:01:33",
    ]);
    node.wire.refuses = false;
    node.elector.refresh();
    expect(node.wire.voices.at(-1)?.route.sourceMac, "another reload tries again").toBe(MAC);
  });
});

test("a wait of its own behind a farewell, for a fleet of vipd alone", async () => {
  node.vips = [{ ...WEB, vrrp: { ...VRRP, farewellWaitMs: 40 } }];
  node.wish().start();
  for (let i = 0; i < 5; i += 1) {
    node.hear(150);
    await node.timers.advance(1_000);
  }
  node.hear(0);
  // 156 / 256 of it, for priority 100.
  await node.timers.advance(24);
  expect(node.wire.news()).toEqual([]);
  await node.timers.advance(1);
  expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
});

describe("behind the farewell of a unicast peer", () => {
  const PEER = { unicastPeers: ["10.0.0.9"] } as const;
  const bidden = async (given: Partial<VrrpConfig>): Promise<void> => {
    node.vips = [{ ...WEB, vrrp: { ...VRRP, ...given } }];
    node.wish().start();
    for (let i = 0; i < 5; i += 1) {
      node.hear(150);
      await node.timers.advance(1_000);
    }
    expect(node.questions, "of a master that lives").toEqual([]);
    node.hear(0);
  };

  test("that is the only other router, the wire is asked; when nobody answers any more it is followed", async () => {
    await bidden(PEER);
    expect(node.questions.map(({ ips }) => ips)).toEqual([["10.0.0.50"]]);
    await node.timers.advance(20);
    expect(node.wire.news()).toEqual([]);
    node.questions[0]?.done(true);
    expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
  });

  test("which still has the address, or where nobody knows, it waits for the skew", async () => {
    await bidden(PEER);
    node.questions[0]?.done(false);
    await node.timers.advance(600);
    expect(node.wire.news()).toEqual([]);
    await node.timers.advance(10);
    expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
  });

  test("that speaks again before the answer, it is obeyed", async () => {
    await bidden(PEER);
    node.hear(150);
    node.questions[0]?.done(true);
    await node.timers.advance(DOWN_MS - 10);
    expect(node.wire.news()).toEqual([]);
  });

  test("that comes again and again, one question is open at a time", async () => {
    await bidden(PEER);
    for (let i = 0; i < 10; i += 1) {
      await node.timers.advance(1);
      node.hear(0);
    }
    expect(node.questions).toHaveLength(1);
    node.questions[0]?.done(true);
    expect(node.wire.news(), "an older farewell's answer").toEqual([]);
  });

  test.each<readonly [string, Partial<VrrpConfig>]>([
    ["with a second one the skew sorts those that may follow", { unicastPeers: ["10.0.0.9", "10.0.0.8"] }],
    ["in a mixed fleet others are silent", { kind: "lease+vrrp", ...PEER }],
    ["on multicast nobody knows who listens", {}],
    ["a wait that is configured is kept", { ...PEER, farewellWaitMs: 1_000 }],
  ])("%s: nothing is asked", async (_, given) => {
    await bidden(given);
    await node.timers.advance(600);
    expect(node.questions).toEqual([]);
    expect(node.wire.news()).toEqual([]);
  });
});

describe("in a mixed fleet, behind the farewell of a master with the fleet's priority", () => {
  const bidden = async (mayClaim: boolean): Promise<void> => {
    node.vips = [{ ...WEB, vrrp: { ...VRRP, kind: "lease+vrrp" } }];
    node.mayClaim = mayClaim;
    node.wish({ preempt: false }).start();
    for (let i = 0; i < 5; i += 1) {
      node.hear(100);
      await node.timers.advance(1_000);
    }
    node.hear(0);
  };

  test("it may be a keepalived that has the address still: the wire is asked, and the skew is waited for", async () => {
    await bidden(true);
    expect(node.questions.map(({ ips }) => ips)).toEqual([["10.0.0.50"]]);
    node.questions[0]?.done(false);
    await node.timers.advance(600);
    expect(node.wire.news()).toEqual([]);
  });

  test("it is followed at once when nobody answers any more", async () => {
    await bidden(true);
    node.questions[0]?.done(true);
    expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
  });

  test("who gets the lease behind it asks then, and claims only while it has it", async () => {
    await bidden(false);
    expect(node.questions).toEqual([]);
    node.mayClaim = true;
    node.elector.wake("web");
    expect(node.questions).toHaveLength(1);
    node.mayClaim = false;
    node.questions[0]?.done(true);
    await node.timers.advance(600);
    expect(node.wire.news()).toEqual([]);
  });
});
