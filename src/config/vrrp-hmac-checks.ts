// What no single value of `vrrp.hmac` shows. Works on the raw file, as cross-checks.ts does.

import { parseDuration } from "./duration.ts";
import type { Mistake, Path } from "./issue.ts";
import { valueAt } from "./mistakes.ts";
import { MAX_KEYS } from "./vrrp-hmac.ts";

/** All mistakes about the keys of a virtual router, whose group stands at `path`. */
export function hmacMistakes(group: unknown, path: Path): readonly Mistake[] {
  const found = valueAt(group, ["hmac"]);
  if (typeof found !== "object" || found === null) return [];
  const at = [...path, "hmac"];
  const both: readonly Mistake[] =
    valueAt(group, ["authentication"]) === undefined
      ? []
      : [{ path: at, problem: "stands beside authentication: a router has one of them", fix: "remove one" }];
  const keys = valueAt(found, ["keys"]);
  if (!Array.isArray(keys)) return both;
  return [
    ...both,
    ...countMistakes(keys, [...at, "keys"]),
    ...keys.flatMap((each: unknown, i) => keyMistakes(each, keys.slice(0, i), [...at, "keys", i])),
    ...sendMistakes(valueAt(found, ["send"]), keys, [...at, "send"]),
    ...windowMistakes(valueAt(found, ["window"]), [...at, "window"]),
  ];
}

function countMistakes({ length }: readonly unknown[], path: Path): readonly Mistake[] {
  if (length === 0) return [{ path, problem: "is an empty list", fix: "give a key, or remove hmac" }];
  return length <= MAX_KEYS ? [] : [{ path, problem: `has ${length} keys`, fix: `keep ${MAX_KEYS} at most` }];
}

function keyMistakes(each: unknown, before: readonly unknown[], path: Path): readonly Mistake[] {
  if (typeof each !== "object" || each === null) return [];
  const places = ["secret", "secretFile"].filter((name) => valueAt(each, [name]) !== undefined);
  const id = valueAt(each, ["id"]);
  const isTaken = typeof id === "number" && before.some((other) => valueAt(other, ["id"]) === id);
  const taken = {
    path: [...path, "id"],
    problem: `${String(id)} is the number of a key before`,
    fix: "use another one",
  };
  const place = {
    path,
    problem: places.length === 0 ? "has no key" : "has a key and names a file, too",
    fix: "give one of secret and secretFile",
  };
  return [...(isTaken ? [taken] : []), ...(places.length === 1 ? [] : [place])];
}

function sendMistakes(send: unknown, keys: readonly unknown[], path: Path): readonly Mistake[] {
  const ids = keys.map((each) => valueAt(each, ["id"]));
  if (typeof send !== "number" || ids.includes(send)) return [];
  return [{ path, problem: `there is no key ${send}`, fix: `use one of ${ids.join(", ")}` }];
}

function windowMistakes(window: unknown, path: Path): readonly Mistake[] {
  const ms = typeof window === "string" ? parseDuration(window.trim()) : undefined;
  if (ms === undefined || ms % 1_000 === 0) return [];
  return [{ path, problem: "is not a whole number of seconds", fix: `use ${Math.ceil(ms / 1_000)}s` }];
}
