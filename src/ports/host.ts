// What VIP holding needs from the host's kernel: addresses, the fence, the wire, and news of changes.
// All calls are synchronous (netlink answers before sendto returns) unless they wait for a packet.
// Failures are VipdErrors: "kernel" (with `call` and `errno`), "privilege", "interface", "fence".

import type { Family, VipAddress, VirtualMac } from "../base/vip.ts";
import type { Instant } from "../base/time.ts";
import type { ArpSettings } from "../base/virtual-mac.ts";

/** A network interface as rtnetlink shows it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Administratively up, with carrier, and operational: IFF_UP, IFF_LOWER_UP and IFF_RUNNING. What is sent earlier is lost. */
  readonly up: boolean;
  /** ARPHRD_ETHER: has ARP / NDP to answer. */
  readonly ethernet: boolean;
  readonly loopback: boolean;
  /** Hardware address, lower case with colons; empty when there is none. */
  readonly mac: string;
  /** What kind of port it is (`bridge`, `bond`, `team`, `vrf`); empty when it is none: a port is fenced with its master. */
  readonly port: string;
}

/** An address in the kernel. */
export interface BoundAddress {
  readonly family: Family;
  readonly ip: string;
  readonly prefix: number;
  readonly interface: string;
  /** Whether it carries vipd's IFA_PROTO mark. */
  readonly ours: boolean;
  /** Whether it carries keepalived's IFA_PROTO mark, as newer versions of it set. */
  readonly keepalived: boolean;
  /** Present where this host is a real server under the address: it is on lo, with the mark of `vipctl realserver`. */
  readonly served?: true;
  /** Whether it has no lifetime, or one that is longer than vipd's own addresses ever have (DHCP). */
  readonly permanent: boolean;
  /** Whether another address of the same subnet on the interface is the primary one (IPv4). */
  readonly secondary: boolean;
  /** On one of vipd's devices with a virtual MAC. */
  readonly virtualMac?: VirtualMac;
}

/** An address that could not be bound or removed, and why. */
export interface AddressFailure {
  readonly address: AddressPlace;
  readonly message: string;
}

/** Where an address is bound. */
export type AddressPlace = Pick<VipAddress, "family" | "ip" | "prefix" | "interface" | "virtualMac">;

/** A device with a virtual MAC: a macvlan on the parent interface. */
export interface VirtualDevice {
  readonly name: string;
  readonly virtualMac: VirtualMac;
}

/** Addresses and links of this host (rtnetlink). */
export interface AddressTable {
  /**
   * Adds the addresses with vipd's mark, or refreshes their lifetime (whole seconds, rounded up; at least 1). IPv6
   * without DAD. Each for itself: the result has those that the kernel refused. The device of a virtual MAC is made where
   * it is missing, and brought up.
   */
  bind(addresses: readonly VipAddress[], lifetimeMs: number): readonly AddressFailure[];
  /** Removes the addresses; what was not there is no failure. `removed` has those that were. */
  unbind(addresses: readonly AddressPlace[]): {
    readonly removed: readonly AddressPlace[];
    readonly failures: readonly AddressFailure[];
  };
  /**
   * Makes vipd's devices with virtual MACs these: makes those that are missing and whose parents are there, removes others,
   * and takes down each that has no address: nothing is sent from it, and nothing is taken in for it. One of these that
   * has an address stays as it is; another one that has an address, whoever put it there, is taken down, and stays. Of
   * what is wanted a call does a portion, of some tens of milliseconds. The result: what the kernel refused, whether there are others still, and
   * whether there is more to do. Absent where there are no such devices.
   */
  keepDevices?(devices: readonly VirtualDevice[]): {
    readonly troubles: readonly string[];
    readonly others: boolean;
    readonly more: boolean;
  };
  /** What bears on whether virtual MACs are answered with. Absent where there are no such settings. */
  arpOfAll?(): ArpSettings;
  /** All addresses of the host. */
  addresses(): readonly BoundAddress[];
  links(): readonly Link[];
}

/** News from the kernel. */
export type HostEvent =
  | { readonly kind: "address-added"; readonly address: BoundAddress }
  | { readonly kind: "address-removed"; readonly address: BoundAddress }
  | { readonly kind: "link-changed"; readonly link: Link }
  | { readonly kind: "link-removed"; readonly name: string }
  /** The kernel dropped news (ENOBUFS): dump and compare. */
  | { readonly kind: "overrun" };

/** Follows the kernel's news until closed. */
export interface HostMonitor {
  close(): void;
}

/** How a fence is built on this kernel, for `vipctl status` and the docs. */
export interface FenceInfo {
  /** `inet`: inet + arp hooks, of all interfaces; `netdev`: these, and ingress + egress hooks of each interface. */
  readonly kind: "netdev" | "inet";
  /** Whether a flush of the whole ruleset leaves it standing (an owned, persistent table). */
  readonly flushProof: boolean;
  /** Sentences for people: what this fence does not cover. */
  readonly caveats: readonly string[];
}

/** Whether what was open is open still; "closed": some of it is not, and has to be opened again. */
export type ProtectResult = "kept" | "closed";

/** Until when the kernel shall keep what is open under a deadline. */
export interface FenceDeadline {
  readonly deadline: number;
  readonly until: Instant;
}

/** The result of opening or extending a fence. */
export type OpenResult =
  /** Open; the kernel closes it by itself at `until` or up to `armMs` before it. */
  | { readonly kind: "open" }
  /** Too little of the lease is left, or the process was frozen between the check and the write: unchanged. */
  | { readonly kind: "too-late" };

/**
 * The kernel rule that keeps this host from answering for addresses it does not hold now. It outlives the process:
 * without an extension it is closed, whoever is frozen or dead.
 *
 * A guarded address answers while it is open under a deadline, and that deadline has not passed. Its virtual MAC is guarded,
 * opened and closed with it: nothing is sent from a closed one, and nothing is taken in for it. All addresses of one
 * lease share a deadline: extending it costs the same for one address and for thousands. Deadlines are numbered by
 * the process, which begins with a number that no former process had; what a former process left open ends by the
 * deadline of that process.
 */
export interface Fence {
  readonly info: FenceInfo;
  /**
   * Makes the guarded addresses exactly these on every interface of the host (idempotent, also after interfaces came
   * and went). Newly guarded addresses start closed; open ones stay open, unless the kernel did not have
   * them any more.
   */
  protect(addresses: readonly AddressPlace[]): ProtectResult;
  /**
   * Opens these addresses under deadline number `deadline`, and sets that deadline to `until` for all that is open
   * under it, in one kernel transaction, so that the kernel closes them at `until` at the latest whatever happens to
   * this process at whatever instruction. First arms: an element with a timeout of armMs; then reads the clock; then
   * one transaction deletes the armed element (failing as a whole when it has expired) and sets the rest with a
   * timeout of `until - now - armMs`. Without addresses it only extends.
   */
  open(addresses: readonly AddressPlace[], deadline: number, until: Instant): OpenResult;
  /** Extends these deadlines, all of them or none, in the way and at the price of one open(). */
  extend(deadlines: readonly FenceDeadline[]): OpenResult;
  /** Closes these addresses now; closing what is closed is no error. */
  close(addresses: readonly AddressPlace[]): void;
  /** The addresses (canonical text) open at this moment. */
  openAddresses(): readonly string[];
  /** The addresses (canonical text) that the kernel guards at this moment, also for a former process. */
  guardedAddresses(): readonly string[];
  /** Whether the kernel still has the fence as protect() left it; false means: protect again. Cheap while nobody has changed any rule. */
  intact(): boolean;
  /**
   * An interface has gone, or may have: one of its name and number may be another by now, on which nothing stands. The next
   * protect() takes nothing for granted.
   */
  doubt(): void;
  /** Takes the whole fence down: only when no VIP of this host is configured any more. */
  remove(): void;
  /** Gives up the socket that owns the fence; a persistent fence stays in force, closed when its deadlines have passed. */
  release(): void;
}

/** A foreign station that answers for an address. */
export interface Answer {
  /** Hardware address, lower case with colons. */
  readonly mac: string;
  readonly at: Instant;
}

/** ARP and NDP on the wire (AF_PACKET). */
export interface PacketLink {
  /** One gratuitous announcement: ARP request and reply form, or an unsolicited NA with Override. False when the fence or a link that is down kept it in. */
  announce(address: VipAddress): boolean;
  /** Asks the wire who has the address (RFC 5227 probe, or a DAD-style NS), for `waitMs`; own answers are not counted. */
  probe(address: VipAddress, waitMs: number, signal: AbortSignal): Promise<readonly Answer[]>;
  /**
   * From now on tells of other stations that claim one of these addresses (ARP of any kind, neighbour advertisements),
   * without asking; replaces the addresses of the call before. Interfaces that are missing are left out. Absent where
   * nobody can listen.
   */
  hear?(addresses: readonly VipAddress[], onClaim: (address: VipAddress, mac: string) => void): void;
  close(): void;
}
