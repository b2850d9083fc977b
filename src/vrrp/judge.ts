// Whether a well-formed, authentic advert is for this virtual router and fits its configuration: each misfit by name.

import type { VrrpAdvert } from "../base/vrrp.ts";
import { ipBytes } from "../wire/ip.ts";
import type { VrrpRouter } from "./router.ts";

/** An advert and how it came. */
export interface HeardAdvert {
  readonly advert: VrrpAdvert;
  /** The sender, canonical text. */
  readonly source: string;
  /** Whether it was sent to the group. */
  readonly multicast: boolean;
}

/** Why an advert is not believed. */
export type Misfit =
  /** Somebody else sends from this router's own address, or its own adverts come back. */
  | { readonly reason: "own-address" }
  | { readonly reason: "reach-mismatch"; readonly multicast: boolean }
  | { readonly reason: "unknown-peer" }
  | { readonly reason: "version-mismatch"; readonly found: number; readonly expected: number }
  /** Version 2 only: version 3 learns the master's interval. */
  | { readonly reason: "interval-mismatch"; readonly foundMs: number; readonly expectedMs: number }
  | { readonly reason: "addresses-differ"; readonly missing: readonly string[]; readonly foreign: readonly string[] };

/** The first misfit in keepalived's order; undefined when it fits. An "addresses-differ" may be tolerated by the rules. */
export function misfitOf(router: VrrpRouter, { advert, source, multicast }: HeardAdvert): Misfit | undefined {
  if (source === router.source) return { reason: "own-address" };
  if (multicast !== (router.reach.kind === "multicast")) return { reason: "reach-mismatch", multicast };
  if (router.reach.kind === "unicast" && !router.reach.peers.includes(source)) return { reason: "unknown-peer" };
  if (advert.version !== router.version)
    return { reason: "version-mismatch", found: advert.version, expected: router.version };
  if (router.version === 2 && advert.intervalMs !== router.intervalMs)
    return { reason: "interval-mismatch", foundMs: advert.intervalMs, expectedMs: router.intervalMs };
  return addressMisfit(router.addresses, advert.addresses);
}

function addressMisfit(own: readonly string[], heard: readonly string[]): Misfit | undefined {
  const missing = own.filter((address) => !heard.includes(address));
  const foreign = heard.filter((address) => !own.includes(address));
  if (missing.length === 0 && foreign.length === 0 && own.length === heard.length) return undefined;
  return { reason: "addresses-differ", missing, foreign };
}

const SENTENCES: { readonly [R in Misfit["reason"]]: (misfit: Extract<Misfit, { reason: R }>) => string } = {
  "own-address": () => "it was sent from this router's own address: two hosts have it, or adverts come back",
  "reach-mismatch": ({ multicast }) =>
    multicast
      ? "it was sent to the group, but unicast peers are configured"
      : "it was sent to this host alone, but no unicast peers are configured",
  "unknown-peer": () => "the sender is none of the configured peers",
  "version-mismatch": ({ found, expected }) => `it has version ${found}, and ${expected} is configured`,
  "interval-mismatch": ({ foundMs, expectedMs }) =>
    `its interval is ${foundMs / 1000} s, and ${expectedMs / 1000} s is configured; both must be the same in version 2`,
  "addresses-differ": ({ missing, foreign }) => differing(missing, foreign),
};

function differing(missing: readonly string[], foreign: readonly string[]): string {
  const parts = [
    missing.length === 0 ? [] : `it lacks ${missing.join(", ")}`,
    foreign.length === 0 ? [] : `it has ${foreign.join(", ")}, not configured here`,
  ].flat();
  return parts.length === 0 ? "it names an address more than once" : parts.join(", and ");
}

/** A sentence for people, without the sender. */
export function describeMisfit(misfit: Misfit): string {
  return (SENTENCES[misfit.reason] as (misfit: Misfit) => string)(misfit);
}

/** Whether a master that advertises so has to be obeyed by one of this priority at this address. */
export function outranks(heard: HeardAdvert, priority: number, source: string): boolean {
  if (heard.advert.priority !== priority) return heard.advert.priority > priority;
  return compareAddresses(heard.source, source) > 0;
}

/** Unsigned comparison in network byte order (RFC 9568, section 6.4.3). */
function compareAddresses(a: string, b: string): number {
  const [left, right] = [ipBytes(a), ipBytes(b)];
  const at = left.findIndex((byte, i) => byte !== right[i]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
