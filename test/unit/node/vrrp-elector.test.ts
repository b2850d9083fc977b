// VRRP as an elector, on a wire in memory: what it tells its host, and what it owes the sending thread.

import { beforeEach, describe, expect, test } from "vitest";
import type { Candidacy } from "../../../src/base/candidacy.ts";
import { type Reason, reason } from "../../../src/base/reasons.ts";
import { NO_AUTHENTICATION, type VrrpAuthentication } from "../../../src/base/vrrp.ts";
import type { VipConfig, VrrpConfig } from "../../../src/config/types.ts";
import { VrrpElector } from "../../../src/node/vrrp-elector.ts";
import { type Sighting, VrrpHistory } from "../../../src/node/vrrp-history.ts";
import type { HistoryKeeper } from "../../../src/node/vrrp-history-file.ts";
import type { ElectorHost } from "../../../src/ports/elector.ts";
import type { BoundAddress, Link } from "../../../src/ports/host.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { vipConfig } from "./config.ts";
import { address, link } from "./fake-host.ts";
import { FakeWire } from "./fake-wire.ts";

const VRRP: VrrpConfig = {
  kind: "vrrp",
  interface: "eth0",
  vrid: 51,
  version: 2,
  intervalMs: 1_000,
  priority: null,
  authentication: NO_AUTHENTICATION,
  keyFiles: [],
  unicastPeers: [],
  source: null,
};
const WEB = vipConfig("web", [address("10.0.0.50")], { vrrp: VRRP });
const OWN: BoundAddress = {
  family: 4,
  ip: "10.0.0.1",
  prefix: 24,
  interface: "eth0",
  ours: false,
  permanent: true,
  secondary: false,
  keepalived: false,
};
/** Three intervals and the skew of priority 100. */
const DOWN_MS = 3_610;

class Node {
  readonly timers = new VirtualTimers();
  readonly wire = new FakeWire(this.timers);
  readonly told: string[] = [];
  readonly histories: HistoryKeeper & { changes: number };
  vips: readonly VipConfig[] = [WEB];
  links: readonly Link[] = [link("eth0")];
  addresses: readonly BoundAddress[] = [OWN];
  mayClaim = true;
  /** Whether the host lets go when it is told to. */
  obeys = true;
  readonly elector: VrrpElector;

  /** `before`: what an earlier process saw of each VIP. */
  constructor(before: readonly Sighting[] = []) {
    this.histories = memoryOf(before);
    const host: ElectorHost = {
      gain: ([grant], { deadline, until }) =>
        void this.told.push(
          `gain ${grant?.election} ${grant?.addresses.join()} (${grant?.reason.code}) under ${deadline} for ${this.forMs(until)}`,
        ),
      extend: (validities) =>
        void this.told.push(
          `extend ${validities.map(({ deadline, until }) => `${deadline} for ${this.forMs(until)}`).join()}`,
        ),
      lose: (losses) => {
        for (const loss of losses) this.told.push(`lose ${loss.election} (${loss.reason.code})`);
        if (this.obeys) this.elector.released(losses.map(({ election }) => election));
      },
      adopted: () => {},
      confirm: (election, addresses) => void this.told.push(`confirm ${election} ${addresses.join()}`),
      announce: (election) => void this.told.push(`announce ${election}`),
      contested: (election, by) => void this.told.push(`contested ${election}: ${by ?? "nobody"}`),
      note: (level, election, text) => void this.told.push(`${level} ${election ?? "-"}: ${text}`),
      changed: () => {},
      stopped: () => void this.told.push("stopped"),
    };
    const { timers, wire } = this;
    this.elector = new VrrpElector(
      {
        node: "n1",
        timers,
        sender: wire,
        openReceiver: wire.openReceiver,
        histories: this.histories,
        place: () => ({ links: this.links, addresses: this.addresses }),
        vips: () => this.vips,
        mayClaim: () => this.mayClaim,
        firstDeadline: 1,
      },
      host,
    );
  }

  wish(change: Partial<Candidacy> = {}, name = "web"): this {
    const vip = this.vips.find((other) => other.name === name);
    const addresses = vip?.addresses.map(({ ip, prefix }) => `${ip}/${prefix}`) ?? [];
    const common = { priority: 100, ineligible: null, preempt: true, preemptDelayMs: 0, interface: "eth0" } as const;
    const wish: Candidacy = { ...common, addresses, lastResort: false, spread: null, minHoldMs: 0 };
    this.elector.updateCandidacies(new Map([[name, { ...wish, ...change }]]));
    return this;
  }

  start(): this {
    this.elector.start();
    this.told.length = 0;
    return this;
  }

  /** Master, with one advert out. */
  async hold(): Promise<this> {
    this.wish().start();
    await this.timers.advance(DOWN_MS);
    this.wire.voices.at(-1)?.send();
    return this;
  }

  news(): readonly string[] {
    return this.told.splice(0);
  }

  hear(priority: number, source = "10.0.0.9"): void {
    const advert = { version: 2, vrid: 51, priority, intervalMs: 1_000, addresses: ["10.0.0.50"] } as const;
    this.wire.hear(advert, source);
  }

  private forMs(until: number): number {
    return Math.floor(until - this.timers.now());
  }
}

/** Histories that were kept, and how often they have changed since. */
function memoryOf(before: readonly Sighting[]): HistoryKeeper & { changes: number } {
  const kept = new Map<string, VrrpHistory>();
  const keeper = {
    changes: 0,
    of: (vip: string): VrrpHistory => {
      const history = kept.get(vip) ?? new VrrpHistory(before);
      kept.set(vip, history);
      return history;
    },
    changed: (): void => void (keeper.changes += 1),
    close: () => Promise.resolve(),
  };
  return keeper;
}

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
  node.elector.stepDown("v3", null);
  await node.timers.advance(250);
  const [lost, extended, ...others] = node.news();
  expect(lost).toBe("lose v3 (step-down)");
  expect(extended?.replace("extend ", "").split(",")).toHaveLength(names.length - 1);
  expect(extended).toMatch(/^extend 1 for 2\d{3},2 for /u);
  expect(extended).not.toContain(",4 for ");
  expect(others).toEqual([]);
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
  expect(node.elector.stepDown("web", null)).toBeUndefined();
  expect(node.wire.news()).toEqual(["hush"]);
  node.elector.released(["web"]);
  expect(node.wire.news()).toEqual(["say 51 0"]);
});

test("a step-down to a node is refused, and one of who holds nothing", async () => {
  expect(node.wish().start().elector.stepDown("web", null)).toBe("this node does not hold web");
  await node.hold();
  expect(node.elector.stepDown("web", "n2")).toContain("VRRP, which cannot name a successor");
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
      "warning web: VRRP goes on with the authentication that it had: no more sockets",
      "confirm web 10.0.0.50",
    ]);
    node.wire.voices[0]?.send();
    expect(node.elector.tokenOf("web")).toBeDefined();
  });
});
