// What no single value of a check shows: that it looks at nothing or at two things, that nobody names it, that a VIP names
// one that is not there, that two commands repair one service.

import { serviceOf } from "./build-checks.ts";
import { command } from "./command-leaf.ts";
import type { Mistake, Path } from "./issue.ts";
import { valueAt } from "./mistakes.ts";
import { nearest } from "./suggest.ts";

/** The keys that say what a check looks at, each with those that belong to it alone. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  script: ["user", "grace"],
  http: ["method", "headers", "connectTo", "serverName", "verify", "caFile", "status", "contains", "matches"],
  tcp: ["send", "expect"],
  process: ["pidfile", "least"],
  file: ["wants"],
  gateway: ["via"],
  interface: ["debounce"],
};

const KIND_NAMES = Object.keys(KINDS);

/** All mistakes between the checks of a file and its VIPs. */
export function checkMistakes(data: unknown): readonly Mistake[] {
  const checks = groupAt(data, ["checks"]);
  const refs = refsOf(data);
  return [
    ...[...checks].flatMap(([name, check]) => kindMistakes(["checks", name], check)),
    ...unused(checks, refs),
    ...refs.flatMap((ref) => unknownCheck(ref, checks)),
    ...twice(refs),
    ...emptyLists(data),
    ...serviceMistakes(checks),
    ...receivers(data),
    ...withoutAddress(data),
  ];
}

/** A check as a VIP names it, and where. */
interface Ref {
  readonly path: Path;
  readonly vip: string;
  readonly check: string;
}

function groupAt(data: unknown, path: Path): ReadonlyMap<string, unknown> {
  const found = valueAt(data, path);
  return typeof found === "object" && found !== null && !Array.isArray(found)
    ? new Map(Object.entries(found))
    : new Map();
}

function refsOf(data: unknown): readonly Ref[] {
  return [...groupAt(data, ["vips"])].flatMap(([vip, value]) => {
    const list = valueAt(value, ["checks"]);
    if (!Array.isArray(list)) return [];
    return list.flatMap((entry: unknown, i): readonly Ref[] => {
      // One with another mistake names its check all the same.
      const named = typeof entry === "string" ? entry : valueAt(entry, ["check"]);
      return typeof named === "string" ? [{ path: ["vips", vip, "checks", i], vip, check: named }] : [];
    });
  });
}

function kindMistakes(path: Path, check: unknown): readonly Mistake[] {
  if (typeof check !== "object" || check === null || Array.isArray(check)) return [];
  const keys = Object.keys(check);
  const kinds = keys.filter((key) => KIND_NAMES.includes(key));
  const [kind, second] = kinds;
  if (kind === undefined)
    return [{ path, atKey: true, problem: "looks at nothing", fix: `give it one of ${KIND_NAMES.join(", ")}` }];
  if (second !== undefined)
    return [{ path: [...path, second], atKey: true, problem: `stands beside ${kind}`, fix: "make it two checks" }];
  const foreign = keys.flatMap((key): readonly Mistake[] => {
    const owner = KIND_NAMES.find((name) => KINDS[name]?.includes(key) === true);
    if (owner === undefined || owner === kind) return [];
    return [{ path: [...path, key], atKey: true, problem: `belongs to a check of ${owner}:`, fix: "remove it" }];
  });
  const isLost = kind === "gateway" && !keys.includes("via");
  const via = { path: [...path, "via"], problem: "is missing", fix: "name the interface, such as via: eth0" };
  return isLost ? [...foreign, via] : foreign;
}

function unused(checks: ReadonlyMap<string, unknown>, refs: readonly Ref[]): readonly Mistake[] {
  const used = new Set(refs.map(({ check }) => check));
  return [...checks.keys()]
    .filter((name) => !used.has(name))
    .map((name) => {
      const fix = `name it below a VIP: checks: [${name}], or remove it`;
      return { path: ["checks", name], atKey: true, problem: "is used by no VIP", fix };
    });
}

function unknownCheck({ path, check }: Ref, checks: ReadonlyMap<string, unknown>): readonly Mistake[] {
  if (checks.has(check)) return [];
  const names = [...checks.keys()];
  const near = nearest(check, names);
  const choice = names.length === 0 ? "describe it at the top of the file, below checks:" : `use ${names.join(" or ")}`;
  const fix = near === undefined ? choice : `did you mean ${near}?`;
  return [{ path, problem: `names no check: there is no ${check}`, fix }];
}

function twice(refs: readonly Ref[]): readonly Mistake[] {
  const seen = new Set<string>();
  return refs.flatMap(({ path, vip, check }): readonly Mistake[] => {
    const key = `${vip} ${check}`;
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ path, problem: `${check} stands in this list already`, fix: "keep one of the two" }];
  });
}

function emptyLists(data: unknown): readonly Mistake[] {
  return [...groupAt(data, ["vips"])].flatMap(([vip, value]): readonly Mistake[] => {
    const list = valueAt(value, ["checks"]);
    if (!Array.isArray(list) || list.length > 0) return [];
    const fix = "name the checks that bear on this VIP, or leave it out";
    return [{ path: ["vips", vip, "checks"], problem: "is an empty list", fix }];
  });
}

/** Two commands that repair one service would undo each other's work; the same one is shared. */
function serviceMistakes(checks: ReadonlyMap<string, unknown>): readonly Mistake[] {
  const first = new Map<string, { readonly name: string; readonly words: string }>();
  return [...checks].flatMap(([name, check]): readonly Mistake[] => {
    const argv = command("").safeParse(valueAt(check, ["recover", "run"])).data;
    const named = valueAt(check, ["recover", "service"]);
    if (argv === undefined) return [];
    const service = typeof named === "string" ? named : serviceOf(argv);
    const [earlier, words] = [first.get(service), argv.join(" ")];
    if (earlier === undefined) first.set(service, { name, words });
    if (earlier === undefined || earlier.words === words) return [];
    const problem = `repairs ${service}, which checks.${earlier.name} repairs by another command`;
    return [{ path: ["checks", name, "recover"], problem, fix: "let both run the same command" }];
  });
}

/** An election without address is for those that are told of it: without them it is a VIP whose addresses were forgotten. */
function withoutAddress(data: unknown): readonly Mistake[] {
  const isTold = ["hooks", "webhook", "mail"].some((key) => valueAt(data, [key]) !== undefined);
  return [...groupAt(data, ["vips"])].flatMap(([vip, value]): readonly Mistake[] => {
    if (typeof value !== "object" || value === null || valueAt(value, ["addresses"]) !== undefined) return [];
    const path = ["vips", vip];
    if (valueAt(value, ["interface"]) !== undefined || !(isTold || valueAt(value, ["hooks"]) !== undefined))
      return [{ path: [...path, "addresses"], problem: "is missing", fix: "give a list, such as [10.0.0.10/24]" }];
    return [];
  });
}

function receivers(data: unknown): readonly Mistake[] {
  const of = (key: string): unknown => valueAt(data, ["mail", key]);
  const to = of("to");
  const empty = { path: ["mail", "to"], problem: "is an empty list", fix: "give at least one address" };
  return [...(Array.isArray(to) && to.length === 0 ? [empty] : []), ...halfLogin(of("user"), of("passwordFile"))];
}

/** A login needs a name and a password. */
function halfLogin(user: unknown, passwordFile: unknown): readonly Mistake[] {
  if ((user === undefined) === (passwordFile === undefined)) return [];
  if (user === undefined)
    return [{ path: ["mail", "passwordFile"], problem: "is of no use without user:", fix: "add user:, or remove it" }];
  const fix = "name the file with the password, such as passwordFile: /etc/vipd/mail.password";
  return [{ path: ["mail", "user"], problem: "has no password", fix }];
}
