// What has to change in the kernel so that the fence stands as wanted: only what differs is touched, so that a restart of
// the daemon, or a new interface, costs no packet.

import type { Family, VipAddress } from "../../src/base/vip.ts";
import { toHex } from "../../src/wire/bytes.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import type { ChainRecord, TableRecord } from "../../src/wire/nftables.ts";
import { NFT_TABLE_F_PERSIST } from "../../src/wire/nftables.ts";
import { GUARDED, OPEN } from "./fence-layout.ts";
import type { ChainPlan, Part } from "./fence-layout.ts";
import {
  addElements,
  clearElements,
  deleteChain,
  deleteElements,
  deleteTable,
  keysOf,
  newChain,
  newSet,
  newTable,
} from "./fence-messages.ts";
import { OWNED } from "./fence-probe.ts";
import type { Nftables } from "./nftables.ts";
import type { Request } from "./netlink.ts";

/** What protect() left in the kernel: compared by intact(). */
export interface Standing {
  readonly tables: ReadonlyMap<Part, bigint>;
  readonly chains: readonly StandingChain[];
  readonly guarded: ReadonlyMap<Family, ReadonlySet<string>>;
}

interface StandingChain {
  readonly part: Part;
  readonly name: string;
  readonly handle: bigint;
  readonly use: number;
  readonly devices: string;
}

/** The transaction to commit, and how to look afterwards at what then stands. */
export interface FenceBuild {
  readonly requests: readonly Request[];
  readonly inspect: () => Standing;
}

/** Compares the kernel with what is wanted. */
export function buildFence(
  nft: Nftables,
  parts: readonly Part[],
  flags: number,
  links: readonly LinkRecord[],
  addresses: readonly VipAddress[],
): FenceBuild {
  const requests = parts.flatMap((part) => buildPart(nft, part, flags, part.chains(links), addresses));
  return { requests, inspect: () => inspect(nft, parts, links, addresses) };
}

function buildPart(
  nft: Nftables,
  part: Part,
  flags: number,
  plans: readonly ChainPlan[],
  addresses: readonly VipAddress[],
): Request[] {
  const table = nft.table(part.name);
  // A table that cannot be adopted, because it was never persistent, is replaced within the transaction.
  const usable = table !== undefined && (flags !== OWNED || (table.flags & NFT_TABLE_F_PERSIST) !== 0);
  if (!usable)
    return [...(table === undefined ? [] : [deleteTable(part.name)]), ...newPart(part, flags, plans, addresses)];
  return [
    ...(needsAdoption(table, flags) ? [newTable(part.name, flags)] : []),
    ...part.sets.flatMap((set, i) => (nft.hasSet(part.name, set.name) ? [] : [newSet(part.name, set, i + 1)])),
    ...changeChains(nft, part, plans),
    ...part.families.flatMap((family) => changeGuards(nft, part, family, addresses)),
  ];
}

function needsAdoption(table: TableRecord, flags: number): boolean {
  return flags === OWNED && table.owner === undefined;
}

function newPart(part: Part, flags: number, plans: readonly ChainPlan[], addresses: readonly VipAddress[]): Request[] {
  return [
    newTable(part.name, flags),
    ...part.sets.map((set, i) => newSet(part.name, set, i + 1)),
    ...part.families.flatMap((family) => addElements(part.name, GUARDED[family], keysOf(addresses, family))),
    ...plans.flatMap((plan) => newChain(part.name, plan)),
  ];
}

function changeChains(nft: Nftables, part: Part, plans: readonly ChainPlan[]): Request[] {
  const present = new Map(nft.chains(part.name).map((chain) => [chain.name, chain]));
  const wanted = new Set(plans.map((plan) => plan.name));
  const stale = [...present.keys()].filter((name) => !wanted.has(name)).map((name) => deleteChain(part.name, name));
  const changed = plans.flatMap((plan) => {
    const chain = present.get(plan.name);
    if (chain === undefined) return newChain(part.name, plan);
    return isAsPlanned(nft, part, chain, plan) ? [] : [deleteChain(part.name, plan.name), ...newChain(part.name, plan)];
  });
  return [...stale, ...changed];
}

function isAsPlanned(nft: Nftables, part: Part, chain: ChainRecord, plan: ChainPlan): boolean {
  if (chain.hookNumber !== plan.hook.number) return false;
  if (plan.hook.device !== undefined && chain.devices.join() !== plan.hook.device) return false;
  const present = nft.rules(part.name, plan.name).map(({ comment }) => comment);
  return present.join("\n") === plan.rules.map(({ comment }) => comment).join("\n");
}

/** Makes the guarded set exact. What comes in, or goes out, is not open afterwards; what stays, stays as it is. */
function changeGuards(nft: Nftables, part: Part, family: Family, addresses: readonly VipAddress[]): Request[] {
  const present = nft.elements(part.name, GUARDED[family]).map(({ key }) => key);
  const presentKeys = new Set(present.map(toHex));
  const wanted = guardedKeys(addresses).get(family) ?? new Set();
  const added = keysOf(addresses, family).filter((key) => !presentKeys.has(toHex(key)));
  const removed = present.filter((key) => !wanted.has(toHex(key)));
  return [
    ...clearElements(part.name, OPEN[family], [...added, ...removed]),
    ...deleteElements(part.name, GUARDED[family], removed),
    ...addElements(part.name, GUARDED[family], added),
  ];
}

function inspect(
  nft: Nftables,
  parts: readonly Part[],
  links: readonly LinkRecord[],
  addresses: readonly VipAddress[],
): Standing {
  const tables = new Map<Part, bigint>();
  const chains = parts.flatMap((part) => {
    const table = nft.table(part.name);
    if (table !== undefined) tables.set(part, table.handle);
    const names = new Set(part.chains(links).map(({ name }) => name));
    const present = nft.chains(part.name).filter(({ name }) => names.has(name));
    return present.map(({ name, handle, use, devices }) => ({ part, name, handle, use, devices: devices.join() }));
  });
  return { tables, chains, guarded: guardedKeys(addresses) };
}

function guardedKeys(addresses: readonly VipAddress[]): ReadonlyMap<Family, ReadonlySet<string>> {
  const keys = (family: Family): ReadonlySet<string> => new Set(keysOf(addresses, family).map(toHex));
  return new Map<Family, ReadonlySet<string>>([
    [4, keys(4)],
    [6, keys(6)],
  ]);
}
