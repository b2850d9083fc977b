// A real server of a VIP on the real kernel: the address is on lo, packets for it are answered, and nobody is ever told by
// ARP or neighbour discovery who has it. What the settings were before comes back, also when every step may be the last.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lockDirectory } from "../../adapters/linux/lockfile.ts";
import { openRealServerKernel } from "../../adapters/linux/real-server/kernel.ts";
import type { RealServer, RealServerKernel, RealServers } from "../../src/ports/real-server.ts";
import { openRealServers } from "../../src/realserver/open.ts";
import { procClock, systemTimers } from "../../src/runtime/timers.ts";
import { askAll, openFence, VIP4, VIP6, VIPS } from "./fence-helpers.ts";
import { useWire, type Wire } from "./namespaces.ts";
import { askArp, echo, nextQuestions, untilAnswered, whoAnswers } from "./traffic.ts";

const wire = useWire();

const timers = systemTimers(procClock());
const ADDRESSES = VIPS.map(({ family, ip }) => ({ family, ip }));
const WEB: RealServer = { name: "web", addresses: ADDRESSES, interfaces: ["eth0"] };
const UDP = [`UDP ${VIP4.ip}`, `UDP ${VIP6.ip}`];

/** A state directory, and the real servers of the wire's host by what is kept there. */
class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), "vr-"));
  readonly wire: Wire;

  constructor() {
    this.wire = wire();
    this.wire.onClose(() => rmSync(this.directory, { recursive: true }));
    for (const { ip } of VIPS) echo(this.wire, this.wire.host, ip);
    // The kernel solicits neighbours in this one's name: the VIP is no address of the interface.
    this.wire.host.exec("ip", "address", "add", "fe80::1/64", "dev", "eth0", "nodad");
  }

  open(change: (kernel: RealServerKernel) => RealServerKernel = (kernel) => kernel): Promise<RealServers> {
    return openRealServers(
      this.directory,
      {
        timers,
        here: { bootId: "boot", networkNamespace: "here" },
        uid: 0,
        lockDirectory,
        openKernel: () => change(this.wire.host.inside(() => openRealServerKernel())),
      },
      new AbortController().signal,
    );
  }

  async with<T>(work: (servers: RealServers) => T): Promise<T> {
    const servers = await this.open();
    try {
      return work(servers);
    } finally {
      servers.close();
    }
  }

  settings(link = "eth0"): string {
    return ["arp_ignore", "arp_announce"]
      .map((name) => this.wire.host.exec("cat", `/proc/sys/net/ipv4/conf/${link}/${name}`).trim())
      .join(" ");
  }

  /** What of a real server the host has. */
  traces(): string {
    const onLo = this.wire.host.exec("ip", "-o", "address", "show", "dev", "lo").match(/(?:\.|::)100\/\d+/gu) ?? [];
    const tables = this.wire.host.exec("nft", "list", "tables").match(/\S+ vipd-real/gu) ?? [];
    return [...onLo, ...tables].join(" ");
  }
}

test("packets to the VIP are answered, and no question who has it; both go when it is taken down", async () => {
  const bench = new Bench();
  const streams = askAll(wire());
  expect(await bench.with((servers) => servers.up(WEB, "file"))).toEqual({ kind: "changed", remarks: [] });
  expect(bench.settings()).toBe("1 2");
  expect(bench.traces()).toBe(".100/32 ::100/128 arp vipd-real inet vipd-real");
  await untilAnswered(streams.filter(({ name }) => UDP.includes(name)));
  expect(await whoAnswers(streams)).toEqual(UDP);
  expect(await bench.with((servers) => servers.look([WEB]))).toMatchObject([{ state: "up", trouble: null }]);
  expect(await bench.with((servers) => servers.up(WEB, "file"))).toEqual({ kind: "unchanged", remarks: [] });
  expect(await bench.with((servers) => servers.down(WEB, "file"))).toEqual({ kind: "changed", remarks: [] });
  expect(bench.settings()).toBe("0 0");
  expect(bench.traces()).toBe("");
  expect(await whoAnswers(streams)).toEqual([]);
  expect(await bench.with((servers) => servers.down(WEB, "file"))).toEqual({ kind: "unchanged", remarks: [] });
});

test("the rules alone keep it silent, and so do the settings alone; without both, ARP gives it away", async () => {
  const bench = new Bench();
  const streams = askAll(wire());
  await bench.with((servers) => servers.up(WEB, "file"));
  await untilAnswered(streams.filter(({ name }) => UDP.includes(name)));
  wire().host.exec("sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=0", "net.ipv4.conf.eth0.arp_announce=0");
  expect(await whoAnswers(streams)).toEqual(UDP);
  const lowered = await bench.with((servers) => servers.look([WEB]));
  expect(lowered[0]?.trouble).toBe("net.ipv4.conf.eth0.arp_ignore is 0, and must be 1 or more");
  await bench.with((servers) => servers.follow([WEB]));
  expect(bench.settings()).toBe("1 2");
  wire().host.exec("nft", "flush", "ruleset");
  expect(await whoAnswers(streams)).toEqual(UDP);
  const flushed = await bench.with((servers) => servers.look([WEB]));
  expect(flushed[0]?.trouble).toContain("are gone");
  wire().host.exec("sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=0");
  // The kernel does not answer solicitations for an address of lo.
  await untilAnswered(streams.filter(({ name }) => name === `ARP ${VIP4.ip}`));
  expect(await whoAnswers(streams)).toEqual([`ARP ${VIP4.ip}`, ...UDP]);
  await bench.with((servers) => servers.follow([WEB]));
  expect(await whoAnswers(streams)).toEqual(UDP);
});

test("a process that ends before any of its calls to the kernel leaves nothing that down does not take back, and never an answer", async () => {
  const bench = new Bench();
  const arp = askArp(wire(), VIP4.ip);
  wire().host.exec("sysctl", "-qw", "net.ipv4.conf.eth0.arp_announce=1");
  let steps = 0;
  for (let end = 0, ended = true; ended; end++) {
    ended = await endsBefore(end, bench, (servers) => servers.up(WEB, "file"));
    expect((await bench.with((servers) => servers.up(WEB, "file"))).kind).not.toBe("refused");
    expect(bench.settings()).toBe("1 2");
    ended = (await endsBefore(end, bench, (servers) => servers.down(WEB, "file"))) || ended;
    expect((await bench.with((servers) => servers.down(WEB, "file"))).kind).not.toBe("refused");
    expect(bench.settings(), `ended before call ${end}`).toBe("0 1");
    expect(bench.traces(), `ended before call ${end}`).toBe("");
    steps = end;
  }
  expect(steps).toBe(5);
  const [questions] = await nextQuestions([arp]);
  expect(questions?.length).toBeGreaterThan(0);
  expect(arp.questions.filter(({ answered }) => answered)).toEqual([]);
});

test("two VIPs share the settings of an interface: they come back with the last one", async () => {
  const bench = new Bench();
  const first: RealServer = { name: "one", addresses: ADDRESSES.slice(0, 1), interfaces: ["eth0"] };
  const second: RealServer = { name: "two", addresses: [{ family: 4, ip: "10.77.0.101" }], interfaces: ["eth0"] };
  await bench.with((servers) => servers.follow([first, second]));
  await bench.with((servers) => servers.down(first, "file"));
  expect(bench.settings()).toBe("1 2");
  await bench.with((servers) => servers.down(second, "file"));
  expect(bench.settings()).toBe("0 0");
});

test("a setting that somebody else has changed meanwhile is left as it is, and told", async () => {
  const bench = new Bench();
  await bench.with((servers) => servers.up(WEB, "file"));
  wire().host.exec("sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=2");
  const down = await bench.with((servers) => servers.down(WEB, "file"));
  expect(down).toEqual({
    kind: "changed",
    remarks: [
      "net.ipv4.conf.eth0.arp_ignore is 2, and no longer the 1 that was set here: it is left as it is (it was 0 before)",
    ],
  });
  expect(bench.settings()).toBe("2 0");
});

test("an interface that was made anew keeps its own settings, and gets what it needs again", async () => {
  const bench = new Bench();
  await bench.with((servers) => servers.up(WEB, "file"));
  await wire().replaceCable();
  expect(bench.settings()).toBe("0 0");
  await bench.with((servers) => servers.follow([WEB]));
  expect(bench.settings()).toBe("1 2");
  await wire().replaceCable();
  await bench.with((servers) => servers.down(WEB, "file"));
  expect(bench.settings()).toBe("0 0");
});

test("an interface that was renamed gets its settings back under its new name", async () => {
  const bench = new Bench();
  await bench.with((servers) => servers.up(WEB, "file"));
  wire().host.exec("ip", "link", "set", "eth0", "down");
  wire().host.exec("ip", "link", "set", "eth0", "name", "lan0");
  expect(await bench.with((servers) => servers.down(WEB, "file"))).toEqual({ kind: "changed", remarks: [] });
  expect(bench.settings("lan0")).toBe("0 0");
});

test("an address that lo refuses is told, and the others come up; by vipctl all stays as it was", async () => {
  const bench = new Bench();
  wire().host.exec("sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=1");
  expect(await bench.with((servers) => servers.up(WEB, "file"))).toEqual({
    kind: "refused",
    reason: expect.stringMatching(/^\S+::100: IPv6 is disabled on lo: set net\.ipv6\.conf\.lo\.disable_ipv6 to 0/u),
  });
  expect([bench.traces(), bench.settings()]).toEqual(["", "0 0"]);
  const states = await bench.with((servers) => {
    servers.follow([WEB]);
    return servers.look([WEB]);
  });
  expect(states).toMatchObject([{ state: "up", trouble: expect.stringContaining("IPv6 is disabled on lo") }]);
  expect(bench.traces()).toContain(".100/32");
});

test("what a vipd guards, what is bound elsewhere, and an interface that is missing are refused", async () => {
  const bench = new Bench();
  const lost = { ...WEB, interfaces: ["eth9"] };
  expect(await bench.with((servers) => servers.up(lost, "hand"))).toEqual({
    kind: "refused",
    reason: "there is no interface eth9",
  });
  wire().host.exec("ip", "address", "add", `${VIP4.ip}/24`, "dev", "eth0");
  const bound = await bench.with((servers) => servers.up(WEB, "hand"));
  expect(bound).toMatchObject({
    kind: "refused",
    reason: expect.stringContaining("is on eth0, where this host answers"),
  });
  wire().host.exec("ip", "address", "delete", `${VIP4.ip}/24`, "dev", "eth0");
  const fence = openFence(wire());
  fence.protect([VIP6]);
  const guarded = await bench.with((servers) => servers.up(WEB, "hand"));
  expect(guarded).toMatchObject({ kind: "refused", reason: expect.stringContaining(`candidate for ${VIP6.ip}`) });
  // A daemon's own waits until the fence has let go of it.
  await bench.with((servers) => servers.follow([WEB]));
  expect(bench.traces()).toBe("");
  fence.remove();
  await bench.with((servers) => servers.follow([WEB]));
  expect(bench.traces()).toContain(".100/32 ::100/128");
});

test("an address that somebody else has put on lo is silent for as long as it is there", async () => {
  const bench = new Bench();
  wire().host.exec("ip", "address", "add", `${VIP4.ip}/32`, "dev", "lo");
  await bench.with((servers) => servers.up(WEB, "file"));
  const down = await bench.with((servers) => servers.down(WEB, "file"));
  expect(down).toMatchObject({ kind: "refused", reason: expect.stringContaining("is on lo still") });
  const arp = askArp(wire(), VIP4.ip);
  expect(await whoAnswers([arp])).toEqual([]);
  wire().host.exec("ip", "address", "delete", `${VIP4.ip}/32`, "dev", "lo");
  expect(await bench.with((servers) => servers.down(WEB, "file"))).toMatchObject({ kind: "changed" });
  expect([bench.traces(), bench.settings()]).toEqual(["", "0 0"]);
});

test("another process waits for its turn", async () => {
  const bench = new Bench();
  const first = await bench.open();
  const second = bench.open();
  first.up(WEB, "file");
  first.close();
  const servers = await second;
  expect(servers.up(WEB, "file").kind).toBe("unchanged");
  servers.close();
  expect(JSON.parse(readFileSync(join(bench.directory, "realservers.json"), "utf8"))).toMatchObject({ version: 1 });
});

test("a record that cannot be understood is left to a person", async () => {
  const bench = new Bench();
  for (const text of ["", "{", '{"version":2}']) {
    writeFileSync(join(bench.directory, "realservers.json"), text);
    await expect(bench.open()).rejects.toMatchObject({ code: "state-dir" });
  }
  rmSync(join(bench.directory, "realservers.json"));
  (await bench.open()).close();
});

/** Has a change end before its call number `end` to the kernel changes anything; false when it made fewer. */
async function endsBefore(end: number, bench: Bench, work: (servers: RealServers) => void): Promise<boolean> {
  let calls = 0;
  const count = <A extends readonly unknown[]>(call: (...args: A) => void) => {
    return (...args: A): void => {
      if (calls === end) throw new Error("killed");
      calls += 1;
      call(...args);
    };
  };
  const servers = await bench.open((kernel) => ({
    silence: count((addresses) => kernel.silence(addresses)),
    setArp: count((index, setting, value) => kernel.setArp(index, setting, value)),
    // Each address by itself: a process may end between two of them.
    serve: (addresses) => {
      addresses.forEach((address) => count(() => kernel.serve([address]))());
      return [];
    },
    withdraw: (addresses) => addresses.forEach((address) => count(() => kernel.withdraw([address]))()),
    silenced: () => kernel.silenced(),
    arpSettings: (link) => kernel.arpSettings(link),
    addresses: () => kernel.addresses(),
    guarded: () => kernel.guarded(),
    close: () => kernel.close(),
  }));
  try {
    work(servers);
    return false;
  } catch (error) {
    if (error instanceof Error && error.message === "killed") return true;
    throw error;
  } finally {
    servers.close();
  }
}
