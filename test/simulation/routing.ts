// The routes and rules of a simulated host: what its kernel has of vipd's, and the kernel as one process sees it.

import { type RoutingEntry, routingKey, routingText, TABLES } from "../../src/base/routing.ts";
import type { Random } from "../../src/base/random.ts";
import type { VipConfig } from "../../src/config/types.ts";
import type { AddedEntry, RoutingFailure, RoutingRemoved, RoutingTable } from "../../src/ports/routing.ts";
import { INTERFACES, type Kernel } from "./kernel.ts";
import type { Process } from "./world.ts";

/** How a canary treats them wrongly: nothing that is there ever goes, or nobody hears what somebody else removes. */
export type RoutingFlaw = "keeps" | "deaf";

/** What a kernel has of vipd's routes and rules, in one boot. */
export class SimRouting {
  private readonly entries = new Map<string, RoutingEntry>();
  private readonly tell: (news: RoutingRemoved) => void;

  /** `tell`: hears what goes, except where the kernel itself says nothing. */
  constructor(tell: (news: RoutingRemoved) => void) {
    this.tell = tell;
  }

  all(): readonly RoutingEntry[] {
    return [...this.entries.values()];
  }

  /** Whether exactly this one is there. */
  has(entry: RoutingEntry): boolean {
    const found = this.entries.get(routingKey(entry));
    return found !== undefined && routingText(found) === routingText(entry);
  }

  add(entry: RoutingEntry): AddedEntry["kind"] {
    const key = routingKey(entry);
    if (this.entries.has(key)) return "exists";
    this.entries.set(key, entry);
    return "added";
  }

  remove(entry: RoutingEntry): void {
    const key = routingKey(entry);
    if (this.entries.delete(key)) this.tell({ kind: "routing-removed", key });
  }

  /** An address is gone, and with it the routes of the table main that have it as their source: nobody is told. */
  addressGone(ip: string): void {
    for (const [key, entry] of this.entries)
      if (entry.kind === "route" && entry.source === ip && entry.table === TABLES.main) this.entries.delete(key);
  }

  /** Somebody with an `ip` command. */
  removeByHand(vip: string): void {
    for (const entry of this.all()) if (vipOf(entry) === vip) this.remove(entry);
  }
}

/** Routes and rules as one process sees them; every call may be its last. */
export class RoutingPort implements RoutingTable {
  private readonly kernel: Kernel;
  private readonly process: Process;
  private readonly flaw: RoutingFlaw | null;

  constructor(kernel: Kernel, process: Process, flaw: RoutingFlaw | null) {
    this.kernel = kernel;
    this.process = process;
    this.flaw = flaw;
  }

  add(entries: readonly RoutingEntry[]): readonly AddedEntry[] {
    const { kernel, process } = this;
    return entries.map((entry): AddedEntry => {
      process.point();
      const source = entry.kind === "route" ? entry.source : undefined;
      if (source !== undefined && !kernel.hasAddress(source))
        return { kind: "refused", message: `${source} is no address of this host` };
      const kind = kernel.routing.add(entry);
      return kind === "refused" ? { kind, message: "" } : { kind };
    });
  }

  remove(entries: readonly RoutingEntry[]): readonly RoutingFailure[] {
    for (const entry of entries) {
      this.process.point();
      if (this.flaw !== "keeps") this.kernel.routing.remove(entry);
    }
    return [];
  }

  ours(): readonly RoutingEntry[] {
    this.process.point();
    return this.kernel.routing.all();
  }
}

/** Draws what comes and goes with the VIPs of a configuration; each entry tells its VIP. */
export function drawRouting(
  random: Random,
  vips: readonly string[],
  config: readonly VipConfig[],
): readonly VipConfig[] {
  return config.map((vip) => {
    if (!random.chance(0.4)) return vip;
    const number = vips.indexOf(vip.name);
    const source = random.pick(vip.addresses).ip;
    const route: RoutingEntry = {
      kind: "route",
      family: 4,
      ip: `10.9.${number}.0`,
      prefix: 24,
      type: "unicast",
      interface: INTERFACES[0] ?? "",
      table: random.chance(0.5) ? TABLES.main : 100,
      metric: 0,
      scope: "link",
      ...(random.chance(0.5) ? { source } : {}),
      ...(random.chance(0.3) ? { mtu: 1_400 } : {}),
    };
    const rule: RoutingEntry = { kind: "rule", family: 4, priority: number, table: 100, from: `${source}/32` };
    return { ...vip, routing: random.chance(0.5) ? [route, rule] : [route] };
  });
}

/** The VIP that an entry was drawn for. */
export function vipOf(entry: RoutingEntry): string {
  const number = entry.kind === "rule" ? entry.priority : Number(entry.ip.split(".")[2]);
  return `vip-${number + 1}`;
}
