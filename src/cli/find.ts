// What people call a VIP: by its election's name, or by one of its addresses.

import type { ElectionView, FleetView } from "../admin/views.ts";
import { parseIp } from "../wire/ip.ts";

/** The election of that name, or the one that moves that address (with or without a prefix length). */
export function findElection(view: FleetView, what: string): ElectionView | undefined {
  const named = view.elections.find(({ name }) => name === what);
  if (named !== undefined) return named;
  const ip = parseIp(what.replace(/\/\d+$/u, ""))?.ip;
  if (ip === undefined) return undefined;
  return view.elections.find(({ addresses }) => addresses.some((address) => address.replace(/\/\d+$/u, "") === ip));
}

/** What to say when there is none. */
export function notFound(view: FleetView, what: string): string {
  const names = view.elections.map(({ name }) => name);
  const known =
    names.length === 0
      ? "the fleet has none yet"
      : `there is ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", ..." : ""}`;
  return `no VIP or election "${what}" in the fleet ${view.fleet}: ${known}`;
}
