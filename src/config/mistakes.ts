// What the schema complains about, in words that say what would be right.

import type * as z from "zod";
import { MAX_ADDRESSES_PER_VIP, MAX_CONFIG_KEYS, MAX_VIPS } from "../base/bounds.ts";
import { NAME_RULE } from "../base/names.ts";
import { describeKind, type Mistake, type Path } from "./issue.ts";
import { inWordsOfVipd } from "./keepalived-words.ts";
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
  const [top, , key] = path;
  const problem = value === undefined ? "is missing" : `is ${describeKind(value)}`;
  if (path.length === 1 && typeof top === "string" && Object.hasOwn(NAMED, top)) return wrongNames(top, problem, value);
  if (isBesideVips(path))
    return { problem: "stands beside the VIPs, not below one", fix: "indent it like the other keys of its VIP" };
  if (path.length === 2 && top === "vips" && typeof value === "string" && value.length <= MAX_SHOWN)
    return { problem, fix: `write it as a group: { interface: eth0, addresses: [${value}] }` };
  if (path.length === 2 && top === "checks")
    return {
      problem,
      fix: "say what it looks at, such as { http: http://127.0.0.1/healthz } or { tcp: 127.0.0.1:80 }",
    };
  if (top === "checks" && key === "recover") return { problem, fix: recoverFix(value) };
  const example = listExample(path);
  if (example !== undefined) return { problem, fix: listFix(value, example) };
  if (path.at(-1) === "headers")
    return { problem, fix: "give a group of names and values, such as { Host: example.org }" };
  const keys = knownKeys(path);
  return { problem, fix: keys === undefined ? "see vipd.yaml(5)" : `give a group with keys among ${keys.join(", ")}` };
}

/** The groups whose keys are names, each with what a name is given to, and an example. */
const NAMED: Readonly<Record<string, readonly [what: string, example: string]>> = {
  vips: ["VIP", "web: {interface: eth0, ...}"],
  checks: ["check", "nginx: {http: http://127.0.0.1/healthz}"],
  realServers: ["real server", "web: {addresses: [10.0.0.50], interfaces: [eth0]}"],
};

function wrongNames(top: string, problem: string, value: unknown): { problem: string; fix: string } {
  const [what, example] = NAMED[top] ?? ["", ""];
  if (Array.isArray(value))
    return { problem: `is a list of ${what}s`, fix: `name each ${what} and remove its '-', such as ${example}` };
  if (top === "vips") return { problem, fix: "name each VIP below it, or write 'vips: {}' for none" };
  return { problem, fix: `name each ${what} below it, such as ${example}` };
}

/** A command where the group should be that has it. */
function recoverFix(value: unknown): string {
  const words: readonly unknown[] = Array.isArray(value) ? value : typeof value === "string" ? value.split(/\s+/u) : [];
  const shown = words.length > 0 && words.every((word) => typeof word === "string") ? words.join(", ") : "";
  const run = shown !== "" && shown.length <= MAX_SHOWN ? shown : "systemctl, restart, nginx";
  return `write { run: [${run}] }`;
}

/** The lists, by their key, each with an example of an entry. */
const LISTS: Readonly<Record<string, string>> = {
  ...{ addresses: "10.0.0.10/24", routes: "{ destination: 10.9.0.0/16, via: 10.0.0.1 }" },
  ...{ rules: "{ from: 10.0.0.50, table: 100, priority: 1000 }", checks: "nginx", unicastPeers: "10.0.0.2" },
  ...{ keys: "{ id: 1, secretFile: /etc/vipd/vrrp.key }", to: "admin@example.org", interfaces: "eth0" },
};

function listExample(path: Path): string | undefined {
  const last = path.at(-1);
  if (typeof last !== "string" || !Object.hasOwn(LISTS, last)) return undefined;
  return path[0] === "realServers" && last === "addresses" ? "10.0.0.50" : LISTS[last];
}

/** One entry without its brackets is what people forget most. What takes a group says more by its example. */
function listFix(value: unknown, example: string): string {
  return typeof value === "string" && value.length <= MAX_SHOWN && !example.startsWith("{")
    ? `write it as a list: [${value}]`
    : `give a list, such as [${example}]`;
}

/** Longest text of the file that is shown in a fix, in characters. */
const MAX_SHOWN = 50;

/** A key of a VIP that is indented like the VIP's own name. */
function isBesideVips([top, name, ...below]: Path): boolean {
  const isVip = top === "vips" && below.length === 0;
  return isVip && typeof name === "string" && knownKeys(["vips", "*"])?.includes(name) === true;
}

function unknownKey(path: Path, key: string): { problem: string; fix: string } {
  const problem = "is not a known key";
  const translated = inWordsOfVipd(key, path.at(-1) === "vrrp");
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
