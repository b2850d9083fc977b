// Configuration text -> Config, or all its mistakes at once, each with its place and what would be right.

import { MAX_CONFIG_MISTAKES } from "../base/bounds.ts";
import { isName, NAME_RULE } from "../base/names.ts";
import { DEFAULT_STATE_DIR } from "../base/paths.ts";
import type { VipAddress } from "../base/vip.ts";
import type { BoundAddress } from "../ports/host.ts";
import type { WrittenAddress } from "./address.ts";
import { buildCheck, buildHooks, buildMail, buildVipCheck, buildWebhook } from "./build-checks.ts";
import { checkMistakes } from "./check-mistakes.ts";
import { commandsOf, type LocatedCommand } from "./commands.ts";
import { crossMistakes, type KnownStore } from "./cross-checks.ts";
import { idleKeys } from "./idle-keys.ts";
import { disguiseIn } from "./disguise.ts";
import { type ConfigIssue, describeKind, formatPath, type Mistake, type Path, showValue } from "./issue.ts";
import { countMistakes, mistakesOf, valueAt } from "./mistakes.ts";
import { type NamedFile, namedFiles } from "./named-files.ts";
import { type FileData, fileSchema, type FileVip } from "./schema.ts";
import type { Wrong } from "./leaf.ts";
import { buildRouting } from "./routing-schema.ts";
import { buildRealServers } from "./real-servers-schema.ts";
import { readSource, type LocatedData } from "./source.ts";
import { storeDirectoryMistakes } from "./store-directory.ts";
import { nearest } from "./suggest.ts";
import { redactUrl } from "../base/store-url.ts";
import type { Config, VipConfig } from "./types.ts";
import { onVirtualDevices } from "./virtual-mac-schema.ts";
import { buildVrrp } from "./vrrp-schema.ts";

/** What the file does not say. */
export interface ConfigContext {
  /** The node's name where the file gives none. */
  readonly hostName: string;
  /** The stores of this build. */
  readonly stores: readonly KnownStore[];
  /** The host that the file is for, as far as it is known. */
  readonly host?: HostFacts;
}

/** What a configuration is held against besides itself. */
export interface HostFacts {
  /** The host's addresses: no VIP may be its own. */
  readonly addresses?: readonly BoundAddress[];
  /** The names of its groups. */
  readonly groups?: ReadonlySet<string>;
  /** What keeps vipd from trusting a directory; `undefined`: nothing, or it is still to be made. */
  readonly directoryTrouble?: (path: string) => Wrong | undefined;
  /** Whether there is anything at a path. */
  readonly exists?: (path: string) => boolean;
}

/** A configuration, or its first mistakes in the order of the file; `more`: those that are not among them. */
export type ParsedConfig =
  | {
      readonly kind: "config";
      readonly config: Config;
      /** For whoever may look at files: which of them would not run. */
      readonly commands: readonly LocatedCommand[];
      /** For whoever may read files: which of them would not do. */
      readonly files: readonly NamedFile[];
      /** Keys that have no effect. */
      readonly idle: readonly ConfigIssue[];
      /** Finds the places of mistakes that are found later. */
      readonly locate: (mistakes: readonly Mistake[]) => readonly ConfigIssue[];
    }
  | { readonly kind: "issues"; readonly issues: readonly ConfigIssue[]; readonly more: number };

/** Reads a configuration file's text; `file` is its name, for the issues. Never throws for bad input. */
export function parseConfig(text: string, file: string, context: ConfigContext): ParsedConfig {
  const source = readSource(text);
  if ("mistakes" in source) {
    const issues = source.mistakes.map((mistake) => ({ file, path: "", value: "", ...mistake }));
    return firstOf(issues);
  }
  const tooMany = countMistakes(source.data);
  if (tooMany.length > 0) return firstOf(located(tooMany, file, source));
  const parsed = fileSchema.safeParse(source.data);
  const mistakes = [
    ...(parsed.success ? [] : mistakesOf(parsed.error, source.data)),
    ...crossMistakes(source.data, context.stores, context.host?.addresses ?? []),
    ...checkMistakes(source.data),
    ...nameMistakes(source.data, context.hostName),
    ...groupMistakes(source.data, context.host?.groups),
    ...directoryMistakes(source.data, context.host?.directoryTrouble),
    ...storeDirectoryMistakes(source.data, context.stores, context.host?.exists),
  ];
  if (parsed.success && mistakes.length === 0) {
    const config = build(parsed.data, context.hostName);
    const locate = (found: readonly Mistake[]): readonly ConfigIssue[] => located(found, file, source);
    const [commands, files] = [commandsOf(parsed.data), namedFiles(parsed.data)];
    return { kind: "config", config, commands, files, idle: locate(idleKeys(source.data)), locate };
  }
  return firstOf(located(mistakes, file, source));
}

function firstOf(issues: readonly ConfigIssue[]): ParsedConfig {
  const first = issues.slice(0, MAX_CONFIG_MISTAKES);
  return { kind: "issues", issues: first, more: issues.length - first.length };
}

/** The host name stands in for the node's name only when it is one. */
function nameMistakes(data: unknown, hostName: string): readonly Mistake[] {
  if (valueAt(data, ["node"]) !== undefined || isName(hostName)) return [];
  const problem = `is missing, and the host name ${JSON.stringify(hostName)} cannot stand in for it`;
  return [{ path: ["node"], problem, fix: `give a name: ${NAME_RULE}` }];
}

/** A group by number needs no name. */
function groupMistakes(data: unknown, groups: ReadonlySet<string> | undefined): readonly Mistake[] {
  const path = ["admin", "group"];
  const group = valueAt(data, path);
  if (groups === undefined || typeof group !== "string" || /^\d*$/u.test(group) || groups.has(group)) return [];
  const near = nearest(group, [...groups]);
  const fix = near === undefined ? `make it: groupadd --system ${group}` : `did you mean ${near}?`;
  return [{ path, problem: "this host has no such group", fix }];
}

function directoryMistakes(data: unknown, troubleOf: HostFacts["directoryTrouble"]): readonly Mistake[] {
  const path = ["stateDir"];
  const directory = valueAt(data, path) ?? DEFAULT_STATE_DIR;
  const trouble = typeof directory === "string" && directory.startsWith("/") ? troubleOf?.(directory) : undefined;
  if (trouble === undefined) return [];
  return [{ path, problem: `${directory as string} ${trouble.problem}`, fix: trouble.fix }];
}

function located(mistakes: readonly Mistake[], file: string, source: LocatedData): readonly ConfigIssue[] {
  const issues = mistakes.map((mistake): ConfigIssue => {
    const value = valueAt(source.data, mistake.path);
    const { path } = mistake;
    const shown = withoutSecrets(path, value);
    const { problem, fix } = disguiseOf(mistake, value) ?? {
      // A secret in a wrong place is described by what it is.
      problem: isSecret(path) ? mistake.problem.replace(describeKind(value), kindOf(value)) : mistake.problem,
      fix: mistake.fix,
    };
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

/** A key or a text that is wrong because of a character that looks like another. */
function disguiseOf({ path, atKey }: Mistake, value: unknown): Wrong | undefined {
  const suspect = atKey === true ? path.at(-1) : value;
  return typeof suspect === "string" ? disguiseIn(suspect) : undefined;
}

function withoutSecrets(path: Path, value: unknown): unknown {
  if (path[0] === "store" && typeof value === "string") return redactUrl(value);
  return isSecret(path) ? undefined : value;
}

function isSecret(path: Path): boolean {
  return path.at(-1) === "authentication" || (path.includes("hmac") && path.includes("keys"));
}

function kindOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? `a ${typeof value}` : describeKind(value);
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
    startupDelayMs: data.startupDelay,
    checks: Object.entries(data.checks ?? {}).flatMap(([name, check]) => buildCheck(name, check) ?? []),
    webhook: buildWebhook(data.webhook),
    mail: buildMail(data.mail),
    realServers: buildRealServers(data.realServers),
    vips: Object.entries(data.vips ?? {}).map(([name, vip]) => buildVip(name, vip, data)),
  };
}

function buildVip(name: string, vip: FileVip, { checks, hooks }: FileData): VipConfig {
  const written = (vip.addresses ?? []).map((each) => buildAddress(each, vip.interface ?? ""));
  const link = vip.interface ?? written[0]?.interface ?? "";
  const id = vip.virtualMac?.id ?? vip.vrrp?.id;
  const addresses = vip.virtualMac == null || id === undefined ? written : onVirtualDevices(written, id);
  const routing = buildRouting(vip.routes ?? [], vip.rules ?? [], link);
  return {
    name,
    addresses,
    ...(routing.length === 0 ? {} : { routing }),
    priority: vip.priority,
    preempt: vip.preempt,
    preemptDelayMs: vip.preemptDelay,
    minHoldMs: vip.minHold,
    spread: vip.spread ?? null,
    checks: (vip.checks ?? []).map((ref) => buildVipCheck(ref, checks ?? {})),
    lastResort: vip.lastResort,
    probeIntervalMs: vip.probeInterval,
    hooks: [...buildHooks(hooks), ...buildHooks(vip.hooks)],
    announce: { burst: vip.announce.burst, repeatAfterMs: vip.announce.repeatAfter, refreshMs: vip.announce.refresh },
    ...(vip.vrrp === undefined
      ? {}
      : { vrrp: buildVrrp(vip.election === "vrrp" ? "vrrp" : "lease+vrrp", vip.vrrp, link) }),
  };
}

function buildAddress(written: WrittenAddress, common: string): VipAddress {
  const { family, ip, prefix } = written.cidr;
  const place = { family, ip, prefix, interface: written.interface ?? common };
  return {
    ...place,
    ...(written.label === undefined ? {} : { label: written.label }),
    ...(written.scope === undefined ? {} : { scope: written.scope }),
    ...(written.noPrefixRoute === undefined ? {} : { noPrefixRoute: written.noPrefixRoute }),
  };
}
