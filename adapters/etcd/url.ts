// What an `etcd:` URL says: etcd://h1:2379,h2:2379 or etcds:// with TLS; options after the question mark.

import {
  checkKnown,
  badUrl as bad,
  decodeUser,
  PASSWORD_VARIABLE,
  readCertificates,
  readPassword,
  type SecretSources,
} from "../common/secrets.ts";

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

const RETENTION_MS = 600_000;
const KNOWN = ["ca", "cert", "key", "passwordFile", "compact", "retentionMs"];
const EXAMPLE = "etcd://10.0.0.5:2379,10.0.0.6:2379";

/** Reads a URL. Throws "store-url"; its messages never hold a secret. */
export function parseEtcdUrl(url: string, secrets: SecretSources): EtcdOptions {
  const match = /^(etcds?):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/u.exec(url);
  if (match === null) throw bad(`is no etcd URL: write one such as ${EXAMPLE}`);
  const [, scheme, user, hosts = "", query = ""] = match;
  const params = new URLSearchParams(query);
  checkKnown(params, KNOWN);
  const compact = params.get("compact") ?? "auto";
  if (compact !== "auto" && compact !== "off") throw bad("has compact neither auto nor off");
  const retentionMs = Number(params.get("retentionMs") ?? RETENTION_MS);
  if (!(retentionMs >= 100)) throw bad("has a retentionMs below 100");
  return {
    endpoints: hosts.split(",").map(endpoint),
    tls: scheme === "etcds" ? readCertificates(params, secrets) : null,
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

function authOf(user: string | undefined, params: URLSearchParams, secrets: SecretSources): EtcdOptions["auth"] {
  if (user === undefined || user === "") return null;
  const [username = "", ...rest] = decodeUser(user);
  const password = readPassword(params, rest.length > 0 ? rest.join(":") : undefined, secrets);
  if (password === undefined)
    throw bad(`names the user ${username} without a password: set passwordFile or ${PASSWORD_VARIABLE}`);
  return { username, password };
}
