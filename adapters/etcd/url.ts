// What an `etcd:` URL says: etcd://h1:2379,h2:2379 or etcds:// with TLS; options after the question mark.

import { VipdError } from "../../src/base/errors.ts";

/** Where an etcd is, and how to be let in. Secrets come from files or the environment, never from anywhere shown. */
export interface EtcdOptions {
  /** `host:port`, at least one. */
  readonly endpoints: readonly string[];
  readonly tls: { readonly ca?: Uint8Array; readonly cert?: Uint8Array; readonly key?: Uint8Array } | null;
  readonly auth: { readonly username: string; readonly password: string } | null;
  /** Whether this client compacts the history of an etcd that nobody else compacts. */
  readonly compact: "auto" | "off";
  /** How much history stays when it does, in milliseconds. */
  readonly retentionMs: number;
}

/** Where secrets come from. */
export interface SecretSources {
  /** Reads a file; its error is passed on with the path. */
  readFile(path: string): Uint8Array;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Holds the password when the URL names no file for it. */
export const PASSWORD_VARIABLE = "VIPD_STORE_PASSWORD";

const RETENTION_MS = 600_000;
const KNOWN = ["ca", "cert", "key", "passwordFile", "compact", "retentionMs"];
const EXAMPLE = "etcd://10.0.0.5:2379,10.0.0.6:2379";

/** Reads a URL. Throws "store-url"; its messages never hold a secret. */
export function parseEtcdUrl(url: string, secrets: SecretSources): EtcdOptions {
  const match = /^(etcds?):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/u.exec(url);
  if (match === null) throw bad(`is no etcd URL: write one such as ${EXAMPLE}`);
  const [, scheme, user, hosts = "", query = ""] = match;
  const params = new URLSearchParams(query);
  for (const key of params.keys())
    if (!KNOWN.includes(key)) throw bad(`has an unknown option ${key}: there are ${KNOWN.join(", ")}`);
  const compact = params.get("compact") ?? "auto";
  if (compact !== "auto" && compact !== "off") throw bad("has compact neither auto nor off");
  const retentionMs = Number(params.get("retentionMs") ?? RETENTION_MS);
  if (!(retentionMs >= 100)) throw bad("has a retentionMs below 100");
  return {
    endpoints: hosts.split(",").map(endpoint),
    tls: scheme === "etcds" ? tlsOf(params, secrets) : null,
    auth: authOf(user, params, secrets),
    compact,
    retentionMs,
  };
}

function endpoint(text: string): string {
  const match = /^((?:\[[0-9A-Fa-f:.]+\])|[A-Za-z0-9.-]+)(?::(\d{1,5}))?$/u.exec(text.trim());
  if (match === null) throw bad(`names no host and port where it says "${text}"`);
  return `${match[1]}:${match[2] ?? "2379"}`;
}

function tlsOf(params: URLSearchParams, secrets: SecretSources): NonNullable<EtcdOptions["tls"]> {
  const file = (name: string): Uint8Array | undefined => {
    const path = params.get(name);
    return path === null ? undefined : readSecret(name, path, secrets);
  };
  const [ca, cert, key] = [file("ca"), file("cert"), file("key")];
  if ((cert === undefined) !== (key === undefined)) throw bad("has one of cert and key: give both");
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function authOf(user: string | undefined, params: URLSearchParams, secrets: SecretSources): EtcdOptions["auth"] {
  if (user === undefined || user === "") return null;
  const [username = "", ...rest] = user.split(":").map(decodeURIComponent);
  const file = params.get("passwordFile");
  const fromFile =
    file === null ? undefined : new TextDecoder().decode(readSecret("passwordFile", file, secrets)).trimEnd();
  const password = fromFile ?? (rest.length > 0 ? rest.join(":") : secrets.env[PASSWORD_VARIABLE]);
  if (password === undefined)
    throw bad(`names the user ${username} without a password: set passwordFile or ${PASSWORD_VARIABLE}`);
  return { username, password };
}

function readSecret(option: string, path: string, secrets: SecretSources): Uint8Array {
  try {
    return secrets.readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw bad(`names a file for ${option} that cannot be read: ${path} (${code})`);
  }
}

function bad(what: string): VipdError {
  return new VipdError("store-url", `the store URL ${what}`);
}
