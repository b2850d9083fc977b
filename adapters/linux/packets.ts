// ARP and neighbour discovery on the wire, through AF_PACKET sockets.
//
// Announcements go out of one socket that hears nothing. Probes that run at the same time on one interface share a socket,
// with a filter before it: to close one takes the kernel milliseconds, and a thousand VIPs may be taken at once. In both
// cases the interface is looked up anew, so one that went and came back is no special case.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { VipdError } from "../../src/base/errors.ts";
import { later } from "../../src/base/time.ts";
import type { Instant } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Answer, PacketLink } from "../../src/ports/host.ts";
import { arpProbe, decodeArp, encodeArp, gratuitousReply, gratuitousRequest } from "../../src/wire/arp.ts";
import { toHex } from "../../src/wire/bytes.ts";
import {
  BROADCAST_MAC,
  decodeLinkAddress,
  encodeLinkAddress,
  PACKET_OTHERHOST,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  formatMac,
  ipv6MulticastMac,
  parseMac,
} from "../../src/wire/ethernet.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import {
  ALL_NODES,
  dadSolicitation,
  decodeNdp,
  encodeNdp,
  NEIGHBOR_ADVERTISEMENT,
  solicitedNode,
  unsolicitedAdvertisement,
} from "../../src/wire/ndp.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { neighbourAdvertisementFilter } from "./bpf.ts";
import { ENETDOWN, ENOBUFS, ENODEV, ENXIO, errnoOf } from "./errors.ts";
import { dumpLinks, findLink, needLink } from "./links.ts";
import {
  AF_PACKET,
  attachFilter,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  sendTo,
  SOCK_DGRAM,
  watchReadable,
} from "./native.ts";
import type { Fd } from "./native.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";

/** How many times a probe asks, and how far apart at most. */
const PROBE_COUNT = 3;
const PROBE_INTERVAL_MS = 20;

/** The largest message that matters here; longer ones are cut and then no answer. */
const BUFFER_BYTES = 2048;

/** What the packet link needs. */
export interface PacketDeps {
  readonly clock: Clock;
  /** Asked before an announcement where the kernel's fence does not see AF_PACKET (`inet` fences). */
  readonly mayAnnounce?: (ip: string) => boolean;
}

/** One frame to send, without its Ethernet header. */
interface Frame {
  readonly protocol: number;
  readonly to: Uint8Array;
  readonly data: Uint8Array;
}

/** ARP and NDP of the network namespace that the thread is in now; throws "privilege" without CAP_NET_RAW. */
export class KernelPackets implements PacketLink {
  readonly #deps: PacketDeps;
  readonly #links = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");
  readonly #sender: Fd;
  /** By interface and family: those that are in use. */
  readonly #probeSockets = new Map<string, ProbeSocket>();
  #open = true;

  constructor(deps: PacketDeps) {
    this.#deps = deps;
    this.#sender = openPacketSocket();
  }

  announce(address: VipAddress): boolean {
    const link = findLink(this.#links, address.interface);
    if (link === undefined || !link.up) return false;
    const mac = link.ethernet ? parseMac(link.mac) : undefined;
    // No neighbours that would have to learn anything.
    if (mac === undefined) return true;
    if (this.#deps.mayAnnounce?.(address.ip) === false) return false;
    return announcements(address, mac).every((frame) => this.#send(this.#sender, link, frame));
  }

  async probe(address: VipAddress, waitMs: number, signal: AbortSignal): Promise<readonly Answer[]> {
    refuseAborted(signal);
    const link = needLink(this.#links, address.interface);
    const mac = link.ethernet ? parseMac(link.mac) : undefined;
    if (mac === undefined) return [];
    const question = probeFrame(address, mac);
    const own = new Set(dumpLinks(this.#links).map((each) => each.mac));
    const probeSocket = this.#earFor(link, address);
    const heard = new Map<string, Instant>();
    const stopHearing = probeSocket.listen(address, (claimant, at) => {
      if (!own.has(claimant) && !heard.has(claimant)) heard.set(claimant, at);
    });
    try {
      const end = later(this.#deps.clock.now(), waitMs);
      const interval = Math.min(PROBE_INTERVAL_MS, waitMs / PROBE_COUNT);
      for (let i = 0; i < PROBE_COUNT; i++) {
        if (!this.#send(probeSocket.fd, link, question))
          throw new VipdError("interface", `${link.name} sends nothing: it is down`, { interface: link.name });
        await pause(interval, signal);
      }
      await pause(Math.max(0, end - this.#deps.clock.now()), signal);
      probeSocket.drain();
      return [...heard].map(([mac, at]) => ({ mac, at }));
    } finally {
      stopHearing();
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeFd(this.#sender);
    this.#links.close();
  }

  #earFor(link: LinkRecord, { family }: VipAddress): ProbeSocket {
    const key = `${link.index} ${family}`;
    const known = this.#probeSockets.get(key);
    if (known !== undefined) return known;
    const probeSocket = new ProbeSocket(link, family, this.#deps.clock, () => this.#probeSockets.delete(key));
    this.#probeSockets.set(key, probeSocket);
    return probeSocket;
  }

  /** False when the fence (ENOBUFS) or a link that is down or gone kept the frame in. */
  #send(fd: Fd, link: LinkRecord, frame: Frame): boolean {
    try {
      sendTo(fd, frame.data, encodeLinkAddress({ protocol: frame.protocol, index: link.index, mac: frame.to }));
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === ENOBUFS || errno === ENETDOWN || errno === ENXIO || errno === ENODEV) return false;
      throw error;
    }
  }
}

/** Told of a station that answers for an address: its hardware address, and when it was heard. */
type Listener = (claimant: string, at: Instant) => void;

/**
 * Listens for those who answer for addresses. Frames for other hosts are left out: the kernel marks so, too, those of a
 * VLAN that has no interface here, and who answers there holds another network's address.
 */
class ProbeSocket {
  readonly fd: Fd;
  readonly #clock: Clock;
  readonly #onClose: () => void;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  /** By the address's bytes in hexadecimal. */
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #watch: { close(): void };

  constructor(link: LinkRecord, family: VipAddress["family"], clock: Clock, onClose: () => void) {
    this.#clock = clock;
    this.#onClose = onClose;
    this.fd = openPacketSocket();
    try {
      if (family === 6) attachFilter(this.fd, neighbourAdvertisementFilter());
      const protocol = family === 4 ? ETHERTYPE_ARP : ETHERTYPE_IPV6;
      bindSocket(this.fd, encodeLinkAddress({ protocol, index: link.index, mac: new Uint8Array() }));
      this.#watch = watchReadable(this.fd, () => this.drain());
    } catch (error) {
      closeFd(this.fd);
      throw error;
    }
  }

  /** Tells of those who answer for the address until the result is called; the last one to call it closes the socket. */
  listen({ ip }: VipAddress, listener: Listener): () => void {
    const key = toHex(ipBytes(ip));
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(key);
      if (this.#listeners.size === 0) this.#close();
    };
  }

  drain(): void {
    for (;;) {
      const datagram = this.#next();
      if (datagram === undefined) return;
      const { protocol, packetType, mac } = decodeLinkAddress(datagram.from);
      if (packetType === PACKET_OTHERHOST) continue;
      const claim = protocol === ETHERTYPE_ARP ? arpClaim(datagram.data) : ndpClaim(datagram.data, mac);
      if (claim === undefined) continue;
      const at = this.#clock.now();
      for (const listener of this.#listeners.get(toHex(claim.address)) ?? []) listener(claim.claimant, at);
    }
  }

  #close(): void {
    this.#onClose();
    this.#watch.close();
    closeFd(this.fd);
  }

  /** The link may go down under a probe; then nothing more is heard. */
  #next(): ReturnType<typeof receive> {
    try {
      return receive(this.fd, this.#buffer);
    } catch (error) {
      if (errnoOf(error) === ENETDOWN) return undefined;
      throw error;
    }
  }
}

/** Who says that it has which address. */
interface Claim {
  readonly claimant: string;
  readonly address: Uint8Array;
}

function arpClaim(data: Uint8Array): Claim | undefined {
  const message = tolerant(() => decodeArp(data));
  return message === undefined ? undefined : { claimant: formatMac(message.senderMac), address: message.senderIp };
}

function ndpClaim(data: Uint8Array, sender: Uint8Array): Claim | undefined {
  const message = tolerant(() => decodeNdp(data));
  if (message?.type !== NEIGHBOR_ADVERTISEMENT) return undefined;
  return { claimant: formatMac(message.mac ?? sender), address: message.target };
}

/** Anyone on the wire may send cut-off messages; they answer nothing. */
function tolerant<T>(decode: () => T | undefined): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function openPacketSocket(): Fd {
  return openSocket(AF_PACKET, SOCK_DGRAM, 0, "CAP_NET_RAW");
}

function announcements(address: VipAddress, mac: Uint8Array): readonly Frame[] {
  const ip = ipBytes(address.ip);
  if (address.family === 4) {
    const forms = [gratuitousRequest(mac, ip), gratuitousReply(mac, ip)];
    return forms.map((form) => ({ protocol: ETHERTYPE_ARP, to: BROADCAST_MAC, data: encodeArp(form) }));
  }
  const data = encodeNdp(unsolicitedAdvertisement(ip, mac, forwardsIpv6(address.interface)));
  return [{ protocol: ETHERTYPE_IPV6, to: ipv6MulticastMac(ALL_NODES), data }];
}

function probeFrame(address: VipAddress, mac: Uint8Array): Frame {
  const ip = ipBytes(address.ip);
  if (address.family === 4) return { protocol: ETHERTYPE_ARP, to: BROADCAST_MAC, data: encodeArp(arpProbe(mac, ip)) };
  return { protocol: ETHERTYPE_IPV6, to: ipv6MulticastMac(solicitedNode(ip)), data: encodeNdp(dadSolicitation(ip)) };
}

/** The router flag must tell the truth: neighbours drop a default route through a router that says it is none. */
function forwardsIpv6(interfaceName: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv6/conf/${interfaceName}/forwarding`, "utf8").trim() !== "0";
  } catch {
    // No IPv6 on this interface, or a name that /proc spells otherwise: surely no router to anyone.
    return false;
  }
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new VipdError("aborted", "the probe was called off");
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    refuseAborted(signal);
    throw error;
  }
}
