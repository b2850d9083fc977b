// What a node brings to an election.

import { type Reason, sameReason } from "./reasons.ts";

/** A node's wish to hold an election, and how much it is worth. */
export interface Candidacy {
  /** Effective priority, 0 to 255; the greatest acquires first. */
  readonly priority: number;
  /** Why the node could not hold it now; `null`: it could. */
  readonly ineligible: Reason | null;
  /** Whether the node may hold it even so while no candidate that could is alive. */
  readonly lastResort: boolean;
  /** Whether a holder of lower priority shall hand over. */
  readonly preempt: boolean;
  /** How long this node must have been the better one before that, in milliseconds. */
  readonly preemptDelayMs: number;
  /** The group whose elections are shared out over the nodes that could hold them; `null`: priority alone decides. */
  readonly spread: string | null;
  /** How long this node, once it holds, does not hand over to a better one, in milliseconds. */
  readonly minHoldMs: number;
  /** In CIDR form; empty for an election without a VIP. */
  readonly addresses: readonly string[];
  /** The virtual MACs that these addresses are answered with, or still are; empty where they have none. */
  readonly macs: readonly string[];
  readonly interface: string | null;
}

/** Whether two candidacies say the same. Asked often, for thousands of elections: so no text is made for it. */
export function sameCandidacy(a: Candidacy, b: Candidacy): boolean {
  return (
    a.priority === b.priority &&
    sameReason(a.ineligible, b.ineligible) &&
    a.lastResort === b.lastResort &&
    a.preempt === b.preempt &&
    a.preemptDelayMs === b.preemptDelayMs &&
    a.minHoldMs === b.minHoldMs &&
    a.spread === b.spread &&
    a.interface === b.interface &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, index) => address === b.addresses[index]) &&
    a.macs.length === b.macs.length &&
    a.macs.every((mac, index) => mac === b.macs[index])
  );
}
