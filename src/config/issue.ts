// A mistake in a configuration file: where it stands, what is wrong, and what would be right.

/** Where something stands in the configuration's tree: keys and list positions. */
export type Path = readonly (string | number)[];

/** A mistake, before its place in the file is known. */
export interface Mistake {
  readonly path: Path;
  /** What is wrong, without the path: "is not a duration". */
  readonly problem: string;
  /** What would be right: "write 3s". */
  readonly fix: string;
  /** The mistake is the key itself, not its value. */
  readonly atKey?: boolean;
}

/** A mistake with its place in the file. */
export interface ConfigIssue {
  /** The file as the user named it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** Such as `vips.web.addresses[0]`; empty for the file as a whole. */
  readonly path: string;
  /** What stands there, shortened, as JSON; empty when nothing does. Passwords in URLs are left out. */
  readonly value: string;
  readonly problem: string;
  readonly fix: string;
}

/** Longest value shown in an issue, in characters. */
const MAX_SHOWN_VALUE = 60;

/** Writes a path as people do: `vips.web.addresses[0]`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** One line for people: `vipd.yaml:3:7: ttl: 3000 has no unit; write 3s`. */
export function formatIssue(issue: ConfigIssue): string {
  const place = `${issue.file}:${issue.line}:${issue.column}`;
  const subject = issue.path === "" ? "" : `${issue.path}: `;
  return `${place}: ${subject}${issue.problem}; ${issue.fix}`;
}

/** A value as JSON, shortened; control characters come out escaped. */
export function showValue(value: unknown): string {
  if (value === undefined) return "";
  const text = typeof value === "object" && value !== null ? summary(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= MAX_SHOWN_VALUE ? text : `${text.slice(0, MAX_SHOWN_VALUE - 3)}...`;
}

/** What kind of value it is, in words: "a list", "the number 5". */
export function describeKind(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a group of keys";
  if (typeof value === "string") return `the text ${showValue(value)}`;
  return `the ${typeof value} ${String(value)}`;
}

function summary(value: object): string {
  return Array.isArray(value) ? `[${value.length} items]` : `{${Object.keys(value).join(", ")}}`;
}
