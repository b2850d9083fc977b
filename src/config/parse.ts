// Configuration text -> Config, or all its mistakes at once, each with its place and what would be right.

import { isName, NAME_RULE } from "../base/names.ts";
import type { VipAddress } from "../base/vip.ts";
import type { WrittenAddress } from "./address.ts";
import { crossMistakes, type KnownStore } from "./cross-checks.ts";
import { type ConfigIssue, formatPath, type Mistake, type Path, showValue } from "./issue.ts";
import { mistakesOf, valueAt } from "./mistakes.ts";
import { type FileData, fileSchema, type FileVip } from "./schema.ts";
import { readSource, type Source } from "./source.ts";
import { redactUrl } from "../base/store-url.ts";
import type { Config, VipConfig } from "./types.ts";
import { buildVrrp } from "./vrrp-schema.ts";

/** What the file does not say. */
export interface ConfigContext {
  /** The node's name where the file gives none. */
  readonly hostName: string;
  /** The stores of this build. */
  readonly stores: readonly KnownStore[];
}

/** A configuration, or its mistakes in the order of the file. */
export type ParsedConfig =
  | { readonly kind: "config"; readonly config: Config }
  | { readonly kind: "issues"; readonly issues: readonly ConfigIssue[] };

/** Reads a configuration file's text; `file` is its name, for the issues. Never throws for bad input. */
export function parseConfig(text: string, file: string, context: ConfigContext): ParsedConfig {
  const source = readSource(text);
  if (!("data" in source)) {
    return { kind: "issues", issues: source.map((mistake) => ({ file, path: "", value: "", ...mistake })) };
  }
  const parsed = fileSchema.safeParse(source.data);
  const mistakes = [
    ...(parsed.success ? [] : mistakesOf(parsed.error, source.data)),
    ...crossMistakes(source.data, context.stores),
    ...nameMistakes(source.data, context.hostName),
  ];
  if (parsed.success && mistakes.length === 0) return { kind: "config", config: build(parsed.data, context.hostName) };
  return { kind: "issues", issues: located(mistakes, file, source) };
}

/** The host name stands in for the node's name only when it is one. */
function nameMistakes(data: unknown, hostName: string): readonly Mistake[] {
  if (valueAt(data, ["node"]) !== undefined || isName(hostName)) return [];
  const problem = `is missing, and the host name ${JSON.stringify(hostName)} cannot stand in for it`;
  return [{ path: ["node"], problem, fix: `give a name: ${NAME_RULE}` }];
}

function located(mistakes: readonly Mistake[], file: string, source: Source): readonly ConfigIssue[] {
  const issues = mistakes.map((mistake): ConfigIssue => {
    const value = valueAt(source.data, mistake.path);
    const shown = withoutSecrets(mistake.path, value);
    const { path, problem, fix } = mistake;
    return {
      file,
      ...source.locate(path, mistake.atKey === true),
      path: formatPath(path),
      value: showValue(shown),
      problem,
      fix,
    };
  });
  return issues.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function withoutSecrets(path: Path, value: unknown): unknown {
  if (path[0] === "store" && typeof value === "string") return redactUrl(value);
  return path.at(-1) === "authentication" ? undefined : value;
}

function build(data: FileData, hostName: string): Config {
  return {
    node: data.node ?? hostName,
    fleet: data.fleet,
    store: data.store ?? null,
    ttlMs: data.ttl,
    stateDir: data.stateDir,
    admin: { socket: data.admin.socket, group: data.admin.group ?? null },
    log: data.log,
    fence: data.fence,
    vips: Object.entries(data.vips).map(([name, vip]) => buildVip(name, vip)),
  };
}

function buildVip(name: string, vip: FileVip): VipConfig {
  const addresses = vip.addresses.map((written) => buildAddress(written, vip.interface ?? ""));
  const link = vip.interface ?? addresses[0]?.interface ?? "";
  return {
    name,
    addresses,
    priority: vip.priority,
    preempt: vip.preempt,
    preemptDelayMs: vip.preemptDelay,
    announce: { burst: vip.announce.burst, repeatAfterMs: vip.announce.repeatAfter, refreshMs: vip.announce.refresh },
    ...(vip.vrrp === undefined
      ? {}
      : { vrrp: buildVrrp(vip.election === "vrrp" ? "vrrp" : "lease+vrrp", vip.vrrp, link) }),
  };
}

function buildAddress(written: WrittenAddress, common: string): VipAddress {
  const { family, ip, prefix } = written.cidr;
  const place = { family, ip, prefix, interface: written.interface ?? common };
  return written.label === undefined ? place : { ...place, label: written.label };
}
