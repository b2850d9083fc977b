// The check of a web server.

import { readFile } from "node:fs/promises";
import { messageOf, VipdError } from "../base/errors.ts";
import { type CheckResult, checkResult } from "../health/result.ts";
import { exchange } from "../net/exchange.ts";
import type { HttpCheckOptions, StatusRange } from "../config/check-options.ts";
import { type Matcher, matcherOf } from "./pattern.ts";
import type { Performer } from "./performer.ts";

/** A check of these options; throws "config" when the URL or the expression is none. */
export function httpPerformer(options: HttpCheckOptions): Performer {
  const url = urlOf(options.url);
  const matcher = options.matches === null ? undefined : matcherOf(options.matches);
  const wantsBody = options.contains !== null || matcher !== undefined;
  return {
    run: async (signal) => {
      const ca = await readCa(options.caFile);
      if (typeof ca === "object" && ca !== null) return ca;
      const { method, headers, connectTo, serverName, verify } = options;
      const maxBodyBytes = wantsBody ? options.maxBodyBytes : 0;
      const tls = { serverName, verify, ca };
      const result = await exchange({ url, method, headers, connectTo, tls, body: null, maxBodyBytes }, signal);
      if (result.kind === "failure") return checkResult("failed", result.reason);
      return judge(result.status, result.body.toString("utf8"), options, matcher);
    },
  };
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new VipdError("config", `${text} is no URL; write one such as http://127.0.0.1/healthz`);
  return url;
}

/** The CA's text, `null` for the system's, or the result when the file cannot be read. */
async function readCa(file: string | null): Promise<string | null | CheckResult> {
  if (file === null) return null;
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    return checkResult("could-not-run", `the CA file ${file} cannot be read: ${messageOf(error)}`);
  }
}

function judge(status: number, body: string, options: HttpCheckOptions, matcher: Matcher | undefined): CheckResult {
  const said = `HTTP ${status}`;
  if (!options.statuses.some(({ from, to }) => status >= from && status <= to))
    return checkResult("failed", `${said}, wanted ${options.statuses.map(rangeInWords).join(" or ")}`);
  if (options.contains !== null && !body.includes(options.contains))
    return checkResult("failed", `${said}, but its body does not contain ${JSON.stringify(options.contains)}`);
  const matched = matcher?.(body) ?? true;
  if (matched === "too-slow")
    return checkResult(
      "could-not-run",
      `${said}, but the regular expression takes too long on its body: make it simpler`,
    );
  return matched ? checkResult("ok", said) : checkResult("failed", `${said}, but its body does not match`);
}

function rangeInWords({ from, to }: StatusRange): string {
  return from === to ? String(from) : `${from}-${to}`;
}
