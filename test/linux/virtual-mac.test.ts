// Devices with virtual MACs on a real kernel: how they are made and taken down, and what the fence lets through.

import { describe, expect, it } from "vitest";
import { ENOBUFS, errnoOf } from "../../adapters/linux/errors.ts";
import { AF_PACKET, bindSocket, closeFd, openSocket, receive, sendTo, SOCK_RAW } from "../../adapters/linux/native.ts";
import { KernelAddresses } from "../../adapters/linux/addresses.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type { VirtualDevice } from "../../src/ports/host.ts";
import { virtualDeviceName, virtualRouterMac } from "../../src/base/virtual-mac.ts";
import { later } from "../../src/base/time.ts";
import { concatBytes } from "../../src/wire/bytes.ts";
import {
  BROADCAST_MAC,
  encodeEthernetHeader,
  encodeLinkAddress,
  ETHERTYPE_ARP,
  formatMac,
  parseMac,
} from "../../src/wire/ethernet.ts";
import { VRRP_PROTOCOL } from "../../src/wire/vrrp.ts";
import { clock, openFence } from "./fence-helpers.ts";
import { eventually, type Namespace, useWire } from "./namespaces.ts";
import { askArp, askNeighbour, untilAnswered, whoAnswers } from "./traffic.ts";
import { advert, openListener, Studio } from "./vrrp-helpers.ts";

const wire = useWire();

const MAC = { mac: "00:00:5e:00:01:33", parent: "eth0" };
const MAC6 = { mac: "00:00:5e:00:02:33", parent: "eth0" };
const VIP4: VipAddress = { family: 4, ip: "10.77.0.100", prefix: 32, interface: "vipd4-51", virtualMac: MAC };
const VIP6: VipAddress = { family: 6, ip: "2001:db8:77::100", prefix: 128, interface: "vipd6-51", virtualMac: MAC6 };
const DEVICES: readonly VirtualDevice[] = [
  { name: "vipd4-51", virtualMac: MAC },
  { name: "vipd6-51", virtualMac: MAC6 },
];

const DONE = { troubles: [], others: false, more: false };

/** Two hundred of them on one interface, for both families. */
const MANY: readonly VirtualDevice[] = Array.from({ length: 200 }, (_, i): VirtualDevice => {
  const [family, id] = [i < 100 ? 4 : 6, (i % 100) + 1] as const;
  const virtualMac = { mac: virtualRouterMac(family, id), parent: "eth0" };
  return { name: virtualDeviceName(family, id, 1), virtualMac };
});

function table(): KernelAddresses {
  const addresses = wire().host.inside(() => new KernelAddresses());
  wire().onClose(() => addresses.close());
  return addresses;
}

/** The source MACs of the adverts that arrive there, in order. */
function sourcesOfAdverts(at: Namespace): () => readonly string[] {
  const ETH_P_ALL = 0x0003;
  const fd = at.inside(() => openSocket(AF_PACKET, SOCK_RAW, 0));
  bindSocket(fd, encodeLinkAddress({ protocol: ETH_P_ALL, index: 0, mac: new Uint8Array() }));
  wire().onClose(() => closeFd(fd));
  const found: string[] = [];
  const buffer = new Uint8Array(2_048);
  return () => {
    for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer)) {
      const isIpv6 = got.data[12] === 0x86;
      if (got.data[isIpv6 ? 20 : 23] === VRRP_PROTOCOL) found.push(formatMac(got.data.subarray(6, 12)));
    }
    return found;
  };
}

/** Whether a broadcast that claims nothing leaves on this link with this source. */
function broadcastFrom(index: number, mac: string): boolean {
  const fd = wire().host.inside(() => openSocket(AF_PACKET, SOCK_RAW, 0));
  const source = parseMac(mac) ?? new Uint8Array(6);
  const frame = concatBytes(encodeEthernetHeader(BROADCAST_MAC, source, ETHERTYPE_ARP), new Uint8Array(46));
  try {
    sendTo(fd, frame, encodeLinkAddress({ protocol: ETHERTYPE_ARP, index, mac: BROADCAST_MAC }));
    return true;
  } catch (error) {
    if (errnoOf(error) !== ENOBUFS) throw error;
    return false;
  } finally {
    closeFd(fd);
  }
}

const host = (...command: readonly [string, ...string[]]): string => wire().host.exec(...command);
const link = (name: string): string => host("ip", "-d", "-o", "link", "show", name);
const setting = (name: string, key: string): string => host("cat", `/proc/sys/net/ipv4/conf/${name}/${key}`).trim();

describe("devices with virtual MACs", () => {
  it("are made down, silent about all but their own, and removed when nobody wants them", () => {
    const addresses = table();
    expect(addresses.keepDevices(DEVICES)).toEqual(DONE);
    expect(link("vipd4-51")).toMatch(
      /vipd4-51@eth0: .*link\/ether 00:00:5e:00:01:33 .*macvlan mode bridge .*addrgenmode none/u,
    );
    expect(link("vipd6-51")).not.toMatch(/[<,]UP[,>]/u);
    expect(setting("vipd4-51", "arp_ignore")).toBe("1");
    expect(setting("vipd4-51", "rp_filter")).toBe("2");
    expect(setting("eth0", "arp_ignore")).toBe("1");
    expect(setting("eth0", "arp_announce")).toBe("2");
    expect(addresses.keepDevices([])).toEqual(DONE);
    expect(host("ip", "-o", "link")).not.toContain("vipd");
  });

  it("keep a stricter setting of the interface below", () => {
    host("sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=2");
    table().keepDevices(DEVICES);
    expect(setting("eth0", "arp_ignore")).toBe("2");
  });

  it("come up with an address, stay while it is there, and go down without it", () => {
    const addresses = table();
    expect(addresses.bind([VIP4, VIP6], 60_000)).toEqual([]);
    expect(addresses.addresses().filter(({ ours }) => ours)).toMatchObject([
      { ip: VIP4.ip, interface: "vipd4-51", virtualMac: MAC },
      { ip: VIP6.ip, interface: "vipd6-51", virtualMac: MAC6 },
    ]);
    expect(addresses.keepDevices(DEVICES)).toEqual(DONE);
    expect(link("vipd4-51")).toMatch(/[<,]UP[,>]/u);
    expect(host("ip", "route", "get", "10.77.0.2", "from", VIP4.ip)).toContain("dev eth0");
    addresses.unbind([VIP4, VIP6]);
    expect(addresses.keepDevices(DEVICES)).toEqual(DONE);
    expect(link("vipd4-51")).not.toMatch(/[<,]UP[,>]/u);
  });

  it("go down, and stay, when nobody wants them although somebody has put an address there", () => {
    const addresses = table();
    addresses.bind([VIP4], 60_000);
    host("ip", "address", "add", "10.77.0.201/32", "dev", "vipd4-51");
    addresses.unbind([VIP4]);
    expect(addresses.keepDevices([])).toEqual({ ...DONE, others: true });
    expect(link("vipd4-51")).not.toMatch(/[<,]UP[,>]/u);
    host("ip", "address", "flush", "dev", "vipd4-51");
    expect(addresses.keepDevices([])).toEqual(DONE);
    expect(host("ip", "-o", "link")).not.toContain("vipd");
  });

  it("are set up whatever the host's defaults are", () => {
    const defaults = ["arp_ignore=1", "arp_announce=2", "arp_filter=1", "proxy_arp=1"];
    for (const each of defaults) host("sysctl", "-qw", `net.ipv4.conf.default.${each}`);
    host("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    const addresses = table();
    expect(wire().host.inside(() => addresses.bind([VIP4, VIP6], 60_000))).toEqual([]);
    const set = ["rp_filter", "arp_filter", "proxy_arp"].map((key) => setting("vipd4-51", key));
    expect(set).toEqual(["2", "0", "0"]);
    expect(link("vipd6-51")).toContain("addrgenmode none");
  });

  it("are made, taken down and removed in portions, and nothing else with them", () => {
    const addresses = table();
    const count = (): number => host("ip", "-o", "link", "show", "type", "macvlan").trim().split("\n").length;
    const portions = (devices: readonly VirtualDevice[]): readonly number[] => {
      const counts: number[] = [];
      for (let more = true; more; counts.push(count())) {
        const kept = addresses.keepDevices(devices);
        expect(kept.troubles).toEqual([]);
        more = kept.more;
      }
      return counts;
    };
    host("sh", "-c", "ip link add other link eth0 type macvlan && ip link set other group 1986621540");
    const made = portions(MANY);
    expect(made.length).toBeGreaterThan(2);
    expect(Math.max(...made.map((each, i) => each - (made[i - 1] ?? 1)))).toBeLessThan(60);
    for (const { name } of MANY.slice(0, 5)) host("ip", "link", "set", name, "up");
    const isUp = (): number => (host("ip", "-o", "link", "show", "up").match(/vipd/gu) ?? []).length;
    expect(isUp()).toBe(5);
    expect(addresses.keepDevices(MANY).more).toBe(true);
    expect(isUp()).toBe(3);
    expect(portions(MANY.slice(0, 1)).at(-1)).toBe(2);
    expect(host("ip", "-o", "link", "show", "type", "macvlan")).toMatch(
      / (vipd4-1|other)@eth0.*\n.* (vipd4-1|other)@eth0/u,
    );
  });

  it("take over from the one of another name that a reload leaves on the interface", () => {
    const addresses = table();
    const second: VipAddress = { ...VIP4, interface: "vipd4-51-2" };
    expect(addresses.bind([second], 60_000)).toEqual([]);
    expect(addresses.bind([VIP4], 60_000)).toEqual([]);
    expect(link("vipd4-51-2")).not.toMatch(/[<,]UP[,>]/u);
    expect(link("vipd4-51")).toMatch(/[<,]UP[,>]/u);
  });

  it.each([
    [
      "an interface of that name",
      "ip link add vipd4-51 type bridge",
      "there is an interface vipd4-51 that vipd did not make",
    ],
    [
      "another device with that MAC",
      "ip link add vrrp.51 link eth0 address 00:00:5e:00:01:33 type macvlan && ip link set vrrp.51 up",
      "another device on eth0 has 00:00:5e:00:01:33 already, such as keepalived's with use_vmac",
    ],
  ])("are refused where there is %s, with the reason", (_, command, told) => {
    host("sh", "-c", command);
    expect(table().bind([VIP4], 60_000)).toMatchObject([{ message: expect.stringContaining(told) }]);
  });

  it("are refused on a macvlan, and on no interface", () => {
    host("ip", "link", "add", "mv0", "link", "eth0", "type", "macvlan");
    const on = (parent: string): VipAddress => ({ ...VIP4, virtualMac: { ...MAC, parent } });
    const addresses = table();
    expect(addresses.bind([on("mv0")], 60_000)).toMatchObject([
      { message: expect.stringContaining("mv0 is a macvlan") },
    ]);
    expect(addresses.bind([on("lo")], 60_000)).toMatchObject([{ message: expect.stringContaining("not an Ethernet") }]);
    expect(addresses.bind([on("eth9")], 60_000)).toMatchObject([{ message: "there is no interface eth9" }]);
  });
});

describe("the fence", () => {
  it("lets nothing out of a virtual MAC, and nothing in to it, but while it is open", async () => {
    const addresses = table();
    addresses.keepDevices(DEVICES);
    const fence = openFence(wire());
    fence.protect([VIP4, VIP6]);
    addresses.bind([VIP4, VIP6], 60_000);
    const streams = [askArp(wire(), VIP4.ip), askNeighbour(wire(), VIP6.ip)];
    expect(await whoAnswers(streams)).toEqual([]);
    expect(fence.open([VIP4, VIP6], 1, later(clock.now(), 60_000))).toEqual({ kind: "open" });
    await untilAnswered(streams);
    // The address alone may answer, with another MAC; its virtual MAC may not.
    const { virtualMac: _, ...bare } = VIP4;
    fence.close([VIP4]);
    expect(fence.open([bare], 1, later(clock.now(), 60_000))).toEqual({ kind: "open" });
    expect(await whoAnswers(streams)).toEqual([`NS ${VIP6.ip}`]);
    const deadline = later(clock.now(), 300);
    expect(fence.open([VIP4], 1, deadline)).toEqual({ kind: "open" });
    await untilAnswered(streams);
    await eventually("nobody answers behind the deadline", () => clock.now() > deadline);
    expect(await whoAnswers(streams)).toEqual([]);
    fence.protect([]);
    expect(host("nft", "list", "tables")).not.toContain("vipd-mac");
  });

  it("lets a held MAC claim no address of somebody else, whatever the host forwards for", async () => {
    for (const each of ["ip_forward=1", "conf.all.proxy_arp=1"]) host("sysctl", "-qw", `net.ipv4.${each}`);
    const addresses = table();
    addresses.keepDevices(DEVICES);
    host("sysctl", "-qw", "net.ipv4.neigh.vipd4-51.proxy_delay=0");
    // To the kernel the device is another way to the LAN than eth0, so that it answers there for all of the LAN.
    const fence = openFence(wire());
    fence.protect([VIP4, VIP6]);
    addresses.bind([VIP4, VIP6], 60_000);
    expect(fence.open([VIP4, VIP6], 1, later(clock.now(), 60_000))).toEqual({ kind: "open" });
    await untilAnswered([askArp(wire(), VIP4.ip), askNeighbour(wire(), VIP6.ip)]);
    const { peer } = wire();
    // The kernel's own question, for a probe gets no answer by proxy.
    const ask = "echo > /dev/udp/10.77.0.78/9; echo > /dev/udp/10.77.0.100/9; sleep 0.4";
    peer.exec("bash", "-c", ask);
    expect(peer.exec("ip", "neigh", "show", VIP4.ip)).toContain(MAC.mac);
    expect(peer.exec("ip", "neigh", "show", "10.77.0.78")).not.toContain("lladdr");
  });

  it.each([
    { family: 4, vip: VIP4, source: "10.77.0.1", mac: MAC.mac },
    { family: 6, vip: VIP6, source: "fe80::77:1", mac: MAC6.mac },
  ] as const)(
    "lets adverts of IPv$family out with the MAC while it is open; what it keeps in leaves with that of the interface",
    async ({ family, vip, source, mac }) => {
      const { host: speaker, peer } = wire();
      if (family === 6) speaker.exec("ip", "address", "add", `${source}/64`, "dev", "eth0", "nodad");
      const own = wire().hostLink().mac;
      table().keepDevices(DEVICES);
      const fence = openFence(wire());
      fence.protect([vip]);
      const seen = sourcesOfAdverts(peer);
      const heard = openListener(wire(), peer, { family });
      const studio = new Studio(wire());
      try {
        const voice = studio.speaker({ source, sourceMac: mac });
        voice.speak(advert({ addresses: [vip.ip], intervalMs: 50 }), 5_000);
        await eventually("adverts while it is closed", () => seen().length >= 2);
        expect(new Set(seen())).toEqual(new Set([own]));
        expect(fence.open([vip], 1, later(clock.now(), 60_000))).toEqual({ kind: "open" });
        await eventually("adverts while it is open", () => seen().at(-1) === mac);
        fence.close([vip]);
        const count = seen().length;
        await eventually("adverts after it was closed", () => seen().length > count + 1);
        expect(seen().at(-1)).toBe(own);
        expect(voice.failures).toEqual([]);
        expect(heard.heard.length).toBeGreaterThan(3);
        expect(heard.heard.every(({ message }) => message?.addresses[0] === vip.ip)).toBe(true);
      } finally {
        await studio.close();
      }
    },
  );

  it("keeps a closed MAC in also when the interface below gets another name while nobody looks", () => {
    const addresses = table();
    addresses.keepDevices(DEVICES);
    const fence = openFence(wire());
    fence.protect([VIP4, VIP6]);
    addresses.bind([VIP4, VIP6], 60_000);
    const index = Number(host("cat", "/sys/class/net/vipd4-51/ifindex").trim());
    const send = (): boolean => broadcastFrom(index, MAC.mac);
    expect(send()).toBe(false);
    host("ip", "link", "set", "eth0", "name", "lan0");
    expect(send()).toBe(false);
    expect(fence.open([VIP4, VIP6], 1, later(clock.now(), 60_000))).toEqual({ kind: "open" });
    expect(send()).toBe(true);
  });

  it("refuses virtual MACs where it has no hooks of interfaces", () => {
    const fence = openFence(wire(), { mode: "inet" });
    expect(() => fence.protect([VIP4])).toThrow("virtual MACs need a fence at the hooks of interfaces");
  });
});
