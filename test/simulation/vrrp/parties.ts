// Those who may answer for a VIP in a world with VRRP: hosts of vipd and hosts of keepalived, as the observer sees them.

import { isExcused } from "../checker.ts";
import type { SimHost } from "../host.ts";
import type { TrueTime } from "../world.ts";
import type { Keepalived } from "./keepalived.ts";

/** One of them. `reloadedAt`, `slowAt`: when its file was read anew, when it was last kept busy, or by a kernel that refused. */
export type Party =
  | { readonly kind: "vipd"; readonly name: string; readonly host: SimHost; reloadedAt: TrueTime; slowAt: TrueTime }
  | { readonly kind: "keepalived"; readonly name: string; readonly station: Keepalived };

/** Until when a party answers if nothing is done; the past when it does not, or nobody can be blamed for it. */
export function answersUntil(party: Party, ip: string): TrueTime {
  if (party.kind === "keepalived") return party.station.answers(ip) ? Number.POSITIVE_INFINITY : -1;
  return isExcused(party.host, ip) ? -1 : party.host.kernel.answersUntil(ip);
}

/** The last time at which a party could not act as it should: now, when it is stopped or dead. */
export function disturbedAt(party: Party, now: TrueTime): TrueTime {
  if (party.kind === "keepalived") {
    const { process } = party.station;
    return process === null || process.dead || process.frozen ? now : process.thawedAt;
  }
  const { host, reloadedAt, slowAt } = party;
  const process = host.daemon?.process;
  const thread = host.wire?.thread ?? null;
  if (host.kernel.refused.size > 0) return now;
  if (process === undefined || process.frozen || thread?.frozen === true) return now;
  return Math.max(reloadedAt, process.stepMs > 0 ? now : slowAt, process.thawedAt, thread?.thawedAt ?? 0);
}
