// VRRP as an elector that pre-empts a master which lives: the VIP is taken when nobody else answers for it on the wire.

import { beforeEach, describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { address, link } from "./fake-host.ts";
import { Node, VRRP, WEB } from "./vrrp-node.ts";

/** A master of lower priority: it advertises every second. */
const LOWER = 90;

let node: Node;
beforeEach(async () => {
  node = new Node();
  await claim();
});

/** It has claimed, and its claim has left. */
async function claim(): Promise<void> {
  node.wish().start();
  for (let i = 0; i < 5; i += 1) {
    node.hear(LOWER);
    await node.timers.advance(i < 4 ? 1_000 : 0);
  }
  expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
  node.wire.voices.at(-1)?.send();
  await node.timers.advance(6);
  node.told.length = 0;
}

describe("a claim against a master that lives", () => {
  test("has the wire asked for the addresses, and takes them when nobody answers", async () => {
    expect(node.questions.map(({ ips }) => ips)).toEqual([["10.0.0.50"]]);
    await node.timers.advance(20);
    expect(node.news()).toEqual([]);
    node.questions[0]?.done(true);
    expect(node.news().filter((line) => line.startsWith("gain"))).toEqual([
      "gain web 10.0.0.50 (lower-master) under 1 for 2966",
    ]);
  });

  test("takes nothing while somebody answers, and asks again", async () => {
    node.questions[0]?.done(false);
    await node.timers.advance(10);
    expect(node.questions).toHaveLength(2);
    node.questions[1]?.done(false);
    await node.timers.advance(100);
    expect(node.news()).toEqual([]);
  });

  test("shows the master that it waits for, and is no holder", () => {
    const election = node.elector.all.get("web");
    expect([election?.master?.source, election?.token]).toEqual(["10.0.0.9", null]);
  });

  test("takes nothing on a host that may not claim any more, and takes it when it may again", async () => {
    node.mayClaim = false;
    node.questions[0]?.done(true);
    await node.timers.advance(250);
    expect(node.news()).toEqual([]);
    node.mayClaim = true;
    await node.timers.advance(100);
    expect(node.news().join()).toContain("gain web");
  });

  test("is withdrawn by a step-down, though nothing is held yet", () => {
    expect(node.elector.stepDown("web", null, reason("other-holder"))).toBeUndefined();
    expect(node.wire.news()).toEqual(["hush", "say 51 0"]);
    node.questions[0]?.done(true);
    expect(node.news().filter((line) => line.startsWith("gain"))).toEqual([]);
  });

  test("is withdrawn by a stop", () => {
    node.elector.stop();
    node.questions[0]?.done(true);
    expect(node.news().filter((line) => !line.startsWith("warning"))).toEqual(["stopped"]);
  });

  test("of a router that begins anew does not take the answer to the former one's question", async () => {
    const before = node.questions[0];
    node.vips = [{ ...WEB, vrrp: { ...VRRP, vrid: 52 } }];
    node.elector.refresh();
    before?.done(true);
    await node.timers.advance(100);
    expect(node.news().filter((line) => line.startsWith("gain"))).toEqual([]);
  });
});

describe("where the wire cannot be asked", () => {
  test("since the interface of the address has no ARP, the question has no address", async () => {
    node = new Node();
    node.links = [link("eth0"), { ...link("tun0"), ethernet: false }];
    node.vips = [{ ...WEB, addresses: [{ ...address("10.0.0.50"), interface: "tun0" }] }];
    await claim();
    expect(node.questions.map(({ ips }) => ips)).toEqual([[]]);
  });

  test("the time is waited for after which the former master may not hold any more", async () => {
    node = new Node([], { asks: false });
    await claim();
    for (let i = 0; i < 10; i += 1) {
      node.wire.voices.at(-1)?.send();
      await node.timers.advance(330);
    }
    expect(node.news()).toEqual([]);
    node.wire.voices.at(-1)?.send();
    await node.timers.advance(330);
    expect(node.news().join()).toContain("gain web");
  });
});
