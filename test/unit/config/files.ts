// Configuration files for tests, read as vipd and vipctl do it.

import { formatIssue } from "../../../src/config/issue.ts";
import { type ConfigContext, parseConfig } from "../../../src/config/parse.ts";
import type { Config } from "../../../src/config/types.ts";
import { STORE_ADAPTERS } from "../../../src/stores/index.ts";

export const CONTEXT: ConfigContext = { hostName: "web1", stores: STORE_ADAPTERS };

export function parse(text: string): Config {
  const result = parseConfig(text, "vipd.yaml", CONTEXT);
  if (result.kind === "issues") throw new Error(result.issues.map(formatIssue).join("\n"));
  return result.config;
}

/** The mistakes of a file as its user sees them. */
export function mistakes(text: string, context: ConfigContext = CONTEXT): readonly string[] {
  const result = parseConfig(text, "vipd.yaml", context);
  return result.kind === "config" ? [] : result.issues.map(formatIssue);
}

/** A file whose only VIP has these lines. */
export function withVip(lines: string): string {
  return `store: sqlite:/s.db\nvips:\n  web:\n${lines.replaceAll(/^/gmu, "    ")}`;
}

export const MINIMAL = withVip("interface: eth0\naddresses: [10.0.0.10/24]");
