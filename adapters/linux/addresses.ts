// Addresses of the host by rtnetlink.

import type { VipAddress } from "../../src/base/vip.ts";
import type { AddressTable, BoundAddress, Link } from "../../src/ports/host.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { NLM_F_CREATE, NLM_F_REPLACE } from "../../src/wire/netlink.ts";
import type { AddressRecord, LinkRecord } from "../../src/wire/rtnetlink.ts";
import {
  decodeAddress,
  encodeAddressDump,
  encodeDeleteAddress,
  encodeNewAddress,
  encodePromoteSecondaries,
  MAX_LIFETIME_S,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
  RTM_SETLINK,
} from "../../src/wire/rtnetlink.ts";
import { EADDRNOTAVAIL, kernelError } from "./errors.ts";
import { dumpLinks, needLink, findLink, toLink } from "./links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";

/** vipd's IFA_PROTO: "v". By it a restarted daemon knows the addresses that it put there. */
export const ADDRESS_MARK = 0x76;

/** The addresses of the network namespace that the thread is in now. */
export class KernelAddresses implements AddressTable {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");

  /**
   * Adds or refreshes. The kernel cannot refresh without also adding what has just expired; that is escapeControl only
   * because the fence, and not the presence of the address, decides whether this host answers.
   */
  bind(address: VipAddress, lifetimeMs: number): void {
    const link = needLink(this.#socket, address.interface);
    const { index } = link;
    if (address.family === 4 && address.prefix < 32) this.#keepSecondaries(link);
    const lifetimeS = Math.min(Math.max(1, Math.ceil(lifetimeMs / 1000)), MAX_LIFETIME_S);
    const payload = encodeNewAddress({
      bytes: ipBytes(address.ip),
      prefix: address.prefix,
      index,
      mark: ADDRESS_MARK,
      lifetimeS,
      ...(address.label === undefined ? {} : { label: address.label }),
    });
    this.#socket.request("add address", { type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_REPLACE, payload });
  }

  unbind(address: Pick<VipAddress, "family" | "ip" | "prefix" | "interface">): boolean {
    const link = findLink(this.#socket, address.interface);
    if (link === undefined) return false;
    const payload = encodeDeleteAddress(ipBytes(address.ip), address.prefix, link.index);
    const errno = this.#socket.attempt({ type: RTM_DELADDR, flags: 0, payload });
    if (errno === EADDRNOTAVAIL) return false;
    if (errno !== 0) throw kernelError("rtnetlink delete address", errno);
    return true;
  }

  addresses(): readonly BoundAddress[] {
    const names = new Map(dumpLinks(this.#socket).map((link) => [link.index, link.name]));
    return this.records().map((record) => toBoundAddress(record, names.get(record.index) ?? ""));
  }

  /** All addresses with everything that the kernel tells of them. */
  records(): readonly AddressRecord[] {
    const messages = this.#socket.dump("list addresses", { type: RTM_GETADDR, flags: 0, payload: encodeAddressDump() });
    return messages.flatMap((message) => {
      const record = message.type === RTM_NEWADDR ? decodeAddress(message.payload) : undefined;
      return record === undefined ? [] : [record];
    });
  }

  links(): readonly Link[] {
    return dumpLinks(this.#socket).map(toLink);
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * The first IPv4 address of a subnet is its primary one, and by Linux's default takes the others with it when it goes:
   * a VIP would fall with the host's own address, or worse, the host's own address with the VIP. systemd sets the same.
   */
  #keepSecondaries({ index, promotesSecondaries }: LinkRecord): void {
    if (promotesSecondaries) return;
    this.#socket.request("promote secondary addresses", {
      type: RTM_SETLINK,
      flags: 0,
      payload: encodePromoteSecondaries(index),
    });
  }
}

/** What the port shows of an address. */
export function toBoundAddress(record: AddressRecord, interfaceName: string): BoundAddress {
  const { family, ip, prefix, mark } = record;
  return { family, ip, prefix, interface: interfaceName, ours: mark === ADDRESS_MARK };
}
