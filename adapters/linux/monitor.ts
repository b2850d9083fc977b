// News of addresses and links by rtnetlink's multicast groups.

import { isDeepStrictEqual } from "node:util";
import type { HostEvent, HostMonitor } from "../../src/ports/host.ts";
import type { NetlinkMessage } from "../../src/wire/netlink.ts";
import { decodeMessages } from "../../src/wire/netlink.ts";
import {
  decodeAddress,
  decodeLink,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTMGRP_IPV4_IFADDR,
  RTMGRP_IPV6_IFADDR,
  RTMGRP_LINK,
} from "../../src/wire/rtnetlink.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { ADDRESS_MARK, toBoundAddress } from "./addresses.ts";
import { refreshedAddressFilter } from "./bpf.ts";
import { ENOBUFS, errnoOf } from "./errors.ts";
import { dumpLinks, toLink } from "./links.ts";
import { attachFilter, closeFd, receive, watchReadable } from "./native.ts";
import type { Fd, Watch } from "./native.ts";
import { NETLINK_ROUTE, NetlinkSocket, openNetlink } from "./netlink.ts";

const BUFFER_BYTES = 64 * 1024;

/**
 * Tells `onEvent` of every change from now on. A refreshed lifetime is told as "address-added" again, unless the address
 * has vipd's mark: the kernel keeps that back. A link is told only when something that `Link` shows has changed. After an
 * overrun the links are compared anew by the monitor itself, the addresses are for the caller to compare.
 */
export function monitorHost(onEvent: (event: HostEvent) => void): HostMonitor {
  return new KernelMonitor(onEvent);
}

class KernelMonitor implements HostMonitor {
  readonly #onEvent: (event: HostEvent) => void;
  readonly #fd: Fd;
  readonly #watch: Watch;
  /** Asks for the links; its own socket, so that answers and news do not mix. */
  readonly #questions: NetlinkSocket;
  readonly #links = new Map<number, LinkRecord>();
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #open = true;

  constructor(onEvent: (event: HostEvent) => void) {
    this.#onEvent = onEvent;
    this.#questions = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");
    this.#fd = openNetlink(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    attachFilter(this.#fd, refreshedAddressFilter(ADDRESS_MARK));
    for (const link of dumpLinks(this.#questions)) this.#links.set(link.index, link);
    this.#watch = watchReadable(this.#fd, () => this.#drain());
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    closeFd(this.#fd);
    this.#questions.close();
  }

  #drain(): void {
    while (this.#open) {
      const datagram = this.#next();
      if (datagram === undefined) return;
      for (const message of decodeMessages(datagram)) this.#tell(message);
    }
  }

  /** The next datagram of news; an overrun is told, and reading goes on behind it. */
  #next(): Uint8Array | undefined {
    while (this.#open) {
      try {
        return receive(this.#fd, this.#buffer)?.data.slice();
      } catch (error) {
        if (errnoOf(error) !== ENOBUFS) throw error;
        this.#compareLinks();
        this.#onEvent({ kind: "overrun" });
      }
    }
    return undefined;
  }

  #tell(message: NetlinkMessage): void {
    if (!this.#open) return;
    if (message.type === RTM_NEWADDR || message.type === RTM_DELADDR) this.#tellAddress(message);
    if (message.type !== RTM_NEWLINK && message.type !== RTM_DELLINK) return;
    const link = decodeLink(message.payload);
    if (link === undefined) return;
    if (message.type === RTM_NEWLINK) this.#linkIs(link);
    else this.#linkGone(link.index);
  }

  #tellAddress(message: NetlinkMessage): void {
    const record = decodeAddress(message.payload);
    if (record === undefined) return;
    const address = toBoundAddress(record, this.#links.get(record.index)?.name ?? "");
    this.#onEvent({ kind: message.type === RTM_NEWADDR ? "address-added" : "address-removed", address });
  }

  #linkIs(link: LinkRecord): void {
    const before = this.#links.get(link.index);
    this.#links.set(link.index, link);
    if (before !== undefined && before.name !== link.name) this.#onEvent({ kind: "link-removed", name: before.name });
    if (before === undefined || !sameLink(before, link)) this.#onEvent({ kind: "link-changed", link: toLink(link) });
  }

  #linkGone(index: number): void {
    const before = this.#links.get(index);
    if (before === undefined) return;
    this.#links.delete(index);
    this.#onEvent({ kind: "link-removed", name: before.name });
  }

  #compareLinks(): void {
    const now = dumpLinks(this.#questions);
    const indexes = new Set(now.map((link) => link.index));
    for (const index of [...this.#links.keys()]) if (!indexes.has(index)) this.#linkGone(index);
    for (const link of now) this.#linkIs(link);
  }
}

/** Compares all that `Link` shows: an interface that joins a bridge or a bond takes its VIPs off the wire. */
function sameLink(a: LinkRecord, b: LinkRecord): boolean {
  return isDeepStrictEqual(toLink(a), toLink(b));
}
