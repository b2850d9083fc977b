// Files that a configuration names and whose content counts: keys, passwords, certificates. Whoever may read files can say
// which of them would not do, each at its place.

import { messageOf } from "../base/errors.ts";
import type { Path } from "./issue.ts";
import type { Wrong } from "./leaf.ts";
import type { FileData } from "./schema.ts";
import { keyTrouble, withoutLineEnd } from "./vrrp-hmac.ts";

/** A file, and where it stands in the configuration. */
export interface NamedFile {
  readonly path: Path;
  readonly file: string;
  /** What it holds, in words. */
  readonly what: string;
  readonly isSecret: boolean;
  /** What keeps its content from being that; `undefined`: nothing. */
  readonly check: (content: Uint8Array) => Wrong | undefined;
}

/** All such files. */
export function namedFiles({ webhook, mail, checks, vips }: FileData): readonly NamedFile[] {
  const ofChecks = Object.entries(checks ?? {}).flatMap(([name, { caFile }]) =>
    given(["checks", name, "caFile"], caFile, CERTIFICATES),
  );
  const ofVips = Object.entries(vips ?? {}).flatMap(([name, { vrrp }]) =>
    (vrrp?.hmac?.keys ?? []).flatMap(({ secretFile }, i) =>
      given(["vips", name, "vrrp", "hmac", "keys", i, "secretFile"], secretFile, VRRP_KEY),
    ),
  );
  return [
    ...given(["webhook", "secretFile"], webhook?.secretFile, WEBHOOK_KEY),
    ...given(["webhook", "caFile"], webhook?.caFile, CERTIFICATES),
    ...given(["mail", "passwordFile"], mail?.passwordFile, PASSWORD),
    ...given(["mail", "caFile"], mail?.caFile, CERTIFICATES),
    ...ofChecks,
    ...ofVips,
  ];
}

type Content = Omit<NamedFile, "path" | "file">;

const WEBHOOK_KEY: Content = { what: "the key of the webhook", isSecret: true, check: notEmpty };
const PASSWORD: Content = { what: "the password of the mail server", isSecret: true, check: notEmpty };
const VRRP_KEY: Content = {
  what: "a key of VRRP",
  isSecret: true,
  check: (content) => keyTrouble(withoutLineEnd(content)),
};
const CERTIFICATES: Content = { what: "certificates of CAs", isSecret: false, check: certificates };

function given(path: Path, file: string | undefined, content: Content): readonly NamedFile[] {
  return file === undefined ? [] : [{ path, file, ...content }];
}

function notEmpty(content: Uint8Array): Wrong | undefined {
  return withoutLineEnd(content).length > 0 ? undefined : { problem: "is empty", fix: "write the secret into it" };
}

function certificates(content: Uint8Array): Wrong | undefined {
  const isPem = /^-----BEGIN (?:TRUSTED )?CERTIFICATE-----/mu.test(new TextDecoder().decode(content));
  return isPem ? undefined : { problem: "holds no certificate in PEM form", fix: "give the certificates of the CAs" };
}

/** Why a file would not do; `read` throws what the file system says. `isDenied`: another user may be able to read it. */
export function fileTrouble(
  { file, check }: NamedFile,
  read: (path: string) => Uint8Array,
): (Wrong & { readonly isDenied: boolean }) | undefined {
  let content: Uint8Array;
  try {
    content = read(file);
  } catch (error) {
    const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
    const [why, fix] = REASONS.get(code) ?? [messageOf(error), "name a regular file that vipd may read"];
    return { problem: `${file} cannot be read: ${why}`, fix, isDenied: code === "EACCES" };
  }
  const wrong = check(content);
  return wrong === undefined ? undefined : { problem: `${file} ${wrong.problem}`, fix: wrong.fix, isDenied: false };
}

const REASONS: ReadonlyMap<unknown, readonly [why: string, fix: string]> = new Map([
  ["ENOENT", ["there is no such file", "make it, or name another"]],
  ["EACCES", ["permission denied", "let the user that vipd runs as read it"]],
  ["ENOTDIR", ["a part of its path is no directory", "correct the path"]],
]);
