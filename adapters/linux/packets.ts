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
import { wireInterface } from "../../src/base/virtual-mac.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Answer, PacketLink } from "../../src/ports/host.ts";
import { arpProbe, encodeArp, gratuitousReply, gratuitousRequest } from "../../src/wire/arp.ts";
import { concatBytes } from "../../src/wire/bytes.ts";
import {
  BROADCAST_MAC,
  encodeEthernetHeader,
  encodeLinkAddress,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  ipv6MulticastMac,
  parseMac,
} from "../../src/wire/ethernet.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { ALL_NODES, dadSolicitation, encodeNdp, solicitedNode, unsolicitedAdvertisement } from "../../src/wire/ndp.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { ClaimSocket, openPacketSocket } from "./claim-socket.ts";
import { ENETDOWN, ENOBUFS, ENODEV, ENXIO, errnoOf } from "./errors.ts";
import { dumpLinks, findLink, needLink } from "./links.ts";
import { closeFd, sendTo } from "./native.ts";
import type { Fd } from "./native.ts";
import { isDevice } from "./virtual-devices.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";
import { openFrameSocket } from "./vrrp-sockets.ts";

/** How many times a probe asks, and how far apart at most. */
const PROBE_COUNT = 3;
const PROBE_INTERVAL_MS = 20;

/** So many stations that answer one probe are told. */
const MAX_HEARD = 1_000;

/** The host's own hardware addresses are read anew after so long, in milliseconds. */
const OWN_FRESH_MS = 1_000;

/** What the packet link needs. */
export interface PacketDeps {
  readonly clock: Clock;
  /** Asked before an announcement where the kernel's fence does not see AF_PACKET (`inet` fences). */
  readonly mayAnnounce?: (ip: string) => boolean;
}

/** One frame to send, without its Ethernet header, which the kernel puts before it, unless it is `framed`. */
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
  /** For frames with a source of their own; opened for the first one. */
  #frameSender: Fd | undefined;
  /** By interface and family: those that are in use. */
  readonly #claimSockets = new Map<string, ClaimSocket>();
  /** By address, interface and its index: what is heard for without asking. */
  #hearing: ReadonlyMap<string, () => void> = new Map();
  #own: ReadonlySet<string> = new Set();
  #ownReadAt: Instant | undefined;
  #open = true;

  constructor(deps: PacketDeps) {
    this.#deps = deps;
    this.#sender = openPacketSocket();
  }

  announce(address: VipAddress): boolean {
    const link = findLink(this.#links, address.interface);
    const wire = link === undefined ? undefined : this.#wireOf(link, address);
    if (link === undefined || wire === undefined) return false;
    const mac = link.ethernet ? parseMac(link.mac) : undefined;
    // No neighbours that would have to learn anything.
    if (mac === undefined) return true;
    if (this.#deps.mayAnnounce?.(address.ip) === false) return false;
    const frames = announcements(address, mac);
    if (address.virtualMac === undefined) return frames.every((frame) => this.#send(this.#sender, wire, frame));
    this.#frameSender ??= openFrameSocket();
    const fd = this.#frameSender;
    return frames.map((frame) => framed(frame, mac)).every((frame) => this.#send(fd, wire, frame));
  }

  async probe(address: VipAddress, waitMs: number, signal: AbortSignal): Promise<readonly Answer[]> {
    refuseAborted(signal);
    const link = needLink(this.#links, wireInterface(address));
    const mac = link.ethernet ? parseMac(link.mac) : undefined;
    if (mac === undefined) return [];
    const question = probeFrame(address, mac);
    const askedAt = this.#deps.clock.now();
    const probeSocket = this.#socketFor(link, address);
    const heard = new Map<string, Instant>();
    const stopHearing = probeSocket.listen(address, (claimant, at) => {
      if (!this.#own.has(claimant) && !heard.has(claimant) && heard.size < MAX_HEARD) heard.set(claimant, at);
    });
    try {
      probeSocket.refilter();
      const end = later(this.#deps.clock.now(), waitMs);
      const interval = Math.min(PROBE_INTERVAL_MS, waitMs / PROBE_COUNT);
      for (let i = 0; i < PROBE_COUNT; i++) {
        if (!this.#send(probeSocket.fd, link, question))
          throw new VipdError("interface", `${link.name} sends nothing: it is down`, { interface: link.name });
        await pause(interval, signal);
      }
      await pause(Math.max(0, end - this.#deps.clock.now()), signal);
      probeSocket.drain();
      // Whoever answered may be a new interface of this host.
      if (heard.size > 0 && (this.#ownReadAt === undefined || this.#ownReadAt < askedAt)) this.#ownMacs();
      return [...heard]
        .filter(([claimant]) => !this.#own.has(claimant))
        .map(([claimant, at]) => ({ mac: claimant, at }));
    } finally {
      stopHearing();
    }
  }

  hear(addresses: readonly VipAddress[], onClaim: (address: VipAddress, mac: string) => void): void {
    const links = new Map(dumpLinks(this.#links).map((link) => [link.name, link]));
    this.#ownMacs();
    const hearing = new Map<string, () => void>();
    const sockets = new Set<ClaimSocket>();
    for (const address of addresses) {
      const link = links.get(wireInterface(address));
      if (link === undefined || !link.ethernet) continue;
      const key = `${address.ip} ${link.name} ${link.index}`;
      const socket = this.#socketFor(link, address);
      sockets.add(socket);
      const listener = (mac: string): void => {
        if (!this.#isOwn(mac)) onClaim(address, mac);
      };
      hearing.set(key, socket.listen(address, listener));
    }
    const before = this.#hearing;
    this.#hearing = hearing;
    for (const stop of before.values()) stop();
    for (const socket of sockets) socket.refilter();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const stop of this.#hearing.values()) stop();
    closeFd(this.#sender);
    if (this.#frameSender !== undefined) closeFd(this.#frameSender);
    this.#links.close();
  }

  /**
   * The link on which an announcement leaves now, if one does. For a virtual MAC that is the one below its device: what the
   * device sends to all the kernel copies for every other device on that link, and there may be hundreds of them.
   */
  #wireOf(link: LinkRecord, { virtualMac }: VipAddress): LinkRecord | undefined {
    if (virtualMac === undefined) return link.up ? link : undefined;
    const below = link.enabled === true ? findLink(this.#links, virtualMac.parent) : undefined;
    return below?.up === true && below.index === link.lower ? below : undefined;
  }

  /**
   * Hardware addresses of this host, read now. Not its virtual MACs: what comes in from the wire with one is another
   * holder's, since a host does not hear what it sends itself.
   */
  #ownMacs(): ReadonlySet<string> {
    this.#own = new Set(dumpLinks(this.#links).flatMap((each) => (isDevice(each) ? [] : each.mac)));
    this.#ownReadAt = this.#deps.clock.now();
    return this.#own;
  }

  /** Whoever is not known may be a new interface of this host; that is looked at now and then, not for each packet. */
  #isOwn(mac: string): boolean {
    if (this.#own.has(mac)) return true;
    const readAt = this.#ownReadAt;
    if (readAt !== undefined && this.#deps.clock.now() < later(readAt, OWN_FRESH_MS)) return false;
    return this.#ownMacs().has(mac);
  }

  #socketFor(link: LinkRecord, { family }: VipAddress): ClaimSocket {
    const key = `${link.index} ${family}`;
    const known = this.#claimSockets.get(key);
    if (known !== undefined) return known;
    const probeSocket = new ClaimSocket(link, family, this.#deps.clock, () => this.#claimSockets.delete(key));
    this.#claimSockets.set(key, probeSocket);
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

function announcements(address: VipAddress, mac: Uint8Array): readonly Frame[] {
  const ip = ipBytes(address.ip);
  if (address.family === 4) {
    const forms = [gratuitousRequest(mac, ip), gratuitousReply(mac, ip)];
    return forms.map((form) => ({ protocol: ETHERTYPE_ARP, to: BROADCAST_MAC, data: encodeArp(form) }));
  }
  const data = encodeNdp(unsolicitedAdvertisement(ip, mac, forwardsIpv6(wireInterface(address))));
  return [{ protocol: ETHERTYPE_IPV6, to: ipv6MulticastMac(ALL_NODES), data }];
}

/** With its Ethernet header. */
function framed({ protocol, to, data }: Frame, source: Uint8Array): Frame {
  return { protocol, to, data: concatBytes(encodeEthernetHeader(to, source, protocol), data) };
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
