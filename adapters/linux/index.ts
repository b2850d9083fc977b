// The Linux host: everything that holding a VIP needs from the kernel, in one object.

import type { VipAddress } from "../../src/base/vip.ts";
import type { Clock, Timers } from "../../src/ports/clock.ts";
import type { ExitWatch, StartProgram } from "../../src/ports/programs.ts";
import type { RoutingRemoved, RoutingTable } from "../../src/ports/routing.ts";
import type { AddressTable, Answer, Fence, HostEvent, HostMonitor, PacketLink } from "../../src/ports/host.ts";
import { KernelAddresses } from "./addresses.ts";
import { bootClock } from "./clock.ts";
import { createFence } from "./fence/fence.ts";
import type { FenceOptions } from "./fence/fence.ts";
import { dumpLinks } from "./links.ts";
import { lockFile } from "./lockfile.ts";
import type { FileLock } from "./lockfile.ts";
import { monitorHost } from "./monitor.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";
import { KernelPackets } from "./packets.ts";
import { programStarter, watchExit } from "./programs.ts";
import { KernelRouting } from "./routing.ts";
import { followRouting } from "./routing-news.ts";
import { bootTimers } from "./timers.ts";
import { notifySystemd } from "./sd-notify.ts";

export { bootId, networkNamespace } from "./boot.ts";
export { machineSleptMs } from "./clock.ts";
export { lockFile } from "./lockfile.ts";
export { peerCredentials } from "./native.ts";
export type { FileLock } from "./lockfile.ts";

/** How to use this host. */
export interface LinuxHostOptions {
  /** Which fence; `auto` takes the best that the kernel has. */
  readonly fence?: FenceOptions["mode"];
  /** Name of the nftables tables; "vipd" unless told otherwise. */
  readonly table?: string;
}

/** The parts of a host, all in the network namespace in which it was created. */
export interface LinuxHost {
  readonly clock: Clock;
  /** Count suspend, as the clock does. */
  readonly timers: Timers;
  readonly addresses: AddressTable;
  readonly fence: Fence;
  readonly packets: PacketLink;
  readonly routing: RoutingTable;
  /** `undefined`: programs are started as Node.js does. */
  readonly startProgram: StartProgram | undefined;
  readonly watchExit: ExitWatch;
  monitor(onEvent: (event: HostEvent | RoutingRemoved) => void): HostMonitor;
  lockFile(path: string): FileLock | "busy";
  notifySystemd(socketPath: string | undefined, text: string): boolean;
  /** Closes all sockets and gives up the fence's; what stands in the kernel stays. */
  close(): void;
}

/**
 * Opens the host. Throws "privilege" (naming CAP_NET_ADMIN or CAP_NET_RAW), or "fence" when another living process owns
 * the fence or the kernel takes none.
 */
export function createLinuxHost(options: LinuxHostOptions = {}): LinuxHost {
  const closers: (() => void)[] = [];
  const close = (): void => {
    while (closers.length > 0) closers.pop()?.();
  };
  try {
    const programs = { startProgram: programStarter(), watchExit };
    return { ...openParts(options, closers), ...programs, monitor, lockFile, notifySystemd, close };
  } catch (error) {
    close();
    throw error;
  }
}

type Parts = Pick<LinuxHost, "clock" | "timers" | "addresses" | "fence" | "packets" | "routing">;

function monitor(onEvent: (event: HostEvent | RoutingRemoved) => void): HostMonitor {
  const parts = [monitorHost(onEvent), followRouting(onEvent)];
  return {
    close: () => {
      for (const part of parts) part.close();
    },
  };
}

function openParts(options: LinuxHostOptions, closers: (() => void)[]): Parts {
  const clock = bootClock();
  const timers = bootTimers();
  closers.push(() => timers.close());
  const questions = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");
  closers.push(() => questions.close());
  const addresses = new KernelAddresses();
  closers.push(() => addresses.close());
  const fenceOptions = { mode: options.fence ?? "auto", table: options.table ?? "vipd" };
  const fence = createFence(fenceOptions, { clock, links: () => dumpLinks(questions) });
  closers.push(() => fence.release());
  const mayAnnounce = (ip: string): boolean => fence.openAddresses().includes(ip);
  const packets = new KernelPackets({ clock, ...(fence.info.kind === "netdev" ? {} : { mayAnnounce }) });
  closers.push(() => packets.close());
  const routing = new KernelRouting();
  closers.push(() => routing.close());
  return { clock, timers, addresses, fence, packets, routing };
}

/** Asks the wire who answers for an address, for tools that hold nothing; needs CAP_NET_RAW only. */
export async function probeAddress(
  address: VipAddress,
  waitMs: number,
  signal: AbortSignal,
): Promise<readonly Answer[]> {
  const packets = new KernelPackets({ clock: bootClock() });
  try {
    return await packets.probe(address, waitMs, signal);
  } finally {
    packets.close();
  }
}
