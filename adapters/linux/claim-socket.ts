// A packet socket that hears who claims which address on one interface: ARP for IPv4, neighbour advertisements for IPv6.

import type { Instant } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { decodeArp } from "../../src/wire/arp.ts";
import { fromHex, toHex } from "../../src/wire/bytes.ts";
import {
  decodeLinkAddress,
  encodeLinkAddress,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  formatMac,
  PACKET_OTHERHOST,
} from "../../src/wire/ethernet.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { decodeNdp, NEIGHBOR_ADVERTISEMENT } from "../../src/wire/ndp.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { arpSenderFilter, neighbourAdvertisementFilter } from "./bpf.ts";
import { ENETDOWN, errnoOf } from "./errors.ts";
import {
  AF_PACKET,
  attachFilter,
  bindSocket,
  closeFd,
  type Fd,
  openSocket,
  receive,
  SOCK_DGRAM,
  watchReadable,
} from "./native.ts";

/** The largest message that matters here; longer ones are cut and then no answer. */
const BUFFER_BYTES = 2048;

/**
 * To close a packet socket takes the kernel tens of milliseconds (synchronize_net), in which this thread stands still: not while
 * somebody waits for what was heard.
 */
const CLOSE_AFTER_MS = 500;

/** So many messages are taken at a time. */
const BURST = 1_024;

/** Told of a station that answers for an address: its hardware address, and when it was heard. */
export type Listener = (claimant: string, at: Instant) => void;

/**
 * Listens for those who answer for addresses. Frames for other hosts are left out: the kernel marks so, too, those of a
 * VLAN that has no interface here, and who answers there holds another network's address.
 */
export class ClaimSocket {
  readonly fd: Fd;
  readonly #family: VipAddress["family"];
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  /** By the address's bytes in hexadecimal. */
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #watch: { close(): void };
  /** Addresses that the filter lets through; what is listened for and not among them is not heard yet. */
  #filtered: ReadonlySet<string> = new Set();

  constructor(link: LinkRecord, family: VipAddress["family"], clock: Clock, onEnd: () => void) {
    this.#family = family;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.fd = openPacketSocket();
    try {
      this.#attachFilter([]);
      const protocol = family === 4 ? ETHERTYPE_ARP : ETHERTYPE_IPV6;
      bindSocket(this.fd, encodeLinkAddress({ protocol, index: link.index, mac: new Uint8Array() }));
      this.#watch = watchReadable(this.fd, () => this.drain());
    } catch (error) {
      closeFd(this.fd);
      throw error;
    }
  }

  /** Tells of those who answer for the address until the result is called; the last one to call it ends the socket. */
  listen({ ip }: VipAddress, listener: Listener): () => void {
    const key = toHex(ipBytes(ip));
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(key);
      if (this.#listeners.size === 0) this.#end();
    };
  }

  /** Has the kernel let through what is listened for: to be called after `listen`. */
  refilter(): void {
    if ([...this.#listeners.keys()].every((key) => this.#filtered.has(key))) return;
    this.#attachFilter([...this.#listeners.keys()]);
  }

  /** Takes what waits; not more than a burst at a time, for others have work too. */
  drain(): void {
    for (let count = 0; count < BURST; count += 1) {
      const datagram = this.#next();
      if (datagram === undefined) return;
      const { protocol, packetType, mac } = decodeLinkAddress(datagram.from);
      if (packetType === PACKET_OTHERHOST) continue;
      const claim = protocol === ETHERTYPE_ARP ? arpClaim(datagram.data) : ndpClaim(datagram.data, mac);
      if (claim === undefined) continue;
      const at = this.#clock.now();
      for (const listener of this.#listeners.get(toHex(claim.address)) ?? []) listener(claim.claimant, at);
    }
  }

  #attachFilter(keys: readonly string[]): void {
    const addresses = keys.map((key) => fromHex(key));
    attachFilter(this.fd, this.#family === 4 ? arpSenderFilter(addresses) : neighbourAdvertisementFilter(addresses));
    this.#filtered = new Set(keys);
  }

  /** It is used no more: the interface may go, and another one come under its number, at which this socket is deaf. */
  #end(): void {
    this.#onEnd();
    this.#watch.close();
    setTimeout(() => closeFd(this.fd), CLOSE_AFTER_MS).unref();
  }

  /** The link may go down under a probe; then nothing more is heard. */
  #next(): ReturnType<typeof receive> {
    try {
      return receive(this.fd, this.#buffer);
    } catch (error) {
      if (errnoOf(error) === ENETDOWN) return undefined;
      throw error;
    }
  }
}

/** Who says that it has which address. */
interface Claim {
  readonly claimant: string;
  readonly address: Uint8Array;
}

function arpClaim(data: Uint8Array): Claim | undefined {
  const message = tolerant(() => decodeArp(data));
  return message === undefined ? undefined : { claimant: formatMac(message.senderMac), address: message.senderIp };
}

function ndpClaim(data: Uint8Array, sender: Uint8Array): Claim | undefined {
  const message = tolerant(() => decodeNdp(data));
  if (message?.type !== NEIGHBOR_ADVERTISEMENT) return undefined;
  return { claimant: formatMac(message.mac ?? sender), address: message.target };
}

/** Anyone on the wire may send cut-off messages; they answer nothing. */
function tolerant<T>(decode: () => T | undefined): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A packet socket that hears nothing yet. Throws "privilege" without CAP_NET_RAW. */
export function openPacketSocket(): Fd {
  return openSocket(AF_PACKET, SOCK_DGRAM, 0, "CAP_NET_RAW");
}
