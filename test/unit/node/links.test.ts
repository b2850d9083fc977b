// The links of the host: what they say of a VIP, and how often the fence follows them.

import { describe, expect, test } from "vitest";
import type { Link } from "../../../src/ports/host.ts";
import { Links } from "../../../src/node/links.ts";
import { vipConfig } from "./config.ts";
import { address, FakeHost, link } from "./fake-host.ts";

/** News are gathered for so long; the fence rests for so long between two times that it follows. */
const GATHER_MS = 20;
const REST_MS = 250;

/** The links of a host, when the fence followed them, and which changes were told. */
class Followed {
  readonly host = new FakeHost();
  readonly protectedAt: number[] = [];
  readonly changed: string[] = [];
  readonly links: Links;
  /** The link on which a VIP lives. */
  carrier = "";
  onChanged: () => void = () => {};
  private readonly began = this.host.timers.now();

  constructor() {
    this.links = new Links({
      timers: this.host.timers,
      addresses: this.host,
      gone: () => this.host.fence.doubt(),
      protect: () => void this.protectedAt.push(this.host.timers.now() - this.began),
      carriesVip: (name) => name === this.carrier,
      changed: (names) => {
        this.changed.push([...names].join());
        this.onChanged();
      },
    });
    this.host.linkTable.delete("eth1");
    this.links.refresh();
    this.host.monitor((event) => {
      if (event.kind !== "address-added" && event.kind !== "address-removed") this.links.onHostEvent(event);
    });
  }
}

test("a link that a route leads over speaks against its VIP as those of its addresses do", () => {
  const route = { kind: "route", family: 4, ip: "10.9.0.0", prefix: 16, type: "unicast" } as const;
  const routing = [{ ...route, interface: "eth1", table: 254, metric: 0, scope: "link" } as const];
  const { links } = new Followed();
  expect(links.troubleOf(vipConfig("web", [address("10.0.0.1", "eth0")], { routing }))).toBe("eth1 is missing");
});

describe("what speaks against a VIP", () => {
  const web = vipConfig("web", [address("10.0.0.1", "eth0"), address("10.0.0.2", "eth1")]);

  test.each<{ name: string; links: readonly Link[]; expected: string | undefined }>([
    { name: "both of its links are up", links: [link("eth0"), link("eth1")], expected: undefined },
    { name: "one is down", links: [link("eth0"), link("eth1", { up: false })], expected: "eth1 is down" },
    { name: "one is missing", links: [link("eth1")], expected: "eth0 is missing" },
    {
      name: "another one is down",
      links: [link("eth0"), link("eth1"), link("eth2", { up: false })],
      expected: undefined,
    },
  ])("$name", ({ links, expected }) => {
    const { host, links: followed } = new Followed();
    host.linkTable.clear();
    for (const each of links) host.linkTable.set(each.name, each);
    followed.refresh();
    expect(followed.troubleOf(web)).toBe(expected);
  });

  test("follows the news", () => {
    const { host, links, changed } = new Followed();
    const vip = vipConfig("web", [address("10.0.0.1")]);
    host.setLink("eth0", { up: false });
    expect(links.troubleOf(vip)).toBe("eth0 is down");
    host.setLink("eth0", { up: true });
    expect(links.troubleOf(vip)).toBeUndefined();
    host.setLink("eth0", null);
    expect(links.troubleOf(vip)).toBe("eth0 is missing");
    expect(changed).toEqual(["eth0", "eth0", "eth0"]);
  });

  test("is found out again when the kernel has dropped news", () => {
    const { host, links, changed } = new Followed();
    host.linkTable.delete("eth0");
    host.linkTable.set("eth1", link("eth1"));
    host.tell({ kind: "overrun" });
    expect(changed).toEqual(["eth0,eth1"]);
    expect(links.troubleOf(vipConfig("web", [address("10.0.0.1")]))).toBe("eth0 is missing");
  });
});

describe("the fence", () => {
  test.each<{ name: string; happens: (host: FakeHost) => void; follows: boolean }>([
    { name: "a new link", happens: (host) => host.setLink("eth1", {}), follows: true },
    { name: "a link that is gone", happens: (host) => host.setLink("eth0", null), follows: true },
    { name: "a link that was made anew", happens: (host) => host.setLink("eth0", { index: 9 }), follows: true },
    { name: "a link that joins a bridge", happens: (host) => host.setLink("eth0", { port: "bridge" }), follows: true },
    {
      name: "a link that is no Ethernet any more",
      happens: (host) => host.setLink("eth0", { ethernet: false }),
      follows: true,
    },
    { name: "lost news", happens: (host) => host.tell({ kind: "overrun" }), follows: true },
    { name: "a link that goes down", happens: (host) => host.setLink("eth0", { up: false }), follows: false },
    {
      name: "a link with another hardware address",
      happens: (host) => host.setLink("eth0", { mac: "02:99" }),
      follows: false,
    },
  ])("follows, or need not follow: $name", async ({ happens, follows }) => {
    const { host, protectedAt } = new Followed();
    happens(host);
    expect(protectedAt).toEqual([]);
    await host.timers.advance(1_000);
    expect(protectedAt).toEqual(follows ? [GATHER_MS] : []);
  });

  test.each<{ name: string; happens: (host: FakeHost) => void }>([
    { name: "is gone", happens: (host) => host.setLink("eth0", null) },
    { name: "was renamed", happens: (host) => host.renameLink("eth0", "lan0") },
    { name: "was made anew", happens: (host) => host.setLink("eth0", { index: 9 }) },
    {
      name: "has changed unseen",
      happens: (host) => {
        host.linkTable.set("eth0", link("eth0", { index: 9 }));
        host.tell({ kind: "overrun" });
      },
    },
  ])("follows at once, before anybody is told, a link that carries a VIP and $name", ({ happens }) => {
    const followed = new Followed();
    followed.carrier = "eth0";
    followed.onChanged = () => expect(followed.protectedAt).toEqual([0]);
    happens(followed.host);
    expect(followed.changed).not.toEqual([]);
    expect(followed.protectedAt).toEqual([0]);
  });

  test.each<{ name: string; happens: (host: FakeHost) => void; doubts: number }>([
    { name: "a link is gone", happens: (host) => host.setLink("eth0", null), doubts: 1 },
    { name: "a link has another name", happens: (host) => host.renameLink("eth0", "lan0"), doubts: 1 },
    { name: "news were lost", happens: (host) => host.tell({ kind: "overrun" }), doubts: 1 },
    { name: "a link is new", happens: (host) => host.setLink("eth1", {}), doubts: 0 },
    { name: "a link goes down", happens: (host) => host.setLink("eth0", { up: false }), doubts: 0 },
  ])("takes its chains for granted, or does not, before it follows: $name", async ({ happens, doubts }) => {
    const { host, protectedAt } = new Followed();
    happens(host);
    expect([host.doubts, protectedAt]).toEqual([doubts, []]);
    await host.timers.advance(1_000);
    expect(host.doubts).toBe(doubts);
  });

  test("follows news that come together once", async () => {
    const { host, protectedAt } = new Followed();
    for (let index = 0; index < 40; index += 1) host.setLink(`veth${index}`, { index: 10 + index });
    await host.timers.advance(1_000);
    expect(protectedAt).toEqual([GATHER_MS]);
  });

  test("follows vipd's own devices together, although VIPs live on them", async () => {
    const followed = new Followed();
    const { host, protectedAt } = followed;
    for (let id = 1; id <= 9; id += 1) {
      followed.carrier = `vipd4-${id}`;
      host.setLink(followed.carrier, { index: 10 + id, mac: `00:00:5e:00:01:0${id}` });
    }
    host.setLink(followed.carrier, null);
    await host.timers.advance(1_000);
    expect(protectedAt).toEqual([GATHER_MS]);
    // What hundreds of them make known is asked of no VIP.
    expect(followed.changed).toEqual([]);
  });

  test("follows news that go on and on a few times a second, and the last of them too", async () => {
    const { host, protectedAt } = new Followed();
    for (let index = 0; index < 100; index += 1) {
      host.setLink(`veth${index}`, { index: 10 + index });
      await host.timers.advance(10);
    }
    await host.timers.advance(1_000);
    expect(protectedAt).toEqual([20, 270, 520, 770, 1_020]);
    expect(protectedAt[1]).toBe(GATHER_MS + REST_MS);
  });

  test("is soon there again after a rest", async () => {
    const { host, protectedAt } = new Followed();
    host.setLink("eth1", {});
    await host.timers.advance(1_000);
    host.setLink("eth1", null);
    await host.timers.advance(1_000);
    expect(protectedAt).toEqual([GATHER_MS, 1_000 + GATHER_MS]);
  });

  test("does not follow any more when it is closed", async () => {
    const { host, links, protectedAt } = new Followed();
    host.setLink("eth1", {});
    links.close();
    await host.timers.advance(1_000);
    expect(protectedAt).toEqual([]);
    expect(host.timers.waiting).toBe(0);
  });
});
