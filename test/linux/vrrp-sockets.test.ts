// Adverts on a real wire: the group and peers, both families, and what a receiver does not take.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AF_INET, AF_INET6, closeFd, openSocket, sendTo, setOption, SOCK_RAW } from "../../adapters/linux/native.ts";
import { openReceiver } from "../../adapters/linux/vrrp-receiver.ts";
import { createAdvertSender } from "../../adapters/linux/vrrp-sender.ts";
import { host32 } from "../../src/wire/netlink.ts";
import { encodeInetAddress } from "../../src/wire/inet-address.ts";
import { encodeIpv4 } from "../../src/wire/ip-header.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { encodeVrrp, VRRP_PROTOCOL } from "../../src/wire/vrrp.ts";
import { DRAFT_KEY } from "../unit/wire/vrrp-samples.ts";
import { batch, eventually, useWire } from "./namespaces.ts";
import { advert, clock, openListener, route, Studio } from "./vrrp-helpers.ts";

const wire = useWire();
let studio: Studio;

beforeEach(() => {
  studio = new Studio(wire());
});
afterEach(async () => studio.close());

const LINK_LOCAL = "fe80::77:1";
const ADVERT6 = advert({ addresses: ["fe80::50", "2001:db8:77::50"] });

function addLinkLocal(): void {
  wire().host.exec("ip", "address", "add", `${LINK_LOCAL}/64`, "dev", "eth0", "nodad");
  wire().peer.exec("ip", "address", "add", "fe80::77:2/64", "dev", "eth0", "nodad");
}

describe("an advert", () => {
  it("to the group arrives with its sender, and not at home", async () => {
    const [there, here] = [openListener(wire(), wire().peer), openListener(wire(), wire().host)];
    studio.speaker().speak(advert(), 1_000);
    await eventually("three adverts", () => there.heard.length >= 3);
    expect(there.heard[0]).toMatchObject({ source: "10.77.0.1", destination: "224.0.0.18", message: advert() });
    expect(here.heard).toEqual([]);
  });

  it("of version 2 with a password arrives", async () => {
    const source = openListener(wire(), wire().peer);
    const content = advert({ version: 2, intervalMs: 1_000 });
    studio.speaker({ authentication: { kind: "password", password: "secret" } }).say(content);
    await eventually("the advert", () => source.heard.length > 0);
    expect(source.heard[0]?.message).toMatchObject({ ...content, authentication: { type: 1 } });
  });

  it("to peers goes to each of them, on its own", async () => {
    wire().peer.exec("ip", "address", "add", "10.77.0.3/24", "dev", "eth0");
    const listeners = ["10.77.0.2", "10.77.0.3"].map((unicast) => openListener(wire(), wire().peer, { unicast }));
    const group = openListener(wire(), wire().peer);
    studio.speaker({ reach: { kind: "unicast", peers: ["10.77.0.2", "10.77.0.3"] } }).say(advert());
    await eventually("an advert for each", () => listeners.every(({ heard }) => heard.length === 1));
    expect(listeners.map(({ heard }) => heard[0])).toMatchObject([
      { source: "10.77.0.1", destination: "10.77.0.2", message: advert() },
      { source: "10.77.0.1", destination: "10.77.0.3", message: advert() },
    ]);
    expect(group.heard).toEqual([]);
  });

  it("over IPv6 to the group leaves from the link-local address, at hop limit 255", async () => {
    addLinkLocal();
    const [there, here] = [
      openListener(wire(), wire().peer, { family: 6 }),
      openListener(wire(), wire().host, { family: 6 }),
    ];
    studio.speaker({ source: LINK_LOCAL }).speak(ADVERT6, 1_000);
    await eventually("three adverts", () => there.heard.length >= 3);
    expect(there.heard[0]).toMatchObject({ source: LINK_LOCAL, destination: "ff02::12", message: ADVERT6 });
    expect(here.heard).toEqual([]);
  });

  it("over IPv6 to a peer arrives", async () => {
    const there = openListener(wire(), wire().peer, { family: 6, unicast: "2001:db8:77::2" });
    const group = openListener(wire(), wire().peer, { family: 6 });
    const source = "2001:db8:77::1";
    studio.speaker({ source, reach: { kind: "unicast", peers: ["2001:db8:77::2"] } }).say(ADVERT6);
    await eventually("the advert", () => there.heard.length > 0);
    expect(there.heard[0]).toMatchObject({ source, destination: "2001:db8:77::2", message: ADVERT6 });
    expect(group.heard).toEqual([]);
  });

  it("with a trailer is signed anew each time", async () => {
    const source = openListener(wire(), wire().peer);
    const authentication = { kind: "hmac", keys: [DRAFT_KEY], sendKeyId: 1, windowS: 5 } as const;
    studio.speaker({ authentication }).speak(advert({ intervalMs: 20 }), 1_000);
    await eventually("five adverts", () => source.heard.length >= 5);
    const numbers = source.heard.map(({ message }) => message?.trailer?.sequence ?? 0n);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).toEqual(numbers.toSorted((a, b) => Number(a - b)));
  });
});

/** Sends raw bytes from the host: IPv4 with its header. */
function sendRaw4(packet: Uint8Array, to: string): void {
  const SOL_IP = 0;
  const fd = wire().host.inside(() => openSocket(AF_INET, SOCK_RAW, VRRP_PROTOCOL));
  try {
    setOption(fd, SOL_IP, 3, 1);
    setOption(fd, SOL_IP, 32, new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, ...host32(wire().hostLink().index)]));
    sendTo(fd, packet, encodeInetAddress(ipBytes(to), 0));
  } finally {
    closeFd(fd);
  }
}

/** Sends an IPv6 message from the host with this hop limit. */
function sendRaw6(hopLimit: number, to: string): void {
  const SOL_IPV6 = 41;
  const { index } = wire().hostLink();
  const fd = wire().host.inside(() => openSocket(AF_INET6, SOCK_RAW, VRRP_PROTOCOL));
  try {
    for (const option of [16, 18]) setOption(fd, SOL_IPV6, option, hopLimit);
    setOption(fd, SOL_IPV6, 17, index);
    const ends = { source: ipBytes(LINK_LOCAL), destination: ipBytes(to) };
    sendTo(
      fd,
      encodeVrrp({ ...ADVERT6, priority: hopLimit === 255 ? 255 : 1 }, ends),
      encodeInetAddress(ipBytes(to), index),
    );
  } finally {
    closeFd(fd);
  }
}

describe("a receiver", () => {
  const packet = (source: string, hopLimit: number, destination = "224.0.0.18"): Uint8Array => {
    const ends = { source: ipBytes(source), destination: ipBytes(destination) };
    return encodeIpv4({ ...ends, protocol: VRRP_PROTOCOL, hopLimit, payload: encodeVrrp(advert(), ends) });
  };

  it("refuses an advert to the group whose TTL is not 255, by name", async () => {
    const source = openListener(wire(), wire().peer);
    sendRaw4(packet("10.77.0.1", 254), "224.0.0.18");
    await eventually("the packet", () => source.heard.length > 0);
    expect(source.heard[0]).toMatchObject({ source: "10.77.0.1", fault: { reason: "hop-limit", hopLimit: 254 } });
  });

  it("sees a source that is none of the sender's own", async () => {
    const source = openListener(wire(), wire().peer);
    sendRaw4(packet("192.0.2.99", 255), "224.0.0.18");
    await eventually("the packet", () => source.heard.length > 0);
    expect(source.heard[0]).toMatchObject({ source: "192.0.2.99", message: advert() });
  });

  it("gives cut and senseless packets to the decoder, which names them", async () => {
    const source = openListener(wire(), wire().peer);
    const ends = { source: ipBytes("10.77.0.1"), destination: ipBytes("224.0.0.18") };
    const wrap = (payload: Uint8Array): Uint8Array =>
      encodeIpv4({ ...ends, protocol: VRRP_PROTOCOL, hopLimit: 255, payload });
    const good = encodeVrrp(advert(), ends);
    for (const payload of [
      new Uint8Array(),
      good.slice(0, 7),
      good.slice(0, -1),
      good.with(2, 9),
      new Uint8Array(1_400),
    ])
      sendRaw4(wrap(payload), "224.0.0.18");
    await eventually("all packets", () => source.heard.length === 5);
    expect(source.heard.map(({ fault }) => fault?.reason)).toEqual(["short", "short", "length", "checksum", "version"]);
  });

  it("lets IPv6 adverts to the group with another hop limit than 255 not even through", async () => {
    addLinkLocal();
    const source = openListener(wire(), wire().peer, { family: 6 });
    for (const hopLimit of [254, 1, 64, 255]) sendRaw6(hopLimit, "ff02::12");
    await eventually("the good one", () => source.heard.length > 0);
    expect(source.heard.map(({ message }) => message?.priority)).toEqual([255]);
  });

  it("takes unicast at any hop limit, as keepalived sends it over IPv6 at 64", async () => {
    addLinkLocal();
    const source = openListener(wire(), wire().peer, { family: 6, unicast: "fe80::77:2" });
    sendRaw6(64, "fe80::77:2");
    await eventually("the advert", () => source.heard.length > 0);
    expect(source.heard[0]).toMatchObject({ source: LINK_LOCAL, message: { priority: 1 } });
  });

  it("hears its own interface only", async () => {
    batch(["-n", wire().peer.name], "link add eth1 type veth peer name eth2", "link set eth1 up", "link set eth2 up");
    const [other, source] = [
      openListener(wire(), wire().peer, { interface: "eth1" }),
      openListener(wire(), wire().peer),
    ];
    studio.speaker().say(advert());
    await eventually("the advert", () => source.heard.length > 0);
    expect(other.heard).toEqual([]);
  });

  it("hands in what has arrived when it is told to drain, without the event loop", async () => {
    const source = openListener(wire(), wire().peer);
    const speaker = studio.speaker();
    speaker.say(advert());
    await eventually("the sender's thread runs", () => source.heard.length > 0);
    speaker.say(advert({ priority: 7 }));
    const end = performance.now() + 2_000;
    while (source.heard.length < 2 && performance.now() < end) source.drain();
    expect(source.heard.at(-1)?.message?.priority).toBe(7);
  });

  it("goes on after its link was down", async () => {
    const source = openListener(wire(), wire().peer);
    wire().peer.exec("ip", "link", "set", "eth0", "down");
    source.drain();
    wire().peer.exec("ip", "link", "set", "eth0", "up");
    await wire().ready();
    studio.speaker().speak(advert(), 1_000);
    await eventually("an advert", () => source.heard.length > 0);
  });

  it("says which interface or address is missing", () => {
    const open = (given: object) => () =>
      wire().peer.inside(() => openReceiver({ interface: "eth0", family: 4, unicast: null, ...given }, () => {}));
    expect(open({ interface: "eth9" })).toThrow(/there is no interface eth9/u);
    expect(open({ unicast: "192.0.2.1" })).toThrow(/bind failed: .*EADDRNOTAVAIL/u);
  });
});

describe("a sender", () => {
  it("says which interface or address is missing", async () => {
    expect(() => studio.speaker({ interface: "eth9" })).toThrow(/there is no interface eth9/u);
    expect(() => studio.speaker({ source: "fe80::dead" })).toThrow(/bind failed: .*EADDRNOTAVAIL/u);
  });

  it("tells why an advert did not leave, and that it was sent when the link is back", async () => {
    const speaker = studio.speaker();
    wire().host.exec("ip", "link", "set", "eth0", "down");
    speaker.speak(advert({ intervalMs: 20 }), 1_000);
    await eventually("a failure", () => speaker.failures.length > 0);
    expect(speaker.failures[0]).toMatch(/sendto failed: network is (?:down|unreachable)/iu);
    expect([speaker.sent, speaker.lastSentAt()]).toEqual([[], Number.NEGATIVE_INFINITY]);
    wire().host.exec("ip", "link", "set", "eth0", "up");
    await eventually("an advert", () => speaker.sent.length > 0);
    expect(speaker.lastSentAt()).toBeGreaterThan(0);
  });

  it("ends with what was said before, and takes nothing afterwards", async () => {
    const source = openListener(wire(), wire().peer);
    const sender = createAdvertSender({ clock });
    const listener = { sent: () => {}, failed: () => {}, silenced: () => {} };
    const voice = wire().host.inside(() => sender.voice(route(), listener));
    voice.speak(advert(), 1_000);
    voice.hush();
    voice.say(advert({ priority: 0 }));
    await sender.close();
    source.drain();
    expect(source.heard.map(({ message }) => message?.priority)).toEqual([0]);
    expect(() => sender.voice(route(), listener)).toThrow(/is closed/u);
    await sender.close();
  });

  it("that was never used ends at once", async () => {
    await createAdvertSender({ clock }).close();
  });
});

describe("the built program", () => {
  let dist: string;
  beforeEach(() => {
    mkdirSync(".cache", { recursive: true });
    // Below the project, so that the packages are found.
    dist = mkdtempSync(resolve(".cache", "vrrp-"));
  });
  afterEach(() => rmSync(dist, { recursive: true, force: true }));

  it("sends from a thread, too", { timeout: 90_000 }, async () => {
    execFileSync("npm", ["run", "--silent", "build"], { env: { ...process.env, OUT: dist } });
    const file = join(dist, "vipd.yaml");
    const group =
      "{interface: eth0, addresses: [10.77.0.50/24], election: vrrp, vrrp: {id: 51, version: 3, interval: 200ms}}";
    writeFileSync(file, `node: a\nstateDir: ${dist}/state\nadmin: {socket: ${dist}/sock}\nvips:\n  web: ${group}\n`);
    const source = openListener(wire(), wire().peer);
    const command = [process.execPath, join(dist, "bin/vipd.js"), "-c", file];
    const child = spawn("ip", ["netns", "exec", wire().host.name, ...command], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += String(chunk)));
    try {
      await eventually("an advert", () => source.heard.length > 0, 20_000);
      const [first] = source.heard;
      expect(first?.message, said).toMatchObject({ version: 3, vrid: 51, priority: 100, addresses: ["10.77.0.50"] });
    } finally {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  });
});
