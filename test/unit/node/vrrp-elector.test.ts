// VRRP as an elector, on a wire in memory: what it tells its host, and what it owes the sending thread.

import { beforeEach, describe, expect, test } from "vitest";
import { type Reason, reason } from "../../../src/base/reasons.ts";
import type { VrrpConfig } from "../../../src/config/types.ts";
import type { Link } from "../../../src/ports/host.ts";
import { vipConfig } from "./config.ts";
import { address, link } from "./fake-host.ts";
import { DOWN_MS, Node, OWN, VRRP, WEB } from "./vrrp-node.ts";

let node: Node;
beforeEach(() => {
  node = new Node();
});

test("says at the start what VRRP cannot promise", () => {
  node.wish().elector.start();
  expect(node.told[0]).toBe(
    "warning -: web: elected by VRRP. VRRP cannot promise that one node alone answers: routers that do not hear each other are all masters",
  );
});

test("holds when nobody was heard, once an advert has left, for less than three intervals from before it left", async () => {
  node.wish().start();
  await node.timers.advance(DOWN_MS - 1);
  expect(node.wire.news()).toEqual([]);
  await node.timers.advance(1);
  expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
  expect(node.news()).toEqual([]);
  node.wire.voices[0]?.send();
  expect(node.news()).toEqual(["gain web 10.0.0.50 (master-down) under 1 for 2992"]);
  await node.timers.advance(1_000);
  node.wire.voices[0]?.send();
  expect(node.news()).toEqual(["extend 1 for 2992"]);
});

test("a master gives signs of life, each behind a judgement of its lease, and lets go when no advert leaves", async () => {
  await node.hold();
  node.news();
  const before = node.wire.aliveCount;
  await node.timers.advance(1_000);
  expect(node.wire.aliveCount - before).toBe(4);
  await node.timers.advance(2_000);
  expect(node.news()).toEqual(["lose web (adverts-late)"]);
  const afterwards = node.wire.aliveCount;
  await node.timers.advance(1_000);
  expect(node.wire.aliveCount).toBe(afterwards);
});

test("an advert that left counts, though the program was not told of it in time", async () => {
  await node.hold();
  await node.timers.advance(1_000);
  node.news();
  node.wire.voices[0]?.send(false);
  await node.timers.advance(250);
  expect(node.news()).toEqual(["extend 1 for 2742"]);
});

test("a crowd extends together, at a sign of life, and never what is lost by then", async () => {
  const names = Array.from({ length: 70 }, (_, i) => `v${i}`);
  node.vips = names.map((name, i) => vipConfig(name, [address(`10.0.1.${i}`)], { vrrp: { ...VRRP, vrid: i + 1 } }));
  for (const name of names) node.wish({}, name);
  node.start();
  await node.timers.advance(DOWN_MS);
  const speakAll = (): void => node.wire.voices.forEach((voice) => voice.send());
  speakAll();
  expect(node.news()).toHaveLength(names.length);
  await node.timers.advance(1_000);
  speakAll();
  await node.timers.advance(1_000);
  node.news();
  speakAll();
  expect(node.news(), "not one by one").toEqual([]);
  node.elector.stepDown("v3", null, reason("step-down"));
  await node.timers.advance(250);
  const [lost, extended, ...others] = node.news();
  expect(lost).toBe("lose v3 (step-down)");
  expect(extended?.replace("extend ", "").split(",")).toHaveLength(names.length - 1);
  expect(extended).toMatch(/^extend 1 for 2\d{3},2 for /u);
  expect(extended).not.toContain(",4 for ");
  expect(others).toEqual([]);
});

describe("a crowd of a second's interval", () => {
  /** Sends every second but in those that are missed, and gives the extensions that the first was told, and until when. */
  const extensionsOf = async (seconds: number, missed: readonly number[]): Promise<readonly string[]> => {
    const names = Array.from({ length: 70 }, (_, i) => `v${i}`);
    node.vips = names.map((name, i) => vipConfig(name, [address(`10.0.1.${i}`)], { vrrp: { ...VRRP, vrid: i + 1 } }));
    for (const name of names) node.wish({}, name);
    node.start();
    await node.timers.advance(DOWN_MS);
    const extensions: string[] = [];
    for (let ms = 0; ms < seconds * 1_000; ms += 10) {
      if (ms % 1_000 === 0 && !missed.includes(ms / 1_000)) node.wire.voices.forEach((voice) => voice.send());
      for (const told of node.news()) {
        const forMs = /^extend 1 for (\d+)/u.exec(told)?.[1];
        if (forMs !== undefined) extensions.push(`${ms} > ${ms + Number(forMs)}`);
      }
      await node.timers.advance(10);
    }
    return extensions;
  };

  test("tells its host every other extension", async () => {
    expect(await extensionsOf(8, [])).toEqual(["2250 > 4992", "4250 > 6992", "6250 > 8992"]);
  });

  test("tells the one that it has skipped when the next advert is late: the host holds what the master may", async () => {
    expect(await extensionsOf(6, [2])).toEqual(["2250 > 3992", "3250 > 5992", "5250 > 7992"]);
  });

  test("tells none beyond three intervals after the last advert that left", async () => {
    expect(await extensionsOf(6, [2, 3, 4, 5])).toEqual(["2250 > 3992"]);
    expect(node.elector.all.get("v0")?.token).toBeNull();
  });
});

test("obeys a master, follows its farewell, and gives way to a higher one", async () => {
  node.wish().start();
  for (let i = 0; i < 6; i += 1) {
    node.hear(150);
    await node.timers.advance(1_000);
  }
  expect(node.elector.all.get("web")?.master).toMatchObject({ source: "10.0.0.9", priority: 150 });
  node.hear(0);
  await node.timers.advance(610);
  expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
  node.wire.voices[0]?.send();
  expect(node.news()).toEqual([expect.stringContaining("gain web 10.0.0.50 (master-left)")]);
  node.hear(150);
  expect(node.news()).toEqual(["lose web (higher-master)"]);
  expect(node.elector.tokenOf("web")).toBeUndefined();
  const changes = node.elector.all.get("web")?.history.all.map(({ from, to }) => `${from ?? "-"} > ${to ?? "-"}`);
  expect(changes).toEqual(["n1 > 10.0.0.9", "10.0.0.9 > n1", "- > 10.0.0.9"]);
});

test("says farewell only when the host has let go", async () => {
  await node.hold();
  node.obeys = false;
  node.wire.news();
  expect(node.elector.stepDown("web", null, reason("step-down"))).toBeUndefined();
  expect(node.wire.news()).toEqual(["hush"]);
  node.elector.released(["web"]);
  expect(node.wire.news()).toEqual(["say 51 0"]);
});

test("a host that was too slow says farewell, listens without pre-empting, and takes the VIP where nobody else does", async () => {
  await node.hold();
  node.wish({ ineligible: reason("too-slow") });
  node.wire.news();
  node.elector.released(["web"]);
  expect(node.wire.news().slice(-2)).toEqual(["hush", "say 51 0"]);
  node.hear(50);
  await node.timers.advance(2_000);
  expect(node.elector.all.get("web")?.master).toMatchObject({ priority: 50 });
  node.hear(0);
  await node.timers.advance(610);
  expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
});

test("a loss tells why: the configuration, the end of vipd, a step-down, or a router that begins anew", async () => {
  const why = async (end: () => void): Promise<readonly string[]> => {
    node = new Node();
    await node.hold();
    node.news();
    end();
    return node.news().slice(0, 1);
  };
  expect(await why(() => node.elector.updateCandidacies(new Map([["web", null]])))).toEqual([
    "lose web (unconfigured)",
  ]);
  expect(await why(() => node.elector.stop())).toEqual(["lose web (shutdown)"]);
  expect(await why(() => node.elector.stepDown("web", null, reason("maintenance")))).toEqual([
    "lose web (maintenance)",
  ]);
  const anew = (): void => {
    node.vips = [{ ...WEB, vrrp: { ...VRRP, vrid: 99 } }];
    node.elector.refresh();
  };
  expect(await why(anew)).toEqual(["lose web (reconfigured)"]);
});

test("a step-down to a node is refused, and one of who holds nothing", async () => {
  expect(node.wish().start().elector.stepDown("web", null, reason("step-down"))).toBe("this node does not hold web");
  await node.hold();
  expect(node.elector.stepDown("web", "n2", reason("step-down"))).toContain("VRRP, which cannot name a successor");
});

describe("eligibility", () => {
  const DOWN: Reason = reason("link-down", "eth0 is down");

  test("what speaks against it ends it with a farewell, closes the sockets, and opens them anew afterwards", async () => {
    await node.hold();
    node.news();
    node.wire.news();
    node.wish({ ineligible: DOWN });
    expect(node.news()).toEqual(["lose web (link-down)"]);
    expect(node.wire.news()).toEqual(["hush", "say 51 0", "close"]);
    expect(node.wire.receivers.size).toBe(0);
    node.wish();
    expect(node.wire.voices).toHaveLength(2);
    expect(node.wire.receivers.size).toBe(1);
  });

  test("the priority in the adverts is moved by what tracking moves the VIP's", async () => {
    node.vips = [{ ...WEB, vrrp: { ...VRRP, priority: 200 } }];
    node.wish({ priority: 70 }).start();
    await node.timers.advance(DOWN_MS);
    expect(node.wire.news()).toEqual(["speak 51 170 10.0.0.50"]);
    node.wish({ priority: 0 });
    expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
  });

  test("a host that lets go by itself has the router stand back", async () => {
    await node.hold();
    node.wire.news();
    node.elector.released(["web"]);
    expect(node.elector.tokenOf("web")).toBeUndefined();
    expect(node.wire.news()).toEqual(["hush", "say 51 0"]);
  });
});

describe("where it stands", () => {
  test("without an address it waits for one, and says so once", async () => {
    node.addresses = [];
    node.wish().start();
    await node.timers.advance(5_000);
    expect(node.wire.voices).toEqual([]);
    expect(node.elector.all.get("web")?.trouble).toBe("eth0 has no IPv4 address of its own to send adverts from");
    node.addresses = [OWN];
    await node.timers.advance(1_000);
    expect(node.wire.voices[0]?.route.source).toBe("10.0.0.1");
    expect(node.news()).toEqual([]);
  });

  test("neither a VIP nor a secondary address is its own", () => {
    node.addresses = [{ ...OWN, ip: "10.0.0.50" }, { ...OWN, ip: "10.0.0.7", secondary: true }, OWN];
    node.wish().start();
    expect(node.wire.voices[0]?.route.source).toBe("10.0.0.1");
  });

  test.each<[string, Partial<VrrpConfig>, Partial<Link>, string]>([
    ["an interface without Ethernet", {}, { ethernet: false }, "eth0 is not an Ethernet interface, which VRRP needs"],
    ["a missing interface", {}, { name: "eth7" }, "this host has no interface eth0"],
    [
      "a peer that is this host",
      { unicastPeers: ["10.0.0.1"] },
      {},
      "unicastPeers names 10.0.0.1, which is this host itself",
    ],
    ["a foreign source", { source: "10.0.0.3" }, {}, "the source 10.0.0.3 is not an address of eth0"],
  ])("%s", (_, vrrp, change, trouble) => {
    node.vips = [{ ...WEB, vrrp: { ...VRRP, ...vrrp } }];
    node.links = [link("eth0", change)];
    node.wish().start();
    expect(node.elector.all.get("web")?.trouble).toBe(trouble);
  });
});

describe("a reload", () => {
  test("changes addresses in place", async () => {
    await node.hold();
    node.wire.news();
    node.news();
    node.vips = [{ ...WEB, addresses: [address("10.0.0.50"), address("10.0.0.51")] }];
    node.elector.refresh();
    expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50,10.0.0.51"]);
    expect(node.news()).toEqual(["confirm web 10.0.0.50,10.0.0.51"]);
  });

  test("another id is another router: the first leaves, the next one starts from the beginning", async () => {
    await node.hold();
    node.wire.news();
    node.vips = [{ ...WEB, vrrp: { ...VRRP, vrid: 52 } }];
    node.elector.refresh();
    expect(node.wire.news()).toEqual(["hush", "say 51 0", "close"]);
    await node.timers.advance(DOWN_MS);
    expect(node.wire.news()).toEqual(["speak 52 100 10.0.0.50"]);
  });

  test("a VIP that is gone leaves the wire", async () => {
    await node.hold();
    node.wire.news();
    node.elector.updateCandidacies(new Map([["web", null]]));
    expect(node.wire.news()).toEqual(["hush", "say 51 0", "close"]);
    expect([...node.elector.all]).toEqual([]);
  });
});

describe("a stop", () => {
  test("lets go, says farewell, and tells when all have", async () => {
    await node.hold();
    node.wire.news();
    node.news();
    node.elector.stop();
    expect(node.wire.news()).toEqual(["hush", "say 51 0", "close"]);
    expect(node.news()).toEqual(["lose web (shutdown)", "stopped"]);
  });

  test.each<[string, () => void, string]>([
    ["of many", () => node.elector.stop(), "shutdown"],
    [
      "like a cable that is pulled",
      () => void node.wish({ ineligible: reason("link-down", "eth0 is down") }, "a", "b"),
      "link-down",
    ],
  ])("%s has the host let go of them together", async (_, end, code) => {
    node.vips = ["a", "b"].map((name, i) =>
      vipConfig(name, [address(`10.0.1.${i}`)], { vrrp: { ...VRRP, vrid: i + 1 } }),
    );
    node.wish({}, "a", "b").start();
    await node.timers.advance(DOWN_MS);
    for (const voice of node.wire.voices) voice.send();
    node.losses.length = 0;
    end();
    expect(node.losses).toEqual([[`a (${code})`, `b (${code})`]]);
    expect(node.wire.news().filter((call) => call.startsWith("say"))).toEqual(["say 1 0", "say 2 0"]);
  });

  test("of nothing is over at once", () => {
    node.elector.stop();
    expect(node.news()).toEqual(["stopped"]);
  });
});

test("who may not claim listens on, and takes over as soon as it may", async () => {
  node.mayClaim = false;
  node.wish().start();
  await node.timers.advance(3 * DOWN_MS);
  expect(node.wire.news()).toEqual([]);
  node.mayClaim = true;
  node.elector.wake("web");
  expect(node.wire.news()).toEqual(["speak 51 100 10.0.0.50"]);
});

test("who may not claim knows the master all the same, and does not take its place when it may", async () => {
  node.mayClaim = false;
  node.wish().start();
  await node.timers.advance(3 * DOWN_MS);
  node.hear(150);
  node.mayClaim = true;
  node.elector.wake("web");
  await node.timers.advance(DOWN_MS - 700);
  expect(node.wire.news()).toEqual([]);
});

test("two masters that see each other are told of", async () => {
  await node.hold();
  await node.timers.advance(900);
  node.news();
  node.hear(50);
  expect(node.news()).toEqual(["announce web", "contested web: the VRRP master 10.0.0.9, priority 50"]);
});

test("two routers on one interface share a socket, and hear their own adverts only", () => {
  const db = vipConfig("db", [address("10.0.0.51")], { vrrp: { ...VRRP, vrid: 52 } });
  node.vips = [WEB, db];
  node.wish().wish({}, "db").start();
  expect(node.wire.receivers.size).toBe(1);
  node.hear(150);
  expect(node.elector.all.get("web")?.master).not.toBeNull();
  expect(node.elector.all.get("db")?.master).toBeNull();
});
