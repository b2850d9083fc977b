// Adverts from a thread of their own: the thread and the sockets of this host.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { VrrpReach } from "../../src/base/vrrp.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { AdvertSender, VrrpRoute } from "../../src/ports/vrrp.ts";
import {
  encodeEthernetHeader,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ipv4MulticastMac,
  ipv6MulticastMac,
  parseMac,
} from "../../src/wire/ethernet.ts";
import { IPV4_BYTES, ipBytes } from "../../src/wire/ip.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { VRRP_GROUP_IPV4, VRRP_GROUP_IPV6 } from "../../src/wire/vrrp.ts";
import { needLink } from "./links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";
import type { News, SharedTimes } from "./vrrp-channel.ts";
import { type AdvertWay, type SendingThread, ThreadedSender } from "./vrrp-program.ts";
import { advertTarget, frameTarget, openAdvertSocket, openFrameSocket } from "./vrrp-sockets.ts";

/** How long the thread may take to end, in milliseconds. */
const END_MS = 1_000;

/** Beside this file as TypeScript, and beside the parts of the programs when they are bundled. */
const WORKER_FILE = new URL(import.meta.url.endsWith(".ts") ? "vrrp-worker.ts" : "vrrp-worker.js", import.meta.url);

/** What a sender needs. */
export interface AdvertSenderDeps {
  readonly clock: Clock;
}

/** A sender in the network namespace that the thread is in when a voice is opened. */
export function createAdvertSender({ clock }: AdvertSenderDeps): AdvertSender {
  return new ThreadedSender({ clock, wayOf, startThread });
}

/** What the thread throws is a bug, and ends the program like any other: nobody listens for "error". */
function startThread(times: SharedTimes, onNews: (news: readonly News[]) => void): SendingThread {
  // Options of the program, as "--input-type", are not for its threads.
  const worker = new Worker(WORKER_FILE, { workerData: times.memory, execArgv: [] });
  worker.on("message", onNews);
  worker.unref();
  return {
    tell: (command) => worker.postMessage(command, []),
    ended: async () => {
      worker.ref();
      try {
        await once(worker, "exit", { signal: AbortSignal.timeout(END_MS) });
      } catch {
        // It hangs in the kernel, or has not been scheduled: what is left of it is ended from outside.
        await worker.terminate();
      }
    },
  };
}

function wayOf(route: VrrpRoute): AdvertWay {
  const link = linkOf(route.interface);
  const source = ipBytes(route.source);
  const addresses = destinationsOf(route.reach, source);
  const frames = framesOf(route, source, link);
  if (frames !== undefined) {
    const { target, headers } = frames;
    const destinations = addresses.map((address) => ({ address, target }));
    return { key: "frames", source, destinations, headers, openSocket: openFrameSocket };
  }
  return {
    key: `${link.index} ${source.length === IPV4_BYTES ? "ipv4" : source.join(".")}`,
    source,
    destinations: addresses.map((address) => ({ address, target: advertTarget(link, address) })),
    openSocket: () => openAdvertSocket(link, source),
  };
}

function destinationsOf(reach: VrrpReach, source: Uint8Array): readonly Uint8Array[] {
  if (reach.kind === "unicast") return reach.peers.map((peer) => ipBytes(peer));
  return [source.length === IPV4_BYTES ? VRRP_GROUP_IPV4 : VRRP_GROUP_IPV6];
}

/**
 * How adverts are written that have a MAC of their own as source: the kernel would put the link's. The link's is the second
 * choice, for an advert that the fence keeps in with the virtual one.
 */
function framesOf(
  { sourceMac, reach }: VrrpRoute,
  source: Uint8Array,
  link: LinkRecord,
): { readonly headers: readonly Uint8Array[]; readonly target: Uint8Array } | undefined {
  const mac = sourceMac === undefined ? undefined : parseMac(sourceMac);
  const own = parseMac(link.mac);
  if (mac === undefined || own === undefined || reach.kind === "unicast") return undefined;
  const isIpv4 = source.length === IPV4_BYTES;
  const group = isIpv4 ? ipv4MulticastMac(VRRP_GROUP_IPV4) : ipv6MulticastMac(VRRP_GROUP_IPV6);
  const etherType = isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
  const headers = [mac, own].map((from) => encodeEthernetHeader(group, from, etherType));
  return { headers, target: frameTarget(link, group, etherType) };
}

function linkOf(name: string): LinkRecord {
  const links = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");
  try {
    return needLink(links, name);
  } finally {
    links.close();
  }
}
