// Routes and rules that come and go with a VIP, as the config says them and the kernel takes them.

import type { Family, Scope } from "./vip.ts";

/** What a route does with packets: send them on, drop them silently, or drop them and say so. */
export type RouteType = "unicast" | "blackhole" | "unreachable" | "prohibit";

/** A route. All addresses are in canonical text, without host bits. */
export interface VipRoute {
  readonly kind: "route";
  readonly family: Family;
  /** The destination's network: 0.0.0.0 or :: with prefix 0 is the default route. */
  readonly ip: string;
  readonly prefix: number;
  readonly type: RouteType;
  /** The router; absent: the destination is on the link itself. */
  readonly via?: string;
  /** Absent for a route that sends nothing on. */
  readonly interface?: string;
  /** The address that this host's own packets have as their source: one of the VIP's. */
  readonly source?: string;
  readonly table: number;
  /** Of routes to one destination the smallest metric is taken. IPv6 has no 0: the kernel makes 1024 of it. */
  readonly metric: number;
  readonly scope: Scope;
  readonly mtu?: number;
  /** The router need not be in a network of the interface (RTNH_F_ONLINK). */
  readonly onLink?: true;
}

/** A rule: which packets look their route up in which table. */
export interface VipRule {
  readonly kind: "rule";
  readonly family: Family;
  /** Rules are asked in this order. */
  readonly priority: number;
  readonly table: number;
  /** Networks, as `10.0.0.0/24`. */
  readonly from?: string;
  readonly to?: string;
  readonly fwmark?: number;
  /** The bits of the mark that count; absent: all. */
  readonly fwmask?: number;
  /** The interface that packets came in on. */
  readonly iif?: string;
}

/** A route or a rule. */
export type RoutingEntry = VipRoute | VipRule;

/** The routing tables of Linux that have names. */
export const TABLES: Readonly<Record<"default" | "main" | "local", number>> = { default: 253, main: 254, local: 255 };

/** The metric of an IPv6 route that names none (IP6_RT_PRIO_USER). */
export const IPV6_METRIC = 1024;

/**
 * What tells an entry from others in the kernel: two routes of one key are never there at once, and two rules of one key are
 * the same.
 */
export function routingKey(entry: RoutingEntry): string {
  if (entry.kind === "rule") return routingText(entry);
  return `route ${networkText(entry)} table ${entry.table} metric ${entry.metric}`;
}

/** An entry as `ip` writes it, without what is Linux's default; equal exactly when the entries are. */
export function routingText(entry: RoutingEntry): string {
  return entry.kind === "route" ? routeText(entry) : ruleText(entry);
}

function routeText(route: VipRoute): string {
  const { type, via, source, table, metric, scope, mtu } = route;
  return words(
    "route",
    type === "unicast" ? undefined : type,
    networkText(route),
    ["via", via],
    ["dev", route.interface],
    ["src", source],
    ["table", table === TABLES.main ? undefined : table],
    ["metric", metric === 0 ? undefined : metric],
    ["scope", scope === "global" ? undefined : scope],
    ["mtu", mtu],
    route.onLink === true ? "onlink" : undefined,
  );
}

function ruleText({ family, priority, table, from, to, fwmark, fwmask, iif }: VipRule): string {
  const mask = fwmask === undefined ? "" : `/${hex(fwmask)}`;
  return words(
    family === 4 ? "rule" : "IPv6 rule",
    ["priority", priority],
    ["from", from],
    ["to", to],
    ["fwmark", fwmark === undefined ? undefined : `${hex(fwmark)}${mask}`],
    ["iif", iif],
    ["table", table],
  );
}

type Word = string | undefined | readonly [name: string, value: string | number | undefined];

function words(...all: readonly Word[]): string {
  return all
    .flatMap((word) => {
      if (typeof word !== "object") return word ?? [];
      const [name, value] = word;
      return value === undefined ? [] : `${name} ${value}`;
    })
    .join(" ");
}

function networkText({ family, ip, prefix }: VipRoute): string {
  if (prefix > 0) return `${ip}/${prefix}`;
  return family === 4 ? "default" : "default6";
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
