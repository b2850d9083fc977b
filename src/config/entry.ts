// An entry of a list in the file: a group of keys, or, for short, the value of the one key that matters.

import * as z from "zod";
import type { Path } from "./issue.ts";
import { notThat, type Wrong } from "./leaf.ts";
import { nearest } from "./suggest.ts";

type Shape = Readonly<Record<string, z.ZodType>>;

/** What a group of that shape says. */
type Values<S extends Shape> = { readonly [K in keyof S]: z.output<S[K]> };

/** What an entry is. */
interface EntryOptions<S extends Shape, T> {
  readonly description: string;
  readonly shape: S;
  /** The key whose value may stand for a whole group; absent: none. */
  readonly short?: keyof S & string;
  /** Words of other programs, each with the key that it is here. */
  readonly words?: Readonly<Record<string, keyof S & string>>;
  readonly build: (values: Values<S>) => T;
}

/** The schema of an entry; every mistake in it is told. */
export function entry<const S extends Shape, T>(options: EntryOptions<S, T>): z.ZodType<T, unknown> {
  const { description, shape, short, words = {}, build } = options;
  const asGroup = schemaOf(z.strictObject(shape));
  const alone = short === undefined ? undefined : shape[short];
  return z
    .unknown()
    .transform((input, context): T => {
      let mistakes = 0;
      const report = (wrong: Wrong, path: Path, atKey = false): void => {
        mistakes += 1;
        const params = { fix: wrong.fix, atKey };
        context.issues.push({ code: "custom", message: wrong.problem, params, input, path: [...path] });
      };
      const isGroup = typeof input === "object" && input !== null && !Array.isArray(input);
      const given = new Map(isGroup ? Object.entries(input) : [[short ?? "", input]]);
      if (!isGroup && short === undefined) report(notThat(input, `a group with keys among ${listOf(shape)}`), []);
      else if (isGroup)
        for (const key of given.keys()) if (!Object.hasOwn(shape, key)) report(unknown(key, shape, words), [key], true);
      const values = Object.entries(shape).map(([key, schema]) => {
        if (mistakes > 0 && !isGroup) return [key, undefined];
        const read = schema.safeParse(given.get(key));
        if (!read.success) report(firstWrong(read.error), isGroup ? [key] : []);
        return [key, read.data];
      });
      return mistakes > 0 ? z.NEVER : build(Object.fromEntries(values) as Values<S>);
    })
    .meta({ ...(alone === undefined ? asGroup : { anyOf: [schemaOf(alone), asGroup] }), description });
}

/** The dialect is named once, at the top of the whole schema. */
function schemaOf(schema: z.ZodType): object {
  const json = z.toJSONSchema(schema, { io: "input" });
  return Object.fromEntries(Object.entries(json).filter(([key]) => key !== "$schema" && key !== "~standard"));
}

function unknown(key: string, shape: Shape, words: Readonly<Record<string, string>>): Wrong {
  if (Object.hasOwn(words, key)) return { problem: "is not a known key", fix: `${key} is '${words[key]}' here` };
  const near = nearest(key, Object.keys(shape));
  const fix = near === undefined ? `use one of ${listOf(shape)}` : `did you mean ${near}?`;
  return { problem: "is not a known key", fix };
}

function listOf(shape: Shape): string {
  return Object.keys(shape).join(", ");
}

function firstWrong(error: z.ZodError): Wrong {
  const issue = error.issues[0];
  const fix = issue?.code === "custom" ? String(issue.params?.["fix"] ?? "") : "";
  return { problem: issue?.message ?? "is wrong", fix };
}
