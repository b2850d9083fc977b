// YAML text -> plain data, and the line and column of each path in it.

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import type { Document } from "yaml";
import type { Path } from "./issue.ts";

/** Largest configuration that is read, in UTF-16 code units. */
export const MAX_CONFIG_LENGTH = 2 * 1024 * 1024;

/** How often all aliases together may be expanded: enough for people, not for a bomb. */
const MAX_ALIAS_COUNT = 1_000;

/** Most syntax mistakes that are told: one slip often makes many. */
const MAX_SYNTAX_MISTAKES = 10;

/** A place in the file, both numbers from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A mistake in the YAML itself. */
export interface SyntaxMistake extends Place {
  readonly problem: string;
  readonly fix: string;
}

/** A file that is YAML. */
export interface Source {
  readonly data: unknown;
  /** Where the value at `path` stands, or its key; for what is missing, its nearest parent. */
  locate(path: Path, atKey: boolean): Place;
}

/** Reads YAML 1.2; all syntax mistakes at once. */
export function readSource(text: string): Source | readonly SyntaxMistake[] {
  if (text.length > MAX_CONFIG_LENGTH) {
    return [mistakeAtStart(`the file is longer than ${MAX_CONFIG_LENGTH} characters`, "is this the right file?")];
  }
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2" });
    const complaints = [...document.errors, ...document.warnings];
    if (complaints.length > 0)
      return complaints.slice(0, MAX_SYNTAX_MISTAKES).map((each) => syntaxMistake(each, lines));
    const data: unknown = document.toJS({ maxAliasCount: MAX_ALIAS_COUNT });
    return { data, locate: (path, atKey) => locate(document, lines, path, atKey) };
  } catch (error) {
    return [asMistake(error)];
  }
}

function mistakeAtStart(problem: string, fix: string): SyntaxMistake {
  return { line: 1, column: 1, problem, fix };
}

function syntaxMistake(
  complaint: { code: string; message: string; pos: [number, number] },
  lines: LineCounter,
): SyntaxMistake {
  const { line, col } = lines.linePos(complaint.pos[0]);
  const known = SYNTAX_FIXES[complaint.code];
  return { line, column: col, problem: known?.[0] ?? complaint.message, fix: known?.[1] ?? "correct the YAML" };
}

/** The parser's codes that deserve plainer words. */
const SYNTAX_FIXES: Readonly<Record<string, readonly [problem: string, fix: string]>> = {
  DUPLICATE_KEY: ["this key stands here twice", "keep one of the two"],
  MULTIPLE_DOCS: ["a second YAML document begins here", "keep one document and remove '---'"],
  TAB_AS_INDENT: ["a tab is used to indent", "indent with spaces"],
};

/** The parser throws for an alias bomb (ReferenceError) and for deep nesting (RangeError: the stack). */
function asMistake(error: unknown): SyntaxMistake {
  if (error instanceof ReferenceError)
    return mistakeAtStart("its aliases (*name) expand too often or lead nowhere", "write the values out");
  if (error instanceof RangeError) return mistakeAtStart("it is nested too deeply", "flatten it");
  throw error;
}

function locate(document: Document, lines: LineCounter, path: Path, atKey: boolean): Place {
  let node = resolve(document, document.contents);
  let offset = startOf(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    const step = descend(document, node, part);
    if (step === undefined) break;
    const last = depth === path.length - 1;
    const valueOffset = last && !atKey ? startOf(step.value) : undefined;
    offset = valueOffset ?? step.keyOffset ?? startOf(step.value) ?? offset;
    node = resolve(document, step.value);
  }
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

interface Step {
  readonly keyOffset: number | undefined;
  readonly value: Node | null;
}

function descend(document: Document, node: Node | null, part: string | number): Step | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => keyText(item) === String(part));
    return pair === undefined
      ? undefined
      : { keyOffset: startOf(pair.key as Node | null), value: pair.value as Node | null };
  }
  if (isSeq(node) && typeof part === "number") {
    const item = node.items[part] as Node | null | undefined;
    return item === undefined ? undefined : { keyOffset: startOf(resolve(document, item)), value: item };
  }
  return undefined;
}

function keyText(pair: Pair): string | undefined {
  return isScalar(pair.key) ? String(pair.key.value) : undefined;
}

function resolve(document: Document, node: Node | null): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node;
}

function startOf(node: Node | null): number | undefined {
  return node?.range?.[0];
}
