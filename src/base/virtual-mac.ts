// The MAC of a virtual router, and the macvlan device that vipd gives it: who holds the VIP changes, the MAC does not.
//
// The device's name tells the MAC. So a device is known as vipd's by its kind, its name and its MAC together, whichever
// process made it.

import type { Family, VipAddress } from "./vip.ts";

/** Ids of virtual routers (RFC 9568, section 5.2.3). */
export const MIN_VIRTUAL_ROUTER_ID = 1;
export const MAX_VIRTUAL_ROUTER_ID = 255;

/** The first five bytes (RFC 9568, section 7.3); the id is the sixth. */
const MAC_PREFIX: Readonly<Record<Family, string>> = { 4: "00:00:5e:00:01", 6: "00:00:5e:00:02" };

/** The MAC of the virtual router with this id, lower case with colons. */
export function virtualRouterMac(family: Family, id: number): string {
  return `${MAC_PREFIX[family]}:${id.toString(16).padStart(2, "0")}`;
}

/** With what the virtual MACs of a family begin, lower case with colons. */
export function virtualMacFamily(family: Family): string {
  return `${MAC_PREFIX[family]}:`;
}

/** Whether a text is the MAC of a virtual router, as `virtualRouterMac` writes it. */
export function isVirtualRouterMac(text: string): boolean {
  return /^00:00:5e:00:0[12]:[0-9a-f]{2}$/u.test(text);
}

/** The virtual MACs of addresses, each once. */
export function macsOf(addresses: Iterable<Pick<VipAddress, "virtualMac">>): readonly string[] {
  return [...new Set([...addresses].flatMap(({ virtualMac }) => virtualMac?.mac ?? []))];
}

/** What a host that answers for all of these is granted: their addresses without prefixes, and their virtual MACs. */
export function grantFor(addresses: readonly Pick<VipAddress, "ip" | "virtualMac">[]): readonly string[] {
  return [...addresses.map(({ ip }) => ip), ...macsOf(addresses)];
}

/** Whether a grant has an address, and the virtual MAC that it would be answered with. */
export function isGranted(
  granted: { has(claim: string): boolean },
  { ip, virtualMac }: Pick<VipAddress, "ip" | "virtualMac">,
): boolean {
  return granted.has(ip) && (virtualMac === undefined || granted.has(virtualMac.mac));
}

/**
 * The name of the device for a virtual router, such as vipd4-51; 12 bytes at most. `place`: which of the interfaces of
 * its VIP it is on, counted from 1: the first one's device has no number.
 */
export function virtualDeviceName(family: Family, id: number, place: number): string {
  return `vipd${family}-${id}${place === 1 ? "" : `-${place}`}`;
}

/** Whether a device with this name and MAC is one that vipd makes. */
export function isVirtualDevice(name: string, mac: string): boolean {
  const parts = /^vipd([46])-(\d{1,3})(?:-\d{1,3})?$/u.exec(name);
  return parts !== null && mac === virtualRouterMac(parts[1] === "4" ? 4 : 6, Number(parts[2]));
}

/** The interface on whose wire an address is answered for. */
export function wireInterface({ interface: name, virtualMac }: Pick<VipAddress, "interface" | "virtualMac">): string {
  return virtualMac?.parent ?? name;
}

/** What every IPv4 interface of a host does with ARP, whatever its own settings are (net.ipv4.conf.all). */
export interface ArpSettings {
  readonly filter: number;
  readonly ignore: number;
}

/**
 * The settings with which a host does not answer ARP with a virtual MAC, as sysctl writes them. The device has no network: the
 * kernel finds the way back to the asker through the interface below, and the asker in no network of the device.
 */
export function arpTroubles({ filter, ignore }: ArpSettings): readonly string[] {
  return [
    ...(filter === 0 ? [] : [`net.ipv4.conf.all.arp_filter=${filter}`]),
    ...(ignore < 2 ? [] : [`net.ipv4.conf.all.arp_ignore=${ignore}`]),
  ];
}
