// YAML text -> plain data, and the line and column of each path in it; or what is wrong with the text.

import { type Document, LineCounter, parseDocument } from "yaml";
import { MAX_CONFIG_BYTES } from "../base/bounds.ts";
import { disguiseIn } from "./disguise.ts";
import { looksLike } from "./look.ts";
import { readTree, type SyntaxMistake, type Tree } from "./tree.ts";

/** A file that is YAML. */
export type LocatedData = Pick<Tree, "data" | "locate">;

/** What is wrong with a file that cannot be read. */
export interface Unreadable {
  readonly mistakes: readonly SyntaxMistake[];
}

/** Reads YAML 1.2. */
export function readSource(text: string): LocatedData | Unreadable {
  // A character is a byte at least.
  if (text.length > MAX_CONFIG_BYTES)
    return atStart(`is larger than ${MAX_CONFIG_BYTES} bytes`, "is this the right file?");
  const lines = new LineCounter();
  const document = parse(text, lines);
  if ("mistakes" in document) return document;
  const wrong = syntaxMistakes(document, lines, text);
  const tree = wrong === undefined ? readTree(document, lines) : undefined;
  if (tree !== undefined && tree.mistakes.length > 0) return listed(tree.mistakes);
  if (tree !== undefined && isGroup(tree.data))
    return { data: tree.data, locate: (path, atKey) => tree.locate(path, atKey) };
  const look = looksLike(text);
  if (look !== undefined) return atStart(look.problem, look.fix);
  return wrong ?? atStart("has no keys", "begin with store: and vips:, see vipd.yaml(5)");
}

/** The parser is a recursive one. */
function parse(text: string, lines: LineCounter): Document.Parsed | Unreadable {
  try {
    return parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2", uniqueKeys: false });
  } catch (error) {
    if (error instanceof RangeError) return atStart("is nested too deeply", "flatten it");
    throw error;
  }
}

function isGroup(data: unknown): boolean {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}

function atStart(problem: string, fix: string): Unreadable {
  return listed([{ line: 1, column: 1, problem: `the file ${problem}`, fix }]);
}

function listed(mistakes: readonly SyntaxMistake[]): Unreadable {
  return { mistakes };
}

/** One slip makes the parser stumble many times: only the first is told. */
function syntaxMistakes(document: Document.Parsed, lines: LineCounter, text: string): Unreadable | undefined {
  const all = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  const [first] = all;
  if (first === undefined) return undefined;
  const { line, col } = lines.linePos(first.pos[0]);
  const disguised = disguiseIn((text.split("\n")[line - 1] ?? "").replace(/(?:^|\s)#.*$/u, ""));
  if (disguised !== undefined)
    return listed([{ line, column: disguised.at + 1, problem: `this line ${disguised.problem}`, fix: disguised.fix }]);
  const known = SYNTAX.find(
    ({ code, says }) => code === first.code && (says === undefined || says.test(first.message)),
  );
  const { problem, fix } = known ?? NO_YAML;
  return listed([{ line, column: col, problem, fix }]);
}

/** Slips for which there are no words of their own. */
const NO_YAML = {
  problem: "this is not written as YAML",
  fix: "write key: value, and put values with special characters in quotes",
};

interface Slip {
  readonly code: string;
  /** What the parser's message has, where its code alone does not tell. */
  readonly says?: RegExp;
  readonly problem: string;
  readonly fix: string;
}

/** The parser's codes in plainer words. */
const SYNTAX: readonly Slip[] = [
  {
    code: "MULTIPLE_DOCS",
    problem: "a second YAML document begins here",
    fix: "keep one document and remove '---'",
  },
  { code: "TAB_AS_INDENT", problem: "a tab is used to indent", fix: "indent with spaces" },
  { code: "RESOURCE_EXHAUSTION", problem: "the file is nested too deeply", fix: "flatten it" },
  {
    code: "BAD_INDENT",
    says: /same column/u,
    problem: "this line is indented neither like its neighbours nor below them",
    fix: "give all keys of a group the same number of spaces",
  },
  {
    code: "BAD_INDENT",
    problem: "a [ or { before this line is not closed, or the line is not indented below it",
    fix: "close every [ and {",
  },
  {
    code: "UNEXPECTED_TOKEN",
    says: /"\}"/u,
    problem: "a stray '}' closes nothing",
    fix: "remove it, or open it before",
  },
  {
    code: "UNEXPECTED_TOKEN",
    says: /"\]"/u,
    problem: "a stray ']' closes nothing",
    fix: "remove it, or open it before",
  },
  {
    code: "UNEXPECTED_TOKEN",
    says: /block-seq-ind/u,
    problem: "a '-' stands on the line of its key",
    fix: "begin the list on the next line, or write it as [a, b]",
  },
  {
    code: "UNEXPECTED_TOKEN",
    problem: "this does not belong to the value before it",
    fix: "indent a new key like its neighbours, or put the whole value in quotes",
  },
  {
    code: "BLOCK_AS_IMPLICIT_KEY",
    says: /block sequence/u,
    problem: "this item is indented unlike the others of its list",
    fix: "put all '-' of the list below each other",
  },
  {
    code: "BLOCK_AS_IMPLICIT_KEY",
    problem: "a second ':' makes this value a group, or the next line is indented below it",
    fix: "put the value in quotes, or indent the next line like this one",
  },
  {
    code: "MULTILINE_IMPLICIT_KEY",
    problem: "the ': ' is missing after this key",
    fix: "write it as key: value, with a space",
  },
  { code: "MISSING_CHAR", says: /quote/u, problem: "a quote is opened and not closed", fix: "close it" },
  {
    code: "MISSING_CHAR",
    says: /Sequence item/u,
    problem: "this line is indented like the items of a list, and has no '-'",
    fix: "indent it like the line above, or begin it with '-'",
  },
  {
    code: "MISSING_CHAR",
    problem: "a ',' or a ':' is missing here",
    fix: "write keys as key: value, and separate the items of [ ] and { } by commas",
  },
  {
    code: "BAD_SCALAR_START",
    problem: "this value begins with a character that YAML keeps for itself",
    fix: "put the value in quotes",
  },
  {
    code: "BAD_DQ_ESCAPE",
    problem: "a \\ in double quotes begins an escape that YAML does not know",
    fix: "write \\\\, or use single quotes",
  },
  {
    code: "BLOCK_IN_FLOW",
    problem: "a ',' is missing before this, or a [ or { is not closed",
    fix: "separate the items of [ ] and { } by commas, and close them",
  },
  {
    code: "BAD_DIRECTIVE",
    problem: "this line begins with %, as instructions to a YAML parser do",
    fix: "remove it, or put the value in quotes",
  },
  {
    code: "BAD_ALIAS",
    problem: "a & or * names nothing",
    fix: "put a name behind it, or the value in quotes",
  },
  { code: "TAG_RESOLVE_FAILED", problem: "the tag that begins with ! is not known here", fix: "remove it" },
];
