// What the schema complains about, in words that say what would be right.

import type { z } from "zod";
import { MAX_ADDRESSES_PER_VIP, MAX_VIPS } from "../base/bounds.ts";
import { NAME_RULE } from "../base/names.ts";
import { describeKind, type Mistake, type Path } from "./issue.ts";
import { knownKeys } from "./schema.ts";
import { nearest } from "./suggest.ts";

type Issue = z.ZodError["issues"][number];

/** The mistakes behind the schema's complaints about `data`. */
export function mistakesOf(error: z.ZodError, data: unknown): readonly Mistake[] {
  return error.issues.flatMap((issue) => translate(issue, data));
}

function translate(issue: Issue, data: unknown): readonly Mistake[] {
  const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
  switch (issue.code) {
    case "custom":
      return [
        { path, problem: issue.message, fix: String(issue.params?.["fix"]), atKey: issue.params?.["atKey"] === true },
      ];
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: [...path, key], atKey: true, ...unknownKey(path, key) }));
    case "invalid_key":
      return [{ path, atKey: true, problem: "is not a name", fix: `use ${NAME_RULE}` }];
    case "invalid_type":
      return [{ path, ...wrongKind(path, valueAt(data, path)) }];
    default:
      return [{ path, problem: issue.message, fix: "see vipd.yaml(5)" }];
  }
}

/** What stands at `path`; `undefined` when nothing does. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** The groups and lists of the file, and how each is written. */
function wrongKind(path: Path, value: unknown): { problem: string; fix: string } {
  const last = path.at(-1);
  const problem = value === undefined ? "is missing" : `is ${describeKind(value)}`;
  if (last === undefined)
    return { problem: "the file has no keys", fix: "begin with store: and vips:, see vipd.yaml(5)" };
  if (last === "vips") return { problem, fix: "name each VIP below it, or write 'vips: {}' for none" };
  if (last === "addresses") return { problem, fix: "give a list, such as [10.0.0.10/24]" };
  const keys = knownKeys(path);
  return { problem, fix: keys === undefined ? "see vipd.yaml(5)" : `give a group with keys among ${keys.join(", ")}` };
}

/** keepalived's words, and what they are here. */
const KEEPALIVED: Readonly<Record<string, string>> = {
  virtual_ipaddress: "keepalived's virtual_ipaddress is 'addresses' here",
  virtual_ipaddress_excluded: "keepalived's virtual_ipaddress_excluded is 'addresses' here",
  nopreempt: "keepalived's nopreempt is 'preempt: false' here",
  preempt_delay: "keepalived's preempt_delay is 'preemptDelay' here, with a unit",
  advert_int:
    "keepalived's advert_int is 'ttl' here, at the top: the lease of all VIPs; with election: vrrp it is 'interval' below vrrp:",
  garp_master_delay: "keepalived's garp_master_delay is 'announce: { repeatAfter }' here",
  garp_master_repeat: "keepalived's garp_master_repeat is 'announce: { burst }' here",
  garp_master_refresh: "keepalived's garp_master_refresh is 'announce: { refresh }' here",
  state: "leave it out: the store decides who is MASTER, 'priority' who acquires first",
  virtual_router_id:
    "leave it out: the VIP's name identifies it in the fleet; with election: vrrp it is 'id' below vrrp:",
  auth_pass: "keepalived's auth_pass is 'authentication' below vrrp:, with election: vrrp",
  unicast_peer: "leave it out: the nodes meet in the store; with election: vrrp it is 'unicastPeers' below vrrp:",
  unicast_src_ip: "keepalived's unicast_src_ip is 'source' below vrrp:, with election: vrrp",
  vrrp_instance: "name the VIP below 'vips:'",
};

function unknownKey(path: Path, key: string): { problem: string; fix: string } {
  const problem = "is not a known key";
  const translated = Object.hasOwn(KEEPALIVED, key) ? KEEPALIVED[key] : undefined;
  if (translated !== undefined) return { problem, fix: translated };
  const keys = knownKeys(path) ?? [];
  const near = nearest(key, keys);
  if (near !== undefined) return { problem, fix: `did you mean ${near}?` };
  const elsewhere = PLACES.find((place) => knownKeys(place)?.includes(key) === true);
  if (elsewhere !== undefined)
    return { problem: "is not a key of this group", fix: `it belongs ${placeName(elsewhere)}` };
  return { problem, fix: `use one of ${keys.join(", ")}` };
}

const PLACES: readonly Path[] = [
  [],
  ["admin"],
  ["log"],
  ["vips", "*"],
  ["vips", "*", "announce"],
  ["vips", "*", "vrrp"],
];

function placeName(place: Path): string {
  if (place.length === 0) return "at the top of the file";
  return place[0] === "vips" && place.length === 2 ? "below a VIP" : `below ${String(place.at(-1))}:`;
}

/** Lists and groups that are empty or too long. */
export function sizeMistakes(vips: unknown): readonly Mistake[] {
  if (typeof vips !== "object" || vips === null) return [];
  const names = Object.keys(vips);
  if (names.length > MAX_VIPS)
    return [{ path: ["vips"], problem: `holds ${names.length} VIPs`, fix: `keep it within ${MAX_VIPS}` }];
  return names.flatMap((name): readonly Mistake[] => {
    const path = [name, "addresses"];
    const list = valueAt(vips, path);
    if (!Array.isArray(list)) return [];
    if (list.length === 0)
      return [{ path: ["vips", ...path], problem: "is an empty list", fix: "give at least one address" }];
    const fix = `keep it within ${MAX_ADDRESSES_PER_VIP}, or make a second VIP`;
    return list.length > MAX_ADDRESSES_PER_VIP
      ? [{ path: ["vips", ...path], problem: `holds ${list.length} addresses`, fix }]
      : [];
  });
}
