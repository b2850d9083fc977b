// What no single value of a virtual router shows: ids that are taken, what its version cannot carry, addresses of another
// family. Works on the raw file, as cross-checks.ts does.

import type { BoundAddress } from "../ports/host.ts";
import { parseCidr, parseIp } from "../wire/ip.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { formatPath, type Mistake, type Path } from "./issue.ts";
import { valueAt } from "./mistakes.ts";
import { hmacMistakes } from "./vrrp-hmac-checks.ts";

/** Version 3 counts hundredths of a second, in 12 bits. */
const V3_UNIT_MS = 10;
const V3_LONGEST_MS = 40_950;

/** A virtual router as far as it can be read. */
interface Found {
  readonly path: Path;
  readonly group: unknown;
  readonly interface: string | undefined;
  /** Where that stands. */
  readonly interfacePath: Path;
  /** Without prefixes; what does not parse is left out. */
  readonly addresses: readonly string[];
  /** That of the first address, which the adverts have. */
  readonly family: 4 | 6 | undefined;
  readonly version: unknown;
}

/** Whether the file needs a store: some VIP is not elected by VRRP alone, or there is none, and no real server either. */
export function needsStore(data: unknown): boolean {
  const vips = valueAt(data, ["vips"]) ?? {};
  if (typeof vips !== "object") return true;
  const names = Object.keys(vips);
  if (names.length === 0) return valueAt(data, ["realServers"]) === undefined;
  return names.some((name) => valueAt(vips, [name, "election"]) !== "vrrp");
}

/** All mistakes about virtual routers. `hostAddresses`: as far as they are known. */
export function vrrpMistakes(data: unknown, hostAddresses: readonly BoundAddress[]): readonly Mistake[] {
  const vips = valueAt(data, ["vips"]);
  if (typeof vips !== "object" || vips === null) return [];
  const found = Object.keys(vips).flatMap((name) => find(vips, name));
  const own = new Set(hostAddresses.flatMap(({ ip, ours }) => (ours ? [] : [ip])));
  return [
    ...Object.keys(vips).flatMap((name) => blockMistakes(vips, name)),
    ...found.flatMap((router) => [
      ...versionMistakes(router),
      ...intervalMistakes(router),
      ...linkMistakes(router),
      ...reachMistakes(router, own),
      ...sourceMistakes(router),
      ...hmacMistakes(router.group, router.path),
    ]),
    ...duplicateIds(found),
  ];
}

function find(vips: object, name: string): readonly Found[] {
  const group = valueAt(vips, [name, "vrrp"]);
  if (typeof group !== "object" || group === null) return [];
  const list = valueAt(vips, [name, "addresses"]);
  const [first] = Array.isArray(list) ? (list as readonly unknown[]) : [];
  const addresses = (Array.isArray(list) ? (list as readonly unknown[]) : []).flatMap((entry) => {
    const text = typeof entry === "string" ? entry : valueAt(entry, ["address"]);
    return typeof text === "string" ? (parseCidr(text.trim()) ?? []) : [];
  });
  const shared = valueAt(vips, [name, "interface"]);
  const link = shared ?? valueAt(first, ["interface"]);
  return [
    {
      path: ["vips", name, "vrrp"],
      group,
      interface: typeof link === "string" ? link : undefined,
      interfacePath: ["vips", name, ...(shared === undefined ? ["addresses", 0] : []), "interface"],
      addresses: addresses.map(({ ip }) => ip),
      family: addresses[0]?.family,
      version: valueAt(group, ["version"]) ?? 2,
    },
  ];
}

function blockMistakes(vips: object, name: string): readonly Mistake[] {
  const isThere = valueAt(vips, [name, "vrrp"]) !== undefined;
  if (isThere && valueAt(vips, [name, "addresses"]) === undefined) {
    const problem = "is missing: a virtual router advertises the addresses of its VIP";
    return [{ path: ["vips", name, "addresses"], problem, fix: "give at least one, such as [10.0.0.50/24]" }];
  }
  if (isThere || valueAt(vips, [name, "election"]) !== "vrrp") return [];
  const path = ["vips", name, "vrrp"];
  return [{ path, problem: "is missing", fix: "describe the virtual router, such as vrrp: { id: 51 }" }];
}

function versionMistakes({ path, group, family, version }: Found): readonly Mistake[] {
  if (version === 3 && valueAt(group, ["authentication"]) !== undefined)
    return [
      {
        path: [...path, "authentication"],
        problem: "is for version 2 only: version 3 has no passwords",
        fix: "use hmac (keepalived 2.4), version: 2, or neither",
      },
    ];
  if (version !== 2 || family !== 6) return [];
  const given = valueAt(group, ["version"]) === undefined;
  return [
    {
      path: given ? path : [...path, "version"],
      problem: "version 2 has no IPv6, and the first address of the VIP is one",
      fix: "write version: 3",
    },
  ];
}

function intervalMistakes({ path, group, version }: Found): readonly Mistake[] {
  const text = valueAt(group, ["interval"]);
  const ms = typeof text === "string" ? parseDuration(text.trim()) : undefined;
  if (ms === undefined) return [];
  const at = [...path, "interval"];
  if (version === 2 && ms % 1_000 !== 0) {
    const fix = `use ${formatDuration(Math.max(1, Math.round(ms / 1_000)) * 1_000)}, or version: 3 on all routers`;
    return [{ path: at, problem: "version 2 carries whole seconds only", fix }];
  }
  if (version !== 3) return [];
  if (ms > V3_LONGEST_MS) {
    const problem = `is longer than version 3 can carry (${formatDuration(V3_LONGEST_MS)})`;
    return [{ path: at, problem, fix: "use 40s or less" }];
  }
  const rounded = formatDuration(Math.max(1, Math.round(ms / V3_UNIT_MS)) * V3_UNIT_MS);
  return ms % V3_UNIT_MS === 0
    ? []
    : [{ path: at, problem: "version 3 carries hundredths of a second only", fix: `use ${rounded}` }];
}

function linkMistakes({ interface: link, interfacePath: path }: Found): readonly Mistake[] {
  if (link !== "lo") return [];
  return [
    { path, problem: "lo is no Ethernet interface, which VRRP needs", fix: "name the one that the VIP is to be on" },
  ];
}

function reachMistakes({ path, group, addresses, family }: Found, own: ReadonlySet<string>): readonly Mistake[] {
  const peers = valueAt(group, ["unicastPeers"]);
  if (!Array.isArray(peers)) return [];
  const at = [...path, "unicastPeers"];
  if (peers.length === 0)
    return [{ path: at, problem: "is an empty list", fix: "name the other routers, or remove it for multicast" }];
  const source = ipOf(valueAt(group, ["source"]));
  const seen = new Set<string>();
  return peers.flatMap((peer: unknown, i): readonly Mistake[] => {
    const parsed = typeof peer === "string" ? parseIp(peer.trim()) : undefined;
    if (parsed === undefined) return [];
    const wrong = (problem: string, fix: string): readonly Mistake[] => [{ path: [...at, i], problem, fix }];
    if (seen.has(parsed.ip)) return wrong("stands in this list already", "keep one of the two");
    seen.add(parsed.ip);
    if (family !== undefined && parsed.family !== family)
      return wrong(
        `is not IPv${family}, as the first address of the VIP is`,
        `give the IPv${family} address of that host`,
      );
    if (addresses.includes(parsed.ip))
      return wrong("is an address of the VIP, which moves", "give the address that the host has for itself");
    if (parsed.ip === source || own.has(parsed.ip)) return wrong("is this host itself", "name the other routers only");
    return [];
  });
}

function sourceMistakes({ path, group, addresses, family }: Found): readonly Mistake[] {
  const parsed = parseIp(String(valueAt(group, ["source"]) ?? "").trim());
  if (parsed === undefined) return [];
  const at = [...path, "source"];
  if (family !== undefined && parsed.family !== family)
    return [
      { path: at, problem: `is not IPv${family}, as the first address of the VIP is`, fix: "give one of that family" },
    ];
  return addresses.includes(parsed.ip)
    ? [{ path: at, problem: "is an address of the VIP, which moves", fix: "give one that the host has for itself" }]
    : [];
}

/** IPv4 and IPv6 have ids of their own (RFC 9568, section 1). */
function duplicateIds(found: readonly Found[]): readonly Mistake[] {
  const first = new Map<string, Path>();
  return found.flatMap(({ path, group, interface: link, family }): readonly Mistake[] => {
    const id = valueAt(group, ["id"]);
    if (link === undefined || typeof id !== "number") return [];
    const key = `${link} ${family ?? 4} ${id}`;
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, path);
      return [];
    }
    const problem = `${id} is the id of ${formatPath(earlier.slice(0, 2))} on ${link} already`;
    return [{ path: [...path, "id"], problem, fix: "give each virtual router of an interface an id of its own" }];
  });
}

function ipOf(text: unknown): string | undefined {
  return typeof text === "string" ? parseIp(text.trim())?.ip : undefined;
}
