// What no single value of a virtual MAC shows: ids that are missing or taken, VIPs and fences that cannot have one. Works on
// the raw file, as cross-checks.ts does.

import { virtualDeviceName } from "../base/virtual-mac.ts";
import type { Family } from "../base/vip.ts";
import { parseCidr } from "../wire/ip.ts";
import { formatPath, type Mistake, type Path } from "./issue.ts";
import { valueAt } from "./mistakes.ts";

/** A VIP with a virtual MAC, as far as it can be read. */
interface Found {
  readonly name: string;
  readonly path: Path;
  readonly own: unknown;
  readonly router: unknown;
  readonly id: number | undefined;
  readonly families: ReadonlySet<Family>;
}

/** All mistakes about virtual MACs. */
export function virtualMacMistakes(data: unknown): readonly Mistake[] {
  const vips = valueAt(data, ["vips"]);
  if (typeof vips !== "object" || vips === null) return [];
  const found = Object.keys(vips).flatMap((name) => find(vips, name));
  const fence = found.length > 0 && valueAt(data, ["fence"]) === "inet";
  const problem = "inet cannot guard virtual MACs, which only the hooks of interfaces see";
  return [
    ...(fence ? [{ path: ["fence"], problem, fix: "use netdev or auto, or take virtualMac out" }] : []),
    ...found.flatMap((each) => [...idMistakes(each), ...addressMistakes(vips, each)]),
    ...duplicateIds(found, vips),
    ...deviceMistakes(data, vips, found),
  ];
}

function find(vips: object, name: string): readonly Found[] {
  const path = ["vips", name, "virtualMac"];
  const given = valueAt(vips, [name, "virtualMac"]);
  const own = valueAt(given, ["id"]);
  if (given !== true && own === undefined) return [];
  const router = valueAt(vips, [name, "vrrp", "id"]);
  const id = own ?? router;
  return [{ name, path, own, router, id: typeof id === "number" ? id : undefined, families: familiesOf(vips, name) }];
}

function familiesOf(vips: object, name: string): ReadonlySet<Family> {
  const list = valueAt(vips, [name, "addresses"]);
  const entries = Array.isArray(list) ? (list as readonly unknown[]) : [];
  return new Set(
    entries.flatMap((entry) => {
      const text = typeof entry === "string" ? entry : valueAt(entry, ["address"]);
      return typeof text === "string" ? (parseCidr(text.trim())?.family ?? []) : [];
    }),
  );
}

function idMistakes({ path, own, router }: Found): readonly Mistake[] {
  if (own === undefined && router === undefined)
    return [{ path, problem: "has no id to make the MAC of", fix: "give one: virtualMac: { id: 51 }" }];
  if (own === undefined || typeof router !== "number" || own === router) return [];
  const problem = `is not the id of the virtual router, ${router}, from which its MAC comes`;
  return [{ path: [...path, "id"], problem, fix: "write virtualMac: true" }];
}

function addressMistakes(vips: object, { name, path }: Found): readonly Mistake[] {
  if (valueAt(vips, [name, "addresses"]) === undefined)
    return [{ path, problem: "is of no use to a VIP without addresses", fix: "remove it, or give addresses" }];
  return interfacePaths(vips, name, ["addresses"])
    .filter((at) => valueAt(vips, at) === "lo")
    .map((at) => ({
      path: at.length === 2 ? path : ["vips", ...at],
      problem: "lo has no MAC",
      fix: "remove it, or put the VIP on an Ethernet interface",
    }));
}

/** Where a VIP names the interfaces of these lists: its own one only where an entry needs it. Paths below `vips`. */
function interfacePaths(vips: object, name: string, lists: readonly string[]): readonly Path[] {
  const paths = lists.flatMap((list) => {
    const entries = valueAt(vips, [name, list]);
    if (!Array.isArray(entries)) return [[name, "interface"]];
    return entries.map((entry: unknown, i): Path => {
      return valueAt(entry, ["interface"]) === undefined ? [name, "interface"] : [name, list, i, "interface"];
    });
  });
  return [...new Map(paths.map((path) => [formatPath(path), path])).values()];
}

/**
 * A device is down while its VIP is elsewhere, and what leaves through it has the virtual MAC. A rule may name it as `iif`: what
 * this host gets to forward for the virtual MAC comes in there.
 */
function deviceMistakes(data: unknown, vips: object, found: readonly Found[]): readonly Mistake[] {
  const owners = new Map<unknown, Path>();
  for (const { name, path, id, families } of found) {
    if (id === undefined) continue;
    const parents = new Set(interfacePaths(vips, name, ["addresses"]).map((at) => valueAt(vips, at)));
    for (const family of families)
      for (let place = 1; place <= parents.size; place += 1)
        owners.set(virtualDeviceName(family, id, place), path.slice(0, 2));
  }
  const inVips = Object.keys(vips).flatMap((name) =>
    interfacePaths(vips, name, ["addresses", "routes"]).map((at): Path => ["vips", ...at]),
  );
  return [...inVips, ...checkPaths(data), ...realServerPaths(data)].flatMap((path): readonly Mistake[] => {
    const owner = owners.get(valueAt(data, path));
    if (owner === undefined) return [];
    const problem = `is the device that vipd makes for the virtual MAC of ${formatPath(owner)}`;
    return [{ path, problem, fix: "use the interface below it" }];
  });
}

/** Where checks name interfaces: one that waits for the device would wait for the VIP, which waits for it. */
function checkPaths(data: unknown): readonly Path[] {
  return keysAt(data, "checks").flatMap((name): readonly Path[] =>
    ["interface", "via"].map((key) => ["checks", name, key]),
  );
}

function realServerPaths(data: unknown): readonly Path[] {
  return keysAt(data, "realServers").flatMap((name): readonly Path[] => {
    const path = ["realServers", name, "interfaces"];
    const list = valueAt(data, path);
    return Array.isArray(list) ? list.map((_, i) => [...path, i]) : [];
  });
}

function keysAt(data: unknown, group: string): readonly string[] {
  const found = valueAt(data, [group]);
  return typeof found === "object" && found !== null && !Array.isArray(found) ? Object.keys(found) : [];
}

/** The fence tells virtual routers by their MAC, whichever interface they are on. A router without virtualMac has its MAC all the same. */
function duplicateIds(found: readonly Found[], vips: object): readonly Mistake[] {
  const taken = new Map<string, Path>();
  const withMac = new Set(found.map(({ path: [, name] }) => name));
  for (const name of Object.keys(vips)) {
    const id = valueAt(vips, [name, "vrrp", "id"]);
    if (withMac.has(name) || typeof id !== "number") continue;
    for (const family of familiesOf(vips, name)) taken.set(`${family} ${id}`, ["vips", name]);
  }
  return found.flatMap(({ path, own, id, families }): readonly Mistake[] => {
    if (id === undefined) return [];
    const earlier = [...families].map((family) => taken.get(`${family} ${id}`)).find((path) => path !== undefined);
    for (const family of families) if (!taken.has(`${family} ${id}`)) taken.set(`${family} ${id}`, path.slice(0, 2));
    if (earlier === undefined) return [];
    const problem = `${id} is the id of ${formatPath(earlier)} already, and the MAC comes from it`;
    const at = own === undefined ? path : [...path, "id"];
    return [{ path: at, problem, fix: "give each VIP with a virtual MAC an id that no other VIP of this host has" }];
  });
}
