// `routes` and `rules` of a VIP: `10.9.0.0/16`, or a group {destination, via, ...}; {from, table, priority, ...}.

import type * as z from "zod";
import {
  IPV6_METRIC,
  type RouteType,
  type RoutingEntry,
  TABLES,
  type VipRoute,
  type VipRule,
} from "../base/routing.ts";
import type { Family, Scope } from "../base/vip.ts";
import { formatIp, parseCidr, parseIp } from "../wire/ip.ts";
import { interfaceName, scope } from "./address.ts";
import { entry } from "./entry.ts";
import { leaf, notThat, oneOf, wholeNumber, type Wrong, yesNo } from "./leaf.ts";

const MAX_U32 = 0xffffffff;

/** A network without host bits. */
interface Network {
  readonly family: Family;
  readonly ip: string;
  readonly prefix: number;
}

/** A route as written; what it leaves out comes from its VIP, or is Linux's default. */
export interface WrittenRoute {
  /** `undefined`: the default route, of the family of its router or source. */
  readonly destination: Network | undefined;
  readonly type: RouteType;
  readonly via: Address | undefined;
  readonly interface: string | undefined;
  readonly source: Address | undefined;
  readonly table: number;
  readonly metric: number | undefined;
  readonly scope: Scope | undefined;
  readonly mtu: number | undefined;
  readonly onLink: boolean;
}

/** A rule as written. */
export interface WrittenRule extends Omit<VipRule, "kind" | "family" | "from" | "to"> {
  readonly from: Network | undefined;
  readonly to: Network | undefined;
  readonly family: Family | undefined;
}

interface Address {
  readonly family: Family;
  readonly ip: string;
}

const NETWORK = "a network such as 10.9.0.0/16 or 2001:db8:9::/48";

function network(input: unknown): { readonly value: Network } | Wrong {
  if (typeof input !== "string") return notThat(input, NETWORK);
  const text = input.trim();
  const alone = parseIp(text);
  const parsed = alone === undefined ? parseCidr(text) : { ...alone, prefix: alone.bytes.length * 8 };
  if (parsed === undefined)
    return { problem: `${JSON.stringify(text.slice(0, 64))} is not a network`, fix: `use ${NETWORK}` };
  const { family, bytes, prefix } = parsed;
  const ip = formatIp(bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, prefix - i * 8)))));
  if (ip === parsed.ip) return { value: { family, ip, prefix } };
  return { problem: `${text} has bits behind its prefix length`, fix: `use ${ip}/${prefix}, or a longer prefix` };
}

const DESTINATION_PATTERN = "^(default|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$";

const destination = leaf<Network | "default">(
  { type: "string", pattern: DESTINATION_PATTERN, description: "Network that the route leads to, or default" },
  (input) => (input === "default" ? { value: "default" } : (asLine(input) ?? network(input))),
);

/** A route as ip(8) and keepalived write it. */
function asLine(input: unknown): Wrong | undefined {
  const [to = "", ...rest] = typeof input === "string" ? input.trim().split(/\s+/u) : [];
  if (rest.length === 0) return undefined;
  const via = rest[0] === "via" ? rest[1] : undefined;
  const fix = `write it as a group, such as { destination: ${to}, via: ${via ?? "10.0.0.1"} }`;
  return { problem: "has more than a destination", fix };
}

function selector(description: string): z.ZodType<Network, unknown> {
  return leaf({ type: "string", pattern: "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", description }, network);
}

function hostAddress(description: string, example: string): z.ZodType<Address, unknown> {
  return leaf({ type: "string", pattern: "^[0-9A-Fa-f:.]+$", description }, (input) => {
    const fix = `use ${example}`;
    if (typeof input !== "string") return notThat(input, example);
    const parsed = parseIp(input.trim());
    if (parsed === undefined) return { problem: `${JSON.stringify(input.slice(0, 64))} is not an address`, fix };
    return { value: { family: parsed.family, ip: parsed.ip } };
  });
}

const TABLE = "a number from 1 to 4294967295, main or default";

const table = leaf<number>(
  {
    anyOf: [{ type: "integer", minimum: 1, maximum: MAX_U32 }, { enum: ["main", "default"] }],
    description: "Routing table",
  },
  (input) => {
    if (input === "main" || input === "default") return { value: TABLES[input] };
    if (input === "local" || input === TABLES.local)
      return { problem: "the table local is the kernel's own", fix: `use ${TABLE}` };
    if (typeof input !== "number") return notThat(input, TABLE);
    if (Number.isInteger(input) && input >= 1 && input <= MAX_U32) return { value: input };
    return { problem: `${input} is not the number of a table`, fix: `use ${TABLE}` };
  },
);

interface Mark {
  readonly value: number;
  readonly mask?: number;
}

const MARK = "a number such as 1 or 0x1, with the mask 0x1/0xff where only some bits count";

const fwmark = leaf<Mark>(
  { type: ["integer", "string"], description: "Mark of the packets, such as 1, 0x1 or 0x1/0xff" },
  (input) => {
    const given = typeof input === "number" ? String(input) : input;
    if (typeof given !== "string") return notThat(input, MARK);
    const parts = given.split("/");
    const [value = 0, mask] = parts.map((part) => (/^(?:0x[0-9a-f]{1,8}|\d{1,10})$/iu.test(part) ? Number(part) : -1));
    const fits = value >= 1 && value <= MAX_U32 && (mask === undefined || (mask >= 1 && mask <= MAX_U32));
    if (parts.length > 2 || !fits) return { problem: `${given.slice(0, 64)} is not a mark`, fix: `use ${MARK}` };
    return { value: mask === undefined || mask === MAX_U32 ? { value } : { value, mask } };
  },
);

/** One entry of `routes`. */
export const route = entry({
  description: "A route that comes and goes with the VIP",
  short: "destination",
  words: {
    ...{ to: "destination", network: "destination", gateway: "via", gw: "via", nexthop: "via" },
    ...{ dev: "interface", src: "source", preference: "metric", onlink: "onLink" },
    ...{ blackhole: "type", unreachable: "type", prohibit: "type" },
  },
  shape: {
    destination,
    via: hostAddress("The router", "the address of a router, such as 10.0.0.1").optional(),
    interface: interfaceName.optional(),
    source: hostAddress(
      "Source of this host's own packets",
      "an address of the VIP, without a prefix length",
    ).optional(),
    table: table.optional(),
    metric: wholeNumber("Of routes to one destination the smallest metric is taken", 0, MAX_U32).optional(),
    scope: scope.optional(),
    mtu: wholeNumber("Largest packet", 68, 65_535).optional(),
    onLink: yesNo("The router need not be in a network of the interface").optional(),
    type: oneOf("unicast sends packets on; the others drop them, silently or with an answer", [
      "unicast",
      "blackhole",
      "unreachable",
      "prohibit",
    ]).optional(),
  },
  build: ({ onLink, type = "unicast", table = TABLES.main, ...values }): WrittenRoute => ({
    ...values,
    destination: values.destination === "default" ? undefined : values.destination,
    type,
    table,
    onLink: onLink ?? false,
  }),
});

/** One entry of `rules`. */
export const rule = entry({
  description: "A rule that comes and goes with the VIP",
  words: {
    lookup: "table",
    preference: "priority",
    pref: "priority",
    order: "priority",
    mark: "fwmark",
    inet6: "family",
  },
  shape: {
    priority: wholeNumber("Rules are asked in this order; main's is 32766", 1, MAX_U32),
    table,
    from: selector("Source of the packets").optional(),
    to: selector("Destination of the packets").optional(),
    fwmark: fwmark.optional(),
    iif: interfaceName.optional(),
    family: oneOf("Needed where neither from nor to shows it", ["ipv4", "ipv6"]).optional(),
  },
  build: ({ fwmark: mark, iif, family, priority, table, from, to }): WrittenRule => ({
    priority,
    table,
    from,
    to,
    family: from?.family ?? to?.family ?? (family === undefined ? undefined : family === "ipv6" ? 6 : 4),
    ...(mark === undefined ? {} : { fwmark: mark.value }),
    ...(mark?.mask === undefined ? {} : { fwmask: mark.mask }),
    ...(iif === undefined ? {} : { iif }),
  }),
});

/** The family of a route: that of its destination, or of what a default route names. */
export function familyOf({ destination: to, via, source }: WrittenRoute): Family {
  return (to ?? via ?? source)?.family ?? 4;
}

/** Routes and rules of a VIP; `link`: the interface of routes that name none. */
export function buildRouting(
  routes: readonly WrittenRoute[],
  rules: readonly WrittenRule[],
  link: string,
): readonly RoutingEntry[] {
  return [...routes.map((written) => buildRoute(written, link)), ...rules.map(buildRule)];
}

/** The scope is that of `ip route`: global through a router and for IPv6, else the link's. */
export function buildRoute(written: WrittenRoute, link: string): VipRoute {
  const { destination: to, type, via, source, table, metric, mtu } = written;
  const family = familyOf(written);
  const isOnLink = type === "unicast" && family === 4 && via === undefined;
  return {
    kind: "route",
    family,
    ip: to?.ip ?? (family === 4 ? "0.0.0.0" : "::"),
    prefix: to?.prefix ?? 0,
    type,
    ...(via === undefined ? {} : { via: via.ip }),
    ...(type === "unicast" ? { interface: written.interface ?? link } : {}),
    ...(source === undefined ? {} : { source: source.ip }),
    table,
    metric: family === 6 && (metric ?? 0) === 0 ? IPV6_METRIC : (metric ?? 0),
    scope: family === 6 ? "global" : (written.scope ?? (isOnLink ? "link" : "global")),
    ...(mtu === undefined ? {} : { mtu }),
    ...(written.onLink ? { onLink: true } : {}),
  };
}

function buildRule({ from, to, family, ...written }: WrittenRule): VipRule {
  return {
    kind: "rule",
    family: family ?? 4,
    ...written,
    ...(from === undefined || from.prefix === 0 ? {} : { from: `${from.ip}/${from.prefix}` }),
    ...(to === undefined || to.prefix === 0 ? {} : { to: `${to.ip}/${to.prefix}` }),
  };
}
