// Announcing and probing on a real wire.

import { describe, expect, it } from "vitest";
import { probeAddress } from "../../adapters/linux/index.ts";
import {
  AF_PACKET,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  sendTo,
  SOCK_DGRAM,
  SOCK_RAW,
} from "../../adapters/linux/native.ts";
import { KernelPackets } from "../../adapters/linux/packets.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type { Answer } from "../../src/ports/host.ts";
import { ARP_REPLY, ARP_REQUEST, arpProbe, decodeArp, encodeArp } from "../../src/wire/arp.ts";
import { concatBytes, fromHex, toHex } from "../../src/wire/bytes.ts";
import {
  BROADCAST_MAC,
  encodeLinkAddress,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  formatMac,
  parseMac,
} from "../../src/wire/ethernet.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { decodeNdp, encodeNdp, NEIGHBOR_ADVERTISEMENT, unsolicitedAdvertisement } from "../../src/wire/ndp.ts";
import { bindAll, clock, openFor, openFence, VIP4, VIP6, VIPS } from "./fence-helpers.ts";
import { eventually, useWire } from "./namespaces.ts";

const wire = useWire();
const NEVER_ABORTED = new AbortController().signal;
const STRANGER = "02:00:00:00:00:99";

function open(mayAnnounce?: (ip: string) => boolean): KernelPackets {
  const deps = { clock, ...(mayAnnounce === undefined ? {} : { mayAnnounce }) };
  const packets = wire().host.inside(() => new KernelPackets(deps));
  wire().onClose(() => packets.close());
  return packets;
}

/** All frames of a protocol that the peer hears from now on, without their Ethernet headers. */
function listen(protocol: number): () => Uint8Array[] {
  const fd = wire().peer.inside(() => openSocket(AF_PACKET, SOCK_DGRAM, 0));
  bindSocket(fd, encodeLinkAddress({ protocol, index: wire().peerLink().index, mac: new Uint8Array() }));
  wire().onClose(() => closeFd(fd));
  const frames: Uint8Array[] = [];
  return () => {
    const buffer = new Uint8Array(256);
    for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer)) frames.push(got.data.slice());
    return frames;
  };
}

/** Sends frames from the peer, with or without their own Ethernet header. */
function sender(kind: typeof SOCK_DGRAM | typeof SOCK_RAW): (protocol: number, data: Uint8Array) => void {
  const fd = wire().peer.inside(() => openSocket(AF_PACKET, kind, 0));
  wire().onClose(() => closeFd(fd));
  const { index } = wire().peerLink();
  return (protocol, data) => sendTo(fd, data, encodeLinkAddress({ protocol, index, mac: BROADCAST_MAC }));
}

/** The probe's socket opens in the namespace that asks. */
function probe(
  packets: KernelPackets,
  vip: VipAddress,
  waitMs = 60,
  signal = NEVER_ABORTED,
): Promise<readonly Answer[]> {
  return wire().host.inside(() => packets.probe(vip, waitMs, signal));
}

function macBytes(text: string): Uint8Array {
  return parseMac(text) ?? BROADCAST_MAC;
}

/** An ARP answer for `ip` by a station of this hardware address. */
function arpAnswer(ip: string, mac: string): Uint8Array {
  const senderMac = macBytes(mac);
  return encodeArp({
    operation: ARP_REPLY,
    senderMac,
    senderIp: ipBytes(ip),
    targetMac: BROADCAST_MAC,
    targetIp: ipBytes("0.0.0.0"),
  });
}

function macs(answers: readonly Answer[]): string[] {
  return answers.map(({ mac }) => mac);
}

describe("announcing", () => {
  it("an IPv4 address says the request form and the reply form", async () => {
    const frames = listen(ETHERTYPE_ARP);
    const { mac } = wire().hostLink();
    expect(open().announce(VIP4)).toBe(true);
    const heard = (): string[] =>
      frames().flatMap((frame) => {
        const arp = decodeArp(frame);
        if (arp === undefined || toHex(arp.senderIp) !== toHex(ipBytes(VIP4.ip))) return [];
        return [`${arp.operation} ${formatMac(arp.senderMac)} > ${formatMac(arp.targetMac)} ${toHex(arp.targetIp)}`];
      });
    await eventually("both forms", () => heard().length >= 2);
    expect(heard()).toEqual([
      `${ARP_REQUEST} ${mac} > ff:ff:ff:ff:ff:ff 0a4d0064`,
      `${ARP_REPLY} ${mac} > ${mac} 0a4d0064`,
    ]);
  });

  it.each([
    [0, false],
    [1, true],
  ])(
    "an IPv6 address says an overriding advertisement; with forwarding %i the router flag is %s",
    async (forwarding, router) => {
      wire().host.exec("sysctl", "-qw", `net.ipv6.conf.eth0.forwarding=${forwarding}`);
      const frames = listen(ETHERTYPE_IPV6);
      const { mac } = wire().hostLink();
      const packets = open();
      expect(wire().host.inside(() => packets.announce(VIP6))).toBe(true);
      const heard = () =>
        frames()
          .map(decodeNdp)
          .filter((message) => message?.type === NEIGHBOR_ADVERTISEMENT);
      await eventually("the advertisement", () => heard().length > 0);
      expect(heard()).toEqual([unsolicitedAdvertisement(ipBytes(VIP6.ip), macBytes(mac), router)]);
    },
  );

  it.each(VIPS)("moves $ip in a neighbour that has learnt another station only just now", async (vip) => {
    wire().peer.exec("ip", "neighbour", "replace", vip.ip, "lladdr", STRANGER, "dev", "eth0", "nud", "reachable");
    expect(wire().neighbour(vip.ip)).toBe(STRANGER);
    expect(open().announce(vip)).toBe(true);
    const { mac } = wire().hostLink();
    await eventually("the neighbour's entry", () => wire().neighbour(vip.ip) === mac);
  });

  it.each(VIPS)("$ip is kept in by the closed fence, and told so", async (vip) => {
    const fence = openFence(wire(), { mode: "netdev" });
    fence.protect(VIPS);
    const packets = open();
    const frames = listen(vip.family === 4 ? ETHERTYPE_ARP : ETHERTYPE_IPV6);
    const ofVip = (): Uint8Array[] => frames().filter((frame) => toHex(frame).includes(toHex(ipBytes(vip.ip))));
    expect(packets.announce(vip)).toBe(false);
    expect(ofVip()).toEqual([]);
    openFor(fence, 60_000);
    expect(packets.announce(vip)).toBe(true);
    await eventually("the announcement", () => ofVip().length > 0);
  });

  it("asks first where the kernel's fence does not see such packets", () => {
    const frames = listen(ETHERTYPE_ARP);
    expect(open((ip) => ip !== VIP4.ip).announce(VIP4)).toBe(false);
    expect(frames()).toEqual([]);
    expect(open((ip) => ip === VIP4.ip).announce(VIP4)).toBe(true);
  });

  it("says no on a link that is down or gone, and needs no words on one without neighbours", () => {
    const packets = open();
    expect(packets.announce({ ...VIP4, interface: "lo" })).toBe(true);
    wire().host.exec("ip", "link", "set", "eth0", "down");
    expect(packets.announce(VIP4)).toBe(false);
    wire().host.exec("ip", "link", "delete", "eth0");
    expect(packets.announce(VIP4)).toBe(false);
  });

  it("goes on by itself on an interface that was replaced", async () => {
    const packets = open();
    await wire().replaceCable();
    expect(VIPS.map((vip) => packets.announce(vip))).toEqual([true, true]);
  });
});

describe("probing", () => {
  it.each(VIPS)("finds the station that has $ip, and nobody when it is free", async (vip) => {
    const packets = open();
    expect(await probe(packets, vip)).toEqual([]);
    const start = clock.now();
    wire().peer.exec(
      "ip",
      "address",
      "add",
      `${vip.ip}/${vip.prefix}`,
      "dev",
      "eth0",
      ...(vip.family === 6 ? ["nodad"] : []),
    );
    const answers = await probe(packets, vip);
    expect(macs(answers)).toEqual([wire().peerLink().mac]);
    expect(answers[0]?.at).toBeGreaterThan(start);
    expect(answers[0]?.at).toBeLessThanOrEqual(clock.now());
  });

  it.each(VIPS)("$ip does not take this host's own answers for another's", async (vip) => {
    bindAll(wire(), [vip]);
    const packets = open();
    const pending = probe(packets, vip);
    packets.announce(vip);
    // A switch may send back what came from another interface of this host.
    const { mac } = wire().hostLink();
    const reflected = encodeNdp(unsolicitedAdvertisement(ipBytes(VIP6.ip), macBytes(mac), false));
    const send = sender(SOCK_DGRAM);
    if (vip.family === 4) send(ETHERTYPE_ARP, arpAnswer(vip.ip, mac));
    else send(ETHERTYPE_IPV6, reflected);
    expect(await pending).toEqual([]);
  });

  it.each(VIPS)("$ip asks from the other side whether this host's fence is open", async (vip) => {
    const fence = openFence(wire());
    fence.protect(VIPS);
    bindAll(wire(), [vip]);
    const ask = () => wire().peer.inside(() => probeAddress(vip, 60, NEVER_ABORTED));
    expect(await ask()).toEqual([]);
    openFor(fence, 60_000);
    expect(macs(await ask())).toEqual([wire().hostLink().mac]);
  });

  it("hears each of several stations once", async () => {
    const send = sender(SOCK_DGRAM);
    const pending = probe(open(), VIP4);
    for (const mac of [STRANGER, "02:00:00:00:00:98", STRANGER]) send(ETHERTYPE_ARP, arpAnswer(VIP4.ip, mac));
    expect(macs(await pending)).toEqual([STRANGER, "02:00:00:00:00:98"]);
  });

  it("takes no notice of malformed ARP, of other addresses, of another's probe, and of other VLANs", async () => {
    const [send, sendRaw] = [sender(SOCK_DGRAM), sender(SOCK_RAW)];
    const answer = arpAnswer(VIP4.ip, STRANGER);
    const pending = probe(open(), VIP4);
    send(ETHERTYPE_ARP, answer.slice(0, 10));
    send(ETHERTYPE_ARP, fromHex("0001 0800 ff ff 0002"));
    send(ETHERTYPE_ARP, concatBytes(fromHex("0001 86dd"), answer.slice(4)));
    send(ETHERTYPE_ARP, arpAnswer("10.77.0.101", STRANGER));
    send(ETHERTYPE_ARP, encodeArp(arpProbe(macBytes(STRANGER), ipBytes(VIP4.ip))));
    const vlan7 = concatBytes(BROADCAST_MAC, macBytes(STRANGER), fromHex("8100 0007 0806"), answer);
    sendRaw(ETHERTYPE_ARP, vlan7);
    sendRaw(ETHERTYPE_ARP, vlan7.slice(0, 20));
    // The proof that they went out and were heard.
    send(ETHERTYPE_ARP, arpAnswer(VIP4.ip, "02:00:00:00:00:01"));
    expect(macs(await pending)).toEqual(["02:00:00:00:00:01"]);
  });

  it("takes no notice of malformed neighbour discovery, of other addresses and of other VLANs", async () => {
    const [send, sendRaw] = [sender(SOCK_DGRAM), sender(SOCK_RAW)];
    const advertisement = (ip: string, mac: string): Uint8Array =>
      encodeNdp(unsolicitedAdvertisement(ipBytes(ip), macBytes(mac), false));
    const answer = advertisement(VIP6.ip, STRANGER);
    const wrongSum = answer.slice();
    wrongSum[42] = (wrongSum[42] ?? 0) ^ 0xff;
    const pending = probe(open(), VIP6);
    for (const length of [1, 39, 41, 63, 70]) send(ETHERTYPE_IPV6, answer.slice(0, length));
    send(ETHERTYPE_IPV6, wrongSum);
    send(ETHERTYPE_IPV6, advertisement("2001:db8:77::101", STRANGER));
    sendRaw(ETHERTYPE_IPV6, concatBytes(BROADCAST_MAC, macBytes(STRANGER), fromHex("8100 0007 86dd"), answer));
    send(ETHERTYPE_IPV6, advertisement(VIP6.ip, "02:00:00:00:00:01"));
    expect(macs(await pending)).toEqual(["02:00:00:00:00:01"]);
  });

  it("ends at once when it is called off", async () => {
    const controller = new AbortController();
    const pending = probe(open(), VIP4, 60_000, controller.signal);
    controller.abort();
    await expect(pending).rejects.toMatchObject({ code: "aborted" });
    await expect(probe(open(), VIP4, 60, controller.signal)).rejects.toMatchObject({ code: "aborted" });
  });

  it("says which interface is down or missing", async () => {
    const packets = open();
    wire().host.exec("ip", "link", "set", "eth0", "down");
    await expect(probe(packets, VIP4)).rejects.toMatchObject({ code: "interface", context: { interface: "eth0" } });
    const elsewhere = { ...VIP4, interface: "eth9" };
    await expect(probe(packets, elsewhere)).rejects.toMatchObject({
      code: "interface",
      context: { interface: "eth9" },
    });
  });

  it("finds nobody where there are no neighbours", async () => {
    expect(await probe(open(), { ...VIP4, interface: "lo" })).toEqual([]);
  });

  it("survives a link that goes down and up in the middle, and one that is deleted", async () => {
    const packets = open();
    wire().peer.exec("ip", "address", "add", `${VIP4.ip}/32`, "dev", "eth0");
    const pending = probe(packets, VIP4, 150);
    pending.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    wire().host.exec("ip", "link", "delete", "eth0");
    const outcome = await pending.then(macs, (error: unknown) => error);
    // Either it had asked already and got its answer, or it says that the link is gone.
    if (Array.isArray(outcome)) expect(outcome.length).toBeLessThanOrEqual(1);
    else expect(outcome).toMatchObject({ code: "interface" });
  });

  it("hears on an interface that went and came back under its number, just after a probe", async () => {
    const packets = open();
    const { host, peer } = wire();
    const { index } = wire().hostLink();
    expect(await probe(packets, VIP4)).toEqual([]);
    host.exec("ip", "link", "delete", "eth0");
    host.exec(
      ...["ip", "link", "add", "eth0", "index", String(index)],
      ...["type", "veth", "peer", "name", "eth0", "netns", peer.name],
    );
    host.exec("ip", "link", "set", "eth0", "up");
    peer.exec("ip", "address", "add", `${VIP4.ip}/24`, "dev", "eth0");
    peer.exec("ip", "link", "set", "eth0", "up");
    await eventually("both ends of the cable are up", () => wire().hostLink().up && wire().peerLink().up);
    expect(wire().hostLink().index).toBe(index);
    expect(macs(await probe(packets, VIP4))).toEqual([wire().peerLink().mac]);
  });

  it("sends on a link that was down for a moment, just after a probe", async () => {
    const packets = open();
    expect(await probe(packets, VIP4)).toEqual([]);
    wire().host.exec("ip", "link", "set", "eth0", "down");
    wire().host.exec("ip", "link", "set", "eth0", "up");
    await eventually("both ends of the cable are up", () => wire().hostLink().up && wire().peerLink().up);
    expect(await probe(packets, VIP4)).toEqual([]);
  });
});

describe("hearing", () => {
  /** What is heard of others, as `ip mac`. */
  function hear(packets: KernelPackets, addresses: readonly VipAddress[]): readonly string[] {
    const heard: string[] = [];
    wire().host.inside(() => packets.hear(addresses, ({ ip }, mac) => heard.push(`${ip} ${mac}`)));
    return heard;
  }

  function stranger(vip: VipAddress, mac: string): void {
    const data =
      vip.family === 4
        ? arpAnswer(vip.ip, mac)
        : encodeNdp(unsolicitedAdvertisement(ipBytes(vip.ip), macBytes(mac), false));
    sender(SOCK_DGRAM)(vip.family === 4 ? ETHERTYPE_ARP : ETHERTYPE_IPV6, data);
  }

  it.each(VIPS)("tells of a stranger that claims $ip without being asked, and of nothing else", async (vip) => {
    const heard = hear(open(), VIPS);
    const other: VipAddress = { ...vip, ip: vip.family === 4 ? "10.77.0.99" : "2001:db8:77::99" };
    stranger(other, STRANGER);
    stranger(vip, STRANGER);
    await eventually("the stranger", () => heard.length > 0);
    expect(heard).toEqual([`${vip.ip} ${STRANGER}`]);
  });

  it("does not take an announcement of this very host for a stranger's", async () => {
    const packets = open();
    const heard = hear(packets, VIPS);
    stranger(VIP4, wire().hostLink().mac);
    expect(packets.announce(VIP4)).toBe(true);
    stranger(VIP4, STRANGER);
    await eventually("the stranger", () => heard.length > 0);
    expect(heard).toEqual([`${VIP4.ip} ${STRANGER}`]);
  });

  it("follows what is listened for, more addresses than one filter takes among them, and ends with it", async () => {
    const packets = open();
    const many = Array.from({ length: 400 }, (_, i): VipAddress => ({ ...VIP4, ip: `10.78.${i >> 8}.${i & 255}` }));
    const heard = hear(packets, [...many, VIP4]);
    stranger(many[399] ?? VIP4, STRANGER);
    await eventually("one of many", () => heard.length > 0);
    expect(heard).toEqual([`10.78.1.143 ${STRANGER}`]);
    const again = hear(packets, [VIP4]);
    stranger(many[399] ?? VIP4, STRANGER);
    stranger(VIP4, STRANGER);
    await eventually("the one that is left", () => again.length > 0);
    expect(again).toEqual([`${VIP4.ip} ${STRANGER}`]);
    expect(hear(packets, [])).toEqual([]);
  });

  it("goes on after the link was down", async () => {
    const heard = hear(open(), [VIP4]);
    wire().host.exec("ip", "link", "set", "eth0", "down");
    wire().host.exec("ip", "link", "set", "eth0", "up");
    await eventually("the stranger", () => {
      stranger(VIP4, STRANGER);
      return heard.length > 0;
    });
  });
});
