// What vipctl works with, handed in by bin/vipctl.ts (and by tests).

import type { AdminClient } from "../admin/client.ts";
import type { FleetView, HistoryView } from "../admin/views.ts";
import type { VipAddress } from "../base/vip.ts";
import type { ArpSettings } from "../base/virtual-mac.ts";
import type { VrrpReceived } from "../base/vrrp.ts";
import type { HostLook } from "./check.ts";
import type { KnownStore } from "../config/cross-checks.ts";
import type { CheckPlan } from "../config/check-options.ts";
import type { FenceChoice } from "../config/types.ts";
import type { CheckResult } from "../health/result.ts";
import type { Timers } from "../ports/clock.ts";
import type { RealServers } from "../ports/real-server.ts";
import type { StoreFinding } from "../ports/store.ts";

/** Where text goes. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
}

/**
 * A fleet read straight from its store. Failures are VipdErrors "store-unavailable", "store-corrupt" and "aborted".
 */
export interface FleetReader {
  read(signal: AbortSignal): Promise<FleetView>;
  /** The last ownership changes of an election, newest first. */
  history(election: string, signal: AbortSignal): Promise<readonly HistoryView[]>;
  /** The fleet now and after each change, and at least about once a second, until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<FleetView>;
  close(): Promise<void>;
}

/** A fleet's store, with what can be asked of the store itself. */
export interface StoreReader extends FleetReader {
  /** What the servers behind it say of themselves; empty where there are none. Fails as `read` does. */
  examine(signal: AbortSignal): Promise<readonly StoreFinding[]>;
}

/** What became of a record that cannot be read. */
export interface RepairReport {
  readonly kind: "sound" | "refused" | "broken";
  /** For people. */
  readonly lines: readonly string[];
  /** Whether it was reset. */
  readonly done: boolean;
}

/** A fleet's store that may be written to. */
export interface StoreWriter extends StoreReader {
  /** Looks at an election's record, and resets it when it is broken and `apply` says so. Fails as `read` does. */
  repair(election: string, how: RepairOptions, signal: AbortSignal): Promise<RepairReport>;
  /** Removes what a node left that sends no heartbeat for its whole lease. Fails as `read` does. */
  forget(node: string, signal: AbortSignal): Promise<Forgotten>;
}

/** What became of a node that was to be forgotten; `candidacies`: how many it had. */
export type Forgotten =
  | { readonly kind: "unknown" }
  | { readonly kind: "alive" }
  | { readonly kind: "forgotten"; readonly candidacies: number };

/** `force`: also when nobody can tell who held it last. */
export interface RepairOptions {
  readonly apply: boolean;
  readonly force: boolean;
}

/** A station that answers for an address. */
export interface WireAnswer {
  /** Canonical text. */
  readonly ip: string;
  /** Lower case with colons. */
  readonly mac: string;
}

/** What the wire says of some addresses. */
export interface WireReport {
  /** Answers of other hosts, by ARP or NDP. */
  readonly answers: readonly WireAnswer[];
  /** Those of the addresses that this very host has bound. */
  readonly boundHere: readonly string[];
}

/** What this host is like, for vipctl doctor. */
export interface HostReport {
  /** The fence that its kernel takes; `null`: none. */
  readonly fence: { readonly kind: "netdev" | "inet"; readonly flushProof: boolean } | null;
  /** Why it takes none. */
  readonly trouble: string | null;
  readonly links: readonly { readonly name: string; readonly up: boolean }[];
  readonly addresses: readonly {
    readonly family: 4 | 6;
    readonly ip: string;
    readonly prefix: number;
    readonly interface: string;
  }[];
  readonly arpOfAll: ArpSettings;
}

/** The services of this host, as far as the kernel shows them. */
export interface ServicesReport {
  /** By family: whether a service may listen on an address that is not bound (ip_nonlocal_bind). */
  readonly nonlocalBind: Readonly<Record<4 | 6, boolean>>;
  /** Sockets that wait for others, TCP and UDP; the address in canonical text. */
  readonly listeners: readonly { readonly ip: string; readonly port: number }[];
}

/** Takes a VRRP packet that arrived on an interface. */
export type OnVrrp = (link: string, multicast: boolean, received: VrrpReceived) => void;

/** vipctl's surroundings. */
export interface VipctlDeps {
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  readonly out: Output;
  readonly err: Output;
  readonly timers: Timers;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** The stores of this build. */
  readonly stores: readonly KnownStore[];
  readFile(path: string): Promise<string>;
  readonly look: HostLook;
  /** Loads and makes the client; it connects only when asked. */
  adminClient(socket: string): Promise<AdminClient>;
  /** Opens a store without creating it. Failures are VipdErrors "store-url", "store-unavailable", "store-corrupt". */
  openFleet(url: string, fleet: string): Promise<StoreReader>;
  /** The same, for writing. */
  openFleetToWrite(url: string, fleet: string): Promise<StoreWriter>;
  /** Looks at kernel and network; a fence is put up for a moment, and taken down. Absent where this build cannot. */
  examineHost?(fence: FenceChoice): Promise<HostReport>;
  /** Looks at the services of this host. Absent where this build cannot. */
  readServices?(): Promise<ServicesReport>;
  /**
   * Runs each check once, with its timeout, and no recovery; by name, what came of it. Some may be missing when the signal
   * aborts. Absent where this build cannot.
   */
  runChecks?(checks: readonly CheckPlan[], signal: AbortSignal): Promise<ReadonlyMap<string, CheckResult>>;
  /**
   * Hands in the VRRP packets that arrive on an interface, or on every Ethernet interface that is up; the result ends it.
   * `multicast`: sent to the group, else to an address of this host. Absent where this build cannot. Failures are VipdErrors
   * "privilege", "interface", "kernel".
   */
  listenVrrp?(link: string | undefined, onReceived: OnVrrp): Promise<() => void>;
  /**
   * The real servers of this host, by what is kept in a state directory, for one change. Absent where this build cannot.
   * Failures are VipdErrors "state-dir", "already-running", "privilege", "kernel", "aborted".
   */
  openRealServers?(stateDir: string, signal: AbortSignal): Promise<RealServers>;
  /** Asks the wire; absent where this build cannot. Failures are VipdErrors "privilege", "interface", "kernel". */
  probeWire?(addresses: readonly VipAddress[], signal: AbortSignal): Promise<WireReport>;
}
