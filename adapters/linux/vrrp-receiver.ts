// Hears adverts: one socket an interface, a family, and a way (the group, or an own address).

import type { AdvertReceiver, OnReceived, AdvertSource } from "../../src/ports/vrrp.ts";
import { decodeInetAddress } from "../../src/wire/inet-address.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { VRRP_GROUP_IPV6 } from "../../src/wire/vrrp.ts";
import { ENETDOWN, errnoOf } from "./errors.ts";
import { needLink } from "./links.ts";
import { closeFd, receive, watchReadable } from "./native.ts";
import type { Datagram, Fd, Watch } from "./native.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";
import { openGroupSocket, openPeerSocket } from "./vrrp-sockets.ts";

/** The longest message has 255 IPv6 addresses; what is longer is cut, and then no advert. */
const BUFFER_BYTES = 8192;

/** The most that is handed in at a time: a flood shall not keep the rest of the program waiting. */
const MOST_AT_A_TIME = 2_000;

/** Opens an source in the network namespace that the thread is in now. Throws "interface", "privilege", "kernel". */
export function openReceiver(source: AdvertSource, onReceived: OnReceived): AdvertReceiver {
  return new KernelReceiver(source, onReceived);
}

class KernelReceiver implements AdvertReceiver {
  readonly #fd: Fd;
  readonly #family: AdvertSource["family"];
  /** Whom IPv6 messages were sent to. */
  readonly #destination: Uint8Array;
  readonly #onReceived: OnReceived;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #watch: Watch;
  #open = true;

  constructor(source: AdvertSource, onReceived: OnReceived) {
    this.#family = source.family;
    this.#onReceived = onReceived;
    this.#destination = source.unicast === null ? VRRP_GROUP_IPV6 : ipBytes(source.unicast);
    this.#fd = openListener(source);
    this.#watch = watchReadable(this.#fd, () => this.drain());
  }

  drain(): void {
    for (let i = 0; i < MOST_AT_A_TIME && this.#open; i += 1) {
      const datagram = this.#next();
      if (datagram === undefined) return;
      if (datagram.lost === 0) this.#hand(datagram);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    closeFd(this.#fd);
  }

  #hand({ data, from }: Datagram): void {
    if (this.#family === 4) return this.#onReceived({ family: 4, packet: data.slice() });
    const [message, source] = [data.slice(), decodeInetAddress(from)];
    this.#onReceived({ family: 6, source, destination: this.#destination, message });
  }

  /** The link may go down: then nothing more comes before it is up again. */
  #next(): Datagram | undefined {
    try {
      return receive(this.#fd, this.#buffer);
    } catch (error) {
      if (errnoOf(error) === ENETDOWN) return undefined;
      throw error;
    }
  }
}

function openListener(source: AdvertSource): Fd {
  const links = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");
  try {
    const link = needLink(links, source.interface);
    return source.unicast === null
      ? openGroupSocket(link, source.family)
      : openPeerSocket(link, ipBytes(source.unicast));
  } finally {
    links.close();
  }
}
