// A virtual address and where it lives, as the config says it and the kernel takes it.

/** IPv4 or IPv6. */
export type Family = 4 | 6;

/** Where an address or a route is valid: everywhere, or on a link, or on this host only (rtnetlink's scopes). */
export type Scope = "global" | "site" | "link" | "host";

/** The MAC of a virtual router, and what it is put on. */
export interface VirtualMac {
  /** Lower case with colons. */
  readonly mac: string;
  /** The interface below the macvlan device that has this MAC. */
  readonly parent: string;
}

/** One address of a VIP on one interface. `ip` is in canonical text form (RFC 5952 for IPv6). */
export interface VipAddress {
  readonly family: Family;
  readonly ip: string;
  /** Prefix length in bits. */
  readonly prefix: number;
  /** Name of the interface that carries it; with a virtual MAC that of the macvlan device. */
  readonly interface: string;
  /** IPv4 only: the address label, which must begin with the interface's name (IFA_LABEL, 15 bytes). */
  readonly label?: string;
  /** IPv4 only; absent: global. */
  readonly scope?: Scope;
  /** The kernel makes no route to the address's network (IFA_F_NOPREFIXROUTE). */
  readonly noPrefixRoute?: true;
  /** Absent: neighbours reach it by the MAC of its interface. */
  readonly virtualMac?: VirtualMac;
}

/** A named group of addresses that move together with the election of the same name. */
export interface Vip {
  readonly name: string;
  readonly addresses: readonly VipAddress[];
}

/** How a VIP is announced. */
export interface AnnouncePolicy {
  /** Announcements of a burst. */
  readonly burst: number;
  /** The burst comes again after this long; 0: not again. In milliseconds. */
  readonly repeatAfterMs: number;
  /** One announcement this often for as long as it is held; 0: never. In milliseconds. */
  readonly refreshMs: number;
}
