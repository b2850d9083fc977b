// Makes vipd's devices with virtual MACs those that are wanted, in portions: hundreds of them would keep the program from its
// heartbeats for seconds.
//
// To remove a device, or to take it down, the kernel waits until no processor looks at it any more, ten milliseconds or
// longer. It waits once for all that are removed together: those of a group of links. What nobody wants is dealt with at once: its
// MAC is guarded no longer afterwards.

import type { VirtualDevice } from "../../src/ports/host.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { encodeDeleteGroup, encodeLinkGroup, RTM_DELLINK, RTM_SETLINK } from "../../src/wire/rtnetlink.ts";
import { dumpLinks } from "./links.ts";
import type { NetlinkSocket } from "./netlink.ts";
import { haveDevice, isDevice, removeDevice, takeDown, told } from "./virtual-devices.ts";

/** What of each is done in one call at most. */
const PORTION = { takeDown: 2, make: 50 } as const;

/** Groups of links are numbered by whoever makes some; this, or the first one behind it that no link is in. */
const FIRST_GROUP = 0x76697064;

/** What was done. */
type Kept = {
  readonly troubles: readonly string[];
  readonly others: boolean;
  readonly more: boolean;
};

/** As AddressTable.keepDevices says. `inUse`: indexes of the links that have an address. */
export function keepDevices(
  socket: NetlinkSocket,
  devices: readonly VirtualDevice[],
  inUse: ReadonlySet<number>,
): Kept {
  const links = dumpLinks(socket);
  const byName = new Map(links.map((link) => [link.name, link]));
  const wanted = new Set(devices.map(({ name }) => name));
  const present = links.filter(isDevice);
  const isInUse = ({ index }: LinkRecord): boolean => inUse.has(index);
  const unwanted = present.filter(({ name }) => !wanted.has(name));
  const stuck = unwanted.filter(isInUse);
  const free = unwanted.filter((link) => !isInUse(link));
  const resting = present.filter((link) => wanted.has(link.name) && !isInUse(link) && link.enabled !== false);
  const refused = [...stuck.flatMap((link) => takeDown(socket, link)), ...removeTogether(socket, free, links)];
  const parts = [
    { troubles: refused, more: false },
    inTurn(resting, PORTION.takeDown, (link) => ({ troubles: takeDown(socket, link), isCostly: true })),
    inTurn(devices, PORTION.make, (device) => make(socket, device, byName)),
  ];
  const troubles = parts.flatMap((part) => part.troubles);
  return { troubles, others: refused.length > 0 || stuck.length > 0, more: parts.some(({ more }) => more) };
}

function make(
  socket: NetlinkSocket,
  device: VirtualDevice,
  byName: ReadonlyMap<string, LinkRecord>,
): { readonly troubles: readonly string[]; readonly isCostly: boolean } {
  // Where the interface below is missing, its VIP waits for that.
  if (!byName.has(device.virtualMac.parent)) return { troubles: [], isCostly: false };
  const known = byName.get(device.name);
  const link = haveDevice(socket, device, (name) => byName.get(name));
  return typeof link === "string" ? { troubles: [link], isCostly: false } : { troubles: [], isCostly: link !== known };
}

/** Does with each what is to be done, until so many have cost the kernel something. What is refused keeps no other from its turn. */
function inTurn<T>(
  items: readonly T[],
  portion: number,
  act: (item: T) => { readonly troubles: readonly string[]; readonly isCostly: boolean },
): { readonly troubles: readonly string[]; readonly more: boolean } {
  const found: string[] = [];
  let costly = 0;
  for (const [i, item] of items.entries()) {
    const { troubles, isCostly } = act(item);
    found.push(...troubles);
    if (isCostly && troubles.length === 0) costly += 1;
    if (costly >= portion && i < items.length - 1) return { troubles: found, more: true };
  }
  return { troubles: found, more: false };
}

function removeTogether(
  socket: NetlinkSocket,
  links: readonly LinkRecord[],
  all: readonly LinkRecord[],
): readonly string[] {
  const [only] = links;
  if (only === undefined) return [];
  if (links.length === 1) return removeDevice(socket, only);
  const group = freeGroup(all);
  const grouping = links.map(({ index }) => ({ type: RTM_SETLINK, flags: 0, payload: encodeLinkGroup(index, group) }));
  const refused = socket.attemptAll(grouping).flatMap((errno, i) => told(`group ${links[i]?.name ?? ""}`, errno));
  const what = `remove ${links.length} devices of virtual MACs`;
  const removed = told(what, socket.attempt({ type: RTM_DELLINK, flags: 0, payload: encodeDeleteGroup(group) }));
  return [...refused, ...removed];
}

function freeGroup(links: readonly LinkRecord[]): number {
  const taken = new Set(links.map(({ group }) => group));
  let group = FIRST_GROUP;
  while (taken.has(group)) group += 1;
  return group;
}
