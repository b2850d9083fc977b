// What the schema complains about, in words that say what would be right.

import type * as z from "zod";
import { MAX_ADDRESSES_PER_VIP, MAX_CONFIG_KEYS, MAX_VIPS } from "../base/bounds.ts";
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
    case "invalid_type": {
      const wrong = wrongKind(path, valueAt(data, path));
      return [{ path, ...wrong, atKey: isBesideVips(path) }];
    }
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
  if (last === "vips" && Array.isArray(value))
    return {
      problem: "is a list of VIPs",
      fix: "name each VIP and remove its '-', such as web: {interface: eth0, ...}",
    };
  if (last === "vips") return { problem, fix: "name each VIP below it, or write 'vips: {}' for none" };
  if (isBesideVips(path))
    return { problem: "stands beside the VIPs, not below one", fix: "indent it like the other keys of its VIP" };
  if (path[0] === "realServers" && path.length === 3 && typeof last === "string")
    return { problem, fix: realServerFix(last) };
  if (last === "addresses") return { problem, fix: listFix(value) };
  if (last === "routes") return { problem, fix: "give a list, such as [{ destination: 10.9.0.0/16, via: 10.0.0.1 }]" };
  if (last === "rules")
    return { problem, fix: "give a list, such as [{ from: 10.0.0.50, table: 100, priority: 1000 }]" };
  const keys = knownKeys(path);
  return { problem, fix: keys === undefined ? "see vipd.yaml(5)" : `give a group with keys among ${keys.join(", ")}` };
}

/** A key of a VIP that is indented like the VIP's own name. */
function isBesideVips([top, name, ...below]: Path): boolean {
  const isVip = top === "vips" && below.length === 0;
  return isVip && typeof name === "string" && knownKeys(["vips", "*"])?.includes(name) === true;
}

/** One address without its brackets is what people forget most. */
function listFix(value: unknown): string {
  return typeof value === "string" && value.length <= MAX_SHOWN_ADDRESS
    ? `write it as a list: [${value}]`
    : "give a list, such as [10.0.0.10/24]";
}

/** The lists of a real server. */
function realServerFix(key: string): string {
  return `give a list, such as ${key === "addresses" ? "[10.0.0.50]" : "[eth0]"}`;
}

/** Longest text that is shown as an address, in characters. */
const MAX_SHOWN_ADDRESS = 50;

/** keepalived's words, and what they are here. */
const KEEPALIVED: Readonly<Record<string, string>> = {
  virtual_ipaddress: "keepalived's virtual_ipaddress is 'addresses' here",
  virtual_ipaddress_excluded: "keepalived's virtual_ipaddress_excluded is 'addresses' here",
  virtual_routes: "keepalived's virtual_routes is 'routes' here",
  virtual_rules: "keepalived's virtual_rules is 'rules' here",
  vrrp_sync_group:
    "leave it out: the 'addresses' of one VIP move together, each with an 'interface' of its own where need be",
  nopreempt: "keepalived's nopreempt is 'preempt: false' here",
  preempt_delay: "keepalived's preempt_delay is 'preemptDelay' here, with a unit",
  advert_int:
    "keepalived's advert_int is 'ttl' here, at the top: the lease of all VIPs; with election: vrrp it is 'interval' below vrrp:",
  garp_master_delay: "keepalived's garp_master_delay is 'announce: { repeatAfter }' here",
  garp_master_repeat: "keepalived's garp_master_repeat is 'announce: { burst }' here",
  garp_master_refresh: "keepalived's garp_master_refresh is 'announce: { refresh }' here",
  track_script: "keepalived's track_script is 'checks' here",
  track_process: "keepalived's track_process is a check with 'process' here",
  track_file: "keepalived's track_file is a check with 'file' and 'wants: number' here",
  track_interface: "keepalived's track_interface is a check with 'interface' here",
  notify: "keepalived's notify stands below 'hooks:' here",
  notify_master: "keepalived's notify_master is 'hooks: { onMaster }' here",
  notify_backup: "keepalived's notify_backup is 'hooks: { onBackup }' here",
  notify_fault: "keepalived's notify_fault is 'hooks: { onFault }' here",
  notify_stop: "keepalived's notify_stop is 'hooks: { onStop }' here",
  vrrp_script: "keepalived's vrrp_script is a name below 'checks:' here",
  vrrp_startup_delay: "keepalived's vrrp_startup_delay is 'startupDelay' here",
  state: "leave it out: the store decides who is MASTER, 'priority' who acquires first",
  virtual_router_id:
    "leave it out: the VIP's name identifies it in the fleet; with election: vrrp it is 'id' below vrrp:",
  auth_pass: "keepalived's auth_pass is 'authentication' below vrrp:, with election: vrrp",
  unicast_peer: "leave it out: the nodes meet in the store; with election: vrrp it is 'unicastPeers' below vrrp:",
  unicast_src_ip: "keepalived's unicast_src_ip is 'source' below vrrp:, with election: vrrp",
  virtual_server: "vipd runs ipvsadm by hooks: see docs/lvs.md",
  virtual_server_group: "vipd runs ipvsadm by hooks: see docs/lvs.md",
  real_server: "on the real server itself it is a name below 'realServers:'; see docs/lvs.md",
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
  ["realServers", "*"],
];

function placeName(place: Path): string {
  if (place.length === 0) return "at the top of the file";
  if (place[0] === "realServers") return "below a name of realServers:";
  return place[0] === "vips" && place.length === 2 ? "below a VIP" : `below ${String(place.at(-1))}:`;
}

/** Lists and groups that are too long: nothing in them is looked at, so that a hostile file costs little. */
export function countMistakes(data: unknown): readonly Mistake[] {
  const vips = valueAt(data, ["vips"]);
  const groups: readonly Path[] = [[], ...PLACES.slice(1).filter((path) => !path.includes("*"))];
  const crowded = groups.flatMap((path) => crowdedGroup(data, path));
  if (typeof vips !== "object" || vips === null) return crowded;
  const names = Object.keys(vips);
  if (names.length > MAX_VIPS)
    return [...crowded, { path: ["vips"], problem: `holds ${names.length} VIPs`, fix: `keep it within ${MAX_VIPS}` }];
  const lists = names.flatMap((name): readonly Mistake[] => {
    const list = valueAt(vips, [name, "addresses"]);
    const count = Array.isArray(list) ? list.length : 0;
    if (count <= MAX_ADDRESSES_PER_VIP) return [];
    const fix = `keep it within ${MAX_ADDRESSES_PER_VIP}, or make a second VIP`;
    return [{ path: ["vips", name, "addresses"], problem: `holds ${count} addresses`, fix }];
  });
  return [...crowded, ...names.flatMap((name) => crowdedGroup(data, ["vips", name])), ...lists];
}

/** A group with far more keys than there are words for. */
function crowdedGroup(data: unknown, path: Path): readonly Mistake[] {
  const group = valueAt(data, path);
  const count = typeof group === "object" && group !== null ? Object.keys(group).length : 0;
  if (count <= MAX_CONFIG_KEYS) return [];
  const fix = "is this the right file? See vipd.yaml(5)";
  return [{ path, problem: path.length === 0 ? `the file has ${count} keys` : `has ${count} keys`, fix }];
}

/** Lists that are empty. */
export function emptyMistakes(vips: unknown): readonly Mistake[] {
  if (typeof vips !== "object" || vips === null) return [];
  return Object.keys(vips).flatMap((name): readonly Mistake[] => {
    const list = valueAt(vips, [name, "addresses"]);
    if (!Array.isArray(list) || list.length > 0) return [];
    return [{ path: ["vips", name, "addresses"], problem: "is an empty list", fix: "give at least one address" }];
  });
}
