// A parsed YAML document -> plain data, and the place of each path in it. Duplicate keys, aliases and merges (`<<`) are
// dealt with here, each in time that grows with the file, or with what its aliases expand to, which is bounded.

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  type ParsedNode,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { MAX_CONFIG_DEPTH, MAX_CONFIG_VALUES } from "../base/bounds.ts";
import type { Path } from "./issue.ts";

/** A place in the file, both numbers from 1. */
export interface FilePosition {
  readonly line: number;
  readonly column: number;
}

/** A mistake in the YAML itself. */
export interface SyntaxMistake extends FilePosition {
  readonly problem: string;
  readonly fix: string;
}

/** A document as data. */
export interface Tree {
  readonly data: unknown;
  /** What cannot be read; then `data` is not whole. */
  readonly mistakes: readonly SyntaxMistake[];
  /** Where the value at `path` stands, or its key; for what is missing, its nearest parent. */
  locate(path: Path, atKey: boolean): FilePosition;
}

/** Reads a document that has no syntax mistakes. */
export function readTree(document: Document.Parsed, lines: LineCounter): Tree {
  const reader = new Reader(lines);
  const root = reader.read(document.contents, 0);
  return {
    data: root.data,
    mistakes: reader.mistakes,
    locate: (path, atKey) => placeAt(lines, offsetOf(root, path, atKey)),
  };
}

/** A node of the document with what it says. */
interface Read {
  readonly data: unknown;
  /** Where it begins in the file; `undefined`: it is empty. */
  readonly offset: number | undefined;
  /** What it says in all, its own value included. */
  readonly count: number;
  readonly entries?: ReadonlyMap<string, Entry>;
  readonly items?: readonly Read[];
}

interface Entry {
  readonly keyOffset: number | undefined;
  readonly value: Read;
}

const MERGE = "<<";

class Reader {
  readonly mistakes: SyntaxMistake[] = [];
  private readonly lines: LineCounter;
  /** By name: the last node of that anchor, and what it says once it has been read. */
  private readonly anchors = new Map<string, Read | "open">();
  private total = 0;
  private isTooMuch = false;

  constructor(lines: LineCounter) {
    this.lines = lines;
  }

  read(node: Node | ParsedNode | null, depth: number): Read {
    const offset = startOf(node);
    if (node === null || this.isTooMuch) return { data: null, offset, count: 1 };
    if (depth > MAX_CONFIG_DEPTH) return this.stop(offset, "it is nested too deeply", "flatten it");
    if (isAlias(node)) return this.alias(node.source, offset);
    const anchor = "anchor" in node ? node.anchor : undefined;
    if (anchor !== undefined) this.anchors.set(anchor, "open");
    const read = this.value(node, depth, offset);
    if (anchor !== undefined) this.anchors.set(anchor, read);
    return read;
  }

  private value(node: Node, depth: number, offset: number | undefined): Read {
    if (isMap(node)) return this.map(node, depth, offset);
    if (isSeq(node)) return this.list(node, depth, offset);
    this.add(1, offset);
    return { data: isScalar(node) ? node.value : null, offset, count: 1 };
  }

  private alias(name: string, offset: number | undefined): Read {
    const target = this.anchors.get(name);
    if (target === undefined)
      return this.wrong(
        offset,
        `the alias *${name} names no anchor before it`,
        `put &${name} before the value it names`,
      );
    if (target === "open") return this.wrong(offset, `the alias *${name} leads to itself`, "write the value out");
    this.add(target.count, offset);
    return { ...target, offset };
  }

  private list(node: YAMLSeq, depth: number, offset: number | undefined): Read {
    const before = this.total;
    this.add(1, offset);
    const items = node.items.map((item) => this.read(item as Node | null, depth + 1));
    return { data: items.map(({ data }) => data), offset, count: this.total - before, items };
  }

  private map(node: YAMLMap, depth: number, offset: number | undefined): Read {
    const before = this.total;
    this.add(1, offset);
    const entries = new Map<string, Entry>();
    const merged: Read[] = [];
    for (const pair of node.items) {
      const key = this.key(pair);
      if (key === undefined) continue;
      const keyOffset = startOf(pair.key as Node | null);
      const value = this.read(pair.value as Node | null, depth + 1);
      if (key === MERGE) merged.push(...this.mergeable(value, keyOffset));
      else if (entries.has(key)) this.wrong(keyOffset, "this key stands here twice", "keep one of the two");
      else entries.set(key, { keyOffset, value });
    }
    // Own keys win, then those of the group that is named first.
    for (const { entries: others = [] } of merged)
      for (const [key, entry] of others) if (!entries.has(key)) entries.set(key, entry);
    return { data: dataOf(entries), offset, count: this.total - before, entries };
  }

  /** The text of a key; `undefined` when it is none. */
  private key({ key }: Pair): string | undefined {
    if (isScalar(key)) {
      const { anchor } = key;
      if (anchor !== undefined) this.anchors.set(anchor, { data: key.value, offset: startOf(key), count: 1 });
      return String(key.value);
    }
    const offset = startOf(key as Node | null);
    if (isAlias(key)) {
      const { data } = this.alias(key.source, offset);
      if (typeof data !== "object") return String(data);
    }
    this.wrong(
      offset,
      "this key is not a word",
      "write a name before the ':', and put a value that begins with { in quotes",
    );
    return undefined;
  }

  private mergeable(value: Read, offset: number | undefined): readonly Read[] {
    const groups = value.items ?? [value];
    if (groups.every(({ entries }) => entries !== undefined)) return groups;
    this.wrong(
      offset,
      "'<<' merges something that is not a group",
      "name a group of keys by an alias, such as <<: *web",
    );
    return [];
  }

  private add(count: number, offset: number | undefined): void {
    this.total += count;
    if (this.total > MAX_CONFIG_VALUES && !this.isTooMuch)
      this.stop(
        offset,
        `the file, with its aliases expanded, holds more than ${MAX_CONFIG_VALUES} values`,
        "is this the right file?",
      );
  }

  private stop(offset: number | undefined, problem: string, fix: string): Read {
    this.isTooMuch = true;
    return this.wrong(offset, problem, fix);
  }

  private wrong(offset: number | undefined, problem: string, fix: string): Read {
    this.mistakes.push({ ...placeAt(this.lines, offset ?? 0), problem, fix });
    return { data: null, offset, count: 1 };
  }
}

/** A key such as `__proto__` is a key like others. */
function dataOf(entries: ReadonlyMap<string, Entry>): unknown {
  const data: Record<string, unknown> = {};
  for (const [key, { value }] of entries)
    if (key === "__proto__")
      Object.defineProperty(data, key, { value: value.data, enumerable: true, configurable: true, writable: true });
    else data[key] = value.data;
  return data;
}

function offsetOf(root: Read, path: Path, atKey: boolean): number {
  let here = root;
  let offset = root.offset ?? 0;
  for (const [depth, part] of path.entries()) {
    const entry = here.entries?.get(String(part));
    const next = entry?.value ?? (typeof part === "number" ? here.items?.[part] : undefined);
    if (next === undefined) break;
    const isValue = depth === path.length - 1 && !atKey;
    offset = (isValue ? next.offset : undefined) ?? entry?.keyOffset ?? next.offset ?? offset;
    here = next;
  }
  return offset;
}

function placeAt(lines: LineCounter, offset: number): FilePosition {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function startOf(node: Node | ParsedNode | null): number | undefined {
  return node?.range?.[0];
}
