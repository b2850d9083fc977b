// What a Redis says of itself, and what follows from it for vipd: which program it is, whether it keeps its data, who has a copy.

import { VipdError } from "../../src/base/errors.ts";
import type { StoreFinding } from "../../src/ports/store.ts";
import type { RedisOptions } from "./url.ts";

/** What a server is and how it runs. */
export interface ServerFacts {
  /** Names the process and its place in replication: another one may have lost data. */
  readonly runId: string;
  /** `Redis 7.0.15`, `Valkey 8.1.1`. */
  readonly program: string;
  /** Whether it keeps an append-only file; `null`: it does not say. */
  readonly aof: boolean | null;
  /** `always`, `everysec` or `no`; `null`: it does not say. */
  readonly fsync: string | null;
  /** How many replicas are connected. */
  readonly replicas: number;
  /** The server forgets keys of any kind when its memory is full. */
  readonly evicts: boolean;
}

/** Reads the whole text of INFO; `fsync`: the setting, where it may be asked for. Throws "store-corrupt". */
export function parseInfo(info: string, fsync: string | null): ServerFacts {
  const field = (name: string): string | undefined => new RegExp(`^${name}:([^\\r\\n]*)`, "mu").exec(info)?.[1];
  const needed = (name: string): string => {
    const value = field(name);
    if (value !== undefined && /^\w+$/u.test(value)) return value;
    throw new VipdError("store-corrupt", `Redis does not tell its ${name}: what answers is no Redis that vipd knows`);
  };
  const valkey = field("valkey_version");
  const aof = field("aof_enabled");
  const limited = (field("maxmemory") ?? "0") !== "0";
  return {
    runId: `${needed("run_id")}/${needed("master_replid")}`,
    program: valkey === undefined ? `Redis ${field("redis_version") ?? "of an unknown version"}` : `Valkey ${valkey}`,
    aof: aof === undefined ? null : aof === "1",
    fsync,
    replicas: Number(field("connected_slaves") ?? 0),
    evicts: limited && (field("maxmemory_policy") ?? "").startsWith("allkeys"),
  };
}

/** Whether a failover may bring a server into play that lacks what another one has confirmed. */
export function mayFailOver({ where }: RedisOptions, facts: ServerFacts | undefined): boolean {
  return where.kind === "sentinel" || where.kind === "cluster" || (facts?.replicas ?? 0) > 0;
}

/** Sentences for people: what this Redis, as it runs, cannot promise. */
export function caveatsOf(options: RedisOptions, facts: ServerFacts | undefined): readonly string[] {
  return [
    ...persistence(facts),
    ...(mayFailOver(options, facts) ? [failover(options, facts?.replicas ?? 0)] : []),
    "tokens keep growing over lost data as long as the server's clock is not set back",
  ];
}

/** Only when every replica has confirmed a commit is there none that could be promoted without it, or behind its back. */
function failover({ minReplicas, where }: RedisOptions, replicas: number): string {
  const all = "set minReplicas in the URL to the number of replicas, or let what stands behind the VIP check tokens";
  if (minReplicas > 0 && minReplicas >= replicas)
    return `one node holds at a time as long as the master never has more than ${minReplicas} replicas (minReplicas=${minReplicas}); while one of these is away nothing is confirmed, and nobody holds`;
  const until =
    where.kind === "cluster"
      ? "until its cluster-node-timeout is over"
      : "for as long as a node reaches it and is not told otherwise, without any bound";
  const master =
    minReplicas === 0
      ? "an old master that is cut off"
      : `an old master that keeps ${minReplicas} of its ${replicas} replicas`;
  return `a failover may lose commits that were confirmed, and ${master} goes on confirming ${until}: so long two nodes may hold; ${all}`;
}

function persistence(facts: ServerFacts | undefined): readonly string[] {
  if (facts?.aof === true && facts.fsync === "always") return [];
  const pause = "after a restart of the server every node waits a lease before it takes an election";
  if (facts?.aof === true && facts.fsync !== null)
    return [`a crash of its machine loses the last moments (appendfsync ${facts.fsync}); ${pause}`];
  if (facts?.aof === false) return [`it keeps nothing over a restart (appendonly no); ${pause}`];
  return [`what it keeps over a restart is not known; ${pause}`];
}

/** A clock that is further off than this deserves a word, in milliseconds: tokens after lost data rest on it. */
const CLOCK_MS = 10_000;

/** What vipctl doctor says of it. `clockMs`: how far the server's clock is ahead of this host's, in milliseconds. */
export function findingsOn(options: RedisOptions, facts: ServerFacts, clockMs: number): readonly StoreFinding[] {
  const { minReplicas, tls, where } = options;
  const fine = (text: string): StoreFinding => ({ text, fix: null });
  const clock = `its clock and this host's differ by ${Math.abs(clockMs / 1e3).toFixed(1)} s`;
  const kept = `appendonly ${facts.aof === null ? "unknown" : facts.aof ? "yes" : "no"}, appendfsync ${facts.fsync ?? "unknown"}`;
  return [
    fine(facts.program),
    facts.aof === true && facts.fsync === "always"
      ? fine(kept)
      : { text: kept, fix: "appendonly yes and appendfsync always keep what was confirmed over a crash" },
    ...(facts.evicts
      ? [{ text: "it forgets keys when its memory is full", fix: "set maxmemory-policy to noeviction" }]
      : []),
    ...(mayFailOver(options, facts) ? [replication(minReplicas, facts.replicas)] : []),
    Math.abs(clockMs) < CLOCK_MS ? fine(clock) : { text: clock, fix: "have a time service set the clocks" },
    transport(tls !== null, where),
  ];
}

function replication(minReplicas: number, replicas: number): StoreFinding {
  const text = `${replicas} replicas are connected, and commits and reads wait for ${minReplicas}`;
  if (replicas < minReplicas) return { text, fix: "start the replicas: until then nothing is confirmed" };
  if (replicas > minReplicas || minReplicas === 0)
    return {
      text,
      fix: "set minReplicas in the URL to the number of replicas: else two nodes may hold after a failover",
    };
  return { text, fix: null };
}

function transport(secure: boolean, where: RedisOptions["where"]): StoreFinding {
  if (secure) return { text: "the way to it is encrypted (TLS)", fix: null };
  const hosts =
    where.kind === "unix"
      ? []
      : where.kind === "host"
        ? [where.host]
        : (where.kind === "cluster" ? where.nodes : where.sentinels).map(({ host }) => host);
  return hosts.every(isLoopback)
    ? { text: "it is on this host", fix: null }
    : { text: "the way to it is not encrypted", fix: "use rediss:// where others can listen" };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
