// Parts that the URLs of all stores have. Every mistake is told with what would be right, and never with a secret.

import { VipdError } from "../../src/base/errors.ts";

/** A mistake in a store URL, and what would be right; neither says a secret. */
export function badUrl(problem: string, fix: string): VipdError {
  return new VipdError("store-url", `the store URL ${problem}: ${fix}`, { problem, fix });
}

/** The URL with its scheme in lower case: people may write it as they like. */
export function withLowerScheme(url: string): string {
  return url.replace(/^[^:]*:/u, (scheme) => scheme.toLowerCase());
}

/** Reads a port; `text` is decimal digits. Throws "store-url". */
export function readPort(text: string): number {
  const port = Number(text);
  if (port >= 1 && port <= 65_535) return port;
  throw badUrl(`has the port ${text}`, "use 1 to 65535");
}

/** A host, an IPv6 address in brackets among them, and its port. Throws "store-url". */
export function readHost(
  text: string,
  port: number,
  example: string,
): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/u.exec(text.trim());
  if (match === null) {
    // What follows the colon may be a password whose "@" and host were forgotten.
    const shown = /^[0-9a-f:.]*$/iu.test(text) ? text : text.replace(/^([^:[]*:)(?!\d*$).*$/su, "$1***");
    throw badUrl(`names no host and port where it says "${shown}"`, `write one such as ${example}`);
  }
  return { host: match[1] ?? match[2] ?? "", port: match[3] === undefined ? port : readPort(match[3]) };
}

/** Reads a whole number between two bounds, from an option of the URL. Throws "store-url". */
export function readNumber(
  params: URLSearchParams,
  option: string,
  range: { readonly from: number; readonly to: number; readonly otherwise: number },
): number {
  const text = params.get(option);
  if (text === null) return range.otherwise;
  const value = /^\d{1,15}$/u.test(text) ? Number(text) : Number.NaN;
  if (value >= range.from && value <= range.to) return value;
  throw badUrl(`has ${option}=${text}`, `use a whole number from ${range.from} to ${range.to}`);
}

/** Makes sure that a URL has no other options than these, and each at most once. Throws "store-url". */
export function checkOptions(params: URLSearchParams, known: readonly string[]): void {
  const seen = new Set<string>();
  for (const key of params.keys()) {
    // What follows a question mark in a password would be taken for an option.
    const isKnown = known.includes(key);
    if (key.includes("@") || (!isKnown && params.getAll(key).some((value) => value.includes("@"))))
      throw badUrl("has a ? in its user or password", "write %3F for it");
    if (!isKnown) throw badUrl(`has an unknown option ${key}`, `use one of ${known.join(", ")}`);
    if (seen.has(key)) throw badUrl(`has the option ${key} twice`, "keep one of the two");
    seen.add(key);
  }
}

/** Makes sure that options which would have no effect are not there. Throws "store-url". */
export function checkUnused(params: URLSearchParams, options: readonly string[], why: string, fix: string): void {
  const unused = options.find((option) => params.has(option));
  if (unused !== undefined) throw badUrl(`has the option ${unused} ${why}`, fix);
}

/** The parts of `user:password` in a URL, decoded. Throws "store-url". */
export function decodeUser(text: string): readonly string[] {
  try {
    return text.split(":").map(decodeURIComponent);
  } catch {
    throw badUrl("has a user or password with a % that encodes nothing", "write %25 for the sign itself");
  }
}
