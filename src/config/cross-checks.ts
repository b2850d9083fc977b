// What no single value shows: addresses given twice, labels that do not fit their interface, a lease too
// short for its store. Works on the raw file, so that these come out together with all other mistakes.

import { MIN_TTL_MS } from "../base/bounds.ts";
import { address, interfaceName, type WrittenAddress } from "./address.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { notThat } from "./leaf.ts";
import { routingMistakes } from "./routing-checks.ts";
import { STORE_URL } from "./schema.ts";
import { virtualMacMistakes } from "./virtual-mac-checks.ts";
import { needsStore, vrrpMistakes } from "./vrrp-checks.ts";
import { formatPath, type Mistake, type Path } from "./issue.ts";
import { emptyMistakes, valueAt } from "./mistakes.ts";
import { isVipdError } from "../base/errors.ts";
import { storeScheme, storeUrlFix } from "../base/store-url.ts";
import type { BoundAddress } from "../ports/host.ts";
import { hostConflicts, ownAddressMistake } from "./host-conflicts.ts";
import { realServerMistakes } from "./real-server-checks.ts";
import type { StoreAdapter } from "../ports/store-adapter.ts";

/** What is to be known of the stores of this build. */
export type KnownStore = Pick<
  StoreAdapter,
  "name" | "schemes" | "example" | "minTtlMs" | "check" | "secretFiles" | "localFile"
>;

/** An address that reads well, and where it stands. */
interface Found {
  readonly path: Path;
  readonly address: WrittenAddress;
  /** Its own interface, or its VIP's. */
  readonly interface: string | undefined;
}

/** All mistakes between values of the file. */
export function crossMistakes(
  data: unknown,
  stores: readonly KnownStore[],
  hostAddresses: readonly BoundAddress[],
): readonly Mistake[] {
  const vips = valueAt(data, ["vips"]);
  const found = findAddresses(vips);
  return [
    ...missingStore(data),
    ...missingVips(data),
    ...storeMistakes(valueAt(data, ["store"]), valueAt(data, ["ttl"]), stores),
    ...emptyMistakes(vips),
    ...missingInterfaces(vips),
    ...found.flatMap(labelMistakes),
    ...found.flatMap(scopeMistakes),
    ...duplicates(found),
    ...routingMistakes(vips),
    ...vrrpMistakes(data, hostAddresses),
    ...virtualMacMistakes(data),
    ...ownAddresses(found, hostAddresses),
    ...realServerMistakes(data, hostAddresses),
  ];
}

function missingVips(data: unknown): readonly Mistake[] {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return [];
  if (valueAt(data, ["vips"]) !== undefined || valueAt(data, ["realServers"]) !== undefined) return [];
  return [{ path: ["vips"], problem: "is missing", fix: "name each VIP below it, or write 'vips: {}' for none" }];
}

function missingStore(data: unknown): readonly Mistake[] {
  if (
    typeof data !== "object" ||
    data === null ||
    Array.isArray(data) ||
    valueAt(data, ["store"]) !== undefined ||
    !needsStore(data)
  )
    return [];
  return [{ path: ["store"], ...notThat(undefined, STORE_URL) }];
}

function storeMistakes(store: unknown, ttl: unknown, stores: readonly KnownStore[]): readonly Mistake[] {
  const scheme = typeof store === "string" ? storeScheme(store) : undefined;
  if (scheme === undefined || typeof store !== "string") return [];
  const known = stores.find(({ schemes }) => schemes.includes(scheme));
  if (known === undefined) {
    const all = stores.flatMap(({ schemes }) => schemes).map((name) => `${name}:`);
    const fix = storeUrlFix(store) ?? `use one of ${all.join(", ")}`;
    return [{ path: ["store"], problem: `names no known store (${scheme}:)`, fix }];
  }
  return [...urlMistakes(store, known), ...ttlMistakes(ttl, known)];
}

/** What the store would refuse at the start. */
function urlMistakes(store: string, { check, example }: KnownStore): readonly Mistake[] {
  try {
    check(store);
    return [];
  } catch (error) {
    if (!isVipdError(error, "store-url")) throw error;
    const { problem, fix } = error.context;
    return [
      {
        path: ["store"],
        problem: typeof problem === "string" ? problem : error.message,
        fix: typeof fix === "string" ? fix : `write one such as ${example}`,
      },
    ];
  }
}

function ttlMistakes(ttl: unknown, { name, minTtlMs }: KnownStore): readonly Mistake[] {
  const ttlMs = typeof ttl === "string" ? parseDuration(ttl) : undefined;
  if (ttlMs === undefined || ttlMs < MIN_TTL_MS || ttlMs >= minTtlMs) return [];
  const shortest = formatDuration(minTtlMs);
  return [
    {
      path: ["ttl"],
      problem: `is shorter than a store on ${name} can keep (${shortest})`,
      fix: `use ${shortest} or more`,
    },
  ];
}

function findAddresses(vips: unknown): readonly Found[] {
  if (typeof vips !== "object" || vips === null) return [];
  return Object.keys(vips).flatMap((name) => {
    const list = valueAt(vips, [name, "addresses"]);
    if (!Array.isArray(list)) return [];
    const common = interfaceName.safeParse(valueAt(vips, [name, "interface"])).data;
    return list.flatMap((entry: unknown, i): readonly Found[] => {
      const read = address.safeParse(entry);
      if (!read.success) return [];
      return [{ path: ["vips", name, "addresses", i], address: read.data, interface: read.data.interface ?? common }];
    });
  });
}

function missingInterfaces(vips: unknown): readonly Mistake[] {
  if (typeof vips !== "object" || vips === null) return [];
  return Object.keys(vips).flatMap((name): readonly Mistake[] => {
    const list = valueAt(vips, [name, "addresses"]);
    if (valueAt(vips, [name, "interface"]) !== undefined || !Array.isArray(list)) return [];
    const ownInterface = (entry: unknown): boolean => valueAt(entry, ["interface"]) !== undefined;
    if (list.every(ownInterface)) return [];
    return [
      { path: ["vips", name, "interface"], problem: "is missing", fix: "name the interface, such as interface: eth0" },
    ];
  });
}

function labelMistakes(found: Found): readonly Mistake[] {
  const { label, cidr } = found.address;
  if (label === undefined) return [];
  const path = [...found.path, "label"];
  if (cidr.family === 6) return [{ path, problem: "is for IPv4 addresses only", fix: "remove it" }];
  if (found.interface === undefined || label.startsWith(found.interface)) return [];
  const fix = `begin it with the interface's name, such as ${found.interface}:0`;
  return [{ path, problem: `does not begin with "${found.interface}"`, fix }];
}

function scopeMistakes({ path, address: { cidr, scope } }: Found): readonly Mistake[] {
  if (scope === undefined || cidr.family === 4) return [];
  return [
    {
      path: [...path, "scope"],
      problem: "is for IPv4 addresses only",
      fix: "remove it: an IPv6 address shows its scope itself",
    },
  ];
}

function ownAddresses(found: readonly Found[], hostAddresses: readonly BoundAddress[]): readonly Mistake[] {
  const conflicts = hostConflicts(
    found.map(({ address: { cidr } }) => cidr),
    hostAddresses,
  );
  return found.flatMap(({ path, address: { cidr } }) => {
    const conflict = conflicts.get(cidr.ip);
    return conflict?.kind === "own" ? [{ path, ...ownAddressMistake(conflict.bound) }] : [];
  });
}

function duplicates(found: readonly Found[]): readonly Mistake[] {
  const first = new Map<string, Path>();
  return found.flatMap(({ path, address: { cidr } }): readonly Mistake[] => {
    const earlier = first.get(cidr.ip);
    if (earlier === undefined) {
      first.set(cidr.ip, path);
      return [];
    }
    return [{ path, problem: `${cidr.ip} stands at ${formatPath(earlier)} already`, fix: "keep one of the two" }];
  });
}
