// Removes the addresses of VIPs from this host, on whatever interface they are by then: one that is renamed keeps its
// addresses, and answers for them under its new name.

import { type Instant, later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { AddressFailure, AddressPlace, AddressTable, BoundAddress } from "../ports/host.ts";

/** News of what this process did to the kernel come within this time, in milliseconds, or were dropped. */
const OWN_NEWS_MS = 2_000;

/** What removing works with. */
export interface AddressRemovalDeps {
  readonly timers: Timers;
  readonly addresses: AddressTable;
  /** What is answered for, and stays, whatever else goes. */
  readonly held: () => Iterable<AddressPlace>;
}

/** Removes, and knows of which news this process itself is the cause. */
export class AddressRemoval {
  private readonly deps: AddressRemovalDeps;
  /** Addresses that this process has removed, and until when the kernel's news of it are waited for. */
  private readonly takenOff = new Map<string, Instant>();

  constructor(deps: AddressRemovalDeps) {
    this.deps = deps;
  }

  /**
   * Removes addresses, and what vipd has bound of the same ones on other interfaces. A look at the kernel follows: what
   * it still shows is among the failures.
   */
  removeEverywhere(addresses: readonly AddressPlace[]): ReturnType<AddressTable["unbind"]> {
    const first = this.remove(addresses);
    const elsewhere = this.stillBound(addresses, first.failures);
    if (elsewhere.length === 0) return first;
    const second = this.remove(elsewhere);
    const failures = [...first.failures, ...second.failures];
    const left = this.stillBound(addresses, failures).map((address) => ({
      address,
      message: `${address.ip} is still bound, on ${address.interface}`,
    }));
    return { removed: [...first.removed, ...second.removed], failures: [...failures, ...left] };
  }

  /** Removes exactly these. The kernel tells of each address that goes: it is noted before, so that nobody else is blamed. */
  remove(addresses: readonly AddressPlace[]): ReturnType<AddressTable["unbind"]> {
    const until = later(this.deps.timers.now(), OWN_NEWS_MS);
    for (const address of addresses) this.takenOff.set(cidrOf(address), until);
    const result = this.deps.addresses.unbind(addresses);
    const removed = new Set(result.removed.map(cidrOf));
    for (const address of addresses) if (!removed.has(cidrOf(address))) this.takenOff.delete(cidrOf(address));
    return result;
  }

  /** Whether this process has removed the address, and the kernel's news of it are still to come. */
  isAwaited(address: AddressPlace): boolean {
    return this.takenOff.has(cidrOf(address));
  }

  /** Whether the kernel's news of a removal are of what this process did, just now; they are not awaited any more. */
  isOwnNews(address: AddressPlace): boolean {
    const until = this.takenOff.get(cidrOf(address));
    this.takenOff.delete(cidrOf(address));
    return until !== undefined && this.deps.timers.now() <= until;
  }

  /** No news are awaited any more: some were dropped. */
  forget(): void {
    this.takenOff.clear();
  }

  private stillBound(addresses: readonly AddressPlace[], failures: readonly AddressFailure[]): readonly BoundAddress[] {
    const ips = new Set(addresses.map(({ ip }) => ip));
    const found = this.deps.addresses.addresses().filter((address) => ips.has(address.ip) && isOfVipd(address));
    if (found.length === 0) return [];
    const stays = new Set([...this.deps.held()].map(cidrOf));
    for (const address of addresses) stays.delete(cidrOf(address));
    for (const { address } of failures) stays.add(cidrOf(address));
    return found.filter((address) => !stays.has(cidrOf(address)));
  }
}

/** Whether vipd bound it: by its mark, or, on kernels that keep none (before 5.18), by a lifetime like vipd's. */
export function isOfVipd({ ours, keepalived, permanent }: BoundAddress): boolean {
  return ours || (!permanent && !keepalived);
}

/** Names an address with its prefix and interface. */
export function cidrOf({ ip, prefix, interface: link }: AddressPlace): string {
  return `${ip} ${link} ${prefix}`;
}
