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

/** A chain that stands: two that say the same do the same. */
interface StandingChain {
  readonly isHooked: boolean;
  readonly says: string;
}

/** The chains of a table by name, but those of deadlines. */
export type StandingChains = ReadonlyMap<string, StandingChain>;

/** What to commit for one table. */
export interface TableBuild {
  /**
   * To be committed first, by itself: takes a table over whose owner is gone. The kernel adds no hooked chain to a table
   * whose owner changes in the same transaction (__NFT_TABLE_F_UPDATE).
   */
  readonly adoption: readonly Request[];
  readonly requests: readonly Request[];
  readonly done: () => void;
  /** What stands afterwards. */
  readonly chains: StandingChains;
}

/** Compares a table in the kernel with what is wanted. `known`: the chains that surely stand there; absent: the kernel is asked. */
export function buildTable(
  nft: Nftables,
  table: FenceTable,
  flags: number,
  links: readonly LinkRecord[],
  addresses: readonly AddressPlace[],
  contents: Contents,
  known?: StandingChains,
): TableBuild {
  const plans = [...table.common, ...table.chains(links, addresses)];
  const chains = new Map(plans.map((plan) => [plan.name, standing(plan)]));
  const found = nft.table(table.name);
  if (found === undefined || !isUsable(nft, table, found, flags)) {
    contents.clear();
    const guards = contents.guard(addresses);
    const old = found === undefined ? [] : removal(table, found, flags);
    const requests = [...old, ...create(table, flags, plans), ...guards.requests];
    return { adoption: [], requests, done: guards.done, chains };
  }
  const guards = contents.guard(addresses);
  const adoption = flags === OWNED && found.owner === undefined ? [newTable(table.name, flags)] : [];
  const changes = changeChains(table, plans, chains, known ?? chainsStanding(nft, table));
  return { adoption, requests: [...changes, ...guards.requests], done: guards.done, chains };
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

function changeChains(
  table: FenceTable,
  plans: readonly ChainPlan[],
  wanted: StandingChains,
  present: StandingChains,
): Request[] {
  const changed = plans.filter(({ name }) => present.get(name)?.says !== wanted.get(name)?.says);
  // A common chain that differs cannot be taken out while others jump to it: then everything is made anew.
  const all = changed.some((plan) => table.common.includes(plan) && present.has(plan.name));
  const made = all ? plans : changed;
  const anew = new Set(changed.map(({ name }) => name));
  const gone = [...present].filter(([name]) => all || !wanted.has(name) || anew.has(name));
  // Chains that jump go before those that they jump to.
  const hooked = gone.filter(([, { isHooked }]) => isHooked);
  const others = gone.filter(([, { isHooked }]) => !isHooked);
  return [
    ...[...hooked, ...others].map(([name]) => deleteChain(table.name, name)),
    ...made.flatMap((plan) => newChain(table.name, plan)),
  ];
}

function standing({ hook, rules }: ChainPlan): StandingChain {
  const comments = rules.map(({ comment }) => comment);
  return { isHooked: hook !== undefined, says: saying(hook?.number, hook?.device, comments) };
}

function chainsStanding(nft: Nftables, table: FenceTable): StandingChains {
  const rules = commentsOf(nft, table);
  return new Map(
    chainsOf(nft, table).map(({ name, hookNumber, devices }): [string, StandingChain] => {
      const says = saying(hookNumber, devices.join(), rules.get(name) ?? []);
      return [name, { isHooked: hookNumber !== undefined, says }];
    }),
  );
}

function saying(hookNumber: number | undefined, device: string | undefined, comments: readonly string[]): string {
  return [hookNumber ?? "", device ?? "", ...comments].join("\n");
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

/** How a table stands in the kernel now; undefined when it does not. Nobody else changes the chains of an owned one. */
export function inspectTable(nft: Nftables, table: FenceTable, flags: number): InstalledTable | undefined {
  const found = nft.table(table.name);
  if (found === undefined) return undefined;
  if (flags === OWNED) return { handle: found.handle, chains: [] };
  const chains = chainsOf(nft, table).map(({ name, handle, use, devices }) => ({
    name,
    handle,
    use,
    devices: devices.join(),
  }));
  return { handle: found.handle, chains: chains.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}
