// nftables requests for the fence's plans.

import type { AddressPlace } from "../../../src/ports/host.ts";
import { parseMac } from "../../../src/wire/ethernet.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from "../../../src/wire/netlink.ts";
import type { ElementExtras, SetShape, TableName } from "../../../src/wire/nftables.ts";
import {
  encodeChain,
  encodeElements,
  encodeNewSet,
  encodeRule,
  encodeSetName,
  encodeTable,
  MAX_ELEMENTS,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELSET,
  NFT_MSG_DELSETELEM,
  NFT_MSG_DELTABLE,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  NFT_MSG_NEWTABLE,
} from "../../../src/wire/nftables.ts";
import type { Request } from "../netlink.ts";
import type { ChainPlan, Guarded } from "./layout.ts";

/** Creates the table, or adopts the one whose owner is gone. */
export function newTable(name: TableName, flags: number): Request {
  return { type: NFT_MSG_NEWTABLE, flags: NLM_F_CREATE, payload: encodeTable(name, flags) };
}

/** Takes the table down with all that is in it. */
export function deleteTable(name: TableName): Request {
  return { type: NFT_MSG_DELTABLE, flags: 0, payload: encodeTable(name) };
}

/** Creates a set. */
export function newSet(name: TableName, set: SetShape, id: number): Request {
  return { type: NFT_MSG_NEWSET, flags: NLM_F_CREATE, payload: encodeNewSet(name, set, id) };
}

/** Takes a set out, which no rule may use any more. */
export function deleteSet(name: TableName, set: string): Request {
  return { type: NFT_MSG_DELSET, flags: 0, payload: encodeSetName(name, set) };
}

/** Creates a chain with its rules. */
export function newChain(name: TableName, plan: ChainPlan): Request[] {
  const rules = plan.rules.map(({ expressions, comment }) => ({
    type: NFT_MSG_NEWRULE,
    flags: NLM_F_CREATE | NLM_F_APPEND,
    payload: encodeRule(name, plan.name, expressions, comment),
  }));
  return [{ type: NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE, payload: encodeChain(name, plan.name, plan.hook) }, ...rules];
}

/** Takes a chain down with its rules. */
export function deleteChain(name: TableName, chain: string): Request {
  return { type: NFT_MSG_DELCHAIN, flags: 0, payload: encodeChain(name, chain) };
}

/** Adds elements; with `exclusive` it fails when one is there. */
export function addElements(
  name: TableName,
  set: string,
  keys: readonly Uint8Array[],
  extras: ElementExtras = {},
  exclusive = false,
): Request[] {
  const flags = NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0);
  return inChunks(keys).map((chunk) => ({
    type: NFT_MSG_NEWSETELEM,
    flags,
    payload: encodeElements(name, set, chunk, extras),
  }));
}

/** Takes elements out; fails when one is missing or has expired. */
export function deleteElements(name: TableName, set: string, keys: readonly Uint8Array[]): Request[] {
  return inChunks(keys).map((chunk) => ({
    type: NFT_MSG_DELSETELEM,
    flags: 0,
    payload: encodeElements(name, set, chunk),
  }));
}

/** The keys of the addresses of one family, or of their virtual MACs, each once: an address on two interfaces is one element. */
export function keysOf(addresses: readonly AddressPlace[], family: Guarded): readonly Uint8Array[] {
  if (family === "mac") {
    const macs = new Set(addresses.flatMap(({ virtualMac }) => virtualMac?.mac ?? []));
    return [...macs].flatMap((mac) => parseMac(mac) ?? []);
  }
  const texts = new Set(addresses.filter((address) => address.family === family).map((address) => address.ip));
  return [...texts].map(ipBytes);
}

function inChunks(keys: readonly Uint8Array[]): (readonly Uint8Array[])[] {
  const count = Math.ceil(keys.length / MAX_ELEMENTS);
  return Array.from({ length: count }, (_, i) => keys.slice(i * MAX_ELEMENTS, (i + 1) * MAX_ELEMENTS));
}
