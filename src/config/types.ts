// The configuration after reading: every default filled in, every unit in a name, nothing left to check.

import type { RoutingEntry } from "../base/routing.ts";
import type { AnnouncePolicy, Vip } from "../base/vip.ts";
import type { VrrpAuthentication, VrrpVersion } from "../base/vrrp.ts";
import type { CheckPlan } from "./check-options.ts";
import type { RealServer } from "../ports/real-server.ts";
import type { HookOptions, MailOptions, WebhookOptions } from "./hook-options.ts";

/** How much the daemon logs. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** How log lines look; `auto` is pretty on a terminal and JSON elsewhere. */
export type LogFormat = "auto" | "json" | "pretty";

/** Which fence to build; `auto` takes the best that the kernel has. */
export type FenceChoice = "auto" | "netdev" | "inet";

/** One VIP and how this node competes for it. */
export interface VipConfig extends Vip {
  /** 1 to 254; the greatest acquires first. */
  readonly priority: number;
  /** Whether a holder of lower priority shall hand over to this node. */
  readonly preempt: boolean;
  /** How long this node must have been the better one before that. */
  readonly preemptDelayMs: number;
  /** How long this node, once it holds, does not hand over to a better one; in milliseconds. */
  readonly minHoldMs: number;
  /** The group whose VIPs are shared out over the healthy nodes; `null`: none. */
  readonly spread: string | null;
  readonly announce: AnnouncePolicy;
  /** Routes and rules that come and go with it; absent: none. */
  readonly routing?: readonly RoutingEntry[];
  /** How often the wire is asked who else answers, beside the question at each refresh; 0: never. In milliseconds. */
  readonly probeIntervalMs: number;
  /** The checks that bear on it. */
  readonly checks: readonly VipCheck[];
  /** What a node does whose checks fail while no other candidate is healthy. */
  readonly lastResort: "keep" | "drop";
  /** Commands that are told of its transitions, the node's own first. */
  readonly hooks: readonly HookOptions[];
  /** Its virtual router, where VRRP decides who holds it. */
  readonly vrrp?: VrrpConfig;
}

/** The virtual router of a VIP. */
export interface VrrpConfig {
  /** Who decides: VRRP alone, or the lease and VRRP together, in a fleet that keepalived is part of. */
  readonly kind: "vrrp" | "lease+vrrp";
  /** Where adverts leave and arrive. */
  readonly interface: string;
  /** 1 to 255. */
  readonly vrid: number;
  readonly version: VrrpVersion;
  readonly intervalMs: number;
  /** 1 to 254; `null`: the VIP's. */
  readonly priority: number | null;
  readonly authentication: VrrpAuthentication;
  /** Keys of "hmac" that stand in files of their own and are still to be read. */
  readonly keyFiles: readonly VrrpKeyFile[];
  /** Canonical text; empty: adverts go to the multicast group. */
  readonly unicastPeers: readonly string[];
  /** Canonical text; `null`: the first address of the interface. */
  readonly source: string | null;
  /** The wait of a backup of priority 0 behind a master's farewell; `null`: the skew. */
  readonly farewellWaitMs: number | null;
}

/** A file that holds a key. */
export interface VrrpKeyFile {
  /** The key's number. */
  readonly id: number;
  readonly path: string;
  /** Its place in the list of keys. */
  readonly index: number;
}

/** What a VIP makes of a check. */
export interface VipCheck {
  readonly check: string;
  /** -253 to 253; `null` or 0: a failure makes the node ineligible. */
  readonly weight: number | null;
  readonly reverse: boolean;
  /** Whether the check's number counts, and not only whether it is ok. */
  readonly numeric: boolean;
}

/** A webhook whose secrets stand in files. */
export interface WebhookConfig extends Omit<WebhookOptions, "secret" | "ca"> {
  readonly secretFile: string | null;
  readonly caFile: string | null;
}

/** A mail server whose secrets stand in files. */
export interface MailConfig extends Omit<MailOptions, "credentials" | "ca"> {
  readonly user: string | null;
  readonly passwordFile: string | null;
  readonly caFile: string | null;
}

/** The admin socket. */
export interface AdminConfig {
  /** Absolute path. */
  readonly socket: string;
  /** Group that may use it, by name or number; `null`: the daemon's own. */
  readonly group: string | null;
}

/** What the daemon logs, and how. */
export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** The configuration of one daemon. */
export interface Config {
  readonly node: string;
  readonly fleet: string;
  /** Store URL. May hold a password: show it only through `redactUrl`. `null`: no VIP needs a store. */
  readonly store: string | null;
  readonly ttlMs: number;
  /** Absolute path. */
  readonly stateDir: string;
  readonly admin: AdminConfig;
  readonly log: LogConfig;
  readonly fence: FenceChoice;
  /** For so long after its start this node takes nothing, unless it takes up its own lease again; in milliseconds. */
  readonly startupDelayMs: number;
  readonly checks: readonly CheckPlan[];
  readonly webhook: WebhookConfig | null;
  readonly mail: MailConfig | null;
  /** The VIPs of which this host is a real server. In the order of the file. */
  readonly realServers: readonly RealServer[];
  /** In the order of the file. */
  readonly vips: readonly VipConfig[];
}
