// What has to change in the kernel so that the fence stands as wanted: only what differs is touched, so that a restart of
// the daemon, or a new interface, costs no packet.

import type { AddressPlace } from "../../../src/ports/host.ts";
import type { ChainRecord, TableRecord } from "../../../src/wire/nftables.ts";
import { NFT_TABLE_F_PERSIST } from "../../../src/wire/nftables.ts";
import type { LinkRecord } from "../../../src/wire/rtnetlink.ts";
import type { Request } from "../netlink.ts";
import type { Contents } from "./contents.ts";
import { type ChainPlan, type FenceTable, isDeadline } from "./layout.ts";
import { deleteChain, deleteTable, newChain, newSet, newTable } from "./messages.ts";
import type { Nftables } from "./nftables.ts";
import { OWNED } from "./probe.ts";

/** A table that stands as protect() left it: compared by intact(). */
export interface InstalledTable {
  readonly handle: bigint;
  readonly chains: readonly InstalledChain[];
}

interface InstalledChain {
  readonly name: string;
  readonly handle: bigint;
  readonly use: number;
  readonly devices: string;
}

/** What to commit for one table. */
export interface TableBuild {
  /**
   * To be committed first, by itself: takes a table over whose owner is gone. The kernel adds no hooked chain to a table
   * that changes hands in the same transaction (__NFT_TABLE_F_UPDATE).
   */
  readonly adoption: readonly Request[];
  readonly requests: readonly Request[];
  readonly done: () => void;
}

/** Compares a table in the kernel with what is wanted. */
export function buildTable(
  nft: Nftables,
  table: FenceTable,
  flags: number,
  links: readonly LinkRecord[],
  addresses: readonly AddressPlace[],
  contents: Contents,
): TableBuild {
  const plans = [...table.common, ...table.chains(links, addresses)];
  const found = nft.table(table.name);
  if (found === undefined || !isUsable(nft, table, found, flags)) {
    contents.clear();
    const guards = contents.guard(addresses);
    const old = found === undefined ? [] : removal(table, found, flags);
    const requests = [...old, ...create(table, flags, plans), ...guards.requests];
    return { adoption: [], requests, done: guards.done };
  }
  const guards = contents.guard(addresses);
  const adoption = flags === OWNED && found.owner === undefined ? [newTable(table.name, flags)] : [];
  return { adoption, requests: [...changeChains(nft, table, plans), ...guards.requests], done: guards.done };
}

/** A table that cannot be adopted, because it was never persistent or has other sets, is replaced within the transaction. */
function isUsable(nft: Nftables, table: FenceTable, found: TableRecord, flags: number): boolean {
  if (flags === OWNED && (found.flags & NFT_TABLE_F_PERSIST) === 0) return false;
  const sets = new Map(nft.sets(table.name).map((set) => [set.name, set]));
  return table.sets.every(({ name, kind }) => sets.get(name)?.kind === kind);
}

/** Takes down a table that nobody living owns: what was owned must be adopted first. */
export function removal(table: FenceTable, found: TableRecord, flags: number): Request[] {
  const adopt = flags === OWNED && (found.flags & OWNED) === OWNED && found.owner === undefined;
  return [...(adopt ? [newTable(table.name, OWNED)] : []), deleteTable(table.name)];
}

function create(table: FenceTable, flags: number, plans: readonly ChainPlan[]): Request[] {
  return [
    newTable(table.name, flags),
    ...table.sets.map((set, i) => newSet(table.name, set, i + 1)),
    ...plans.flatMap((plan) => newChain(table.name, plan)),
  ];
}

function changeChains(nft: Nftables, table: FenceTable, plans: readonly ChainPlan[]): Request[] {
  const present = new Map(chainsOf(nft, table).map((chain) => [chain.name, chain]));
  const rules = commentsOf(nft, table);
  const wanted = new Map(plans.map((plan) => [plan.name, plan]));
  const differs = (chain: ChainRecord, plan: ChainPlan): boolean =>
    !isAsPlanned(chain, rules.get(plan.name) ?? [], plan);
  const changed = plans.filter((plan) => {
    const chain = present.get(plan.name);
    return chain === undefined || differs(chain, plan);
  });
  // A common chain that differs cannot be taken out while others jump to it: then everything is made anew.
  const all = changed.some((plan) => table.common.includes(plan) && present.has(plan.name));
  const made = all ? plans : changed;
  const anew = new Set(changed.map(({ name }) => name));
  const gone = [...present.values()].filter(({ name }) => all || !wanted.has(name) || anew.has(name));
  // Chains that jump go before those that they jump to.
  const hooked = gone.filter(({ hookNumber }) => hookNumber !== undefined);
  const others = gone.filter(({ hookNumber }) => hookNumber === undefined);
  return [
    ...[...hooked, ...others].map(({ name }) => deleteChain(table.name, name)),
    ...made.flatMap((plan) => newChain(table.name, plan)),
  ];
}

/** The chains whose number and rules do not depend on what is open. */
function chainsOf(nft: Nftables, table: FenceTable): readonly ChainRecord[] {
  return nft.chains(table.name).filter(({ name }) => !isDeadline(name));
}

function commentsOf(nft: Nftables, table: FenceTable): ReadonlyMap<string, readonly string[]> {
  const comments = new Map<string, string[]>();
  for (const { chain, comment } of nft.rules(table.name)) {
    const of = comments.get(chain) ?? [];
    comments.set(chain, of);
    of.push(comment);
  }
  return comments;
}

function isAsPlanned(chain: ChainRecord, comments: readonly string[], plan: ChainPlan): boolean {
  if (chain.hookNumber !== plan.hook?.number) return false;
  if (plan.hook?.device !== undefined && chain.devices.join() !== plan.hook.device) return false;
  return comments.join("\n") === plan.rules.map(({ comment }) => comment).join("\n");
}

/** How a table stands in the kernel now; undefined when it does not. */
export function inspectTable(nft: Nftables, table: FenceTable): InstalledTable | undefined {
  const found = nft.table(table.name);
  if (found === undefined) return undefined;
  const chains = chainsOf(nft, table).map(({ name, handle, use, devices }) => ({
    name,
    handle,
    use,
    devices: devices.join(),
  }));
  return { handle: found.handle, chains: chains.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}
