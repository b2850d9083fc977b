// Configurations for tests of the daemon.

import type { VipAddress } from "../../../src/base/vip.ts";
import type { Config, VipConfig } from "../../../src/config/types.ts";

export const TTL_MS = 3_000;

export function vipConfig(name: string, addresses: readonly VipAddress[], change: Partial<VipConfig> = {}): VipConfig {
  const announce = { burst: 1, repeatAfterMs: 0, refreshMs: 0 };
  return {
    name,
    addresses,
    priority: 100,
    preempt: true,
    preemptDelayMs: 0,
    minHoldMs: 0,
    probeIntervalMs: 0,
    spread: null,
    announce,
    checks: [],
    lastResort: "keep",
    hooks: [],
    ...change,
  };
}

export function config(vips: readonly VipConfig[], node = "n1"): Config {
  return {
    node,
    fleet: "f",
    store: "memory:",
    ttlMs: TTL_MS,
    stateDir: "/nowhere",
    admin: { socket: "/nowhere/vipd.sock", group: null },
    log: { level: "info", format: "json" },
    fence: "auto",
    startupDelayMs: 0,
    checks: [],
    webhook: null,
    mail: null,
    realServers: [],
    vips,
  };
}
