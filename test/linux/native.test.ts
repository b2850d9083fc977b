// The bridge to libc: what fails says which call and why, and a watch goes on after errors.

import { once } from "node:events";
import { constants, readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it } from "vitest";
import {
  AF_INET,
  AF_PACKET,
  bindSocket,
  bootTimeMs,
  closeFd,
  getOption,
  openSocket,
  peerCredentials,
  receive,
  sendTo,
  setOption,
  SOCK_DGRAM,
  socketName,
  SOL_SOCKET,
  watchReadable,
} from "../../adapters/linux/native.ts";
import { networkNamespace } from "../../adapters/linux/boot.ts";
import { encodeLinkAddress, ETHERTYPE_ARP } from "../../src/wire/ethernet.ts";
import { encodeArp, gratuitousRequest } from "../../src/wire/arp.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { BROADCAST_MAC } from "../../src/wire/ethernet.ts";
import { eventually, Namespace, useWire } from "./namespaces.ts";
import { udpSocket } from "./traffic.ts";

const SO_RCVBUF = 8;
const SO_TYPE = 3;
const closers: (() => void)[] = [];

afterEach(() => {
  for (const closer of closers.splice(0).toReversed()) closer();
});

/** A UDP socket on loopback, and its own address. */
function loopback(): { readonly fd: number; readonly address: Uint8Array } {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  closers.push(() => closeFd(fd));
  bindSocket(fd, Uint8Array.of(AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0));
  return { fd, address: socketName(fd) };
}

function refusal(call: string, name: string): unknown {
  return expect.objectContaining({ code: "kernel", context: expect.objectContaining({ call, name }) });
}

describe("a failed call names itself and the errno", () => {
  it.each<[string, string, () => void]>([
    ["socket", "EAFNOSUPPORT", () => void openSocket(0xff, SOCK_DGRAM, 0)],
    ["bind", "EBADF", () => bindSocket(-1, new Uint8Array(16))],
    ["getsockname", "EBADF", () => void socketName(-1)],
    ["setsockopt", "EBADF", () => setOption(-1, SOL_SOCKET, SO_RCVBUF, 1)],
    ["getsockopt", "EBADF", () => void getOption(-1, SOL_SOCKET, SO_TYPE, 4)],
    ["sendto", "EBADF", () => sendTo(-1, new Uint8Array(1))],
    ["recvfrom", "EBADF", () => void receive(-1, new Uint8Array(1))],
    ["close", "EBADF", () => closeFd(-1)],
  ])("%s: %s", (call, name, act) => {
    expect(act).toThrow(refusal(call, name));
    expect(act).toThrow(new RegExp(`^${call} failed: .+ \\(${name}\\)$`, "u"));
  });
});

describe("datagrams", () => {
  it("come with their sender, and those too long say how much was lost", () => {
    const [one, two] = [loopback(), loopback()];
    sendTo(one.fd, Uint8Array.of(1, 2, 3), two.address);
    sendTo(one.fd, new Uint8Array(100), two.address);
    const buffer = new Uint8Array(10);
    const first = receive(two.fd, buffer);
    expect([...(first?.data ?? [])]).toEqual([1, 2, 3]);
    expect(first?.from).toEqual(one.address);
    expect(first?.lost).toBe(0);
    expect(receive(two.fd, buffer)).toMatchObject({ lost: 90 });
    expect(receive(two.fd, buffer)).toBeUndefined();
  });

  it("may be empty, which is not the same as none", () => {
    const { fd, address } = loopback();
    sendTo(fd, new Uint8Array(), address);
    expect(receive(fd, new Uint8Array(4))?.data).toHaveLength(0);
  });
});

it("sockets are not handed down to other programs, and never wait", () => {
  const flags = /^flags:\s+(\d+)/mu.exec(readFileSync(`/proc/self/fdinfo/${loopback().fd}`, "utf8"))?.[1] ?? "";
  expect(Number.parseInt(flags, 8) & constants.O_NONBLOCK).toBe(constants.O_NONBLOCK);
  expect(Number.parseInt(flags, 8) & 0o2000000).toBe(0o2000000);
});

it("options are read as they were set", () => {
  const { fd } = loopback();
  expect([...getOption(fd, SOL_SOCKET, SO_TYPE, 4)]).toEqual([SOCK_DGRAM, 0, 0, 0]);
});

it("the clock goes on, in milliseconds with fractions", async () => {
  const before = bootTimeMs();
  await turn();
  const after = bootTimeMs();
  expect(after).toBeGreaterThan(before);
  expect(after - before).toBeLessThan(1_000);
  expect(Math.abs(before / 1_000 - Number.parseFloat(uptime()))).toBeLessThan(5);
});

describe("a watch", () => {
  it("tells of what comes, again and again, also after a collection of garbage", async () => {
    const { fd, address } = loopback();
    let heard = 0;
    const watch = watchReadable(fd, () => {
      while (receive(fd, new Uint8Array(4)) !== undefined) heard++;
    });
    closers.push(() => watch.close());
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    for (let i = 1; i <= 3; i++) {
      if (typeof collect === "function") collect();
      await turn();
      sendTo(fd, Uint8Array.of(i), address);
      await eventually(`datagram ${i}`, () => heard === i);
    }
  });

  it("tells nothing once it is closed, even of what had come before", async () => {
    const { fd, address } = loopback();
    let heard = 0;
    const watch = watchReadable(fd, () => heard++);
    sendTo(fd, Uint8Array.of(1), address);
    watch.close();
    watch.close();
    await turn();
    await turn();
    expect(heard).toBe(0);
  });
});

it("tells which user and process is at the other end of a unix socket", async () => {
  const path = `/tmp/vipd-peer-${process.pid}.sock`;
  const server = createServer();
  closers.push(() => server.close());
  await once(server.listen(path), "listening");
  const client = connect(path);
  closers.push(() => client.destroy());
  const [socket] = (await once(server, "connection")) as [Socket & { readonly _handle: { readonly fd: number } }];
  closers.push(() => socket.destroy());
  const { _handle: handle } = socket;
  expect(peerCredentials(handle.fd)).toEqual({ pid: process.pid, uid: process.getuid?.() });
  expect(() => peerCredentials(9_999)).toThrow(refusal("getsockopt", "EBADF"));
});

describe("sockets in a host", () => {
  const wire = useWire();

  it("a filter that keeps a datagram in is not taken for a missing capability", () => {
    wire().host.exec(
      "nft",
      "add table inet strict; add chain inet strict out { type filter hook output priority 0; policy drop; }",
    );
    const fd = wire().host.inside(() => udpSocket("10.77.0.1", 7001));
    closers.push(() => closeFd(fd));
    const to = Uint8Array.of(AF_INET, 0, 0x1b, 0x5a, 10, 77, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0);
    expect(() => sendTo(fd, Uint8Array.of(1), to)).toThrow(refusal("sendto", "EPERM"));
    expect(() => sendTo(fd, Uint8Array.of(1), to)).toThrow(/packet filter/u);
  });

  it("a watch over a packet socket goes on after the error that a link going down leaves behind", async () => {
    const { index } = wire().hostLink();
    const fd = wire().host.inside(() => openSocket(AF_PACKET, SOCK_DGRAM, 0));
    closers.push(() => closeFd(fd));
    bindSocket(fd, encodeLinkAddress({ protocol: ETHERTYPE_ARP, index, mac: new Uint8Array() }));
    let [heard, errors] = [0, 0];
    const drain = (): void => {
      try {
        while (receive(fd, new Uint8Array(64)) !== undefined) heard++;
      } catch {
        errors++;
      }
    };
    const watch = watchReadable(fd, drain);
    closers.push(() => watch.close());
    wire().host.exec("ip", "link", "set", "eth0", "down");
    await eventually("the error", () => errors === 1);
    wire().host.exec("ip", "link", "set", "eth0", "up");
    heard = 0;
    const sender = wire().peer.inside(() => openSocket(AF_PACKET, SOCK_DGRAM, 0));
    closers.push(() => closeFd(sender));
    const to = encodeLinkAddress({ protocol: ETHERTYPE_ARP, index: wire().peerLink().index, mac: BROADCAST_MAC });
    await eventually("an ARP message", () => {
      sendTo(sender, encodeArp(gratuitousRequest(BROADCAST_MAC, ipBytes("10.77.0.9"))), to);
      return heard > 0;
    });
  });
});

describe("the name of a network namespace", () => {
  const wire = useWire();

  it("is the same each time, and another one in another namespace", () => {
    const there = wire().host.inside(() => networkNamespace());
    expect(wire().host.inside(() => networkNamespace())).toBe(there);
    expect(there).not.toBe(networkNamespace());
  });

  it("is no later one's, whatever inode that gets", () => {
    const names = Array.from({ length: 8 }, (_, i) => {
      const namespace = new Namespace(`n${i}`);
      try {
        return namespace.inside(() => networkNamespace());
      } finally {
        namespace.delete();
      }
    });
    expect(new Set(names).size).toBe(8);
  });
});

function uptime(): string {
  return readFileSync("/proc/uptime", "utf8");
}
