// Addresses of the host by rtnetlink.

import { readFileSync } from "node:fs";
import { MAX_TTL_MS } from "../../src/base/bounds.ts";
import type { ArpSettings } from "../../src/base/virtual-mac.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type {
  AddressFailure,
  AddressPlace,
  AddressTable,
  BoundAddress,
  Link,
  VirtualDevice,
} from "../../src/ports/host.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { NLM_F_CREATE, NLM_F_REPLACE } from "../../src/wire/netlink.ts";
import type { AddressRecord, LinkRecord } from "../../src/wire/rtnetlink.ts";
import {
  decodeAddress,
  encodeAddressDump,
  encodeDeleteAddress,
  encodeIpv4Settings,
  encodeNewAddress,
  MAX_LIFETIME_S,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
  RTM_SETLINK,
} from "../../src/wire/rtnetlink.ts";
import { EACCES, EADDRNOTAVAIL, EINVAL, kernelError } from "./errors.ts";
import { dumpLinks, findLink, toLink } from "./links.ts";
import { keepDevices } from "./keep-devices.ts";
import { bringUpDevice, virtualMacs } from "./virtual-devices.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";
import type { Request } from "./netlink.ts";

/** vipd's IFA_PROTO: "v". By it a restarted daemon knows the addresses that it put there. */
export const ADDRESS_MARK = 0x76;

/** IFA_PROTO of the addresses of lo under which this host is a real server: "r". */
export const SERVED_MARK = 0x72;

/** The kernel's number for keepalived (RTPROT_KEEPALIVED, linux/rtnetlink.h). */
const KEEPALIVED_MARK = 18;

/** No address of vipd outlives the longest lease by more, in seconds. */
const LONGEST_OWN_S = MAX_TTL_MS / 1_000 + 60;

/** From this many on a list of all links costs less than to ask for each. */
const FEW_LINKS = 16;

type LinkLookup = (name: string) => LinkRecord | undefined;

/** The addresses of the network namespace that the thread is in now. */
export class KernelAddresses implements AddressTable {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");

  /**
   * Adds or refreshes. The kernel cannot refresh without also adding what has just expired; that does no harm only
   * because the fence, and not the presence of the address, decides whether this host answers.
   */
  bind(addresses: readonly VipAddress[], lifetimeMs: number): readonly AddressFailure[] {
    const lifetimeS = Math.min(Math.max(1, Math.ceil(lifetimeMs / 1000)), MAX_LIFETIME_S);
    const groups = [...Map.groupBy(addresses, (address) => address.interface)];
    const linkOf = this.#linksFor(groups.length);
    return groups.flatMap(([name, group]) => {
      const link = this.#linkFor(name, group, linkOf);
      if (typeof link === "string") return group.map((address) => ({ address, message: link }));
      const kept = this.#keepSecondaries(link, group);
      if (kept !== 0)
        return group.map((address) => ({ address, message: refusal("promote secondary addresses", kept) }));
      return this.#each(group, (address) => bindRequest(address, link.index, lifetimeS)).flatMap(({ address, errno }) =>
        errno === 0 ? [] : [{ address, message: whyNotAdded(address, errno) }],
      );
    });
  }

  unbind(addresses: readonly AddressPlace[]): ReturnType<AddressTable["unbind"]> {
    const removed: AddressPlace[] = [];
    const failures: AddressFailure[] = [];
    for (const [name, group] of Map.groupBy(addresses, (address) => address.interface)) {
      const link = findLink(this.#socket, name);
      if (link === undefined) continue;
      const encode = ({ ip, prefix }: AddressPlace): Request => ({
        type: RTM_DELADDR,
        flags: 0,
        payload: encodeDeleteAddress(ipBytes(ip), prefix, link.index),
      });
      for (const { address, errno } of this.#each(group, encode)) {
        if (errno === 0) removed.push(address);
        else if (errno !== EADDRNOTAVAIL) failures.push({ address, message: refusal("delete address", errno) });
      }
    }
    return { removed, failures };
  }

  keepDevices(devices: readonly VirtualDevice[]): ReturnType<typeof keepDevices> {
    return keepDevices(this.#socket, devices, new Set(this.records().map(({ index }) => index)));
  }

  arpOfAll(): ArpSettings {
    return { filter: settingOfAll("arp_filter"), ignore: settingOfAll("arp_ignore") };
  }

  addresses(): readonly BoundAddress[] {
    const links = dumpLinks(this.#socket);
    const names = new Map(links.map((link) => [link.index, link.name]));
    const macs = virtualMacs(links);
    return this.records().map((record) => {
      const virtualMac = macs.get(record.index);
      const bound = toBoundAddress(record, names.get(record.index) ?? "");
      return virtualMac === undefined ? bound : { ...bound, virtualMac };
    });
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

  /** The link of this name, made where it is one of vipd's own devices; or why there is none. */
  #linkFor(name: string, [first]: readonly VipAddress[], linkOf: LinkLookup): LinkRecord | string {
    if (first?.virtualMac !== undefined)
      return bringUpDevice(this.#socket, { name, virtualMac: first.virtualMac }, linkOf);
    return linkOf(name) ?? `there is no interface ${name}`;
  }

  /** Finds links by name: a few one by one, and many in one list. */
  #linksFor(count: number): LinkLookup {
    if (count <= FEW_LINKS) return (name) => findLink(this.#socket, name);
    const links = new Map(dumpLinks(this.#socket).map((link) => [link.name, link]));
    return (name) => links.get(name);
  }

  /** Does the same with each address, many in one datagram. */
  #each<A extends AddressPlace>(
    addresses: readonly A[],
    encode: (address: A) => Request,
  ): readonly { readonly address: A; readonly errno: number }[] {
    const errnos = this.#socket.attemptAll(addresses.map(encode));
    return addresses.map((address, i) => ({ address, errno: errnos[i] ?? 0 }));
  }

  /**
   * The first IPv4 address of a subnet is its primary one, and by Linux's default takes the others with it when it goes:
   * a VIP would fall with the host's own address, or worse, the host's own address with the VIP. systemd sets the same.
   */
  #keepSecondaries({ index, promotesSecondaries }: LinkRecord, addresses: readonly VipAddress[]): number {
    if (promotesSecondaries || !addresses.some(({ family, prefix }) => family === 4 && prefix < 32)) return 0;
    return this.#socket.attempt({
      type: RTM_SETLINK,
      flags: 0,
      payload: encodeIpv4Settings(index, { promoteSecondaries: 1 }),
    });
  }
}

/** 0, which is the kernel's default, where it cannot be read. */
function settingOfAll(key: string): number {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv4/conf/all/${key}`, "latin1"));
  } catch {
    return 0;
  }
}

function bindRequest(address: VipAddress, index: number, lifetimeS: number): Request {
  const payload = encodeNewAddress({
    bytes: ipBytes(address.ip),
    prefix: address.prefix,
    index,
    mark: ADDRESS_MARK,
    lifetimeS,
    ...(address.label === undefined ? {} : { label: address.label }),
    ...(address.scope === undefined ? {} : { scope: address.scope }),
    ...(address.noPrefixRoute === undefined ? {} : { noPrefixRoute: address.noPrefixRoute }),
  });
  return { type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_REPLACE, payload };
}

/**
 * Why an address could not be added. An interface refuses IPv6 addresses with the error that elsewhere means a missing
 * capability, and an IPv4 address of another scope than its network has there without a word that names it.
 */
export function whyNotAdded(
  { family, interface: name }: Pick<VipAddress, "family" | "interface">,
  errno: number,
): string {
  if (family === 4 && errno === EINVAL)
    return `${refusal("add address", errno)}: all addresses of a network on ${name} must have one scope; use the one that they have, or a prefix of 32`;
  if (family === 6 && errno === EACCES)
    return `IPv6 is disabled on ${name}: set net.ipv6.conf.${name}.disable_ipv6 to 0, or take the address out`;
  return refusal("add address", errno);
}

function refusal(call: string, errno: number): string {
  return kernelError(`rtnetlink ${call}`, errno).message;
}

/** What the port shows of an address. */
export function toBoundAddress(record: AddressRecord, interfaceName: string): BoundAddress {
  const { family, ip, prefix, mark, validS, secondary } = record;
  const permanent = validS === undefined || validS > LONGEST_OWN_S;
  const [ours, keepalived] = [mark === ADDRESS_MARK, mark === KEEPALIVED_MARK];
  const address = { family, ip, prefix, interface: interfaceName, ours, keepalived, permanent, secondary };
  return mark === SERVED_MARK ? { ...address, served: true } : address;
}
