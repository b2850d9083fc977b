// The fence outlives its process, frozen or dead, and is nobody else's to change.

import { describe, expect, it } from "vitest";
import { ARM_MS } from "../../adapters/linux/fence/fence.ts";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { run } from "./namespaces.ts";
import { eventually, useWire } from "./namespaces.ts";
import { askAll, bindAll, openFor, KINDS, openFence, VIP4, VIP6, VIPS } from "./fence-helpers.ts";
import { startHolder, untilOf } from "./process.ts";
import { lastAnswered, untilAnswered, whoAnswers } from "./traffic.ts";

const wire = useWire();

function nft(...args: readonly string[]): string {
  return wire().host.exec("nft", ...args);
}

describe.each(KINDS)("the %s fence", (mode) => {
  it("is closed by the kernel in time while its process is stopped, and the process finds it closed", async () => {
    const holder = await startHolder(wire(), wire().host, mode, VIPS);
    bindAll(wire());
    const streams = askAll(wire());
    const until = untilOf(await holder.ask("hold 400"));
    holder.signal("SIGSTOP");
    await untilAnswered(streams);
    await eventually("the end of the hold", () => bootTimeMs() > until + 60);
    for (const stream of streams) {
      expect(lastAnswered(stream), stream.name).toBeLessThanOrEqual(until);
      expect(lastAnswered(stream), stream.name).toBeGreaterThan(until - ARM_MS - 60);
    }
    holder.signal("SIGCONT");
    expect(await holder.ask("open")).toEqual([]);
    expect(await whoAnswers(streams)).toEqual([]);
  });

  it("is closed by the kernel in time when its process was killed; the next process takes it over, open or closed", async () => {
    const holder = await startHolder(wire(), wire().host, mode, VIPS);
    bindAll(wire());
    const streams = askAll(wire());
    const until = untilOf(await holder.ask("hold 1500"));
    await untilAnswered(streams);
    await holder.kill();
    const before = streams.map(({ questions }) => questions.length);

    const successor = openFence(wire(), { mode });
    successor.protect(VIPS);
    expect(successor.intact()).toBe(true);
    expect(successor.openAddresses()).toEqual(VIPS.map(({ ip }) => ip));
    await eventually("the end of the hold", () => bootTimeMs() > until + 40);
    for (const [i, { questions, name }] of streams.entries()) {
      const inTime = questions.slice(before[i]).filter(({ at }) => at < until - ARM_MS - 60);
      expect(
        inTime.filter(({ answered }) => !answered),
        name,
      ).toEqual([]);
      expect(
        questions.filter(({ at, answered }) => at > until && answered),
        name,
      ).toEqual([]);
    }
    expect(openFor(successor, 60_000)).toEqual({ kind: "open" });
    await untilAnswered(streams);
  });

  it("stands closed for a dead process that never held anything", async () => {
    const holder = await startHolder(wire(), wire().host, mode, VIPS);
    bindAll(wire());
    await holder.kill();
    expect(await whoAnswers(askAll(wire()))).toEqual([]);
  });

  it("does not open for a flush of the ruleset, nor can another process change it", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    expect(fence.info).toMatchObject({ kind: mode, flushProof: true });
    bindAll(wire());
    nft("flush", "ruleset");
    expect(fence.intact()).toBe(true);
    expect(await whoAnswers(askAll(wire()))).toEqual([]);
    const family = mode;
    expect(() => nft("delete", "table", family, "vipd")).toThrow(/Operation not permitted/u);
    expect(() => nft("add", "element", family, "vipd", "open4", `{ ${VIP4.ip} timeout 1h }`)).toThrow(
      /Operation not permitted/u,
    );
    expect(fence.openAddresses()).toEqual([]);
  });

  it("belongs to one living process at a time", async () => {
    const holder = await startHolder(wire(), wire().host, mode, VIPS);
    expect(() => openFence(wire(), { mode })).toThrow(expect.objectContaining({ code: "already-running" }));
    await holder.end();
    expect(openFence(wire(), { mode }).info.kind).toBe(mode);
  });

  it("is put up again when it was taken away while nobody owned it", async () => {
    const first = openFence(wire(), { mode });
    first.protect(VIPS);
    first.release();
    const second = openFence(wire(), { mode });
    nft("flush", "ruleset");
    expect(second.intact()).toBe(false);
    second.protect(VIPS);
    expect(second.intact()).toBe(true);
    bindAll(wire());
    expect(await whoAnswers(askAll(wire()))).toEqual([]);
  });

  it("of two names in one host keep out of each other's way", async () => {
    const one = openFence(wire(), { mode, table: "vipd" });
    const two = openFence(wire(), { mode, table: "vipd-two" });
    one.protect([VIP4]);
    two.protect([VIP6]);
    bindAll(wire());
    const streams = askAll(wire());
    openFor(one, 60_000, [VIP4]);
    await untilAnswered(streams.filter(({ name }) => name.includes(VIP4.ip)));
    expect(await whoAnswers(streams)).toEqual([`ARP ${VIP4.ip}`, `UDP ${VIP4.ip}`]);
    one.remove();
    expect([one.intact(), two.intact()]).toEqual([false, true]);
    expect((await whoAnswers(streams)).filter((name) => name.includes(VIP6.ip))).toEqual([]);
  });

  it("leaves nothing behind when it is removed, and every address free", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    fence.remove();
    fence.remove();
    await untilAnswered(askAll(wire()));
    expect(nft("list", "ruleset").trim()).toBe("");
  });

  it("does not try itself out on traffic: choosing the kind leaves no table", () => {
    openFence(wire(), { mode });
    expect(nft("list", "ruleset").trim()).toBe("");
  });

  it("keeps open what is open when it is put up again", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    const streams = askAll(wire());
    openFor(fence, 60_000);
    await untilAnswered(streams);
    const before = streams.map(({ questions }) => questions.length);
    for (let i = 0; i < 10; i++) {
      fence.protect(VIPS);
      await untilAnswered(streams);
    }
    expect(
      streams.flatMap(({ questions }, i) => questions.slice(before[i], -1).filter(({ answered }) => !answered)),
    ).toEqual([]);
  });
});

describe("interfaces that come and go under the netdev fence", () => {
  it("an interface that was replaced by another of its name is fenced", async () => {
    const fence = openFence(wire(), { mode: "netdev" });
    fence.protect(VIPS);
    await wire().replaceCable();
    fence.protect(VIPS);
    expect(fence.intact()).toBe(true);
    bindAll(wire());
    const streams = askAll(wire());
    expect(await whoAnswers(streams)).toEqual([]);
    openFor(fence, 60_000);
    await untilAnswered(streams);
  });

  it("the address stays open through it", () => {
    const fence = openFence(wire(), { mode: "netdev" });
    fence.protect(VIPS);
    openFor(fence, 60_000);
    wire().host.exec("ip", "link", "delete", "eth0");
    fence.protect(VIPS);
    expect(fence.openAddresses()).toEqual(VIPS.map(({ ip }) => ip));
    expect(fence.intact()).toBe(true);
  });

  it("one that was renamed with the address on it is fenced under its new name", async () => {
    const fence = openFence(wire(), { mode: "netdev" });
    fence.protect(VIPS);
    bindAll(wire());
    const streams = askAll(wire());
    wire().host.exec("ip", "link", "set", "eth0", "name", "lan0");
    fence.protect(VIPS);
    expect(fence.intact()).toBe(true);
    expect(await whoAnswers(streams)).toEqual([]);
    openFor(fence, 60_000);
    await untilAnswered(streams);
  });

  it("one that is gone leaves no chain, and one that is new gets its own", () => {
    const fence = openFence(wire(), { mode: "netdev" });
    wire().host.exec("ip", "link", "add", "extra0", "type", "bridge");
    fence.protect(VIPS);
    expect(chains()).toEqual(["in-eth0", "in-extra0", "na-eth0", "na-extra0", "out-eth0", "out-extra0"]);
    wire().host.exec("ip", "link", "delete", "extra0");
    wire().host.exec("ip", "link", "add", "late0", "type", "bridge");
    fence.protect(VIPS);
    expect(chains()).toEqual(["in-eth0", "in-late0", "na-eth0", "na-late0", "out-eth0", "out-late0"]);
    expect(fence.intact()).toBe(true);
  });

  it("bridge ports are left to their bridge, and tunnels are fenced when they carry a VIP", () => {
    const fence = openFence(wire(), { mode: "netdev" });
    wire().host.exec("ip", "link", "add", "br0", "type", "bridge");
    wire().host.exec("ip", "link", "add", "port0", "type", "veth", "peer", "name", "port1");
    wire().host.exec("ip", "link", "set", "port0", "master", "br0");
    wire().host.exec("ip", "tuntap", "add", "tun0", "mode", "tun");
    wire().host.exec("ip", "tuntap", "add", "tun1", "mode", "tun");
    fence.protect([VIP4, { ...VIP4, ip: "10.77.0.101", interface: "tun1" }]);
    const names = ["br0", "eth0", "port1", "tun1"];
    expect(chains()).toEqual(["in", "na", "out"].flatMap((hook) => names.map((name) => `${hook}-${name}`)));
  });

  it("one that becomes a bridge port loses its chains, and one that is none any more gets them again", () => {
    const fence = openFence(wire(), { mode: "netdev" });
    wire().host.exec("ip", "link", "add", "br0", "type", "bridge");
    wire().host.exec("ip", "link", "add", "port0", "type", "veth", "peer", "name", "port1");
    const fenced = (): boolean => chains().includes("in-port0");
    fence.protect(VIPS);
    expect(fenced()).toBe(true);
    wire().host.exec("ip", "link", "set", "port0", "master", "br0");
    fence.protect(VIPS);
    expect(fenced()).toBe(false);
    wire().host.exec("ip", "link", "set", "port0", "nomaster");
    fence.protect(VIPS);
    expect(fenced()).toBe(true);
  });

  it("one that goes between the look and the change does not keep the others from being fenced", async () => {
    const ghost = { ...wire().hostLink(), index: 99, name: "ghost0" };
    const fence = openFence(wire(), { mode: "netdev", links: [ghost] });
    fence.protect(VIPS);
    bindAll(wire());
    expect(await whoAnswers(askAll(wire()))).toEqual([]);
  });
});

describe.each(KINDS)("the %s fence of kernels without owned tables", (mode) => {
  it("guards and holds as well, says that a flush takes it away, and comes back", async () => {
    const fence = openFence(wire(), { mode, ownable: false });
    fence.protect(VIPS);
    expect(fence.info).toMatchObject({ kind: mode, flushProof: false });
    expect(fence.info.caveats.some((text) => text.includes("flush ruleset") && text.includes("next heartbeat"))).toBe(
      true,
    );
    bindAll(wire());
    const streams = askAll(wire());
    expect(await whoAnswers(streams)).toEqual([]);
    openFor(fence, 60_000);
    await untilAnswered(streams);
    expect(fence.intact()).toBe(true);

    nft("flush", "ruleset");
    expect(fence.intact()).toBe(false);
    expect(() => openFor(fence, 60_000)).toThrow(expect.objectContaining({ code: "fence" }));
    fence.close(VIPS);
    fence.protect(VIPS);
    expect(fence.intact()).toBe(true);
    expect(await whoAnswers(streams)).toEqual([]);
  });

  it.each([
    ["a rule was taken out", "flush", "chain", "TABLE", mode === "netdev" ? "out-eth0" : "out"],
    ["the rules of all interfaces were taken out", "flush", "chain", "TABLE", "to4"],
    ["a chain was taken out", "delete", "chain", "TABLE", mode === "netdev" ? "in-eth0" : "in"],
    ["a guard was taken out", "flush", "set", "TABLE", "guarded4"],
    ["the table was made anew", "replace", "table", "TABLE", ""],
  ])("sees and repairs it when %s", async (_, verb, what, __, name) => {
    const fence = openFence(wire(), { mode, ownable: false });
    fence.protect(VIPS);
    bindAll(wire());
    if (verb === "replace") {
      nft("delete", "table", mode, "vipd");
      nft("add", "table", mode, "vipd");
    } else nft(verb, what, mode, "vipd", name);
    expect(fence.intact()).toBe(false);
    fence.protect(VIPS);
    expect(fence.intact()).toBe(true);
    expect(await whoAnswers(askAll(wire()))).toEqual([]);
  });

  it("outlives its process, and is taken over by an owned one", async () => {
    const before = openFence(wire(), { mode, ownable: false });
    before.protect(VIPS);
    before.release();
    bindAll(wire());
    const streams = askAll(wire());
    expect(await whoAnswers(streams)).toEqual([]);
    const after = openFence(wire(), { mode });
    after.protect(VIPS);
    expect(after.intact()).toBe(true);
    nft("flush", "ruleset");
    expect(await whoAnswers(streams)).toEqual([]);
  });
});

describe("what nft shows of the netdev fence", () => {
  it("is a ruleset that people can read", () => {
    const fence = openFence(wire(), { mode: "netdev" });
    fence.protect(VIPS);
    openFor(fence, 60_000, [VIP4]);
    const text = nft("list", "table", "netdev", "vipd");
    expect(text).toMatch(/flags owner,persist|flags 0x00000006|flags owner/u);
    expect(text).toMatch(/set guarded4 \{\s+type ipv4_addr\s+elements = \{ 10\.77\.0\.100 \}/u);
    expect(text).toMatch(/set guarded6 \{\s+type ipv6_addr\s+elements = \{ 2001:db8:77::100 \}/u);
    expect(text).toMatch(
      /map open4 \{\s+type ipv4_addr : verdict\s+elements = \{ 10\.77\.0\.100 : jump deadline-1 \}/u,
    );
    expect(text).toMatch(
      /set deadline-1 \{\s+type ether_type\s+flags timeout\s+elements = \{ (?:(?:ip6?|arp) timeout 59s\d+ms expires 59s\d+ms,?\s+){3}\}/u,
    );
    expect(text).toMatch(/chain deadline-1 \{\s+meta protocol @deadline-1 accept comment "vipd\/2 open"\s+\}/u);
    expect(text).toMatch(
      /chain in-eth0 \{\s+type filter hook ingress device "eth0" priority (?:-500|filter - 500); policy accept;/u,
    );
    expect(text).toMatch(
      /chain out-eth0 \{\s+type filter hook egress device "eth0" priority (?:-500|filter - 500); policy accept;/u,
    );
    expect(text).toMatch(
      /chain to4 \{\s+ip daddr != @guarded4 return .*\s+ip daddr vmap @open4 .*\s+meta protocol ip fib daddr type local drop/u,
    );
    expect(text).toMatch(
      /chain from6 \{\s+ip6 saddr != @guarded6 return .*\s+ip6 saddr vmap @open6 .*\s+meta protocol ip6 fib saddr type local drop/u,
    );
    expect(text).toMatch(
      /chain arp \{\s+arp saddr ip != @guarded4 return .*\s+arp saddr ip vmap @open4 .*\s+.* drop comment "vipd\/2 arp closed"/u,
    );
    expect(run("nft", "--version")).toMatch(/nftables/u);
  });
});

/** The chains that are hooked in. */
function chains(): string[] {
  return [...nft("list", "table", "netdev", "vipd").matchAll(/chain (\S+) \{\s+type filter/gu)]
    .map(([, name = ""]) => name)
    .toSorted();
}
