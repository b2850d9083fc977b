// What changes between two configurations, and whether a running daemon can take it on.

import { redactUrl } from "../base/store-url.ts";
import type { Config, LogLevel, VipConfig } from "./types.ts";

/** The parts of a VIP that can change. */
export type VipField =
  | "addresses"
  | "routing"
  | "priority"
  | "preempt"
  | "preemptDelay"
  | "minHold"
  | "probeInterval"
  | "spread"
  | "announce"
  | "checks"
  | "lastResort"
  | "hooks"
  | "vrrp";

/** A VIP that both configurations have, and what differs. */
export interface VipChange {
  readonly name: string;
  readonly fields: readonly VipField[];
  readonly from: VipConfig;
  readonly to: VipConfig;
}

/** A change that a running daemon does not take on. */
export interface RestartReason {
  /** The key, such as `admin.socket`. */
  readonly path: string;
  /** Both for people, without secrets. */
  readonly from: string;
  readonly to: string;
}

/** The difference of two configurations. */
export interface ConfigDifference {
  /** Applied on reload. */
  readonly vips: {
    readonly added: readonly VipConfig[];
    readonly removed: readonly VipConfig[];
    readonly changed: readonly VipChange[];
  };
  /** Applied on reload; `null`: the same. */
  readonly logLevel: LogLevel | null;
  /** Whether checks themselves, or who is told of transitions besides commands, differ. Applied on reload. */
  readonly checksChanged: boolean;
  readonly receiversChanged: boolean;
  /** Whether the VIPs of which this host is a real server differ. Applied on reload. */
  readonly realServersChanged: boolean;
  /** Not applied until a restart: the daemon keeps the old values of these. */
  readonly needsRestart: readonly RestartReason[];
  /** Whether both are the same in all. */
  readonly none: boolean;
}

/** Compares the running configuration with a new one. */
export function describeDifference(from: Config, to: Config): ConfigDifference {
  const vips = {
    added: absent(to.vips, from.vips),
    removed: absent(from.vips, to.vips),
    changed: changedVips(from, to),
  };
  const logLevel = from.log.level === to.log.level ? null : to.log.level;
  const needsRestart = restartReasons(from, to);
  const checksChanged = JSON.stringify(from.checks) !== JSON.stringify(to.checks);
  const receiversChanged = JSON.stringify([from.webhook, from.mail]) !== JSON.stringify([to.webhook, to.mail]);
  const realServersChanged = JSON.stringify(from.realServers) !== JSON.stringify(to.realServers);
  const same = logLevel === null && !checksChanged && !receiversChanged && !realServersChanged;
  const lists = [vips.added, vips.removed, vips.changed, needsRestart];
  return {
    vips,
    logLevel,
    checksChanged,
    receiversChanged,
    realServersChanged,
    needsRestart,
    none: same && lists.every((list) => list.length === 0),
  };
}

const FIXED: readonly (readonly [path: string, read: (config: Config) => string])[] = [
  ["node", (config) => config.node],
  ["fleet", (config) => config.fleet],
  ["store", (config) => config.store ?? ""],
  ["ttl", (config) => `${config.ttlMs}ms`],
  ["stateDir", (config) => config.stateDir],
  ["admin.socket", (config) => config.admin.socket],
  ["admin.group", (config) => config.admin.group ?? ""],
  ["log.format", (config) => config.log.format],
  ["fence", (config) => config.fence],
  ["startupDelay", (config) => `${config.startupDelayMs}ms`],
];

function restartReasons(from: Config, to: Config): readonly RestartReason[] {
  return FIXED.filter(([, read]) => read(from) !== read(to)).map(([path, read]) => ({
    path,
    from: redactUrl(read(from)),
    to: redactUrl(read(to)),
  }));
}

function absent(list: readonly VipConfig[], other: readonly VipConfig[]): readonly VipConfig[] {
  const names = new Set(other.map((vip) => vip.name));
  return list.filter((vip) => !names.has(vip.name));
}

function changedVips(from: Config, to: Config): readonly VipChange[] {
  const before = new Map(from.vips.map((vip) => [vip.name, vip]));
  return to.vips.flatMap((vip): readonly VipChange[] => {
    const old = before.get(vip.name);
    const fields =
      old === undefined ? [] : VIP_FIELDS.filter(([, read]) => read(old) !== read(vip)).map(([field]) => field);
    return old === undefined || fields.length === 0 ? [] : [{ name: vip.name, fields, from: old, to: vip }];
  });
}

/** Each field as text that is equal exactly when the field is. */
const VIP_FIELDS: readonly (readonly [field: VipField, read: (vip: VipConfig) => string])[] = [
  [
    "addresses",
    (vip) =>
      JSON.stringify(
        vip.addresses.map((a) => [a.ip, a.prefix, a.interface, a.label, a.scope, a.noPrefixRoute, a.virtualMac]),
      ),
  ],
  ["routing", ({ routing = [] }) => JSON.stringify(routing)],
  ["priority", (vip) => String(vip.priority)],
  ["preempt", (vip) => String(vip.preempt)],
  ["preemptDelay", (vip) => String(vip.preemptDelayMs)],
  ["minHold", (vip) => String(vip.minHoldMs)],
  ["spread", (vip) => vip.spread ?? ""],
  ["probeInterval", (vip) => String(vip.probeIntervalMs)],
  ["checks", (vip) => JSON.stringify(vip.checks)],
  ["lastResort", (vip) => vip.lastResort],
  ["hooks", (vip) => JSON.stringify(vip.hooks)],
  ["announce", ({ announce: a }) => JSON.stringify([a.burst, a.repeatAfterMs, a.refreshMs])],
  ["vrrp", ({ vrrp }) => JSON.stringify(vrrp ?? null)],
];
