// The fence on a real kernel: who answers for a guarded address, and when.

import { describe, expect, it } from "vitest";
import {
  AF_INET6,
  AF_PACKET,
  bindSocket,
  bootTimeMs,
  closeFd,
  openSocket,
  receive,
  sendTo,
  setOption,
  SOCK_DGRAM,
  SOCK_RAW,
} from "../../adapters/linux/native.ts";
import { ARM_MS } from "../../adapters/linux/fence/fence.ts";
import { later } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import { concatBytes } from "../../src/wire/bytes.ts";
import { encodeLinkAddress, ETHERTYPE_IPV6 } from "../../src/wire/ethernet.ts";
import { formatIp, ipBytes } from "../../src/wire/ip.ts";
import {
  ALL_NODES,
  decodeNdp,
  encodeNdp,
  ICMPV6,
  NEIGHBOR_ADVERTISEMENT,
  unsolicitedAdvertisement,
} from "../../src/wire/ndp.ts";
import { host32 } from "../../src/wire/netlink.ts";
import { askAll, bindAll, clock, DEADLINE, openFor, KINDS, openFence, VIP4, VIP6, VIPS } from "./fence-helpers.ts";
import { eventually, useWire } from "./namespaces.ts";
import {
  askArp,
  askUdp,
  echo,
  lastAnswered,
  nextQuestions,
  sendUdp,
  udpSocket,
  untilAnswered,
  whoAnswers,
} from "./traffic.ts";

const wire = useWire();

/** A socket on one of the host's own addresses. */
function udpSocketOf(ip: string): { readonly ip: string; readonly heard: () => boolean } {
  const fd = wire().host.inside(() => udpSocket(ip, 7001));
  wire().onClose(() => closeFd(fd));
  return { ip, heard: () => receive(fd, new Uint8Array(16)) !== undefined };
}

describe.each(KINDS)("the %s fence", (mode) => {
  it("is closed by default for an address that is bound; hold opens it, close closes it", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    const streams = askAll(wire());
    expect(await whoAnswers(streams)).toEqual([]);
    expect(fence.openAddresses()).toEqual([]);

    expect(openFor(fence, 60_000)).toEqual({ kind: "open" });
    await untilAnswered(streams);
    expect(fence.openAddresses()).toEqual(VIPS.map(({ ip }) => ip));

    fence.close(VIPS);
    fence.close(VIPS);
    expect(fence.openAddresses()).toEqual([]);
    expect(await whoAnswers(streams)).toEqual([]);
  });

  it("closes what stands open, with no address bound or not, when it is put up", async () => {
    bindAll(wire());
    const streams = askAll(wire());
    await untilAnswered(streams);
    openFence(wire(), { mode }).protect(VIPS);
    expect(await whoAnswers(streams)).toEqual([]);
  });

  it("keeps in what this host says in the address's name", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    const { mac } = wire().peerLink();
    for (const { ip, family } of VIPS) {
      const to = family === 4 ? "10.77.0.2" : "2001:db8:77::2";
      const [speaker, listener] = [
        wire().host.inside(() => udpSocket(ip, 7001)),
        wire().peer.inside(() => udpSocket(to, 7002)),
      ];
      wire().onClose(() => closeFd(speaker));
      wire().onClose(() => closeFd(listener));
      // Else the question for the peer, asked in the address's name, would be kept in first and repeated after a second.
      wire().host.exec("ip", "neighbour", "replace", to, "lladdr", mac, "dev", "eth0", "nud", "permanent");
      const heard = (): boolean => receive(listener, new Uint8Array(16)) !== undefined;
      for (let i = 0; i < 5; i++) sendUdp(speaker, to, 7002);
      expect(heard()).toBe(false);
      openFor(fence, 60_000, [ip === VIP4.ip ? VIP4 : VIP6]);
      await eventually(`the peer hears ${ip}`, () => {
        sendUdp(speaker, to, 7002);
        return heard();
      });
    }
  });

  it("keeps out what others say to the address", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    const { mac } = wire().hostLink();
    for (const vip of VIPS) {
      const from = vip.family === 4 ? "10.77.0.2" : "2001:db8:77::2";
      const [listener, speaker] = [
        wire().host.inside(() => udpSocket(vip.ip, 7001)),
        wire().peer.inside(() => udpSocket(from, 7002)),
      ];
      wire().onClose(() => closeFd(speaker));
      wire().onClose(() => closeFd(listener));
      wire().peer.exec("ip", "neighbour", "replace", vip.ip, "lladdr", mac, "dev", "eth0", "nud", "permanent");
      const heard = (): boolean => receive(listener, new Uint8Array(16)) !== undefined;
      const other = udpSocketOf(from === "10.77.0.2" ? "10.77.0.1" : "2001:db8:77::1");
      for (let i = 0; i < 5; i++) sendUdp(speaker, vip.ip, 7001);
      // What came later and was let in shows that the others were not on their way still.
      await eventually("a datagram to the host's own address", () => {
        sendUdp(speaker, other.ip, 7001);
        return other.heard();
      });
      expect(heard()).toBe(false);
      openFor(fence, 60_000, [vip]);
      await eventually(`a datagram to ${vip.ip}`, () => {
        sendUdp(speaker, vip.ip, 7001);
        return heard();
      });
    }
  });

  it("keeps in a neighbour advertisement for the address, whoever of this host sends it", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    const advertise = (ip: string): void => {
      const packet = encodeNdp(unsolicitedAdvertisement(ipBytes(ip), new Uint8Array(6).fill(2), false));
      const group = concatBytes(
        Uint8Array.of(AF_INET6, 0, 0, 0, 0, 0, 0, 0),
        ALL_NODES,
        host32(wire().hostLink().index),
      );
      try {
        sendTo(icmp, packet.slice(40), group);
      } catch {
        // The fence kept it in.
      }
    };
    const icmp = wire().host.inside(() => openSocket(AF_INET6, SOCK_RAW, ICMPV6));
    wire().onClose(() => closeFd(icmp));
    const [SOL_IPV6, IPV6_MULTICAST_HOPS] = [41, 18];
    setOption(icmp, SOL_IPV6, IPV6_MULTICAST_HOPS, 255);
    const sniffer = wire().peer.inside(() => openSocket(AF_PACKET, SOCK_DGRAM, 0));
    wire().onClose(() => closeFd(sniffer));
    bindSocket(
      sniffer,
      encodeLinkAddress({ protocol: ETHERTYPE_IPV6, index: wire().peerLink().index, mac: new Uint8Array() }),
    );
    const targets = new Set<string>();
    const heard = (ip: string): boolean => {
      const buffer = new Uint8Array(128);
      for (let got = receive(sniffer, buffer); got !== undefined; got = receive(sniffer, buffer)) {
        const message = decodeNdp(got.data);
        if (message?.type === NEIGHBOR_ADVERTISEMENT) targets.add(formatIp(message.target));
      }
      return targets.has(ip);
    };
    advertise(VIP6.ip);
    await eventually("the advertisement of an address that nobody guards", () => {
      advertise("2001:db8:77::101");
      return heard("2001:db8:77::101");
    });
    expect(heard(VIP6.ip)).toBe(false);
    openFor(fence, 60_000);
    await eventually("the advertisement of the address", () => {
      advertise(VIP6.ip);
      return heard(VIP6.ip);
    });
  });

  it("stands between the programs of this host as well", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    const stream = askUdp(wire(), VIP4.ip, wire().host);
    expect(await whoAnswers([stream])).toEqual([]);
    openFor(fence, 60_000);
    await untilAnswered([stream]);
  });

  it("leaves the host's other addresses alone", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    echo(wire(), wire().host, "10.77.0.1");
    echo(wire(), wire().host, "2001:db8:77::1");
    await untilAnswered([askArp(wire(), "10.77.0.1"), askUdp(wire(), "10.77.0.1"), askUdp(wire(), "2001:db8:77::1")]);
  });

  it.each([
    ["", ""],
    [", and translates addresses of others", "add chain ip others post { type nat hook postrouting priority srcnat; }"],
  ])("carries a neighbour's traffic to the real holder while this host routes%s", async (_, translation) => {
    wire().host.exec("nft", `add table ip others; ${translation}`);
    wire().host.exec("ip", "address", "add", "10.78.0.1/24", "dev", "eth0");
    wire().host.exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.eth0.send_redirects=0");
    wire().peer.exec("ip", "address", "add", "10.78.0.9/32", "dev", "lo");
    wire().host.exec("ip", "route", "add", "10.78.0.9/32", "via", "10.77.0.2");
    const holder: VipAddress = { family: 4, ip: "10.78.0.9", prefix: 32, interface: "eth0" };
    const fence = openFence(wire(), { mode });
    fence.protect([holder]);
    const listener = wire().peer.inside(() => udpSocket("10.78.0.9", 7002));
    const speaker = wire().peer.inside(() => udpSocket("10.77.0.2", 7001));
    wire().onClose(() => closeFd(listener));
    wire().onClose(() => closeFd(speaker));
    // The peer speaks to the host's hardware address, as a client behind it would.
    const { mac } = wire().hostLink();
    wire().peer.exec("ip", "neighbour", "replace", "10.77.0.99", "lladdr", mac, "dev", "eth0", "nud", "permanent");
    wire().peer.exec(
      "ip",
      "rule",
      "add",
      "priority",
      "1",
      "to",
      "10.78.0.9",
      "ipproto",
      "udp",
      "dport",
      "7002",
      "iif",
      "lo",
      "lookup",
      "77",
    );
    wire().peer.exec("ip", "route", "add", "10.78.0.9/32", "via", "10.77.0.99", "dev", "eth0", "table", "77");
    wire().peer.exec("ip", "rule", "delete", "priority", "0");
    wire().peer.exec("ip", "rule", "add", "priority", "2", "lookup", "local");
    wire().peer.exec(
      "sysctl",
      "-qw",
      "net.ipv4.conf.all.rp_filter=0",
      "net.ipv4.conf.eth0.rp_filter=0",
      "net.ipv4.conf.eth0.accept_local=1",
    );
    await eventually("a datagram that went through the host", () => {
      sendUdp(speaker, "10.78.0.9", 7002);
      return receive(listener, new Uint8Array(16)) !== undefined;
    });
    const forwarded = /^Ip: (?:\d+ ){5}(\d+)/mu.exec(wire().host.exec("cat", "/proc/net/snmp"))?.[1];
    expect(Number(forwarded)).toBeGreaterThan(0);
  });

  it("is closed by the kernel at the end of the hold, not before it needs to be", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    const streams = askAll(wire());
    const until = later(clock.now(), 400);
    expect(fence.open(VIPS, DEADLINE, until)).toEqual({ kind: "open" });
    await eventually("the end of the hold", () => bootTimeMs() > until + 60);
    for (const stream of streams) {
      expect(lastAnswered(stream), stream.name).toBeLessThanOrEqual(until);
      expect(lastAnswered(stream), stream.name).toBeGreaterThan(until - ARM_MS - 60);
      expect(stream.questions.filter(({ at }) => at > until).length, stream.name).toBeGreaterThan(3);
    }
    expect(fence.openAddresses()).toEqual([]);
  });

  it("stays open without a gap while it is extended, and ends with the last extension", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    const streams = askAll(wire());
    openFor(fence, 300);
    await untilAnswered(streams);
    const before = streams.map(({ questions }) => questions.length);
    let until = clock.now();
    for (let i = 0; i < 20; i++) {
      await nextQuestions(streams, 4);
      until = later(clock.now(), 300);
      expect(fence.open(VIPS, DEADLINE, until)).toEqual({ kind: "open" });
    }
    const asked = streams.map(({ questions }, i) => questions.slice(before[i], -1));
    expect(asked.flatMap((questions) => questions.filter(({ answered }) => !answered))).toEqual([]);
    await eventually("the end of the last hold", () => bootTimeMs() > until + 40);
    expect(await whoAnswers(streams)).toEqual([]);
  });

  it("shortens a hold as well", () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    openFor(fence, 60_000);
    const until = later(clock.now(), ARM_MS + 60);
    expect(fence.open(VIPS, DEADLINE, until)).toEqual({ kind: "open" });
    return eventually("closed", () => fence.openAddresses().length === 0, 400);
  });

  it("opens nothing for a lease that is over or nearly so, and changes nothing", () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    expect(openFor(fence, -1)).toEqual({ kind: "too-late" });
    expect(openFor(fence, ARM_MS)).toEqual({ kind: "too-late" });
    expect(fence.openAddresses()).toEqual([]);
    openFor(fence, 60_000, [VIP4]);
    expect(openFor(fence, ARM_MS)).toEqual({ kind: "too-late" });
    expect(fence.openAddresses()).toEqual([VIP4.ip]);
  });

  it.each(["armed", "clock-read"] as const)("opens nothing when the process was frozen behind the step %s", (step) => {
    let frozenMs = 0;
    const pause = (at: "armed" | "clock-read"): void => {
      if (at === step && frozenMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, frozenMs);
    };
    const fence = openFence(wire(), { mode, pause });
    fence.protect(VIPS);
    frozenMs = 120;
    expect(openFor(fence, 60_000)).toEqual({ kind: "too-late" });
    expect(fence.openAddresses()).toEqual([]);
    frozenMs = 20;
    expect(openFor(fence, 60_000)).toEqual({ kind: "open" });
  });

  it("holds thousands of addresses in one transaction", async () => {
    const fence = openFence(wire(), { mode });
    const many = Array.from({ length: 2_500 }, (_, i): VipAddress => ({
      family: 4,
      ip: `10.99.${i >> 8}.${i & 0xff}`,
      prefix: 32,
      interface: "eth0",
    }));
    fence.protect(many);
    // On a busy machine so large a transaction may be too late: then nothing of it is open.
    await eventually("an open hold", () => {
      const { kind } = openFor(fence, 60_000, many);
      expect(fence.openAddresses()).toHaveLength(kind === "open" ? many.length : 0);
      return kind === "open";
    });
    expect(fence.intact()).toBe(true);
    fence.close(many);
    expect(fence.openAddresses()).toEqual([]);
  });

  it("holds one address of two without opening the other", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    bindAll(wire());
    const streams = askAll(wire());
    openFor(fence, 60_000, [VIP6]);
    await untilAnswered(streams.filter(({ name }) => name.includes(VIP6.ip)));
    expect(await whoAnswers(streams)).toEqual([`NS ${VIP6.ip}`, `UDP ${VIP6.ip}`]);
  });

  it("guards exactly the addresses of the last protect: new ones closed, old ones as they were, others free", async () => {
    const fence = openFence(wire(), { mode });
    fence.protect([VIP4]);
    bindAll(wire());
    const streams = askAll(wire());
    openFor(fence, 60_000, [VIP4]);
    await untilAnswered(streams);
    const arp = streams.slice(0, 1);
    const before = arp[0]?.questions.length ?? 0;

    fence.protect(VIPS);
    expect(await whoAnswers(streams)).toEqual([`ARP ${VIP4.ip}`, `UDP ${VIP4.ip}`]);
    expect(arp[0]?.questions.slice(before, -1).filter(({ answered }) => !answered)).toEqual([]);

    fence.protect([VIP6]);
    await untilAnswered(streams.slice(0, 2));
    expect(fence.openAddresses()).toEqual([]);

    // An address that was free for a while was open in nobody's name: it begins closed again.
    fence.protect(VIPS);
    expect(await whoAnswers(streams)).toEqual([]);
  });
});
