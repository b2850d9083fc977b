// Keys that are right in themselves and have no effect where they stand. Works on the raw file: a default that was filled in
// looks like what somebody wrote.

import type { Mistake } from "./issue.ts";
import { valueAt } from "./mistakes.ts";

/** Keys of a VIP that mean nothing without a lease. */
const LEASE_KEYS = ["spread", "minHold", "lastResort"] as const;

/** Those that the file has. */
export function idleKeys(data: unknown): readonly Mistake[] {
  const vips = valueAt(data, ["vips"]);
  if (typeof vips !== "object" || vips === null) return [];
  return Object.keys(vips).flatMap((name) => {
    if (valueAt(vips, [name, "election"]) !== "vrrp") return [];
    const written = LEASE_KEYS.filter((key) => valueAt(vips, [name, key]) !== undefined);
    return written.map((key) => ({
      path: ["vips", name, key],
      problem: "has no effect with election: vrrp",
      fix: "remove it, or use election: lease",
    }));
  });
}
