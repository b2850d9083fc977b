// Which elections claim an address, through the candidate records of which nodes. An address under two elections would
// have two holders. A virtual MAC is an address, too: with two holders, switches would send one's traffic to the other.

import type { Candidacy } from "../base/candidacy.ts";

/** An index of claims: address -> election -> nodes. */
export class Claims {
  private readonly byAddress = new Map<string, Map<string, Set<string>>>();
  /** Addresses that more than one election claims. */
  readonly contested: ReadonlySet<string>;
  private readonly several = new Set<string>();

  constructor() {
    this.contested = this.several;
  }

  clear(): void {
    this.byAddress.clear();
    this.several.clear();
  }

  /** A node's candidacy claims other addresses than before; gives all elections that share one of them, its own too. */
  replace(election: string, node: string, before: readonly string[], now: readonly string[]): ReadonlySet<string> {
    const sharing = new Set([election]);
    const [old, wanted] = [before.map(ipOf), now.map(ipOf)];
    for (const address of [...old, ...wanted]) for (const other of this.electionsOf(address)) sharing.add(other);
    for (const address of old) if (!wanted.includes(address)) this.remove(address, election, node);
    for (const address of wanted) this.add(address, election, node);
    return sharing;
  }

  electionsOf(address: string): Iterable<string> {
    return this.byAddress.get(address)?.keys() ?? [];
  }

  /** The nodes through which an election claims an address. */
  nodesOf(address: string, election: string): Iterable<string> {
    return this.byAddress.get(address)?.get(election) ?? [];
  }

  private add(address: string, election: string, node: string): void {
    const elections = this.byAddress.get(address) ?? new Map<string, Set<string>>();
    this.byAddress.set(address, elections);
    const nodes = elections.get(election) ?? new Set<string>();
    elections.set(election, nodes);
    nodes.add(node);
    if (elections.size > 1) this.several.add(address);
  }

  private remove(address: string, election: string, node: string): void {
    const elections = this.byAddress.get(address);
    const nodes = elections?.get(election);
    nodes?.delete(node);
    if (nodes?.size === 0) elections?.delete(election);
    if (elections?.size === 0) this.byAddress.delete(address);
    if ((elections?.size ?? 0) < 2) this.several.delete(address);
  }
}

/** What a candidacy claims: its addresses without their prefixes, and its virtual MACs, each once. */
export function claimsOf({ addresses, macs }: Claimed): readonly string[] {
  return [...new Set([...addresses.map(ipOf), ...macs])];
}

/** Of a candidacy, or of its record. */
export type Claimed = Pick<Candidacy, "addresses" | "macs">;

/** Of an election that this node is no candidate of. */
export const NOTHING: Claimed = { addresses: [], macs: [] };

/** The address of a CIDR text; a MAC as it is. */
export function ipOf(cidr: string): string {
  const slash = cidr.indexOf("/");
  return slash < 0 ? cidr : cidr.slice(0, slash);
}
