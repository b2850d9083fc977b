// What no single value of a real server shows: an address that this node competes for, or that another one has already; lists
// that are empty or too long. Works on the raw file, as cross-checks.ts does.

import { MAX_ADDRESSES_PER_VIP, MAX_REAL_SERVER_INTERFACES, MAX_REAL_SERVERS } from "../base/bounds.ts";
import type { BoundAddress } from "../ports/host.ts";
import { parseCidr, parseIp } from "../wire/ip.ts";
import { formatPath, type Mistake, type Path } from "./issue.ts";
import { valueAt } from "./mistakes.ts";

const SEPARATE =
  "have one host, or one network namespace, be the candidate, and others the real servers: see docs/lvs.md";

/** All mistakes about real servers. */
export function realServerMistakes(data: unknown, hostAddresses: readonly BoundAddress[]): readonly Mistake[] {
  const servers = valueAt(data, ["realServers"]);
  if (typeof servers !== "object" || servers === null || Array.isArray(servers)) return [];
  const names = Object.keys(servers);
  if (names.length > MAX_REAL_SERVERS) {
    const problem = `holds ${names.length} real servers`;
    return [{ path: ["realServers"], problem, fix: `keep it within ${MAX_REAL_SERVERS}` }];
  }
  const found = names.flatMap((name) => addressesOf(servers, name));
  return [
    ...names.flatMap((name) => listMistakes(servers, name, "addresses", MAX_ADDRESSES_PER_VIP)),
    ...names.flatMap((name) => listMistakes(servers, name, "interfaces", MAX_REAL_SERVER_INTERFACES)),
    ...names.flatMap((name) => loopbackMistakes(servers, name)),
    ...duplicates(found),
    ...candidates(found, valueAt(data, ["vips"])),
    ...boundHere(found, hostAddresses),
  ];
}

interface Found {
  readonly path: Path;
  readonly ip: string;
}

function addressesOf(servers: object, name: string): readonly Found[] {
  const list = valueAt(servers, [name, "addresses"]);
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown, i): readonly Found[] => {
    const parsed = typeof entry === "string" ? parseIp(entry.trim()) : undefined;
    return parsed === undefined ? [] : [{ path: ["realServers", name, "addresses", i], ip: parsed.ip }];
  });
}

function listMistakes(
  servers: object,
  name: string,
  key: "addresses" | "interfaces",
  most: number,
): readonly Mistake[] {
  const list = valueAt(servers, [name, key]);
  if (!Array.isArray(list) || (list.length > 0 && list.length <= most)) return [];
  const path = ["realServers", name, key];
  return list.length === 0
    ? [
        {
          path,
          problem: "is an empty list",
          fix: key === "addresses" ? "give at least one address" : "name at least one",
        },
      ]
    : [{ path, problem: `holds ${list.length} ${key}`, fix: `keep it within ${most}` }];
}

function loopbackMistakes(servers: object, name: string): readonly Mistake[] {
  const list = valueAt(servers, [name, "interfaces"]);
  if (!Array.isArray(list)) return [];
  return list.flatMap((link: unknown, i): readonly Mistake[] => {
    if (link !== "lo") return [];
    const path = ["realServers", name, "interfaces", i];
    const problem = "is where the address is put, and not where the director's packets arrive";
    return [{ path, problem, fix: "name the interface to the directors, such as eth0" }];
  });
}

function duplicates(found: readonly Found[]): readonly Mistake[] {
  const first = new Map<string, Path>();
  return found.flatMap(({ path, ip }): readonly Mistake[] => {
    const earlier = first.get(ip);
    if (earlier === undefined) {
      first.set(ip, path);
      return [];
    }
    return [{ path, problem: `${ip} stands at ${formatPath(earlier)} already`, fix: "keep one of the two" }];
  });
}

/** The holder must answer for the address, and a real server of it must never. */
function candidates(found: readonly Found[], vips: unknown): readonly Mistake[] {
  if (typeof vips !== "object" || vips === null) return [];
  const places = new Map(
    Object.keys(vips).flatMap((name) => vipAddresses(vips, name).map(({ ip, path }) => [ip, path] as const)),
  );
  return found.flatMap(({ path, ip }): readonly Mistake[] => {
    const candidate = places.get(ip);
    if (candidate === undefined) return [];
    const problem = `this node is a candidate for ${ip} (${formatPath(candidate)}), and cannot be its real server: the holder must answer for the address, a real server must never`;
    return [{ path, problem, fix: SEPARATE }];
  });
}

function vipAddresses(vips: object, name: string): readonly Found[] {
  const list = valueAt(vips, [name, "addresses"]);
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown, i): readonly Found[] => {
    const text = typeof entry === "string" ? entry : valueAt(entry, ["address"]);
    const parsed = typeof text === "string" ? parseCidr(text.trim()) : undefined;
    return parsed === undefined ? [] : [{ path: ["vips", name, "addresses", i], ip: parsed.ip }];
  });
}

/** What vipd has bound goes when the VIP is not configured any more. */
function boundHere(found: readonly Found[], hostAddresses: readonly BoundAddress[]): readonly Mistake[] {
  return found.flatMap(({ path, ip }): readonly Mistake[] => {
    const bound = hostAddresses.find((other) => other.ip === ip && other.interface !== "lo" && !other.ours);
    if (bound === undefined) return [];
    const { prefix, interface: name } = bound;
    const problem = `${ip}/${prefix} is on ${name}, where this host answers for it, and a real server must not`;
    return [{ path, problem, fix: `run: ip address delete ${ip}/${prefix} dev ${name}, or use another address` }];
  });
}
