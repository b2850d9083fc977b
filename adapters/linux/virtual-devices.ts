// vipd's devices with virtual MACs: macvlans on the interfaces of VIPs, by rtnetlink.
//
// Each is made once, with the configuration, and is down while it has no address: to take it up costs well under a
// millisecond, to make or to remove it takes the kernel many.
//
// Mode bridge, not private, which keepalived uses: in private mode the kernel hands frames that come in with the virtual MAC as
// their source to the macvlan alone, and the interface below, on which vipd listens for adverts and for others that answer,
// would not hear a second holder.
//
// The interface below shall answer ARP for its own addresses only, or it would say its own MAC for the VIP (arp_ignore), and
// ask in its own name only, or it would teach neighbours its own MAC for the VIP (arp_announce). Both are left so afterwards.

import { writeFileSync } from "node:fs";
import { isVirtualDevice } from "../../src/base/virtual-mac.ts";
import type { VirtualMac } from "../../src/base/vip.ts";
import type { VirtualDevice } from "../../src/ports/host.ts";
import { parseMac } from "../../src/wire/ethernet.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../../src/wire/netlink.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import {
  encodeDeleteLink,
  encodeIpv4Settings,
  encodeLinkState,
  encodeNewMacvlan,
  encodeNoLinkLocal,
  RTM_DELLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
} from "../../src/wire/rtnetlink.ts";
import { EADDRINUSE, ENODEV, EOPNOTSUPP, kernelError } from "./errors.ts";
import { dumpLinks, findLink } from "./links.ts";
import type { NetlinkSocket } from "./netlink.ts";

/** Answer for addresses of this interface only; ask in the name of addresses of this interface only. */
const ARP_IGNORE = 1;
const ARP_ANNOUNCE = 2;

/** The way back to a client is the business of the interface below. */
const RP_FILTER_LOOSE = 2;

/** It answers for its own addresses only: not for others of the LAN, nor by where the way back leads. */
const OWN_SETTINGS = {
  rpFilter: RP_FILTER_LOOSE,
  arpIgnore: ARP_IGNORE,
  arpAnnounce: ARP_ANNOUNCE,
  promoteSecondaries: 1,
  proxyArp: 0,
  arpFilter: 0,
};

/** Whether a link is one of these devices, whoever made it. */
export function isDevice({ kind, name, mac }: LinkRecord): boolean {
  return kind === "macvlan" && isVirtualDevice(name, mac);
}

/** The virtual MACs of the host's devices, by their index. */
export function virtualMacs(links: readonly LinkRecord[]): ReadonlyMap<number, VirtualMac> {
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return new Map(
    links.filter(isDevice).map(({ index, mac, lower = 0 }) => [index, { mac, parent: names.get(lower) ?? "" }]),
  );
}

/** The device, made where it is missing, and up; or why there is none. */
export function bringUpDevice(
  socket: NetlinkSocket,
  device: VirtualDevice,
  linkOf: (name: string) => LinkRecord | undefined,
): LinkRecord | string {
  const link = haveDevice(socket, device, linkOf);
  if (typeof link === "string") return link;
  const up = { type: RTM_SETLINK, flags: 0, payload: encodeLinkState(link.index, true) };
  let errno = socket.attempt(up);
  if (errno === EADDRINUSE && takeDownTwins(socket, link)) errno = socket.attempt(up);
  return errno === 0 ? link : whyNotUp(device, errno);
}

/**
 * A reload that changes which interface of a VIP is its first one gives its devices other names: the one that an
 * interface had until then goes down for the one that it gets. Whether there was such a one.
 */
function takeDownTwins(socket: NetlinkSocket, link: LinkRecord): boolean {
  const isTwin = ({ index, mac, lower, enabled }: LinkRecord): boolean =>
    index !== link.index && mac === link.mac && lower === link.lower && enabled === true;
  const twins = dumpLinks(socket).filter((other) => isDevice(other) && isTwin(other));
  return twins.length > 0 && twins.every((other) => takeDown(socket, other).length === 0);
}

/** The device as it is, or newly made, and down then; or why there is none. */
export function haveDevice(
  socket: NetlinkSocket,
  device: VirtualDevice,
  linkOf: (name: string) => LinkRecord | undefined,
): LinkRecord | string {
  const { name, virtualMac } = device;
  const parent = linkOf(virtualMac.parent);
  if (parent === undefined) return `there is no interface ${virtualMac.parent}`;
  if (!parent.ethernet || parent.loopback)
    return `${parent.name} is not an Ethernet interface: it carries no virtual MAC`;
  if (parent.kind === "macvlan")
    return `${parent.name} is a macvlan: put the VIP with its virtual MAC on the interface below it`;
  const found = linkOf(name);
  if (found !== undefined) {
    if (!isDevice(found)) return `there is an interface ${name} that vipd did not make: give it another name`;
    if (found.lower === parent.index && found.mac === virtualMac.mac)
      return prepared(socket, found, parent, isPrepared(found));
    const [trouble] = removeDevice(socket, found);
    if (trouble !== undefined) return trouble;
  }
  return make(socket, device, parent);
}

function make(socket: NetlinkSocket, { name, virtualMac }: VirtualDevice, parent: LinkRecord): LinkRecord | string {
  const mac = parseMac(virtualMac.mac) ?? new Uint8Array();
  const payload = encodeNewMacvlan({ name, mac, lower: parent.index });
  const errno = socket.attempt({ type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, payload });
  if (errno === EOPNOTSUPP) return `${name} cannot be made: this kernel has no macvlan (CONFIG_MACVLAN)`;
  if (errno !== 0) return refusal(`make ${name} on ${parent.name}`, errno);
  const link = findLink(socket, name);
  return link === undefined ? `${name} went as soon as it was made` : prepared(socket, link, parent, false);
}

/** A new device is not: it has the host's defaults, which may look like ours. */
function isPrepared({ arp }: LinkRecord): boolean {
  return arp?.ignore === ARP_IGNORE && arp.announce === ARP_ANNOUNCE;
}

/** Sets all that bears on what the device and the interface below say; the device is down, or has been set so before. */
function prepared(socket: NetlinkSocket, link: LinkRecord, parent: LinkRecord, isDone: boolean): LinkRecord | string {
  const { ignore = 0, announce = 0 } = parent.arp ?? {};
  const below = {
    ...(ignore === 0 ? { arpIgnore: ARP_IGNORE } : {}),
    ...(announce < ARP_ANNOUNCE ? { arpAnnounce: ARP_ANNOUNCE } : {}),
  };
  if (isDone && Object.keys(below).length === 0) return link;
  if (link.name.startsWith("vipd6")) allowIpv6(link.name);
  const requests = [
    encodeIpv4Settings(link.index, OWN_SETTINGS),
    ...(Object.keys(below).length === 0 ? [] : [encodeIpv4Settings(parent.index, below)]),
    encodeNoLinkLocal(link.index),
  ];
  const errnos = socket.attemptAll(requests.map((payload) => ({ type: RTM_SETLINK, flags: 0, payload })));
  // The last one is refused where this kernel has no IPv6, which then says nothing either.
  const refused = errnos.slice(0, -1).find((errno) => errno !== 0);
  return refused === undefined ? link : refusal(`set up ${link.name}`, refused);
}

/**
 * A host may disable IPv6 on interfaces by default. rtnetlink does not set this one; where /proc cannot be written, binding
 * the address is refused, and says why.
 */
function allowIpv6(name: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "0");
  } catch {
    // Told when the address is bound.
  }
}

/** Takes a device down; why the kernel does not. */
export function takeDown(socket: NetlinkSocket, { index, name, enabled }: LinkRecord): readonly string[] {
  if (enabled === false) return [];
  return told(
    `take ${name} down`,
    socket.attempt({ type: RTM_SETLINK, flags: 0, payload: encodeLinkState(index, false) }),
  );
}

/** Removes a device; why the kernel does not. */
export function removeDevice(socket: NetlinkSocket, { index, name }: LinkRecord): readonly string[] {
  return told(`remove ${name}`, socket.attempt({ type: RTM_DELLINK, flags: 0, payload: encodeDeleteLink(index) }));
}

/** What the kernel refused of a device; one that has gone meanwhile is where it shall be. */
export function told(what: string, errno: number): readonly string[] {
  return errno === 0 || errno === ENODEV ? [] : [refusal(what, errno)];
}

function whyNotUp({ name, virtualMac: { mac, parent } }: VirtualDevice, errno: number): string {
  if (errno === EADDRINUSE)
    return `another device on ${parent} has ${mac} already, such as keepalived's with use_vmac: stop that, or use another id`;
  return refusal(`bring ${name} up`, errno);
}

function refusal(what: string, errno: number): string {
  return kernelError(`rtnetlink ${what}`, errno).message;
}
