// rtnetlink: addresses and links (linux/rtnetlink.h, if_addr.h, if_link.h).

import type { Family, Scope } from "../base/vip.ts";
import { cString, concatBytes, needBytes, readCString, viewOf } from "./bytes.ts";
import { formatIp, IPV4_BYTES, IPV6_BYTES } from "./ip.ts";
import { formatMac } from "./ethernet.ts";
import { attributeMap, encodeAttribute, encodeNested, host32, LITTLE_ENDIAN, readHost32 } from "./netlink.ts";

/** Message types. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/** Multicast groups of news, as bits of sockaddr_nl. */
export const RTMGRP_LINK = 0x1;
export const RTMGRP_IPV4_IFADDR = 0x10;
export const RTMGRP_IPV4_ROUTE = 0x40;
export const RTMGRP_IPV4_RULE = 0x80;
export const RTMGRP_IPV6_IFADDR = 0x100;
export const RTMGRP_IPV6_ROUTE = 0x400;
/** 1 << (RTNLGRP_IPV6_RULE - 1): it has no name of its own. */
export const RTMGRP_IPV6_RULE = 0x40000;

export const AF_INET = 2;
export const AF_INET6 = 10;
/** Bridges tell of their ports with link messages of this family; those are no links. */
const AF_BRIDGE = 7;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
export const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
export const IFA_PROTO = 11;
const IFA_F_SECONDARY = 0x01;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;

/** The scopes of addresses and routes (RT_SCOPE_*). */
export const SCOPE_NUMBERS: Readonly<Record<Scope, number>> = { global: 0, site: 200, link: 253, host: 254 };

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_LINK = 5;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_MACVLAN_MODE = 1;
const MACVLAN_MODE_BRIDGE = 4;
const IFLA_AF_SPEC = 26;
const IFLA_GROUP = 27;
const IFLA_EXT_MASK = 29;
/** RTEXT_FILTER_SKIP_STATS. */
const SKIP_STATISTICS = 8;
const IFLA_INET_CONF = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
/** Places of settings in IFLA_INET_CONF, counted from 1 (linux/ip.h). */
const IPV4_DEVCONF = {
  proxyArp: 3,
  rpFilter: 8,
  arpFilter: 13,
  arpAnnounce: 18,
  arpIgnore: 19,
  promoteSecondaries: 20,
} as const;

const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_RUNNING = 0x40;
const IFF_LOWER_UP = 0x10000;
const ARPHRD_ETHER = 1;

/** An IPv4 address that is for this host alone: the kernel does not choose it as a source by itself. */
const RT_SCOPE_HOST = 254;

/**
 * What a link needs to carry packets. Between carrier and operation lies a moment in which the kernel has no queue for the
 * link yet and silently drops what is sent.
 */
const IFF_USABLE = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;

const IFADDRMSG_BYTES = 8;
const IFINFOMSG_BYTES = 16;
const CACHEINFO_BYTES = 16;

/** Largest lifetime in seconds that is not "for ever". */
export const MAX_LIFETIME_S = 0xfffffffe;
const FOREVER_S = 0xffffffff;

/** Prefix length of an address that is alone in its network, in bits. */
export const SINGLE_PREFIX: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

/** An address as the kernel keeps it. */
export interface AddressRecord {
  readonly family: Family;
  readonly ip: string;
  readonly prefix: number;
  readonly index: number;
  /** IFA_PROTO: who put it there; 0 when unmarked. */
  readonly mark: number;
  /** IFA_LABEL; IPv4 only. */
  readonly label?: string;
  /** Remaining lifetime in whole seconds; undefined is for ever. */
  readonly validS?: number;
  /** Whether another IPv4 address of its subnet is the primary one. */
  readonly secondary: boolean;
}

/** What to put on an interface. */
export interface AddressRequest {
  readonly bytes: Uint8Array;
  readonly prefix: number;
  readonly index: number;
  readonly mark: number;
  readonly label?: string;
  /** IPv4 only: the kernel finds that of an IPv6 address by itself. */
  readonly scope?: Scope;
  readonly noPrefixRoute?: true;
  /** Whole seconds; preferred equals valid, so the address is never deprecated. */
  readonly lifetimeS: number;
}

/** A link as the kernel tells it. */
export interface LinkRecord {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** IFF_UP alone: whether somebody has taken it up. */
  readonly enabled?: boolean;
  readonly ethernet: boolean;
  readonly loopback: boolean;
  readonly mac: string;
  /** What it is a part of: "bridge", "bond", "team", "vrf"...; undefined when it stands alone. */
  readonly slaveKind?: string;
  /** What kind of virtual device it is: "macvlan", "bridge"...; undefined for a plain one. */
  readonly kind?: string;
  /** Index of the link below it, if there is one. */
  readonly lower?: number;
  /** The group that somebody has put it into; 0: none. */
  readonly group?: number;
  /** Whether an IPv4 address outlives the removal of another of its subnet that came before it. */
  readonly promotesSecondaries: boolean;
  /** net.ipv4.conf.<interface>.arp_ignore and arp_announce. */
  readonly arp?: { readonly ignore: number; readonly announce: number };
}

/** Settings of net.ipv4.conf.<interface>. */
export type Ipv4Settings = Partial<Readonly<Record<keyof typeof IPV4_DEVCONF, number>>>;

// struct ifaddrmsg: u8 family @0, u8 prefix @1, u8 flags @2, u8 scope @3, u32 index @4; attributes follow.

function ifaddrmsg(bytes: Uint8Array, prefix: number, index: number): Uint8Array {
  const out = new Uint8Array(IFADDRMSG_BYTES);
  out[0] = bytes.length === IPV4_BYTES ? AF_INET : AF_INET6;
  out[1] = prefix;
  viewOf(out).setUint32(4, index, LITTLE_ENDIAN);
  return out;
}

// struct ifa_cacheinfo: u32 preferred @0, u32 valid @4 (seconds), u32 created @8, u32 updated @12.

function cacheinfo(validS: number, preferredS = validS): Uint8Array {
  return concatBytes(host32(preferredS), host32(validS), new Uint8Array(8));
}

/** Payload of RTM_NEWADDR. IPv6 goes without duplicate address detection: the VIP must answer at once. */
export function encodeNewAddress(request: AddressRequest): Uint8Array {
  const v4 = request.bytes.length === IPV4_BYTES;
  const flags = (v4 ? 0 : IFA_F_NODAD) | (request.noPrefixRoute === true ? IFA_F_NOPREFIXROUTE : 0);
  const header = ifaddrmsg(request.bytes, request.prefix, request.index);
  header[3] = v4 ? SCOPE_NUMBERS[request.scope ?? "global"] : 0;
  return concatBytes(
    header,
    encodeAttribute(IFA_LOCAL, request.bytes),
    encodeAttribute(IFA_ADDRESS, request.bytes),
    ...(request.label === undefined || !v4 ? [] : [encodeAttribute(IFA_LABEL, cString(request.label))]),
    encodeAttribute(IFA_CACHEINFO, cacheinfo(request.lifetimeS)),
    ...(flags === 0 ? [] : [encodeAttribute(IFA_FLAGS, host32(flags))]),
    encodeAttribute(IFA_PROTO, Uint8Array.of(request.mark)),
  );
}

/**
 * Payload of RTM_NEWADDR for an address that lasts and is answered under, but not chosen as a source: IPv4 has a scope
 * for that, IPv6 calls such an address deprecated.
 */
export function encodeServedAddress(request: Pick<AddressRequest, "bytes" | "index" | "mark">): Uint8Array {
  const v4 = request.bytes.length === IPV4_BYTES;
  const header = ifaddrmsg(request.bytes, SINGLE_PREFIX[v4 ? 4 : 6], request.index);
  if (v4) header[3] = RT_SCOPE_HOST;
  return concatBytes(
    header,
    encodeAttribute(IFA_LOCAL, request.bytes),
    encodeAttribute(IFA_ADDRESS, request.bytes),
    ...(v4
      ? []
      : [encodeAttribute(IFA_CACHEINFO, cacheinfo(FOREVER_S, 0)), encodeAttribute(IFA_FLAGS, host32(IFA_F_NODAD))]),
    encodeAttribute(IFA_PROTO, Uint8Array.of(request.mark)),
  );
}

/** Payload of RTM_DELADDR. */
export function encodeDeleteAddress(bytes: Uint8Array, prefix: number, index: number): Uint8Array {
  const address = encodeAttribute(IFA_LOCAL, bytes);
  return concatBytes(ifaddrmsg(bytes, prefix, index), address, encodeAttribute(IFA_ADDRESS, bytes));
}

/** Payload of RTM_GETADDR for a dump of all families. */
export function encodeAddressDump(): Uint8Array {
  return new Uint8Array(IFADDRMSG_BYTES);
}

/** Reads RTM_NEWADDR or RTM_DELADDR; undefined for a family that is neither IPv4 nor IPv6. */
export function decodeAddress(payload: Uint8Array): AddressRecord | undefined {
  needBytes(payload, IFADDRMSG_BYTES, "ifaddrmsg");
  const family = payload[0] === AF_INET ? 4 : payload[0] === AF_INET6 ? 6 : undefined;
  if (family === undefined) return undefined;
  const attributes = attributeMap(payload.subarray(IFADDRMSG_BYTES));
  // On a point-to-point link IFA_ADDRESS is the peer; the own address is IFA_LOCAL where that is present.
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (bytes === undefined || bytes.length !== (family === 4 ? IPV4_BYTES : IPV6_BYTES)) {
    throw new RangeError("ifaddrmsg: no address of its family");
  }
  const label = attributes.get(IFA_LABEL);
  const validS = lifetimeOf(attributes.get(IFA_CACHEINFO));
  return {
    family,
    ip: formatIp(bytes),
    prefix: payload[1] ?? 0,
    index: viewOf(payload).getUint32(4, LITTLE_ENDIAN),
    mark: attributes.get(IFA_PROTO)?.[0] ?? 0,
    ...(label === undefined ? {} : { label: readCString(label) }),
    ...(validS === undefined ? {} : { validS }),
    // For IPv6 the same bit says that the address is a temporary one.
    secondary: family === 4 && ((payload[2] ?? 0) & IFA_F_SECONDARY) !== 0,
  };
}

function lifetimeOf(data: Uint8Array | undefined): number | undefined {
  if (data === undefined) return undefined;
  needBytes(data, CACHEINFO_BYTES, "ifa_cacheinfo");
  const valid = viewOf(data).getUint32(4, LITTLE_ENDIAN);
  return valid === FOREVER_S ? undefined : valid;
}

// struct ifinfomsg: u8 family @0, u8 pad, u16 hardware type @2, i32 index @4, u32 flags @8, u32 change @12; attributes follow.

/** Payload of RTM_GETLINK: of all links, or of the one with this name or this index; without its counters, which are most of it. */
export function encodeLinkQuery(link?: string | number): Uint8Array {
  const header = new Uint8Array(IFINFOMSG_BYTES);
  if (typeof link === "number") viewOf(header).setInt32(4, link, LITTLE_ENDIAN);
  const name = typeof link === "string" ? [encodeAttribute(IFLA_IFNAME, cString(link))] : [];
  return concatBytes(header, ...name, encodeAttribute(IFLA_EXT_MASK, host32(SKIP_STATISTICS)));
}

/** Reads RTM_NEWLINK or RTM_DELLINK; undefined when it tells of a bridge's port and not of a link. */
export function decodeLink(payload: Uint8Array): LinkRecord | undefined {
  needBytes(payload, IFINFOMSG_BYTES, "ifinfomsg");
  if (payload[0] === AF_BRIDGE) return undefined;
  const view = viewOf(payload);
  const flags = view.getUint32(8, LITTLE_ENDIAN);
  const attributes = attributeMap(payload.subarray(IFINFOMSG_BYTES));
  const info = attributes.get(IFLA_LINKINFO);
  const infos = info === undefined ? undefined : attributeMap(info);
  const [kind, slaveKind] = [infos?.get(IFLA_INFO_KIND), infos?.get(IFLA_INFO_SLAVE_KIND)];
  const lower = attributes.get(IFLA_LINK);
  const settings = ipv4Settings(attributes.get(IFLA_AF_SPEC));
  const group = attributes.get(IFLA_GROUP);
  return {
    index: view.getInt32(4, LITTLE_ENDIAN),
    name: readCString(attributes.get(IFLA_IFNAME) ?? new Uint8Array()),
    up: (flags & IFF_USABLE) === IFF_USABLE,
    enabled: (flags & IFF_UP) !== 0,
    ethernet: view.getUint16(2, LITTLE_ENDIAN) === ARPHRD_ETHER,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    mac: formatMac(attributes.get(IFLA_ADDRESS) ?? new Uint8Array()),
    ...(slaveKind === undefined ? {} : { slaveKind: readCString(slaveKind) }),
    ...(kind === undefined ? {} : { kind: readCString(kind) }),
    ...(lower === undefined ? {} : { lower: readHost32(lower, "IFLA_LINK") }),
    ...(group === undefined ? {} : { group: readHost32(group, "IFLA_GROUP") }),
    promotesSecondaries: (settings("promoteSecondaries") ?? 0) !== 0,
    arp: { ignore: settings("arpIgnore") ?? 0, announce: settings("arpAnnounce") ?? 0 },
  };
}

// IFLA_AF_SPEC: by family, for AF_INET: IFLA_INET_CONF: i32 per setting, in the order of their numbers.

function ipv4Settings(spec: Uint8Array | undefined): (setting: keyof typeof IPV4_DEVCONF) => number | undefined {
  const inet = spec === undefined ? undefined : attributeMap(spec).get(AF_INET);
  const settings = inet === undefined ? undefined : attributeMap(inet).get(IFLA_INET_CONF);
  return (setting) => {
    const at = (IPV4_DEVCONF[setting] - 1) * 4;
    if (settings === undefined || settings.length < at + 4) return undefined;
    return viewOf(settings).getInt32(at, LITTLE_ENDIAN);
  };
}

function ifinfomsg(index: number, flags = 0, change = 0): Uint8Array {
  const header = new Uint8Array(IFINFOMSG_BYTES);
  const view = viewOf(header);
  view.setInt32(4, index, LITTLE_ENDIAN);
  view.setUint32(8, flags, LITTLE_ENDIAN);
  view.setUint32(12, change, LITTLE_ENDIAN);
  return header;
}

/** Payload of RTM_SETLINK that sets net.ipv4.conf.<interface>. */
export function encodeIpv4Settings(index: number, settings: Ipv4Settings): Uint8Array {
  const attributes = Object.entries(IPV4_DEVCONF).flatMap(([name, place]) => {
    const value = settings[name as keyof typeof IPV4_DEVCONF];
    return value === undefined ? [] : [encodeAttribute(place, host32(value))];
  });
  const inet = encodeNested(AF_INET, encodeNested(IFLA_INET_CONF, ...attributes));
  return concatBytes(ifinfomsg(index), encodeNested(IFLA_AF_SPEC, inet));
}

/** What an interface says by ARP: net.ipv4.conf.<interface>.arp_ignore and arp_announce. */
export interface ArpSettings {
  readonly arpIgnore: number;
  readonly arpAnnounce: number;
}

/** Reads them of RTM_NEWLINK; undefined where the interface has no IPv4. */
export function decodeArpSettings(payload: Uint8Array): ArpSettings | undefined {
  needBytes(payload, IFINFOMSG_BYTES, "ifinfomsg");
  const setting = ipv4Settings(attributeMap(payload.subarray(IFINFOMSG_BYTES)).get(IFLA_AF_SPEC));
  const [arpIgnore, arpAnnounce] = [setting("arpIgnore"), setting("arpAnnounce")];
  return arpIgnore === undefined || arpAnnounce === undefined ? undefined : { arpIgnore, arpAnnounce };
}

/** Payload of RTM_SETLINK that sets one of them. */
export function encodeArpSetting(index: number, setting: keyof ArpSettings, value: number): Uint8Array {
  return encodeIpv4Settings(index, { [setting]: value });
}

/** Payload of RTM_SETLINK: the interface gets no link-local IPv6 address when it comes up, and so sends nothing for one. */
export function encodeNoLinkLocal(index: number): Uint8Array {
  const mode = encodeAttribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(IN6_ADDR_GEN_MODE_NONE));
  return concatBytes(ifinfomsg(index), encodeNested(IFLA_AF_SPEC, encodeNested(AF_INET6, mode)));
}

/** Payload of RTM_SETLINK that takes an interface up or down. */
export function encodeLinkState(index: number, up: boolean): Uint8Array {
  return ifinfomsg(index, up ? IFF_UP : 0, IFF_UP);
}

/** Payload of RTM_DELLINK. */
export function encodeDeleteLink(index: number): Uint8Array {
  return ifinfomsg(index);
}

/** RTM_SETLINK: puts a link into a group. */
export function encodeLinkGroup(index: number, group: number): Uint8Array {
  return concatBytes(ifinfomsg(index), encodeAttribute(IFLA_GROUP, host32(group)));
}

/** RTM_DELLINK: removes all links of a group. */
export function encodeDeleteGroup(group: number): Uint8Array {
  return concatBytes(ifinfomsg(0), encodeAttribute(IFLA_GROUP, host32(group)));
}

/** A macvlan device to be made. */
export interface MacvlanRequest {
  readonly name: string;
  readonly mac: Uint8Array;
  /** Index of the link below. */
  readonly lower: number;
}

/** Payload of RTM_NEWLINK for a macvlan device in bridge mode; it is down. */
export function encodeNewMacvlan({ name, mac, lower }: MacvlanRequest): Uint8Array {
  const data = encodeNested(IFLA_INFO_DATA, encodeAttribute(IFLA_MACVLAN_MODE, host32(MACVLAN_MODE_BRIDGE)));
  return concatBytes(
    ifinfomsg(0),
    encodeAttribute(IFLA_LINK, host32(lower)),
    encodeAttribute(IFLA_ADDRESS, mac),
    encodeAttribute(IFLA_IFNAME, cString(name)),
    encodeNested(IFLA_LINKINFO, encodeAttribute(IFLA_INFO_KIND, cString("macvlan")), data),
  );
}

// struct sockaddr_nl: u16 family @0 (AF_NETLINK 16), u16 pad, u32 port @4, u32 groups @8.

/** A netlink socket address; port 0 lets the kernel choose. */
export function encodeNetlinkAddress(groups = 0): Uint8Array {
  const out = new Uint8Array(12);
  viewOf(out).setUint16(0, 16, LITTLE_ENDIAN);
  viewOf(out).setUint32(8, groups, LITTLE_ENDIAN);
  return out;
}

/** The port of a netlink socket's own address. */
export function decodeNetlinkPort(address: Uint8Array): number {
  needBytes(address, 12, "sockaddr_nl");
  return readHost32(address.subarray(4), "sockaddr_nl port");
}
