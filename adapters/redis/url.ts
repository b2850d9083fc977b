// What a `redis:` URL says: redis://, rediss:// (TLS), redis+unix:/path, redis+sentinel://h1,h2/name.

import {
  assureKnown,
  badUrl as bad,
  decodeUser,
  readCertificates,
  readPassword,
  type SecretSources,
} from "../common/secrets.ts";

/** Where a Redis is, and how to be let in. Secrets come from files or the environment, never from anywhere shown. */
export interface RedisOptions {
  readonly where:
    | { readonly kind: "host"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string }
    | {
        readonly kind: "sentinel";
        readonly sentinels: readonly { host: string; port: number }[];
        readonly name: string;
      };
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  readonly username: string | null;
  readonly password: string | null;
  /** A commit counts when so many replicas have it. */
  readonly minReplicas: number;
}

const PORT = 6_379;
const SENTINEL_PORT = 26_379;
const KNOWN = ["ca", "cert", "key", "passwordFile", "minReplicas"];

/** Reads a URL. Throws "store-url"; its messages never hold a secret. */
export function parseRedisUrl(url: string, secrets: SecretSources): RedisOptions {
  const [address = "", query = ""] = url.split("?", 2);
  const params = new URLSearchParams(query);
  assureKnown(params, KNOWN);
  const minReplicas = Number(params.get("minReplicas") ?? 0);
  if (!Number.isInteger(minReplicas) || minReplicas < 0 || minReplicas > 100)
    throw bad("has minReplicas not from 0 to 100");
  const { where, user, secure } = addressOf(address);
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

interface Address {
  readonly where: RedisOptions["where"];
  readonly user: string | undefined;
  readonly secure: boolean;
}

function addressOf(address: string): Address {
  const unix = /^redis\+unix:(?:\/\/(?:([^@/]*)@)?)?(\/.+)$/u.exec(address);
  if (unix !== null) return { where: { kind: "unix", path: unix[2] ?? "" }, user: unix[1], secure: false };
  const match = /^redis(s|\+sentinel)?:\/\/(?:([^@/]*)@)?([^@/]+)(?:\/([^/]*))?$/u.exec(address);
  if (match === null) throw bad("is no Redis URL: write one such as redis://10.0.0.5:6379");
  const [, kind, user, hosts = "", name = ""] = match;
  if (kind === "+sentinel") {
    if (name === "") throw bad("names no master: write redis+sentinel://h1,h2,h3/name");
    const sentinels = hosts.split(",").map((text) => hostOf(text, SENTINEL_PORT));
    return { where: { kind: "sentinel", sentinels, name }, user, secure: false };
  }
  if (name !== "" && name !== "0") throw bad("names a database: vipd uses database 0");
  return { where: { kind: "host", ...hostOf(hosts, PORT) }, user, secure: kind === "s" };
}

function hostOf(text: string, port: number): { host: string; port: number } {
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
