// Single values of the configuration: each reads one unknown, and says what is wrong and what would be right.
// A leaf is a zod schema, with its own JSON Schema beside it, so that both come from one place.

import * as z from "zod";
import { isName, NAME_RULE } from "../base/names.ts";
import { DURATION_PATTERN, DURATION_RULE, formatDuration, parseDuration } from "./duration.ts";
import { describeKind } from "./issue.ts";

/** A leaf's answer when it does not like the value. */
export interface Wrong {
  readonly problem: string;
  readonly fix: string;
}

/** What a leaf makes of a value. */
export type Reading<T> = { readonly value: T } | Wrong;

/** The JSON Schema of a leaf, with its description for people. */
type LeafSchema = Readonly<Record<string, unknown>> & { readonly description: string };

/** A zod schema out of a reading function and its JSON Schema. */
export function leaf<T>(jsonSchema: LeafSchema, read: (input: unknown) => Reading<T>): z.ZodType<T, unknown> {
  return z
    .unknown()
    .transform((input, context): T => {
      const reading = read(input);
      if ("value" in reading) return reading.value;
      context.issues.push({ code: "custom", message: reading.problem, params: { fix: reading.fix }, input });
      return z.NEVER;
    })
    .meta(jsonSchema);
}

/** A text; `check` says what is wrong with it, if anything. */
export function text(
  jsonSchema: LeafSchema,
  expected: string,
  check: (value: string) => Wrong | undefined = () => undefined,
): z.ZodType<string, unknown> {
  return leaf({ type: "string", ...jsonSchema }, (input) => {
    if (typeof input !== "string") return notThat(input, expected);
    return check(input) ?? { value: input };
  });
}

/** A name of a node, a fleet or a VIP. */
export function name(description: string): z.ZodType<string, unknown> {
  const schema = { description, pattern: "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$" };
  return text(schema, NAME_RULE, (value) =>
    isName(value) ? undefined : { problem: "is not a name", fix: `use ${NAME_RULE}` },
  );
}

/** An absolute path. `maxBytes`: the kernel's limit, where there is one. */
export function absolutePath(description: string, example: string, maxBytes?: number): z.ZodType<string, unknown> {
  return text({ description, pattern: "^/" }, `an absolute path such as ${example}`, (value) => {
    if (!value.startsWith("/"))
      return { problem: "is not an absolute path", fix: `begin it with '/', such as ${example}` };
    if (value.includes("\0")) return { problem: "holds a NUL character", fix: "remove it" };
    const bytes = new TextEncoder().encode(value).length;
    if (maxBytes === undefined || bytes <= maxBytes) return undefined;
    return { problem: `is ${bytes} bytes long`, fix: `keep it within ${maxBytes} bytes, the kernel's limit` };
  });
}

/** A duration between two bounds, in milliseconds; `zeroMeans`: 0 is allowed too, and what it does. */
export function duration(
  description: string,
  bounds: { readonly minMs: number; readonly maxMs: number; readonly zeroMeans?: string },
): z.ZodType<number, unknown> {
  const schema = { type: "string", pattern: DURATION_PATTERN, description };
  return leaf(schema, (input) => {
    if (typeof input === "number") return { problem: `${input} has no unit`, fix: unitFix(input) };
    if (typeof input !== "string") return notThat(input, DURATION_RULE);
    const ms = parseDuration(input.trim());
    if (ms === undefined) return { problem: `"${input}" is not a duration`, fix: durationFix(input) };
    const allowed = (ms >= bounds.minMs && ms <= bounds.maxMs) || (ms === 0 && bounds.zeroMeans !== undefined);
    return allowed ? { value: ms } : outOfBounds(ms, bounds);
  });
}

function outOfBounds(ms: number, bounds: { minMs: number; maxMs: number; zeroMeans?: string }): Wrong {
  const limit = ms < bounds.minMs ? bounds.minMs : bounds.maxMs;
  const zero = bounds.zeroMeans === undefined ? "" : `, or 0s: ${bounds.zeroMeans}`;
  const range = `use ${formatDuration(bounds.minMs)} to ${formatDuration(bounds.maxMs)}${zero}`;
  return { problem: `is ${ms < limit ? "shorter" : "longer"} than ${formatDuration(limit)}`, fix: range };
}

/** People who leave the unit out mean milliseconds for large numbers and seconds for small ones. */
function unitFix(number: number): string {
  if (!Number.isFinite(number) || number < 0) return `use ${DURATION_RULE}`;
  if (number === 0) return "0 -> 0s";
  return `${number} -> ${number >= 100 ? formatDuration(number) : `${number}s`}`;
}

/** Other spellings of units that people try. */
function durationFix(input: string): string {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/iu.exec(input);
  const unit = match?.[2]?.toLowerCase() ?? "?";
  const known = Object.entries(SPELLINGS).find(([, spellings]) => spellings.includes(unit))?.[0];
  if (match === null || known === undefined) return `use ${DURATION_RULE}`;
  return `write ${match[1]}${known}`;
}

const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  ms: ["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"],
  s: ["", "s", "sec", "secs", "second", "seconds"],
  m: ["m", "min", "mins", "minute", "minutes"],
  h: ["h", "hr", "hrs", "hour", "hours"],
};

/** A whole number between two bounds, inclusive; `check` says what is wrong with a number in particular, if anything. */
export function wholeNumber(
  description: string,
  minimum: number,
  maximum: number,
  check: (input: number) => Wrong | undefined = () => undefined,
): z.ZodType<number, unknown> {
  const range = `a whole number from ${minimum} to ${maximum}`;
  return leaf({ type: "integer", minimum, maximum, description }, (input) => {
    if (typeof input === "string" && /^\d+$/u.test(input))
      return { problem: `is the text ${JSON.stringify(input)}, not a number`, fix: "remove the quotes" };
    if (typeof input !== "number") return notThat(input, range);
    const special = check(input);
    if (special !== undefined) return special;
    const fits = Number.isInteger(input) && input >= minimum && input <= maximum;
    if (fits) return { value: input };
    const [problem, near] = !Number.isInteger(input)
      ? [`${input} is not a whole number`, Math.round(input)]
      : [`${input} is ${input < minimum ? "less than" : "more than"} ${input < minimum ? minimum : maximum}`, input];
    return { problem, fix: `use ${near >= minimum && near <= maximum ? near : `${minimum} to ${maximum}`}` };
  });
}

/** true or false. */
export function yesNo(description: string): z.ZodType<boolean, unknown> {
  return leaf({ type: "boolean", description }, (input) => {
    if (typeof input === "boolean") return { value: input };
    const meant = meantBoolean(input);
    const wrong = notThat(input, "true or false");
    return meant === undefined ? wrong : { problem: wrong.problem, fix: `write ${meant}` };
  });
}

/** What is meant by yes, on, off and their kin; `undefined`: none of these. */
export function meantBoolean(input: unknown): string | undefined {
  const word = typeof input === "string" ? input.toLowerCase() : "";
  return Object.hasOwn(BOOLEAN_SPELLINGS, word) ? BOOLEAN_SPELLINGS[word] : undefined;
}

const BOOLEAN_SPELLINGS: Readonly<Record<string, string>> = {
  yes: "true",
  on: "true",
  true: "true",
  no: "false",
  off: "false",
  false: "false",
};

/** One of some words. */
export function oneOf<const T extends string>(description: string, words: readonly T[]): z.ZodType<T, unknown> {
  return leaf({ enum: words, description }, (input) => {
    const found = words.find((word) => word === input);
    if (found !== undefined) return { value: found };
    return notThat(input, words.join(", ").replace(/, ([^,]*)$/u, " or $1"));
  });
}

/** The complaint about a value of the wrong kind, or one that is missing. */
export function notThat(input: unknown, expected: string): Wrong {
  if (input === undefined) return { problem: "is missing", fix: `give ${expected}` };
  return { problem: `is ${describeKind(input)}`, fix: `use ${expected}` };
}
