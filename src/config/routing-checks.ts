// What no single value of a VIP's routes and rules shows: families that do not fit, a source that is none of the VIP's
// addresses, entries that the kernel cannot tell apart. Works on the raw file, as cross-checks.ts does.

import { MAX_ROUTES_PER_VIP } from "../base/bounds.ts";
import { type RoutingEntry, routingKey, routingText } from "../base/routing.ts";
import { address, interfaceName } from "./address.ts";
import { formatPath, type Mistake, type Path } from "./issue.ts";
import { valueAt } from "./mistakes.ts";
import { buildRouting, familyOf, route, rule, type WrittenRoute, type WrittenRule } from "./routing-schema.ts";

interface Located<T> {
  readonly path: Path;
  readonly written: T;
}

/** All mistakes of routes and rules among each other and with their VIPs. */
export function routingMistakes(vips: unknown): readonly Mistake[] {
  if (typeof vips !== "object" || vips === null) return [];
  const first = new Map<string, Path>();
  return Object.keys(vips).flatMap((name) => {
    const routes = readList(vips, name, "routes", (entry) => route.safeParse(entry).data);
    const rules = readList(vips, name, "rules", (entry) => rule.safeParse(entry).data);
    const link = linkOf(valueAt(vips, [name]));
    return [
      ...emptyOrCrowded(vips, name),
      ...routes.flatMap((placed) => ofRoute(placed, ipsOf(valueAt(vips, [name, "addresses"])), link)),
      ...rules.flatMap(ofRule),
      ...duplicates(routes, rules, link ?? "", first),
    ];
  });
}

function readList<T>(
  vips: object,
  name: string,
  key: string,
  read: (entry: unknown) => T | undefined,
): readonly Located<T>[] {
  const list = valueAt(vips, [name, key]);
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown, i) => {
    const written = read(entry);
    return written === undefined ? [] : [{ path: ["vips", name, key, i], written }];
  });
}

function emptyOrCrowded(vips: object, name: string): readonly Mistake[] {
  return ["routes", "rules"].flatMap((key): readonly Mistake[] => {
    const list = valueAt(vips, [name, key]);
    const path = ["vips", name, key];
    if (!Array.isArray(list)) return [];
    if (list.length === 0) return [{ path, problem: "is an empty list", fix: "remove it" }];
    if (list.length <= MAX_ROUTES_PER_VIP) return [];
    return [{ path, problem: `holds ${list.length} ${key}`, fix: `keep it within ${MAX_ROUTES_PER_VIP}` }];
  });
}

/** The interface of routes that name none. */
function linkOf(vip: unknown): string | undefined {
  const common = interfaceName.safeParse(valueAt(vip, ["interface"])).data;
  return common ?? interfaceName.safeParse(valueAt(vip, ["addresses", 0, "interface"])).data;
}

function ipsOf(list: unknown): ReadonlySet<string> {
  const entries: readonly unknown[] = Array.isArray(list) ? list : [];
  return new Set(entries.flatMap((entry) => address.safeParse(entry).data?.cidr.ip ?? []));
}

function ofRoute(
  { path, written }: Located<WrittenRoute>,
  ips: ReadonlySet<string>,
  link: string | undefined,
): readonly Mistake[] {
  const { via, source, type, scope, onLink } = written;
  const family = familyOf(written);
  const mistakes: Mistake[] = [];
  const wrong = (key: string, problem: string, fix: string): void =>
    void mistakes.push({ path: [...path, key], problem, fix });
  for (const [key, given] of [
    ["via", via],
    ["source", source],
  ] as const)
    if (given !== undefined && given.family !== family)
      wrong(key, `${given.ip} is not of the destination's family`, `use an IPv${family} address`);
  if (source !== undefined && !ips.has(source.ip))
    wrong("source", `${source.ip} is no address of this VIP`, "use one of its addresses, or remove it");
  if (scope !== undefined && family === 6) wrong("scope", "is for IPv4 routes only", "remove it");
  const idle =
    type === "unicast"
      ? []
      : (["via", "interface", "onLink"] as const).filter((key) => written[key] !== undefined && written[key] !== false);
  for (const key of idle) wrong(key, `means nothing to a route of type ${type}`, "remove it");
  if (onLink && via === undefined && type === "unicast")
    wrong("onLink", "means nothing without via", "name the router, or remove it");
  if (type === "unicast" && written.interface === undefined && link === undefined)
    mistakes.push({ path, problem: "names no interface, and the VIP has none", fix: "add interface: eth0 to it" });
  return mistakes;
}

function ofRule({ path, written }: Located<WrittenRule>): readonly Mistake[] {
  const { from, to, family, fwmark, iif } = written;
  if (from !== undefined && to !== undefined && from.family !== to.family)
    return [
      { path: [...path, "to"], problem: "is not of the family of from", fix: `use an IPv${from.family} network` },
    ];
  if ([from, to, fwmark, iif].every((selected) => selected === undefined))
    return [{ path, problem: "selects nothing", fix: "say which packets it is for: from, to, fwmark or iif" }];
  if (family !== undefined) return [];
  return [{ path, problem: "does not show its family", fix: "add family: ipv4 or family: ipv6" }];
}

function duplicates(
  routes: readonly Located<WrittenRoute>[],
  rules: readonly Located<WrittenRule>[],
  link: string,
  first: Map<string, Path>,
): readonly Mistake[] {
  const placed = [
    ...routes.map(({ path, written }) => ({ path, entries: buildRouting([written], [], link) })),
    ...rules.map(({ path, written }) => ({ path, entries: buildRouting([], [written], link) })),
  ];
  return placed.flatMap(({ path, entries }) =>
    entries.flatMap((entry: RoutingEntry): readonly Mistake[] => {
      const key = routingKey(entry);
      const earlier = first.get(key);
      if (earlier === undefined) {
        first.set(key, path);
        return [];
      }
      const fix =
        entry.kind === "route" ? "give it another metric or table, or keep one of the two" : "keep one of the two";
      return [{ path, problem: `the kernel cannot tell "${routingText(entry)}" from ${formatPath(earlier)}`, fix }];
    }),
  );
}
