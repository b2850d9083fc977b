// What web pages, word processors and templates leave in a configuration that looks right.

import type { Wrong } from "./leaf.ts";

interface Disguise {
  readonly looks: RegExp;
  /** Continues "this line has ..."; `code`: of the character. */
  readonly problem: (code: string) => string;
  readonly fix: string;
}

const DISGUISES: readonly Disguise[] = [
  {
    looks: /[\u00A0\u1680\u2000-\u200F\u202F\u205F\u2060\u3000\uFEFF]/u,
    problem: (code) => `a character that only looks like a space (${code})`,
    fix: "type a space in its place",
  },
  {
    looks: /[\u2018-\u201F\u00AB\u00BB]/u,
    problem: (code) => `a typographic quote (${code})`,
    fix: "type ' or \" in its place",
  },
  {
    looks: /\{[%{]/u,
    problem: () => "a mark of a template that was not filled in",
    fix: "fill it in before vipd reads the file",
  },
];

/** What a text holds that is not what it seems, and at which character from 0; `undefined`: nothing. */
export function disguiseIn(text: string): (Wrong & { readonly at: number }) | undefined {
  for (const { looks, problem, fix } of DISGUISES) {
    const at = text.search(looks);
    if (at === -1) continue;
    const code = `U+${text.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0")}`;
    return { at, problem: `has ${problem(code)}`, fix };
  }
  return undefined;
}
