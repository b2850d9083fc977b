// Which elections claim an address, through the candidate records of which nodes. An address under two elections would
// have two holders.

/** An index of claims: address -> election -> nodes. */
export class Claims {
  private readonly byIp = new Map<string, Map<string, Set<string>>>();
  /** Addresses that more than one election claims. */
  readonly contested: ReadonlySet<string>;
  private readonly several = new Set<string>();

  constructor() {
    this.contested = this.several;
  }

  clear(): void {
    this.byIp.clear();
    this.several.clear();
  }

  /** A node's candidacy claims other addresses than before; gives all elections that share one of them, its own too. */
  replace(election: string, node: string, before: readonly string[], now: readonly string[]): ReadonlySet<string> {
    const sharing = new Set([election]);
    const [old, wanted] = [before.map(ipOf), now.map(ipOf)];
    for (const ip of [...old, ...wanted]) for (const other of this.electionsOf(ip)) sharing.add(other);
    for (const ip of old) if (!wanted.includes(ip)) this.remove(ip, election, node);
    for (const ip of wanted) this.add(ip, election, node);
    return sharing;
  }

  electionsOf(ip: string): Iterable<string> {
    return this.byIp.get(ip)?.keys() ?? [];
  }

  /** The nodes through which an election claims an address. */
  nodesOf(ip: string, election: string): Iterable<string> {
    return this.byIp.get(ip)?.get(election) ?? [];
  }

  private add(ip: string, election: string, node: string): void {
    const elections = this.byIp.get(ip) ?? new Map<string, Set<string>>();
    this.byIp.set(ip, elections);
    const nodes = elections.get(election) ?? new Set<string>();
    elections.set(election, nodes);
    nodes.add(node);
    if (elections.size > 1) this.several.add(ip);
  }

  private remove(ip: string, election: string, node: string): void {
    const elections = this.byIp.get(ip);
    const nodes = elections?.get(election);
    nodes?.delete(node);
    if (nodes?.size === 0) elections?.delete(election);
    if (elections?.size === 0) this.byIp.delete(ip);
    if ((elections?.size ?? 0) < 2) this.several.delete(ip);
  }
}

/** The address of a CIDR text. */
export function ipOf(cidr: string): string {
  const slash = cidr.indexOf("/");
  return slash < 0 ? cidr : cidr.slice(0, slash);
}
