// Routes and rules in memory, for tests: what vipd has set, what others have, and what is refused.

import { type RoutingEntry, routingKey, routingText, type VipRoute } from "../../../src/base/routing.ts";
import type { AddedEntry, RoutingFailure, RoutingTable } from "../../../src/ports/routing.ts";

/** A route of a VIP. */
export const ROUTE: VipRoute = {
  kind: "route",
  family: 4,
  ip: "10.9.0.0",
  prefix: 16,
  type: "unicast",
  via: "10.0.0.9",
  interface: "eth0",
  table: 254,
  metric: 0,
  scope: "global",
};

/** The routes and rules of a host. */
export class FakeRouting implements RoutingTable {
  /** What it was told, such as `add route ...`. */
  readonly calls: string[];
  /** By text: why it is refused. */
  readonly refused = new Map<string, string>();
  /** Keys that others have set. */
  readonly foreign = new Set<string>();
  /** Texts of what it will not remove. */
  readonly stuck = new Set<string>();
  /** How often all was listed. */
  lists = 0;
  private readonly entries = new Map<string, RoutingEntry>();

  /** `calls`: where the host that it belongs to notes what it is told. */
  constructor(calls: string[] = []) {
    this.calls = calls;
  }

  add(entries: readonly RoutingEntry[]): readonly AddedEntry[] {
    return entries.map((entry): AddedEntry => {
      const [key, text] = [routingKey(entry), routingText(entry)];
      this.calls.push(`add ${text}`);
      const why = this.refused.get(text);
      if (why !== undefined) return { kind: "refused", message: why };
      if (this.entries.has(key) || this.foreign.has(key)) return { kind: "exists" };
      this.entries.set(key, entry);
      return { kind: "added" };
    });
  }

  remove(entries: readonly RoutingEntry[]): readonly RoutingFailure[] {
    return entries.flatMap((entry) => {
      const text = routingText(entry);
      this.calls.push(`remove ${text}`);
      if (this.stuck.has(text)) return [{ entry, message: "the host refuses" }];
      this.entries.delete(routingKey(entry));
      return [];
    });
  }

  ours(): readonly RoutingEntry[] {
    this.lists += 1;
    return [...this.entries.values()];
  }

  /** Somebody, or a former process, sets or takes away one of vipd's. */
  put(entry: RoutingEntry): void {
    this.entries.set(routingKey(entry), entry);
  }

  take(entry: RoutingEntry): void {
    this.entries.delete(routingKey(entry));
  }

  /** What vipd has set, by text. */
  get texts(): readonly string[] {
    return [...this.entries.values()].map(routingText).toSorted();
  }

  /** The calls since the last time, which are forgotten. */
  news(): readonly string[] {
    return this.calls.splice(0);
  }
}
