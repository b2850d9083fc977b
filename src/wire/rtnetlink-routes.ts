// rtnetlink: routes (linux/rtnetlink.h).

import type { RouteType, VipRoute } from "../base/routing.ts";
import type { Scope } from "../base/vip.ts";
import { concatBytes, needBytes } from "./bytes.ts";
import { formatIp, IPV4_BYTES, IPV6_BYTES, ipBytes } from "./ip.ts";
import { attributeMap, encodeAttribute, encodeNested, host32, readHost32 } from "./netlink.ts";
import { AF_INET, AF_INET6, SCOPE_NUMBERS } from "./rtnetlink.ts";

/** Message types. */
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

const RTMSG_BYTES = 12;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_TABLE = 15;
const RTAX_MTU = 2;

const RTNH_F_ONLINK = 4;
/** A copy that the kernel made of a route for one destination. */
const RTM_F_CLONED = 0x200;
const RT_SCOPE_NOWHERE = 255;

/** Table ids above 255 stand in RTA_TABLE alone. */
const RT_TABLE_COMPAT = 252;

const TYPE_NUMBERS: Readonly<Record<RouteType, number>> = { unicast: 1, blackhole: 6, unreachable: 7, prohibit: 8 };
const TYPES = new Map(Object.entries(TYPE_NUMBERS).map(([type, number]) => [number, type as RouteType]));
const SCOPES = new Map(Object.entries(SCOPE_NUMBERS).map(([scope, number]) => [number, scope as Scope]));

/** A route as the kernel tells it; the interface by its number. */
export interface RouteRecord {
  readonly route: Omit<VipRoute, "interface">;
  /** Who set it (RTPROT_*). */
  readonly protocol: number;
  /** Absent for a route that sends nothing on. */
  readonly index?: number;
}

// struct rtmsg: u8 family @0, u8 destination's length @1, u8 source's length @2, u8 tos @3, u8 table @4, u8 protocol @5,
// u8 scope @6, u8 type @7, u32 flags @8; attributes follow.

function rtmsg(route: Omit<VipRoute, "interface">, protocol: number, scope: number): Uint8Array {
  const out = new Uint8Array(RTMSG_BYTES);
  out[0] = route.family === 4 ? AF_INET : AF_INET6;
  out[1] = route.prefix;
  out[4] = route.table < 256 ? route.table : RT_TABLE_COMPAT;
  out[5] = protocol;
  out[6] = scope;
  out[7] = TYPE_NUMBERS[route.type];
  out.set(host32(route.onLink === true ? RTNH_F_ONLINK : 0), 8);
  return out;
}

/** Payload of RTM_NEWROUTE. */
export function encodeNewRoute({ route, protocol, index }: RouteRecord): Uint8Array {
  const { source, mtu } = route;
  return concatBytes(
    rtmsg(route, protocol, SCOPE_NUMBERS[route.scope]),
    ...targetOf(route, index),
    ...(source === undefined ? [] : [encodeAttribute(RTA_PREFSRC, ipBytes(source))]),
    ...(mtu === undefined ? [] : [encodeNested(RTA_METRICS, encodeAttribute(RTAX_MTU, host32(mtu)))]),
  );
}

/** Payload of RTM_DELROUTE: of this route, when `protocol` has set it. Its source and MTU do not matter. */
export function encodeDeleteRoute({ route, protocol, index }: RouteRecord): Uint8Array {
  return concatBytes(rtmsg(route, protocol, RT_SCOPE_NOWHERE), ...targetOf(route, index));
}

function targetOf(route: RouteRecord["route"], index: number | undefined): readonly Uint8Array[] {
  const { ip, via, table, metric } = route;
  return [
    encodeAttribute(RTA_DST, ipBytes(ip)),
    ...(via === undefined ? [] : [encodeAttribute(RTA_GATEWAY, ipBytes(via))]),
    ...(index === undefined ? [] : [encodeAttribute(RTA_OIF, host32(index))]),
    ...(metric === 0 ? [] : [encodeAttribute(RTA_PRIORITY, host32(metric))]),
    encodeAttribute(RTA_TABLE, host32(table)),
  ];
}

/** Payload of RTM_GETROUTE for a dump of a family's routes; kernels since 5.0 leave out those of other protocols. */
export function encodeRouteDump(family: 4 | 6, protocol: number): Uint8Array {
  const out = new Uint8Array(RTMSG_BYTES);
  out[0] = family === 4 ? AF_INET : AF_INET6;
  out[5] = protocol;
  return out;
}

/** Reads RTM_NEWROUTE or RTM_DELROUTE; undefined for a kind of route that vipd does not set. */
export function decodeRoute(payload: Uint8Array): RouteRecord | undefined {
  needBytes(payload, RTMSG_BYTES, "rtmsg");
  const [familyNumber = 0, prefix = 0, , , shortTable = 0, protocol = 0, scopeNumber = 0, typeNumber = 0] = payload;
  const family = familyNumber === AF_INET ? 4 : familyNumber === AF_INET6 ? 6 : undefined;
  const [type, scope] = [TYPES.get(typeNumber), SCOPES.get(scopeNumber)];
  const flags = readHost32(payload.subarray(8), "rtmsg flags");
  if (family === undefined || type === undefined || scope === undefined || (flags & RTM_F_CLONED) !== 0)
    return undefined;
  const attributes = attributeMap(payload.subarray(RTMSG_BYTES));
  const numberOf = (attribute: number): number | undefined => {
    const data = attributes.get(attribute);
    return data === undefined ? undefined : readHost32(data, "rtmsg attribute");
  };
  const ipOf = (attribute: number): string | undefined => {
    const data = attributes.get(attribute);
    if (data === undefined) return undefined;
    if (data.length !== (family === 4 ? IPV4_BYTES : IPV6_BYTES))
      throw new RangeError("rtmsg: an address of another family");
    return formatIp(data);
  };
  const [via, source, mtu, index] = [ipOf(RTA_GATEWAY), ipOf(RTA_PREFSRC), mtuOf(attributes), numberOf(RTA_OIF)];
  const route: RouteRecord["route"] = {
    kind: "route",
    family,
    ip: ipOf(RTA_DST) ?? formatIp(new Uint8Array(family === 4 ? IPV4_BYTES : IPV6_BYTES)),
    prefix,
    type,
    ...(via === undefined ? {} : { via }),
    ...(source === undefined ? {} : { source }),
    table: numberOf(RTA_TABLE) ?? shortTable,
    metric: numberOf(RTA_PRIORITY) ?? 0,
    scope,
    ...(mtu === undefined ? {} : { mtu }),
    ...((flags & RTNH_F_ONLINK) === 0 ? {} : { onLink: true }),
  };
  // The kernel lets IPv6 routes that send nothing on end at the loopback interface.
  return { route, protocol, ...(index === undefined || type !== "unicast" ? {} : { index }) };
}

function mtuOf(attributes: ReadonlyMap<number, Uint8Array>): number | undefined {
  const metrics = attributes.get(RTA_METRICS);
  const mtu = metrics === undefined ? undefined : attributeMap(metrics).get(RTAX_MTU);
  return mtu === undefined ? undefined : readHost32(mtu, "RTAX_MTU");
}
