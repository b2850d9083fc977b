// What a file that is no configuration of vipd looks like, so that its user sees which file was given by mistake.

import type { Wrong } from "./leaf.ts";

/** A look at the beginning is enough, in UTF-16 code units. */
const HEAD_LENGTH = 64 * 1024;

/** A file is binary when more than one character in so many is none of a text's. */
const BINARY_SHARE = 200;

const OTHER_FILE = "give the file that holds vipd's configuration, see vipd.yaml(5)";
const BEGIN = "begin with store: and vips:, see vipd.yaml(5)";

interface Kind {
  /** `first`: the first line that is neither empty nor a comment. */
  readonly looks: (head: string, first: string) => boolean;
  /** Continues "the file ...". */
  readonly problem: string;
  readonly fix: string;
}

const KEEPALIVED =
  /^[ \t]*(?:global_defs|vrrp_instance|vrrp_script|vrrp_sync_group|vrrp_track_\w+|virtual_server|static_ipaddress|static_routes)\b[^\n:]*$/mu;

const KINDS: readonly Kind[] = [
  { looks: (head) => head.trim() === "", problem: "is empty", fix: BEGIN },
  { looks: (_, first) => first === "", problem: "holds nothing but comments", fix: BEGIN },
  {
    looks: (head) => head.startsWith("SQLite format 3\0"),
    problem: "is an SQLite database",
    fix: "give vipd's configuration, and name this file in it, such as store: sqlite:/var/lib/vipd/fleet.db",
  },
  {
    looks: (head) => /^(?:\uFFFD\uFFFD|[^\0\n]\0[^\0\n]\0)/u.test(head),
    problem: "is text in UTF-16",
    fix: "save it as UTF-8",
  },
  {
    looks: (head) => /^<{7} /mu.test(head) && /^={7}$/mu.test(head),
    problem: "has the marks of a merge conflict (<<<<<<<)",
    fix: "keep one of the two sides",
  },
  { looks: isBinary, problem: "is a binary file", fix: OTHER_FILE },
  {
    looks: (head) => KEEPALIVED.test(head),
    problem: "is a configuration of keepalived",
    fix: "write it as YAML: docs/keepalived.md puts the two side by side",
  },
  { looks: (_, first) => first.startsWith("-----BEGIN "), problem: "is a certificate or a key", fix: OTHER_FILE },
  { looks: (_, first) => /^<[!?a-z]/iu.test(first), problem: "is HTML or XML", fix: OTHER_FILE },
  { looks: (head) => head.startsWith("#!"), problem: "is a script", fix: OTHER_FILE },
  {
    looks: (_, first) => /^\[[\w .-]+\]$/u.test(first),
    problem: "has [sections], as INI and TOML files do",
    fix: "write it as YAML: each key with ':' and its value",
  },
  { looks: (_, first) => /^-(?:\s|$)/u.test(first), problem: "is a list", fix: `remove the '-': ${BEGIN}` },
  {
    looks: (_, first) => /^[\w.-]+\s*=/u.test(first),
    problem: "writes its keys with '='",
    fix: "write them with ':', such as store: sqlite:/var/lib/vipd/fleet.db",
  },
];

/** What a text is that is not a group of keys; `undefined` when it looks like nothing known. */
export function looksLike(text: string): Wrong | undefined {
  const head = text.slice(0, HEAD_LENGTH);
  const lines = head.split("\n").map((line) => line.trim());
  const first = lines.find((line) => line !== "" && !/^[#;!]/u.test(line)) ?? "";
  const kind = KINDS.find(({ looks }) => looks(head, first));
  return kind === undefined ? undefined : { problem: kind.problem, fix: kind.fix };
}

function isBinary(head: string): boolean {
  let odd = 0;
  for (const character of head) if (isOdd(character)) odd += 1;
  return odd * BINARY_SHARE > head.length;
}

/** Control characters that no text has, and what stands for bytes that are not UTF-8. ESC and form feed occur in texts. */
function isOdd(character: string): boolean {
  const code = character.charCodeAt(0);
  return character === "\uFFFD" || (code < 0x20 && !"\t\n\v\f\r\u001B".includes(character));
}
