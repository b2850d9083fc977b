// What a real server of a VIP (LVS, direct routing) needs from the host's kernel. It takes packets for the VIP that a
// director has sent to its hardware address, so the VIP is an address of lo; and it must never tell anybody that it has it.
// All calls are synchronous. Failures are VipdErrors "kernel", "privilege", "interface".

import type { Family } from "../base/vip.ts";

/** An address without a network, in canonical text. */
export interface HostAddress {
  readonly family: Family;
  readonly ip: string;
}

/** A VIP of which this host is a real server. */
export interface RealServer {
  /** Its name in the configuration, or the address that was given by hand. */
  readonly name: string;
  readonly addresses: readonly HostAddress[];
  /** Where the director's packets arrive. */
  readonly interfaces: readonly string[];
}

/** One of them as it stands. */
export interface RealServerState extends RealServer {
  /** Who asked for it: the configuration, or vipctl. */
  readonly by: "file" | "hand";
  /** `down`: taken down by hand, until it is brought up again. */
  readonly state: "up" | "down";
  /** What keeps it from its work, or from being silent; `null`: nothing. */
  readonly trouble: string | null;
}

/** What came of a change; `remarks` are for people. */
export type RealServerOutcome =
  | { readonly kind: "changed" | "unchanged"; readonly remarks: readonly string[] }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * The real servers of this host while nobody else changes them. Failures are VipdErrors "kernel", "privilege",
 * "interface", "state-dir".
 */
export interface RealServers {
  up(server: RealServer, by: RealServerState["by"]): RealServerOutcome;
  /**
   * By name; one of the configuration (`file`) stays down until it is brought up again. Refused when one of its addresses
   * stays on lo: `addresses` are those that it has in the configuration, where it may be down already.
   */
  down(server: Pick<RealServer, "name" | "addresses">, by: RealServerState["by"]): RealServerOutcome;
  /** Makes those of the configuration exactly these, but for those that are down by hand; those of vipctl stay. */
  follow(servers: readonly RealServer[]): readonly string[];
  /** How they stand; `servers`: those of the configuration. */
  look(servers: readonly RealServer[]): readonly RealServerState[];
  close(): void;
}

/** The settings of an interface that keep a real server's VIP out of ARP. */
export type ArpSetting = "arpIgnore" | "arpAnnounce";

/** What an interface has as its ARP settings. */
export interface ArpSettingsOfLink {
  readonly index: number;
  /** As it is called now: a name may pass to another interface, an index never does. */
  readonly name: string;
  readonly values: Readonly<Record<ArpSetting, number>>;
}

/** An address of this host, and where it is. */
export interface PlacedAddress extends HostAddress {
  readonly interface: string;
  /** Whether it was put there for a real server, by its IFA_PROTO mark. */
  readonly served: boolean;
}

/** An address that lo refuses, and why. */
export interface ServeFailure {
  readonly ip: string;
  readonly message: string;
}

/** The kernel as a real server uses it, in the network namespace in which it was opened. */
export interface RealServerKernel {
  /**
   * Has the kernel say nothing of exactly these addresses by ARP or neighbour discovery, on any interface, in one
   * transaction; without any, no rule is left. This is what keeps a real server silent: the settings of an interface
   * may be changed by others, and IPv6 has none.
   */
  silence(addresses: readonly HostAddress[]): void;
  /** The addresses of which it says nothing, in canonical text; empty when a rule of them is missing. */
  silenced(): readonly string[];
  /** By name or by index. `undefined`: there is no such interface, or it has no IPv4. */
  arpSettings(link: string | number): ArpSettingsOfLink | undefined;
  /** Sets one, for the interface of this index. */
  setArp(index: number, setting: ArpSetting, value: number): void;
  /** All addresses of the host. */
  addresses(): readonly PlacedAddress[];
  /** Puts the addresses on lo, each alone in its network; what is there is left as it is. Tells those that lo refuses. */
  serve(addresses: readonly HostAddress[]): readonly ServeFailure[];
  /** Takes those addresses off lo that were put there by `serve`. */
  withdraw(addresses: readonly HostAddress[]): void;
  /** The addresses (canonical text) that a vipd guards, because its node is a candidate for them. */
  guarded(): readonly string[];
  close(): void;
}
