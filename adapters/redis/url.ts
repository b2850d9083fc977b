// What a `redis:` URL says: redis://, rediss:// (TLS), redis+unix:/path, redis+sentinel://h1,h2/name, redis+cluster://h1,h2.

import {
  checkKnown,
  badUrl as bad,
  decodeUser,
  readCertificates,
  readPassword,
  readSecret,
  type SecretSources,
} from "../common/secrets.ts";

/** A server's place on the network. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a Redis is, and how to be let in. Secrets come from files or the environment, never from anywhere shown. */
export interface RedisOptions {
  readonly where:
    | { readonly kind: "host"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string }
    | {
        readonly kind: "sentinel";
        readonly sentinels: readonly Address[];
        readonly name: string;
        /** Sentinel's own password; `null`: it asks for none. */
        readonly password: string | null;
      }
    /** Some of a cluster's nodes; they tell of the others. */
    | { readonly kind: "cluster"; readonly nodes: readonly Address[] };
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  readonly username: string | null;
  readonly password: string | null;
  /** A commit counts when so many replicas have it. */
  readonly minReplicas: number;
}

const PORT = 6_379;
const SENTINEL_PORT = 26_379;
const KNOWN = ["ca", "cert", "key", "passwordFile", "sentinelPasswordFile", "minReplicas"];
const FORM = /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/]+)(?:\/([^/]*))?$/u;

/** Reads a URL. Throws "store-url"; its messages never hold a secret. */
export function parseRedisUrl(url: string, secrets: SecretSources): RedisOptions {
  const [address = "", query = ""] = url.split("?", 2);
  const params = new URLSearchParams(query);
  checkKnown(params, KNOWN);
  const minReplicas = Number(params.get("minReplicas") ?? 0);
  if (!Number.isInteger(minReplicas) || minReplicas < 0 || minReplicas > 100)
    throw bad("has minReplicas not from 0 to 100");
  const { where, user, secure } = placeOf(address, params, secrets);
  const [name, ...rest] = decodeUser(user ?? "");
  const inUrl = rest.length > 0 ? rest.join(":") : undefined;
  const password = readPassword(params, inUrl, secrets);
  const tls = secure ? tlsOf(params, secrets) : null;
  return {
    where,
    tls,
    username: name === undefined || name === "" ? null : name,
    password: password ?? null,
    minReplicas,
  };
}

interface Place {
  readonly where: RedisOptions["where"];
  readonly user: string | undefined;
  readonly secure: boolean;
}

function placeOf(address: string, params: URLSearchParams, secrets: SecretSources): Place {
  const unix = /^redis\+unix:(?:\/\/(?:([^@/]*)@)?)?(\/.+)$/u.exec(address);
  if (unix !== null) return { where: { kind: "unix", path: unix[2] ?? "" }, user: unix[1], secure: false };
  const match = FORM.exec(address);
  if (match === null) throw bad("is no Redis URL: write one such as redis://10.0.0.5:6379");
  const [, tls, kind, user, hosts = "", path = ""] = match;
  return { where: whereOf(kind, hosts, path, () => sentinelPassword(params, secrets)), user, secure: tls === "s" };
}

function whereOf(
  kind: string | undefined,
  hosts: string,
  path: string,
  password: () => string | null,
): RedisOptions["where"] {
  const all = (port: number): readonly Address[] => hosts.split(",").map((text) => addressOf(text, port));
  if (kind === "sentinel") {
    if (path === "") throw bad("names no master: write redis+sentinel://h1,h2,h3/name");
    return { kind, sentinels: all(SENTINEL_PORT), name: path, password: password() };
  }
  if (path !== "" && path !== "0") throw bad("names a database: vipd uses database 0");
  return kind === "cluster" ? { kind, nodes: all(PORT) } : { kind: "host", ...addressOf(hosts, PORT) };
}

function sentinelPassword(params: URLSearchParams, secrets: SecretSources): string | null {
  const file = params.get("sentinelPasswordFile");
  return file === null ? null : new TextDecoder().decode(readSecret("sentinelPasswordFile", file, secrets)).trimEnd();
}

function addressOf(text: string, port: number): Address {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/u.exec(text.trim());
  if (match === null) throw bad(`names no host and port where it says "${text}"`);
  return { host: match[1] ?? match[2] ?? "", port: match[3] === undefined ? port : Number(match[3]) };
}

function tlsOf(params: URLSearchParams, secrets: SecretSources): NonNullable<RedisOptions["tls"]> {
  const texts = Object.entries(readCertificates(params, secrets)).map(([name, data]) => [
    name,
    new TextDecoder().decode(data),
  ]);
  return Object.fromEntries(texts) as NonNullable<RedisOptions["tls"]>;
}
