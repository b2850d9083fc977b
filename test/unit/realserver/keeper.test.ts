// The order in which a host becomes a real server, and ceases to be one.

import { expect, test } from "vitest";
import type { RealServer } from "../../../src/ports/real-server.ts";
import { FakeKernel } from "./fake-kernel.ts";

const WEB: RealServer = { name: "web", addresses: [{ family: 4, ip: "10.0.0.50" }], interfaces: ["eth0"] };
const SIX: RealServer = { name: "six", addresses: [{ family: 6, ip: "2001:db8::50" }], interfaces: ["eth0"] };

test("up: record, silence, settings, address; down: the reverse", () => {
  const kernel = new FakeKernel();
  const servers = kernel.open();
  servers.up(WEB, "file");
  const up = ["keep web", "silence 10.0.0.50", "arpIgnore 1", "arpAnnounce 2", "serve 10.0.0.50", "keep web"];
  expect(kernel.news()).toEqual(up);
  servers.down(WEB, "file");
  const down = ["keep", "withdraw 10.0.0.50", "arpIgnore 0", "arpAnnounce 0", "silence", "keep"];
  expect(kernel.news()).toEqual(down);
});

test("an IPv6 address needs no setting of an interface", () => {
  const kernel = new FakeKernel();
  kernel.open().up(SIX, "hand");
  expect(kernel.news()).toEqual(["keep six", "silence 2001:db8::50", "serve 2001:db8::50", "keep six"]);
});

test("a change of the file keeps what stays on lo", () => {
  const kernel = new FakeKernel();
  const servers = kernel.open();
  servers.follow([WEB]);
  kernel.news();
  const more = { ...WEB, addresses: [...WEB.addresses, ...SIX.addresses] };
  servers.follow([more]);
  expect(kernel.news()).toEqual(["keep web", "silence 10.0.0.50 2001:db8::50", "serve 2001:db8::50", "keep web"]);
  servers.follow([SIX]);
  expect(kernel.news()).toEqual([
    "keep six",
    "withdraw 10.0.0.50",
    "arpIgnore 0",
    "arpAnnounce 0",
    "silence 2001:db8::50",
    "keep six",
  ]);
});

test("what was brought up by hand outlasts a reload, what is down by hand too, until the file has it no more", () => {
  const servers = new FakeKernel().open();
  servers.up(SIX, "hand");
  servers.follow([WEB]);
  servers.down(WEB, "file");
  servers.follow([WEB]);
  expect(servers.look([WEB]).map(({ name, state, by }) => [name, state, by])).toEqual([
    ["six", "up", "hand"],
    ["web", "down", "file"],
  ]);
  servers.follow([]);
  servers.follow([WEB]);
  expect(servers.look([WEB])[1]).toMatchObject({ name: "web", state: "up", trouble: null });
});

test("a vipd that begins to guard the address in the middle ends it, and nothing is left", () => {
  const kernel = new FakeKernel();
  const setArp = kernel.setArp.bind(kernel);
  kernel.setArp = (...args) => {
    setArp(...args);
    kernel.guards = ["10.0.0.50"];
  };
  const outcome = kernel.open().up(WEB, "hand");
  expect(outcome).toMatchObject({ kind: "refused", reason: expect.stringContaining("candidate for 10.0.0.50") });
  expect([kernel.placed, kernel.silent, kernel.links.get("eth0")?.values]).toEqual([
    [],
    [],
    { arpIgnore: 0, arpAnnounce: 0 },
  ]);
});

test("one of the file that has not come up yet is down by hand, too", () => {
  const kernel = new FakeKernel();
  const servers = kernel.open();
  kernel.guards = ["10.0.0.50"];
  servers.follow([WEB]);
  expect(servers.down(WEB, "file").kind).toBe("changed");
  kernel.guards = [];
  servers.follow([WEB]);
  expect(servers.look([WEB])).toMatchObject([{ state: "down", trouble: null }]);
});

test("one address is not two real servers, and what is none is not taken down", () => {
  const servers = new FakeKernel().open();
  servers.up(WEB, "file");
  expect(servers.up({ ...WEB, name: "10.0.0.50" }, "hand")).toEqual({
    kind: "refused",
    reason: "this host is a real server under 10.0.0.50 already, as web",
  });
  expect(servers.down({ name: "db", addresses: [] }, "hand")).toEqual({
    kind: "refused",
    reason: "this host is no real server of db",
  });
});

test("one by hand gives way to one of the file that has its addresses, and stays on lo meanwhile", () => {
  const kernel = new FakeKernel();
  const servers = kernel.open();
  servers.up({ ...WEB, name: "10.0.0.50" }, "hand");
  kernel.news();
  servers.follow([WEB]);
  expect(servers.look([WEB]).map(({ name, by, state }) => [name, by, state])).toEqual([["web", "file", "up"]]);
  expect(kernel.news()).toEqual(["keep web", "keep web"]);
  expect(servers.down(WEB, "file").kind).toBe("changed");
  expect(servers.up({ ...WEB, name: "10.0.0.50" }, "hand").kind).toBe("changed");
  expect(servers.up(WEB, "file").kind).toBe("changed");
  expect(servers.look([WEB]).length).toBe(1);
});

test("by hand there are as many as the record holds, and no more", () => {
  const servers = new FakeKernel().open();
  const nth = (n: number): RealServer => {
    const ip = `10.1.${n >> 8}.${n & 255}`;
    return { name: ip, addresses: [{ family: 4, ip }], interfaces: ["eth0"] };
  };
  for (let n = 0; n < 256; n++) expect(servers.up(nth(n), "hand").kind).toBe("changed");
  expect(servers.up(nth(256), "hand")).toMatchObject({ kind: "refused", reason: expect.stringContaining("256 VIPs") });
  expect(servers.up(nth(0), "hand").kind).toBe("unchanged");
});

test.each<[what: string, change: (kernel: FakeKernel) => void, trouble: string | null]>([
  ["all is well", () => {}, null],
  [
    "the rules are gone",
    (kernel) => void (kernel.silent = []),
    "the rules that keep this host silent about 10.0.0.50 are gone",
  ],
  [
    "a vipd guards it",
    (kernel) => void (kernel.guards = ["10.0.0.50"]),
    "a vipd of this host guards 10.0.0.50: its traffic is dropped",
  ],
  ["the address is gone", (kernel) => void (kernel.placed = []), "10.0.0.50 is not on lo"],
  [
    "it is elsewhere, too",
    (kernel) => kernel.placed.push({ family: 4, ip: "10.0.0.50", interface: "eth0", served: false }),
    "10.0.0.50 is on eth0, too",
  ],
  ["the interface is gone", (kernel) => void kernel.links.delete("eth0"), "there is no interface eth0"],
  [
    "a setting is too low",
    (kernel) => kernel.setArp(2, "arpAnnounce", 1),
    "net.ipv4.conf.eth0.arp_announce is 1, and must be 2 or more",
  ],
])("look: %s", (_, change, trouble) => {
  const kernel = new FakeKernel();
  const servers = kernel.open();
  servers.up(WEB, "file");
  change(kernel);
  expect(servers.look([WEB])[0]?.trouble).toBe(trouble);
});

test("the settings stay while an address that somebody else has put on lo is there, however often it is taken down", () => {
  const kernel = new FakeKernel();
  kernel.placed = [{ family: 4, ip: "10.0.0.50", interface: "lo", served: false }];
  const servers = kernel.open();
  servers.up(WEB, "file");
  const raised = { arpIgnore: 1, arpAnnounce: 2 };
  for (let time = 0; time < 3; time++) {
    expect(servers.down(WEB, "file").kind).toBe("refused");
    expect(kernel.links.get("eth0")?.values).toEqual(raised);
  }
  servers.follow([]);
  expect([kernel.links.get("eth0")?.values, kernel.silent]).toEqual([raised, ["10.0.0.50"]]);
  kernel.placed = [];
  servers.down(WEB, "file");
  expect([kernel.links.get("eth0")?.values, kernel.silent]).toEqual([{ arpIgnore: 0, arpAnnounce: 0 }, []]);
});

test("the settings stay for an address of another state directory, and come back when both are down", () => {
  const kernel = new FakeKernel();
  const servers = kernel.open();
  servers.up(WEB, "hand");
  kernel.silent = [...kernel.silent, "10.0.0.51"];
  kernel.placed = [...kernel.placed, { family: 4, ip: "10.0.0.51", interface: "lo", served: true }];
  const first = servers.down(WEB, "hand");
  expect(first).toMatchObject({
    kind: "changed",
    remarks: [expect.stringMatching(/^10\.0\.0\.51 is on lo .*arp_ignore/u)],
  });
  expect(kernel.links.get("eth0")?.values).toEqual({ arpIgnore: 1, arpAnnounce: 2 });
  kernel.withdraw([{ family: 4, ip: "10.0.0.51" }]);
  expect(servers.down(WEB, "hand")).toEqual({ kind: "changed", remarks: [] });
  expect(kernel.links.get("eth0")?.values).toEqual({ arpIgnore: 0, arpAnnounce: 0 });
});

test("an address that lo refuses is the trouble of its own server; the others come up", () => {
  const kernel = new FakeKernel();
  kernel.refused.add("2001:db8::50");
  const servers = kernel.open();
  servers.follow([SIX, WEB]);
  expect(servers.look([SIX, WEB]).map(({ name, trouble }) => [name, trouble])).toEqual([
    ["six", "2001:db8::50: lo refuses it"],
    ["web", null],
  ]);
  expect(kernel.placed.map(({ ip }) => ip)).toEqual(["10.0.0.50"]);
  expect(kernel.open().look([])[0]?.trouble, "another process, such as vipctl, tells the same").toBe(
    "2001:db8::50: lo refuses it",
  );
});

test("one that was refused, or that failed, is not kept", () => {
  const kernel = new FakeKernel();
  const servers = kernel.open();
  servers.up(WEB, "hand");
  kernel.refused.add("2001:db8::50");
  expect(servers.up(SIX, "hand")).toEqual({ kind: "refused", reason: "2001:db8::50: lo refuses it" });
  const names = (): readonly string[] => servers.look([]).map(({ name }) => name);
  expect([names(), kernel.silent]).toEqual([["web"], ["10.0.0.50"]]);
  kernel.refused.clear();
  kernel.silence = () => {
    throw new Error("no capability");
  };
  expect(() => servers.up(SIX, "hand")).toThrow("no capability");
  expect([names(), kernel.silent]).toEqual([["web"], ["10.0.0.50"]]);
});

test("down is refused for addresses of the server that is meant, and for no other one's", () => {
  const kernel = new FakeKernel();
  kernel.placed = [{ family: 4, ip: "10.0.0.50", interface: "lo", served: false }];
  const servers = kernel.open();
  servers.follow([WEB, SIX]);
  expect(servers.down(WEB, "file").kind).toBe("refused");
  expect(servers.down(SIX, "file").kind).toBe("changed");
  expect(servers.down(SIX, "file").kind).toBe("unchanged");
  expect(servers.down({ name: "db", addresses: [] }, "hand")).toMatchObject({
    reason: "this host is no real server of db",
  });
});
