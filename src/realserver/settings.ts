// The ARP settings of interfaces that a real server needs (net.ipv4.conf.<interface>): what is to be set, and what is to be
// put back when the last real server of an interface goes. Pure.
//
//   arp_ignore >= 1     the kernel answers no request for an address that the interface does not have: the VIP is on lo, with
//                       the scope of this host alone, so that each value from 1 on keeps it silent
//   arp_announce 2      the kernel asks in the name of an address of the interface, never in that of the VIP
//
// The kernel takes the greater one of `all` and the interface's. So the interface's is raised where it is less, never lowered,
// and `all` is not touched: there is nothing in it that could undo this.

import type { ArpSetting, ArpSettingsOfLink, RealServer } from "../ports/real-server.ts";
import type { KeptSetting } from "./record.ts";

/** What each must be at least. */
export const LEAST: Readonly<Record<ArpSetting, number>> = { arpIgnore: 1, arpAnnounce: 2 };

const SETTINGS: readonly ArpSetting[] = ["arpIgnore", "arpAnnounce"];

/** Tells an interface's settings, by its name or its index. */
export type ReadSettings = (link: string | number) => ArpSettingsOfLink | undefined;

/** One value to write. */
export interface SettingWrite {
  readonly index: number;
  readonly interface: string;
  readonly setting: ArpSetting;
  readonly value: number;
}

/** Some writes, and what is kept when they are done. */
export interface SettingPlan {
  readonly writes: readonly SettingWrite[];
  readonly kept: readonly KeptSetting[];
  /** For people. */
  readonly remarks: readonly string[];
}

/** The interfaces that need the settings: those of real servers with an IPv4 address. */
export function linksInNeed(servers: readonly RealServer[]): readonly string[] {
  const needy = servers.filter(({ addresses }) => addresses.some(({ family }) => family === 4));
  return [...new Set(needy.flatMap(({ interfaces }) => interfaces))];
}

/** Raises what is too low on these interfaces; what was there before the first time is kept. */
export function raise(links: readonly string[], kept: readonly KeptSetting[], read: ReadSettings): SettingPlan {
  const writes: SettingWrite[] = [];
  const fresh: KeptSetting[] = [];
  // An interface that is gone has nothing of ours; one that was renamed has all of it.
  const valid = kept.filter(({ index }) => read(index) !== undefined);
  for (const link of links) {
    const found = read(link);
    if (found === undefined) continue;
    for (const setting of SETTINGS) {
      const value = LEAST[setting];
      const before = found.values[setting];
      if (before >= value) continue;
      writes.push({ index: found.index, interface: link, setting, value });
      if (!valid.some((other) => other.index === found.index && other.setting === setting))
        fresh.push({ interface: link, index: found.index, setting, before, set: value });
    }
  }
  return { writes, kept: [...valid, ...fresh], remarks: [] };
}

/**
 * Puts back what other interfaces than these had before, where it is still what was set. Interfaces are told by index: under
 * a new name one is still the same. It keeps its settings until another one has the name that is needed.
 */
export function restore(links: readonly string[], kept: readonly KeptSetting[], read: ReadSettings): SettingPlan {
  const writes: SettingWrite[] = [];
  const remarks: string[] = [];
  const found = new Map(links.map((link) => [link, read(link)?.index]));
  const needed = new Set(found.values());
  const isNeeded = ({ interface: link, index }: KeptSetting): boolean =>
    needed.has(index) || (found.has(link) && found.get(link) === undefined);
  const staying: KeptSetting[] = [];
  for (const each of kept) {
    const now = read(each.index);
    // An interface that is gone has nothing of ours.
    if (now === undefined) continue;
    if (isNeeded(each)) {
      staying.push(each);
      continue;
    }
    const value = now.values[each.setting];
    if (value === each.set)
      writes.push({ index: each.index, interface: now.name, setting: each.setting, value: each.before });
    else if (value !== each.before) remarks.push(remarkOf({ ...each, interface: now.name }, value));
  }
  return { writes, kept: staying, remarks };
}

/** The name of a setting, as sysctl has it. */
export function sysctlName(link: string, setting: ArpSetting): string {
  return `net.ipv4.conf.${link}.${setting === "arpIgnore" ? "arp_ignore" : "arp_announce"}`;
}

function remarkOf({ interface: link, setting, set, before }: KeptSetting, value: number): string {
  return `${sysctlName(link, setting)} is ${value}, and no longer the ${set} that was set here: it is left as it is (it was ${before} before)`;
}
