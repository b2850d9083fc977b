// What kind of fence this kernel can carry: tried out, never guessed from a version. Each trial is one transaction that
// makes a table and takes it down again, so nothing of it is ever in force.

import { VipdError } from "../../../src/base/errors.ts";
import type { FenceInfo } from "../../../src/ports/host.ts";
import type { LinkRecord } from "../../../src/wire/rtnetlink.ts";
import { NFT_TABLE_F_OWNER, NFT_TABLE_F_PERSIST } from "../../../src/wire/nftables.ts";
import { EACCES, EPERM, kernelError } from "../errors.ts";
import { fenceTables, type FenceTable } from "./layout.ts";
import { deleteTable, newChain, newSet, newTable } from "./messages.ts";
import type { Nftables, Outcome } from "./nftables.ts";

/** Flags of a table that only its owner changes and that outlives it. */
export const OWNED: number = NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST;

/** Every network namespace has it. */
const LOOPBACK: LinkRecord = {
  index: 1,
  name: "lo",
  up: true,
  ethernet: true,
  loopback: false,
  mac: "",
  promotesSecondaries: false,
};

/** What was found. */
export interface FenceKind {
  readonly kind: FenceInfo["kind"];
  /** Flags for the tables: OWNED, or 0 where the kernel refuses it. */
  readonly flags: number;
}

/**
 * Finds the best fence that the kernel takes, without owned tables unless `ownable`; throws "fence", or "privilege"
 * without CAP_NET_ADMIN.
 */
export function probeFence(
  nft: Nftables,
  mode: "auto" | FenceInfo["kind"],
  table: string,
  ownable: boolean,
): FenceKind {
  const kinds: readonly FenceInfo["kind"][] = mode === "auto" ? ["netdev", "inet"] : [mode];
  const refusals: string[] = [];
  for (const kind of kinds) {
    for (const flags of ownable ? [OWNED, 0] : [0]) {
      const outcome = tryOut(nft, kind, flags, `${table}-probe-${nft.port}`);
      if (outcome.done) return { kind, flags };
      if (outcome.errno === EPERM || outcome.errno === EACCES) throw kernelError("nftables probe", outcome.errno);
      refusals.push(`${kind}${flags === 0 ? "" : " owned"}: ${kernelError("nftables", outcome.errno).message}`);
    }
  }
  throw new VipdError("fence", "this kernel takes no form of the fence", { refusals });
}

function tryOut(nft: Nftables, kind: FenceInfo["kind"], flags: number, table: string): Outcome {
  const tables = fenceTables(kind, table);
  const build = (each: FenceTable) => [
    newTable(each.name, flags),
    ...each.sets.map((set, i) => newSet(each.name, set, i + 1)),
    ...[...each.common, ...each.chains([LOOPBACK], [])].flatMap((plan) => newChain(each.name, plan)),
  ];
  return nft.commit([...tables.flatMap(build), ...tables.map((each) => deleteTable(each.name))]);
}

/** The description of a fence, for people. */
export function describeFence({ kind, flags }: FenceKind): FenceInfo {
  const flushProof = flags !== 0;
  return {
    kind,
    flushProof,
    caveats: [
      kind === "netdev" ? NETDEV_ANNOUNCEMENTS : INET_ANNOUNCEMENTS,
      flushProof
        ? "while no vipd runs, `nft flush ruleset` takes the fence away"
        : "`nft flush ruleset` takes the fence away until the next heartbeat puts it up again",
      "time that the whole machine spends suspended does not count against an open fence",
    ],
  };
}

const NETDEV_ANNOUNCEMENTS =
  "frames that other programs write themselves (packet sockets) pass through an interface that came or was renamed while no vipd runs";

const INET_ANNOUNCEMENTS =
  "announcements pass by the hooks of this kernel: vipd asks the fence before it sends one, but can be frozen between asking and sending";
