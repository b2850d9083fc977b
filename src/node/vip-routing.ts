// The routes and rules of the VIPs that this host holds: set when their addresses are bound, removed before these go. What
// a former process has left is known by vipd's protocol number: kept when it is what a held VIP wants, and else removed.

import { messageOf } from "../base/errors.ts";
import { type RoutingEntry, routingKey, routingText } from "../base/routing.ts";
import type { Logger } from "../ports/logger.ts";
import type { AddedEntry, RoutingTable } from "../ports/routing.ts";
import type { VipDrop } from "../vip/state.ts";

/** What setting routes works with. */
export interface VipRoutingDeps {
  /** Absent where this host's routes cannot be set: then a VIP that has some is not held. */
  readonly table: RoutingTable | undefined;
  readonly log: Logger;
}

/** A VIP and what it wants now. */
export interface WantedRouting {
  readonly vip: string;
  readonly entries: readonly RoutingEntry[];
}

/** An entry of a VIP, on its way into the kernel. */
interface Pending {
  readonly vip: string;
  readonly entry: RoutingEntry;
  readonly key: string;
}

/** Knows what is set for which VIP. */
export class VipRouting {
  private readonly deps: VipRoutingDeps;
  /** By VIP, then by key: what is set. */
  private readonly known = new Map<string, Map<string, RoutingEntry>>();
  private readonly owners = new Map<string, string>();
  /** Keys of what is set no more, although it should be: the kernel has told so. */
  private readonly missing = new Set<string>();
  /** VIPs whose entries the kernel may have changed: with an address go its uses as a source. */
  private readonly doubted = new Set<string>();

  constructor(deps: VipRoutingDeps) {
    this.deps = deps;
  }

  /** Makes the entries of these VIPs what they want. The result: by VIP, what the kernel refused. */
  apply(wanted: readonly WantedRouting[]): ReadonlyMap<string, string> {
    const { table } = this.deps;
    const concerned = wanted.filter(({ vip, entries }) => entries.length > 0 || this.known.has(vip));
    if (concerned.length === 0) return new Map();
    if (table === undefined) return new Map(concerned.map(({ vip }) => [vip, "this host's routes cannot be set"]));
    const gone = concerned.flatMap(({ vip, entries }) => {
      const texts = new Set(entries.map(routingText));
      return this.forget(vip, (entry) => !texts.has(routingText(entry)));
    });
    // An entry may move from one VIP to another: so everything goes before anything comes.
    this.remove(gone);
    const pending = concerned.flatMap(({ vip, entries }) =>
      entries.map((entry): Pending => ({ vip, entry, key: routingKey(entry) })),
    );
    return this.add(pending, table);
  }

  /** Removes what is set for these VIPs, and what a former process may have set for them. */
  withdraw(wanted: readonly WantedRouting[]): void {
    const gone = new Map<string, RoutingEntry>();
    for (const { vip } of wanted) {
      for (const entry of this.forget(vip, () => true)) gone.set(routingText(entry), entry);
      this.known.delete(vip);
      this.doubted.delete(vip);
    }
    for (const { entries } of wanted)
      for (const entry of entries) if (!this.owners.has(routingKey(entry))) gone.set(routingText(entry), entry);
    this.remove([...gone.values()]);
  }

  /** Removes what has one of these addresses of its VIP as its source: they are about to go. */
  withdrawSources(drops: readonly VipDrop[]): void {
    const uses = drops.flatMap(({ vip, addresses }) => {
      const ips = new Set(addresses.map(({ ip }) => ip));
      return this.forget(vip, (entry) => entry.kind === "route" && ips.has(entry.source ?? ""));
    });
    this.remove(uses);
  }

  /** Removes what vipd has set and no VIP holds, unless it is to stay. */
  sweep(stays: (text: string) => boolean): void {
    const { table, log } = this.deps;
    if (table === undefined) return;
    try {
      const strays = table.ours().filter((entry) => !this.owners.has(routingKey(entry)) && !stays(routingText(entry)));
      for (const entry of strays) log.warn({}, `${routingText(entry)} was set here although no VIP needs it: removed`);
      this.remove(strays);
    } catch (error) {
      log.warn({}, `routes that a former vipd may have left cannot be listed: ${messageOf(error)}`);
    }
  }

  /** The kernel tells that an entry is gone; the result: the VIP that needs it. */
  gone(key: string): string | undefined {
    const vip = this.owners.get(key);
    if (vip !== undefined) this.missing.add(key);
    return vip;
  }

  /** Whether an entry of a VIP is set, as far as the kernel has told. */
  isInPlace(vip: string, entry: RoutingEntry): boolean {
    const key = routingKey(entry);
    const known = this.known.get(vip)?.get(key);
    return known !== undefined && !this.missing.has(key) && routingText(known) === routingText(entry);
  }

  /** The VIP for which an entry is set. */
  ownerOf(key: string): string | undefined {
    return this.owners.get(key);
  }

  /** What is set for a VIP is compared with the kernel at the next `apply`. */
  doubt(vip: string): void {
    if (this.known.has(vip)) this.doubted.add(vip);
  }

  private add(pending: readonly Pending[], table: RoutingTable): ReadonlyMap<string, string> {
    const failures = new Map<string, string>();
    const fail = ({ vip, entry }: Pending, why: string): void => {
      if (!failures.has(vip)) failures.set(vip, `${routingText(entry)}: ${why}`);
    };
    try {
      const answers = table.add(pending.map(({ entry }) => entry));
      const inTheWay: Pending[] = [];
      for (const [i, each] of pending.entries()) {
        const answer = answers[i];
        if (answer?.kind === "refused") fail(each, answer.message);
        else if (answer?.kind === "added") this.added(each);
        else if (this.isSet(each)) this.missing.delete(each.key);
        else inTheWay.push(each);
      }
      this.takeOver(inTheWay, table, fail);
    } catch (error) {
      for (const each of pending) fail(each, messageOf(error));
    }
    for (const { vip } of pending) this.doubted.delete(vip);
    return failures;
  }

  /** What is there already is a former process's, or the kernel has changed it, or it is another program's. */
  private takeOver(
    inTheWay: readonly Pending[],
    table: RoutingTable,
    fail: (each: Pending, why: string) => void,
  ): void {
    if (inTheWay.length === 0) return;
    const found = new Map(table.ours().map((entry) => [routingKey(entry), entry]));
    const others: Pending[] = [];
    for (const each of inTheWay) {
      const there = found.get(each.key);
      if (there === undefined) fail(each, "another one is there that vipd did not set: remove it, or change this one");
      else if (routingText(there) === routingText(each.entry)) this.note(each);
      else others.push(each);
    }
    this.remove(others.flatMap(({ key }) => found.get(key) ?? []));
    const answers = others.length === 0 ? [] : table.add(others.map(({ entry }) => entry));
    for (const [i, each] of others.entries()) {
      const answer: AddedEntry | undefined = answers[i];
      if (answer?.kind === "added") this.note(each);
      else fail(each, answer?.kind === "refused" ? answer.message : "another one is in its place");
    }
  }

  private added(each: Pending): void {
    if (this.known.get(each.vip)?.has(each.key) === true)
      this.deps.log.warn({ vip: each.vip }, `${routingText(each.entry)} was gone: put back`);
    this.note(each);
  }

  private note({ vip, entry, key }: Pending): void {
    const entries = this.known.get(vip) ?? new Map<string, RoutingEntry>();
    this.known.set(vip, entries.set(key, entry));
    this.owners.set(key, vip);
    this.missing.delete(key);
  }

  private isSet({ vip, key }: Pending): boolean {
    return !this.doubted.has(vip) && this.owners.get(key) === vip;
  }

  /** What is set for a VIP no more, and has to be removed. */
  private forget(vip: string, goes: (entry: RoutingEntry) => boolean): readonly RoutingEntry[] {
    const entries = this.known.get(vip);
    const gone = [...(entries ?? [])].filter(([, entry]) => goes(entry));
    for (const [key] of gone) entries?.delete(key);
    // By a new configuration another VIP may have it already.
    const mine = gone.filter(([key]) => this.owners.get(key) === vip);
    for (const [key] of mine) {
      this.owners.delete(key);
      this.missing.delete(key);
    }
    return mine.map(([, entry]) => entry);
  }

  /** What stays after all answers for nothing: it is only told. */
  private remove(entries: readonly RoutingEntry[]): void {
    const { table, log } = this.deps;
    if (table === undefined || entries.length === 0) return;
    try {
      for (const { entry, message } of table.remove(entries))
        log.warn({ error: message }, `${routingText(entry)} cannot be removed: ${message}`);
    } catch (error) {
      log.warn({ error: messageOf(error) }, `routes cannot be removed: ${messageOf(error)}`);
    }
  }
}
