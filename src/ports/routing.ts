// What VIP holding needs of the kernel's routing: routes and rules that carry vipd's protocol number, by which they are
// known again. All calls are synchronous. Failures as a whole are VipdErrors: "kernel", "privilege".

import type { RoutingEntry } from "../base/routing.ts";

/** What became of an entry that was to be added. */
export type AddedEntry =
  | { readonly kind: "added" }
  /** Something of its key is there: the same, another one of vipd's, or one that vipd did not set. */
  | { readonly kind: "exists" }
  | { readonly kind: "refused"; readonly message: string };

/** An entry that could not be removed, and why. */
export interface RoutingFailure {
  readonly entry: RoutingEntry;
  readonly message: string;
}

/** News from the kernel: a route or a rule of vipd's is gone, whoever removed it. `key`: its routingKey. */
export interface RoutingRemoved {
  readonly kind: "routing-removed";
  readonly key: string;
}

/** Routes and rules of this host (rtnetlink). */
export interface RoutingTable {
  /** Adds entries, each for itself; the answers are in their order. What is there is never replaced. */
  add(entries: readonly RoutingEntry[]): readonly AddedEntry[];
  /** Removes what vipd has set of these keys, and nothing else; what is not there, or is not vipd's, is no failure. */
  remove(entries: readonly RoutingEntry[]): readonly RoutingFailure[];
  /** All that carries vipd's protocol number. */
  ours(): readonly RoutingEntry[];
}
