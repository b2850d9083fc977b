// What a `redis:` URL says: redis://, rediss:// (TLS), redis+unix:/path, redis+sentinel://h1,h2/name, redis+cluster://h1,h2.

import {
  PASSWORD_VARIABLE,
  readCertificates,
  readPassword,
  readSecret,
  type SecretSources,
} from "../common/secrets.ts";
import { badUrl, checkOptions, checkUnused, decodeUser, readHost, readNumber, withLowerScheme } from "../common/url.ts";

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

/** An address for people. */
export function nameOf({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where a Redis is, for people. */
export function nameOfPlace({ where }: RedisOptions): string {
  if (where.kind === "host") return nameOf(where);
  if (where.kind === "unix") return where.path;
  if (where.kind === "cluster") return where.nodes.map(nameOf).join(",");
  return `${where.name} of the Sentinels ${where.sentinels.map(nameOf).join(",")}`;
}

/** Every scheme that this reads. */
export const REDIS_SCHEMES = [
  "redis",
  "rediss",
  "redis+unix",
  "redis+sentinel",
  "rediss+sentinel",
  "redis+cluster",
  "rediss+cluster",
] as const;

const EXAMPLE = "redis://10.0.0.5:6379";
const GROUPS = "redis+sentinel://h1,h2,h3/name or redis+cluster://h1,h2,h3";
const PORT = 6_379;
const SENTINEL_PORT = 26_379;
const CERTIFICATES = ["ca", "cert", "key"];
const KNOWN = [...CERTIFICATES, "passwordFile", "sentinelPasswordFile", "minReplicas"];
const FORM = /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/]+)(?:\/([^/]*))?$/u;

/** Reads a URL. Throws "store-url"; its messages never hold a secret. */
export function parseRedisUrl(url: string, secrets: SecretSources): RedisOptions {
  const [address = "", ...queries] = withLowerScheme(url).split("?");
  const params = new URLSearchParams(queries.join("?"));
  checkOptions(params, KNOWN);
  const minReplicas = readNumber(params, "minReplicas", { from: 0, to: 100, otherwise: 0 });
  const { where, user, secure } = targetOf(address, params, secrets);
  if (where.kind !== "sentinel")
    checkUnused(params, ["sentinelPasswordFile"], "without Sentinels", "begin the URL with redis+sentinel://");
  if (!secure) checkUnused(params, CERTIFICATES, "without TLS", "begin the URL with rediss");
  const [name = "", ...rest] = decodeUser(user ?? "");
  const password = readPassword(params, rest.length > 0 ? rest.join(":") : undefined, secrets);
  if (name !== "" && password === undefined)
    throw badUrl(`names the user ${name} without a password`, `set passwordFile or ${PASSWORD_VARIABLE}`);
  return {
    where,
    tls: secure ? tlsOf(params, secrets) : null,
    username: name === "" ? null : name,
    password: password ?? null,
    minReplicas,
  };
}

interface RedisTarget {
  readonly where: RedisOptions["where"];
  readonly user: string | undefined;
  readonly secure: boolean;
}

function targetOf(address: string, params: URLSearchParams, secrets: SecretSources): RedisTarget {
  if (address.startsWith("redis+unix:")) {
    const unix = /^redis\+unix:(?:\/\/(?:([^@/]*)@)?)?(\/[^/].*)$/u.exec(address);
    if (unix === null)
      throw badUrl("names no socket by an absolute path", "write one such as redis+unix:/run/redis/redis.sock");
    return { where: { kind: "unix", path: unix[2] ?? "" }, user: unix[1], secure: false };
  }
  const match = FORM.exec(address);
  if (match === null) {
    if (/\/\/.*\/.*@/u.test(address)) throw badUrl("has a / in its user or password", "write %2F for it");
    throw badUrl("is no Redis URL", `write one such as ${EXAMPLE}`);
  }
  const [, tls, kind, user, hosts = "", path = ""] = match;
  // A slash in a password would end the host.
  if (path.includes("@")) throw badUrl("has a / in its user or password", "write %2F for it");
  return { where: whereOf(kind, hosts, path, () => sentinelPassword(params, secrets)), user, secure: tls === "s" };
}

function whereOf(
  kind: string | undefined,
  hosts: string,
  path: string,
  password: () => string | null,
): RedisOptions["where"] {
  const all = (port: number): readonly Address[] => hosts.split(",").map((text) => readHost(text, port, EXAMPLE));
  if (kind === "sentinel") {
    if (path === "") throw badUrl("names no master", "write redis+sentinel://h1,h2,h3/name");
    return { kind, sentinels: all(SENTINEL_PORT), name: path, password: password() };
  }
  if (path !== "" && path !== "0") throw badUrl(`names the database ${path}`, "leave it out: vipd uses database 0");
  if (kind === "cluster") return { kind, nodes: all(PORT) };
  if (hosts.includes(",")) throw badUrl(`names several servers, ${hosts}`, `write ${GROUPS}`);
  return { kind: "host", ...readHost(hosts, PORT, EXAMPLE) };
}

function sentinelPassword(params: URLSearchParams, secrets: SecretSources): string | null {
  const file = params.get("sentinelPasswordFile");
  return file === null ? null : new TextDecoder().decode(readSecret("sentinelPasswordFile", file, secrets)).trimEnd();
}

function tlsOf(params: URLSearchParams, secrets: SecretSources): NonNullable<RedisOptions["tls"]> {
  const texts = Object.entries(readCertificates(params, secrets)).map(([name, data]) => [
    name,
    new TextDecoder().decode(data),
  ]);
  return Object.fromEntries(texts) as NonNullable<RedisOptions["tls"]>;
}
