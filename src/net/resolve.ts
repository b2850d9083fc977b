// The addresses of a host name, without getaddrinfo: that blocks a thread of the pool that all file access shares, for as
// long as a name server is silent. Literal addresses, localhost and /etc/hosts are answered here, the rest by DNS (A and
// AAAA) through c-ares. Other sources of nsswitch.conf, and search domains, are not asked.

import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP, type LookupFunction } from "node:net";
import { messageOf } from "../base/errors.ts";

const HOSTS = "/etc/hosts";

/** A query is sent again after this long, at most so often; the caller's signal is the real limit. */
const QUERY_TIMEOUT_MS = 2_000;
const QUERY_TRIES = 3;

/** The most addresses of a name that are tried. */
const MAX_ADDRESSES = 4;

/** An address to connect to. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/**
 * The addresses of `host` (IPv6 without brackets), IPv4 first; a string is the reason why there is none. `nameServers`
 * (address:port) are asked instead of those of /etc/resolv.conf.
 */
export async function resolveHost(
  host: string,
  signal: AbortSignal,
  nameServers?: readonly string[],
): Promise<readonly ResolvedAddress[] | string> {
  const literal = toAddress(host);
  if (literal !== undefined) return [literal];
  const name = host.toLowerCase().replace(/\.$/u, "");
  if (name === "localhost") return toAddresses(["127.0.0.1", "::1"]);
  const local = await addressesInHosts(name);
  if (local.length > 0) return local;
  return askDns(name, signal, nameServers);
}

/** For sockets: answers from what was looked up before. */
export function lookupFrom(addresses: readonly ResolvedAddress[]): LookupFunction {
  const [first] = addresses;
  return (_, options, callback) => {
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? "", first?.family);
  };
}

async function askDns(
  name: string,
  signal: AbortSignal,
  nameServers: readonly string[] | undefined,
): Promise<readonly ResolvedAddress[] | string> {
  if (signal.aborted) return `${name} was not looked up in time`;
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  if (nameServers !== undefined) resolver.setServers(nameServers);
  const cancel = (): void => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = toAddresses(answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : [])));
    if (found.length > 0) return found;
    const [first] = answers;
    return `${name} has no address: ${first?.status === "rejected" ? messageOf(first.reason) : "no answer"}`;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

async function addressesInHosts(name: string): Promise<readonly ResolvedAddress[]> {
  let text: string;
  try {
    text = await readFile(HOSTS, "utf8");
  } catch {
    // A host without the file has no names of its own.
    return [];
  }
  const found = text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*$/u, "").trim().split(/\s+/u);
    return names.some((each) => each.toLowerCase() === name) ? [address] : [];
  });
  return toAddresses(found);
}

function toAddresses(texts: readonly string[]): readonly ResolvedAddress[] {
  return texts
    .flatMap((text) => toAddress(text) ?? [])
    .toSorted((a, b) => a.family - b.family)
    .slice(0, MAX_ADDRESSES);
}

function toAddress(text: string): ResolvedAddress | undefined {
  const family = isIP(text);
  return family === 4 || family === 6 ? { address: text, family } : undefined;
}
