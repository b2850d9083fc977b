// A configuration file, from its path to a Config or to words for its user.

import type { Refusal } from "../base/command.ts";
import { isVipdError, messageOf, VipdError } from "../base/errors.ts";
import type { KnownStore } from "../config/cross-checks.ts";
import type { LocatedCommand } from "../config/commands.ts";
import { type ConfigIssue, formatIssue, formatPath, type Mistake } from "../config/issue.ts";
import type { Wrong } from "../config/leaf.ts";
import type { NamedFile } from "../config/named-files.ts";
import { type HostFacts, parseConfig } from "../config/parse.ts";
import type { Config } from "../config/types.ts";

/** What reading a configuration needs. */
export interface ConfigFileDeps {
  /** Reads a regular file within MAX_CONFIG_BYTES; anything else is a VipdError "config". */
  readFile(path: string): Promise<string>;
  readonly hostName: string;
  /** The stores of this build. */
  readonly stores: readonly KnownStore[];
  /** Why a command would not be run on this host; absent where nobody is to run any. */
  readonly refusalOf?: (command: Pick<LocatedCommand, "argv" | "user">) => Promise<Refusal | undefined>;
  /** Why a file that the configuration names would not do; absent where nobody is to read it. */
  readonly troubleOf?: (file: NamedFile) => Wrong | undefined;
}

/**
 * Reads a configuration; with `host`, holds it against that host. Throws VipdError "config"; `context.issues` has a line
 * for each mistake.
 */
export async function loadConfig(file: string, deps: ConfigFileDeps, host: HostFacts = {}): Promise<Config> {
  return (await loadWhole(file, deps, host)).config;
}

/** A configuration, the keys of its file that have no effect, and the files that it names. */
export interface WholeConfig {
  readonly config: Config;
  readonly idle: readonly ConfigIssue[];
  readonly files: readonly NamedFile[];
}

/** As `loadConfig`, with more of what the file says. */
export async function loadWhole(file: string, deps: ConfigFileDeps, host: HostFacts): Promise<WholeConfig> {
  const text = await deps.readFile(file).catch((error: unknown) => {
    if (isVipdError(error, "config")) throw error;
    throw new VipdError(
      "config",
      `cannot read ${file}: ${reasonOf(error)}`,
      { file, missing: codeOf(error) === "ENOENT" },
      error,
    );
  });
  const parsed = parseConfig(text, file, { ...deps, host });
  const found =
    parsed.kind === "config"
      ? parsed.locate([...(await refusals(parsed.commands, deps)), ...fileMistakes(parsed.files, deps)])
      : parsed.issues;
  if (parsed.kind === "config" && found.length === 0) return parsed;
  const issues = found.map(formatIssue);
  const more = parsed.kind === "config" ? 0 : parsed.more;
  const all = issues.length + more;
  const count = all === 1 ? "1 mistake" : `${all} mistakes${more === 0 ? "" : `, of which ${issues.length} are shown`}`;
  throw new VipdError("config", `${count} in ${file}`, { file, issues });
}

const RUNNABLE = "make it, executable and writable by root only, or name another program";
const USER = "make the account, or name another";

/** Commands that would not be run: not there, not executable, or open to others. */
async function refusals(commands: readonly LocatedCommand[], deps: ConfigFileDeps): Promise<readonly Mistake[]> {
  const mistakes: Mistake[] = [];
  const accused = new Set<string>();
  for (const { path, userPath, argv, user } of commands) {
    const refusal = await deps.refusalOf?.({ argv, user });
    if (refusal === undefined) continue;
    const { why, isUser } = refusal;
    if (!isUser) mistakes.push({ path, problem: `would not be run: ${why}`, fix: RUNNABLE });
    else if (!accused.has(formatPath(userPath))) mistakes.push({ path: userPath, problem: why, fix: USER });
    if (isUser) accused.add(formatPath(userPath));
  }
  return mistakes;
}

/** Files that would not do. */
function fileMistakes(files: readonly NamedFile[], { troubleOf }: ConfigFileDeps): readonly Mistake[] {
  return files.flatMap((file): readonly Mistake[] => {
    const trouble = troubleOf?.(file);
    return trouble === undefined ? [] : [{ path: file.path, problem: trouble.problem, fix: trouble.fix }];
  });
}

/** The lines to show for an error: its mistakes one by one, then its message. */
export function errorLines(error: unknown): readonly string[] {
  const issues = error instanceof VipdError ? error.context["issues"] : undefined;
  const list = Array.isArray(issues) ? (issues as readonly string[]) : [];
  return [...list, messageOf(error)];
}

function codeOf(error: unknown): unknown {
  return error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (code === "ENOENT") return "there is no such file; name another with --config";
  if (code === "EACCES") return "permission denied; run as root, or as the user of vipd";
  if (code === "ENOTDIR") return "a part of its path is no directory";
  if (code === "ELOOP") return "its symbolic links lead in a circle";
  return messageOf(error);
}
