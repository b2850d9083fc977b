// What an `etcd:` URL says: etcd://h1:2379,h2:2379 or etcds:// with TLS; options after the question mark.

import { PASSWORD_VARIABLE, readCertificates, readPassword, type SecretSources } from "../common/secrets.ts";
import { badUrl, checkOptions, checkUnused, decodeUser, readHost, readNumber, withLowerScheme } from "../common/url.ts";

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

const PORT = 2_379;
const RETENTION_MS = 600_000;
const CERTIFICATES = ["ca", "cert", "key"];
const KNOWN = [...CERTIFICATES, "passwordFile", "compact", "retentionMs"];
const EXAMPLE = "etcd://10.0.0.5:2379,10.0.0.6:2379";

/** Reads a URL. Throws "store-url"; its messages never hold a secret. */
export function parseEtcdUrl(url: string, secrets: SecretSources): EtcdOptions {
  const match = /^(etcds?):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/u.exec(withLowerScheme(url));
  if (match === null) throw badUrl("is no etcd URL", `write one such as ${EXAMPLE}`);
  const [, scheme, user, hosts = "", query = ""] = match;
  const params = new URLSearchParams(query);
  checkOptions(params, KNOWN);
  const secure = scheme === "etcds";
  if (!secure) checkUnused(params, CERTIFICATES, "without TLS", "begin the URL with etcds://");
  const compact = params.get("compact") ?? "auto";
  if (compact !== "auto" && compact !== "off") throw badUrl(`has compact=${compact}`, "use auto or off");
  const retentionMs = readNumber(params, "retentionMs", { from: 100, to: 604_800_000, otherwise: RETENTION_MS });
  return {
    endpoints: hosts.split(",").map(endpoint),
    tls: secure ? readCertificates(params, secrets) : null,
    auth: authOf(user, params, secrets),
    compact,
    retentionMs,
  };
}

function endpoint(text: string): string {
  const { host, port } = readHost(text, PORT, EXAMPLE);
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function authOf(user: string | undefined, params: URLSearchParams, secrets: SecretSources): EtcdOptions["auth"] {
  const [username = "", ...rest] = decodeUser(user ?? "");
  if (username === "") {
    if (user !== undefined) throw badUrl("names no user before the @", "write etcd://user@host, or leave it out");
    checkUnused(params, ["passwordFile"], "without a user", "write etcd://user@host");
    return null;
  }
  const password = readPassword(params, rest.length > 0 ? rest.join(":") : undefined, secrets);
  if (password === undefined)
    throw badUrl(`names the user ${username} without a password`, `set passwordFile or ${PASSWORD_VARIABLE}`);
  return { username, password };
}
