// Puts the silence of a real server into the kernel, and looks whether it stands.

import { formatIp, ipBytes } from "../../../src/wire/ip.ts";
import type { HostAddress } from "../../../src/ports/real-server.ts";
import { kernelError } from "../errors.ts";
import { addElements, deleteTable, newChain, newSet, newTable } from "../fence/messages.ts";
import type { Nftables } from "../fence/nftables.ts";
import type { Request } from "../netlink.ts";
import { SILENCE, type SilenceTable } from "./layout.ts";

/** Makes both tables anew in one transaction, so that no packet sees a moment between. */
export function putSilence(nft: Nftables, addresses: readonly HostAddress[]): void {
  const outcome = nft.commit(SILENCE.flatMap((table) => requestsFor(table, addresses)));
  if (!outcome.done) throw kernelError("nftables silence of a real server", outcome.errno);
}

function requestsFor(table: SilenceTable, addresses: readonly HostAddress[]): readonly Request[] {
  const keys = addresses.filter(({ family }) => family === table.family).map(({ ip }) => ipBytes(ip));
  // A table that is made first can be taken down whether or not it was there.
  const cleared = [newTable(table.name, 0), deleteTable(table.name)];
  if (keys.length === 0) return cleared;
  return [
    ...cleared,
    newTable(table.name, 0),
    newSet(table.name, table.set, 1),
    ...addElements(table.name, table.set.name, keys),
    ...newChain(table.name, table.chain),
  ];
}

/** The addresses that are silent: those of tables whose rules all stand. */
export function readSilence(nft: Nftables): readonly string[] {
  return SILENCE.flatMap((table) => {
    if (nft.table(table.name) === undefined || !stands(nft, table)) return [];
    return nft.elements(table.name, table.set.name).map(({ key }) => formatIp(key));
  });
}

function stands(nft: Nftables, { name, chain }: SilenceTable): boolean {
  const hooked = nft.chains(name).some((found) => found.name === chain.name && found.hookNumber === chain.hook?.number);
  const comments = nft.rules(name).flatMap((rule) => (rule.chain === chain.name ? [rule.comment] : []));
  return hooked && comments.join("\n") === chain.rules.map(({ comment }) => comment).join("\n");
}
