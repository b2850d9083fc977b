// A restart within the lease with another file: addresses that have moved between VIPs, are gone, or are new. Whatever the
// two files are, an address is answered for by one host at a time, and nothing is given away that is still open.

import { describe, expect, test } from "vitest";
import type { VipConfig } from "../../../src/config/types.ts";
import { vipConfig } from "./config.ts";
import { address } from "./fake-host.ts";
import { SimulatedFleet } from "./simulated-fleet.ts";

const [A, B, C] = ["10.0.1.1", "10.0.2.1", "10.0.3.1"] as const;
const IPS = [A, B, C];

/** The addresses of vip-1 and of vip-2; a VIP without any is not configured. */
type File = readonly [readonly string[], readonly string[]];

const SETS: readonly (readonly string[])[] = [[], [A], [B], [A, B], [A, C], [B, C]];
const OLD: readonly File[] = [
  [[A], [B]],
  [[A, B], []],
  [[A, B], [C]],
];
const NEW = SETS.flatMap((first) =>
  SETS.filter((second) => first.length + second.length > 0 && !first.some((ip) => second.includes(ip))).map(
    (second): File => [first, second],
  ),
);

function configOf(file: File, priority: number): readonly VipConfig[] {
  return file.flatMap((ips, i) => {
    const addresses = ips.map((ip) => address(ip, "eth0"));
    return addresses.length === 0 ? [] : [vipConfig(`vip-${i + 1}`, addresses, { priority })];
  });
}

/** Who answered for one address at a time too many, and what the checker has to say. */
function restarted(old: File, next: File, other: File): readonly string[] {
  const fleet = new SimulatedFleet({ n1: configOf(old, 200), n2: configOf(other, 100) });
  fleet.run(3_500);
  const host = fleet.host("n1");
  host.whenGone = () => host.startIn(20, configOf(next, 200));
  fleet.daemon("n1").process.kill();
  const found = new Set<string>();
  for (let halfMs = 0; halfMs < 3_000; halfMs += 1) {
    fleet.run(0.5);
    for (const ip of IPS) if (fleet.answering(ip).length > 1) found.add(`two answer for ${ip}`);
  }
  return [...found, ...fleet.broken];
}

describe.each(OLD.map((file) => ({ old: JSON.stringify(file), file })))(
  "a node with $old that restarts",
  ({ file }) => {
    test.each(NEW.map((next) => ({ name: JSON.stringify(next), next })))("with $name", ({ next }) => {
      expect(restarted(file, next, file), "others have the old file").toEqual([]);
      expect(restarted(file, next, next), "others have the new one").toEqual([]);
    });
  },
);
