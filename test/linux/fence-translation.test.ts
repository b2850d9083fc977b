// What a host translates (DNAT, redirect) under the name of a VIP needs no local address: it is fenced all the same.

import { expect, test } from "vitest";
import { closeFd, receive } from "../../adapters/linux/native.ts";
import { later } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import { clock, DEADLINE, KINDS, openFence, openFor, VIP4, VIP6, VIPS } from "./fence-helpers.ts";
import { eventually, Namespace, useWire } from "./namespaces.ts";
import { sendUdp, udpSocket } from "./traffic.ts";

const wire = useWire();
const PORT = 7001;

/** The peer's cache still names this host for the VIPs, which the host does not have any more. */
function leaveStaleNeighbours(): void {
  const { mac } = wire().hostLink();
  for (const { ip } of VIPS)
    wire().peer.exec("ip", "neighbour", "replace", ip, "lladdr", mac, "dev", "eth0", "nud", "permanent");
}

/** Whether anything was received since the last look. */
function drain(fd: number): boolean {
  const buffer = new Uint8Array(16);
  let any = false;
  while (receive(fd, buffer) !== undefined) any = true;
  return any;
}

/** A container behind the host, with an echo server to which the host translates what is sent to the VIPs. */
function startContainer(): { readonly heard: () => boolean; readonly say: (to: string, port: number) => void } {
  const container = new Namespace("c");
  wire().onClose(() => container.delete());
  const host = wire().host;
  host.exec("ip", "link", "add", "ctr0", "type", "veth", "peer", "name", "eth0", "netns", container.name);
  host.exec("ip", "address", "add", "10.78.0.1/24", "dev", "ctr0");
  host.exec("ip", "address", "add", "2001:db8:78::1/64", "dev", "ctr0", "nodad");
  host.exec("ip", "link", "set", "ctr0", "up");
  container.exec("ip", "address", "add", "10.78.0.2/24", "dev", "eth0");
  container.exec("ip", "address", "add", "2001:db8:78::2/64", "dev", "eth0", "nodad");
  container.exec("ip", "link", "set", "eth0", "up");
  container.exec("ip", "route", "add", "default", "via", "10.78.0.1");
  container.exec("ip", "-6", "route", "add", "default", "via", "2001:db8:78::1");
  host.exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  host.exec("ip", "link", "set", "eth0", "up");
  const sockets = ["10.78.0.2", "2001:db8:78::2"].map((ip) => container.inside(() => udpSocket(ip, PORT)));
  for (const fd of sockets) wire().onClose(() => closeFd(fd));
  const heard = (): boolean => sockets.map(drain).includes(true);
  const [answerer] = sockets;
  const say = (to: string, port: number): void => {
    if (answerer !== undefined) sendUdp(answerer, to, port);
  };
  return { heard, say };
}

function publish(): void {
  wire().host.exec(
    "nft",
    `add table inet published; add chain inet published pre { type nat hook prerouting priority dstnat; };
     add rule inet published pre ip daddr ${VIP4.ip} udp dport ${PORT} dnat ip to 10.78.0.2;
     add rule inet published pre ip6 daddr ${VIP6.ip} udp dport ${PORT} dnat ip6 to 2001:db8:78::2`,
  );
}

function client(family: 4 | 6): (ip: string) => void {
  const fd = wire().peer.inside(() => udpSocket(family === 4 ? "10.77.0.2" : "2001:db8:77::2", 7002));
  wire().onClose(() => closeFd(fd));
  return (ip) => sendUdp(fd, ip, PORT);
}

/** What is sent after the others, and arrives, shows that the others did not. */
async function arrivesNowhere(send: () => void, heard: () => boolean): Promise<void> {
  heard();
  for (let i = 0; i < 5; i++) send();
  const control = wire().host.inside(() => udpSocket("10.77.0.1", PORT));
  const speaker = wire().peer.inside(() => udpSocket("10.77.0.2", 7003));
  await eventually("a datagram to the host's own address", () => {
    sendUdp(speaker, "10.77.0.1", PORT);
    return receive(control, new Uint8Array(16)) !== undefined;
  });
  closeFd(control);
  closeFd(speaker);
  expect(heard()).toBe(false);
}

test.each(KINDS.flatMap((mode) => VIPS.map((vip) => ({ mode, vip, ip: vip.ip }))))(
  "the $mode fence keeps what is sent to $ip from the container to which it is published, unless it is open",
  async ({ mode, vip }) => {
    const { heard } = startContainer();
    publish();
    leaveStaleNeighbours();
    const send = client(vip.family);
    await eventually("without a fence the container serves", () => {
      send(vip.ip);
      return heard();
    });
    const fence = openFence(wire(), { mode });
    fence.protect(VIPS);
    await arrivesNowhere(() => send(vip.ip), heard);
    openFor(fence, 60_000, [vip]);
    await eventually("the container serves while the fence is open", () => {
      send(vip.ip);
      return heard();
    });
    const until = later(clock.now(), 300);
    fence.open([], DEADLINE, until);
    await eventually("the end of the deadline", () => clock.now() > until);
    await arrivesNowhere(() => send(vip.ip), heard);
  },
);

test("what is sent to the container is kept out on an interface that was renamed since the fence was put up", async () => {
  const { heard } = startContainer();
  publish();
  leaveStaleNeighbours();
  const fence = openFence(wire());
  fence.protect(VIPS);
  wire().host.exec("ip", "link", "set", "eth0", "name", "lan0");
  const send = client(4);
  await arrivesNowhere(() => send(VIP4.ip), heard);
  openFor(fence, 60_000);
  await eventually("the container serves while the fence is open", () => {
    send(VIP4.ip);
    return heard();
  });
});

test("address translation that begins while the fence is open closes it until the next extension", async () => {
  const { heard } = startContainer();
  leaveStaleNeighbours();
  const fence = openFence(wire());
  fence.protect(VIPS);
  openFor(fence, 60_000);
  expect(fence.intact()).toBe(true);
  publish();
  expect(fence.intact()).toBe(false);
  fence.protect(VIPS);
  expect(fence.intact()).toBe(true);
  const send = client(4);
  await arrivesNowhere(() => send(VIP4.ip), heard);
  openFor(fence, 60_000, []);
  await eventually("the container serves", () => {
    send(VIP4.ip);
    return heard();
  });
});

test("an answer of the container is kept in when the deadline has passed while the question was with it", async () => {
  const container = startContainer();
  publish();
  leaveStaleNeighbours();
  const fence = openFence(wire());
  fence.protect(VIPS);
  openFor(fence, 60_000);
  const asker = wire().peer.inside(() => udpSocket("10.77.0.2", 7002));
  wire().onClose(() => closeFd(asker));
  await eventually("the question is with the container", () => {
    sendUdp(asker, VIP4.ip, PORT);
    return container.heard();
  });
  const tracked = (): string => wire().host.exec("cat", "/proc/net/nf_conntrack");
  expect(tracked()).toContain(VIP4.ip);
  fence.close(VIPS);
  // The container answers from its own address; the host would put the VIP in its place.
  const answer = (): void => container.say("10.77.0.2", 7002);
  const answered = (): boolean => receive(asker, new Uint8Array(16)) !== undefined;
  await arrivesNowhere(answer, answered);
  openFor(fence, 60_000);
  await eventually("the answer while the fence is open", () => {
    answer();
    return answered();
  });
});

test("what is sent to an address that nobody guards passes", async () => {
  const { heard } = startContainer();
  const other: VipAddress = { ...VIP4, ip: "10.77.0.101" };
  publish();
  leaveStaleNeighbours();
  const fence = openFence(wire());
  fence.protect([other]);
  const send = client(4);
  await eventually("the container serves an address that nobody guards", () => {
    send(VIP4.ip);
    return heard();
  });
});

test("where nothing is translated there is no table for it, and the kernel tracks no connections", () => {
  const fence = openFence(wire());
  fence.protect(VIPS);
  expect(wire().host.exec("nft", "list", "tables")).not.toContain("vipd-nat");
  publish();
  fence.protect(VIPS);
  expect(wire().host.exec("nft", "list", "tables")).toContain("table inet vipd-nat");
  fence.release();
  wire().host.exec("nft", "delete", "table", "inet", "published");
  const next = openFence(wire());
  next.protect(VIPS);
  expect(wire().host.exec("nft", "list", "tables")).not.toContain("vipd-nat");
});

test("nft shows the table for people", () => {
  publish();
  const fence = openFence(wire());
  fence.protect(VIPS);
  const text = wire().host.exec("nft", "list", "table", "inet", "vipd-nat");
  expect(text).toMatch(/iifname "eth0" ct status dnat meta nfproto ipv4 jump translated4/u);
  expect(text).toMatch(/iif "eth0" ct status dnat meta nfproto ipv4 jump translated4/u);
  expect(text).toMatch(/oif "eth0" ct status dnat meta nfproto ipv6 jump translated6/u);
  expect(text).toMatch(/ct original ip daddr != @guarded4 return/u);
  expect(text).toMatch(/ct original ip6 daddr vmap @open6/u);
});
