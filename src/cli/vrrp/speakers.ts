// Who speaks VRRP on the wire, gathered from what was heard, and what is wrong with it.

import { elapsedMs, type Instant } from "../../base/time.ts";
import { VRRP_PRIORITY_STOP, type VrrpReceived } from "../../base/vrrp.ts";
import { formatIp } from "../../wire/ip.ts";
import { decodeReceived, type VrrpMessage } from "../../wire/vrrp.ts";
import { describeVrrpFault } from "../../wire/vrrp-fault.ts";

/** Most speakers and faults that are kept: anybody on the wire can make them up. */
const MOST_SPEAKERS = 2_000;
const MOST_FAULTS = 20;

/** A master that was not heard for so many of its intervals is one no more. */
const GONE_INTERVALS = 3.5;

/** A router id on an interface, by one sender. */
export interface Speaker {
  readonly interface: string;
  readonly family: 4 | 6;
  readonly id: number;
  /** Canonical text. */
  readonly source: string;
  readonly version: number;
  /** Of its last advert; 0: it has given up. */
  readonly priority: number;
  readonly intervalMs: number;
  readonly addresses: readonly string[];
  readonly authentication: "none" | "password" | "hmac";
  readonly reach: "multicast" | "unicast";
  readonly adverts: number;
  /** Age of its last advert. */
  readonly ageMs: number;
}

/** What was heard. */
export interface Heard {
  readonly speakers: readonly Speaker[];
  /** Sentences that ask for somebody's help. */
  readonly warnings: readonly string[];
}

type Known = Omit<Speaker, "ageMs"> & { readonly at: Instant };

/** Gathers what arrives. */
export class Speakers {
  private readonly known = new Map<string, Known>();
  private readonly faults = new Set<string>();

  /** Takes a packet that came to the group (`multicast`), or to an address of this host. */
  hear(link: string, multicast: boolean, received: VrrpReceived, at: Instant): void {
    const { from, ...result } = decodeReceived(received);
    const source = from === undefined ? "somebody" : formatIp(from.source);
    if (result.kind === "rejected") {
      const text = `${link}: a packet of ${source} is no advert: ${describeVrrpFault(result.fault)}`;
      if (this.faults.size < MOST_FAULTS) this.faults.add(text);
      return;
    }
    const { message } = result;
    const key = `${link} ${received.family} ${message.vrid} ${source}`;
    const before = this.known.get(key);
    if (before === undefined && this.known.size >= MOST_SPEAKERS) return;
    const { version, priority, intervalMs, addresses } = message;
    this.known.set(key, {
      interface: link,
      family: received.family,
      id: message.vrid,
      source,
      version,
      priority,
      intervalMs,
      addresses,
      authentication: authenticationOf(message),
      reach: multicast ? "multicast" : "unicast",
      adverts: (before?.adverts ?? 0) + 1,
      at,
    });
  }

  /** What is known at `now`, by interface and id. */
  report(now: Instant): Heard {
    const speakers = [...this.known.values()]
      .map(({ at, ...speaker }): Speaker => ({ ...speaker, ageMs: Math.max(0, Math.round(elapsedMs(at, now))) }))
      .toSorted((a, b) => order(a).localeCompare(order(b)));
    const groups = Map.groupBy(speakers, ({ interface: link, family, id }) => `${link} ${family} ${id}`);
    return { speakers, warnings: [...[...groups.values()].flatMap(warningsOf), ...this.faults] };
  }
}

function order({ interface: link, id, family, source }: Speaker): string {
  return `${link} ${String(id).padStart(3, "0")} ${family} ${source}`;
}

function authenticationOf({ trailer, authentication }: VrrpMessage): Speaker["authentication"] {
  if (trailer !== null) return "hmac";
  return (authentication?.type ?? 0) === 0 ? "none" : "password";
}

/** What the senders of one id differ in. Only a master speaks: two that speak at the same time are wrong in any case. */
function warningsOf(senders: readonly Speaker[]): readonly string[] {
  const [first] = senders;
  if (first === undefined || senders.length < 2) return [];
  const where = `id ${first.id} on ${first.interface}${first.family === 6 ? " (IPv6)" : ""}`;
  const masters = senders.filter(isMaster);
  const tell = (value: (speaker: Speaker) => string): string =>
    senders.map((speaker) => `${speaker.source} has ${value(speaker)}`).join(", ");
  const differ = (value: (speaker: Speaker) => string): boolean => new Set(senders.map(value)).size > 1;
  if (masters.length > 1 && areStrangers(masters))
    return [`${where} is used by two groups: ${tell(addressesOf)}; give each an id of its own`];
  const findings: readonly (string | false)[] = [
    masters.length > 1 &&
      `${where} has ${masters.length} masters: ${masters.map(({ source, priority }) => `${source} (priority ${priority})`).join(", ")}`,
    differ(addressesOf) && `${where}: the lists of addresses differ: ${tell(addressesOf)}`,
    differ(intervalOf) && `${where}: the intervals differ: ${tell(intervalOf)}`,
    differ(versionOf) && `${where}: the versions differ: ${tell(versionOf)}`,
    differ(wayOf) && `${where}: the authentication differs: ${tell(wayOf)}`,
  ];
  return findings.filter((finding) => finding !== false);
}

function isMaster({ priority, ageMs, intervalMs }: Speaker): boolean {
  return priority !== VRRP_PRIORITY_STOP && ageMs <= GONE_INTERVALS * intervalMs;
}

/** Whether no two have an address in common. */
function areStrangers(masters: readonly Speaker[]): boolean {
  const all = masters.flatMap(({ addresses }) => [...new Set(addresses)]);
  return new Set(all).size === all.length;
}

const addressesOf = ({ addresses }: Speaker): string => addresses.join(" ");
const intervalOf = ({ intervalMs }: Speaker): string => `${intervalMs / 1_000}s`;
const versionOf = ({ version }: Speaker): string => `version ${version}`;
const wayOf = ({ authentication }: Speaker): string => authentication;
