// Where the secrets of a store URL come from: files that it names, or the environment.

import { MAX_SECRET_BYTES } from "../../src/base/bounds.ts";
import { isVipdError } from "../../src/base/errors.ts";
import { readRegularFile } from "./regular-file.ts";
import { badUrl } from "./url.ts";

/** What secrets are read from. */
export interface SecretSources {
  /** Reads a file; its error is passed on with the path. */
  readFile(path: string): Uint8Array;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** This process's files and environment. */
export const systemSecrets: SecretSources = {
  readFile: (path) => readRegularFile(path, MAX_SECRET_BYTES),
  env: process.env,
};

/** Holds the password when the URL names no file for it. */
export const PASSWORD_VARIABLE = "VIPD_STORE_PASSWORD";

/** The options of store URLs that name a file which nobody else should read. */
const SECRET_OPTIONS = ["passwordFile", "sentinelPasswordFile", "key"];

/** The files that a store URL names and that hold secrets. */
export function secretFilesOf(url: string): readonly string[] {
  const params = new URLSearchParams(/\?(.*)$/su.exec(url)?.[1] ?? "");
  return SECRET_OPTIONS.flatMap((option) => params.get(option) ?? []);
}

/** Reads the file that an option of the URL names. Throws "store-url". */
export function readSecret(option: string, path: string, secrets: SecretSources): Uint8Array {
  try {
    return secrets.readFile(path);
  } catch (error) {
    if (isVipdError(error, "config"))
      throw badUrl(`names a file for ${option}: ${error.message}`, "give the file itself");
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw badUrl(`names a file for ${option} that cannot be read: ${path} (${code})`, "give a file that vipd may read");
  }
}

/** The files of a certificate that a URL may name, as they are; cert and key come together. */
export function readCertificates(
  params: URLSearchParams,
  secrets: SecretSources,
): { readonly ca?: Uint8Array; readonly cert?: Uint8Array; readonly key?: Uint8Array } {
  const file = (name: string): Uint8Array | undefined => {
    const path = params.get(name);
    return path === null ? undefined : readSecret(name, path, secrets);
  };
  const [ca, cert, key] = [file("ca"), file("cert"), file("key")];
  if ((cert === undefined) !== (key === undefined)) throw badUrl("has only one of cert and key", "give both");
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

/** The password: from the file that the URL names, from the URL, or from the environment. */
export function readPassword(
  params: URLSearchParams,
  inUrl: string | undefined,
  secrets: SecretSources,
): string | undefined {
  const file = params.get("passwordFile");
  if (file === null) return inUrl ?? secrets.env[PASSWORD_VARIABLE];
  return new TextDecoder().decode(readSecret("passwordFile", file, secrets)).trimEnd();
}
