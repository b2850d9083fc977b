// Adverts from a thread of their own: the program's side. The thread is started with the first voice.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { VipdError } from "../../src/base/errors.ts";
import { type Instant, LONG_AGO } from "../../src/base/time.ts";
import type { VrrpAdvert, VrrpReach } from "../../src/base/vrrp.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { AdvertSender, AdvertVoice, VoiceListener, VrrpRoute } from "../../src/ports/vrrp.ts";
import { encodeEthernetHeader, ETHERTYPE_IPV4, ipv4MulticastMac, parseMac } from "../../src/wire/ethernet.ts";
import { IPV4_BYTES, ipBytes } from "../../src/wire/ip.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { VRRP_GROUP_IPV4, VRRP_GROUP_IPV6 } from "../../src/wire/vrrp.ts";
import { needLink } from "./links.ts";
import type { Fd } from "./native.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";
import { type Command, MAX_VOICES, type News, SharedTimes, type VoiceId } from "./vrrp-channel.ts";
import { advertTarget, frameTarget, openAdvertSocket, openFrameSocket } from "./vrrp-sockets.ts";

/** How long the thread may take to end, in milliseconds. */
const END_MS = 1_000;

/** What a sender needs. */
export interface AdvertSenderDeps {
  readonly clock: Clock;
}

/** A sender in the network namespace that the thread is in when a voice is opened. */
export function createAdvertSender(deps: AdvertSenderDeps): AdvertSender {
  return new ThreadedSender(deps);
}

/** A socket that voices share. */
interface Shared {
  readonly key: string;
  readonly fd: Fd;
  users: number;
}

class ThreadedSender implements AdvertSender {
  readonly #clock: Clock;
  readonly #times = new SharedTimes();
  readonly #listeners = new Map<VoiceId, VoiceListener>();
  readonly #sockets = new Map<string, Shared>();
  readonly #freeSlots: number[] = Array.from({ length: MAX_VOICES }, (_, i) => MAX_VOICES - 1 - i);
  #worker: Worker | null = null;
  #lastId = 0;
  #open = true;

  constructor({ clock }: AdvertSenderDeps) {
    this.#clock = clock;
    this.alive();
  }

  voice(route: VrrpRoute, listener: VoiceListener): AdvertVoice {
    if (!this.#open) throw new VipdError("kernel", "the sender of VRRP adverts is closed", { call: "voice" });
    const link = linkOf(route.interface);
    const source = ipBytes(route.source);
    const frame = frameOf(route, source);
    const destinations = destinationsOf(route.reach, source).map((address) => ({
      address,
      target: frame === undefined ? advertTarget(link, address) : frameTarget(link, frame.group),
    }));
    const slot = this.#freeSlots.pop();
    if (slot === undefined) throw new VipdError("kernel", `more than ${MAX_VOICES} VRRP routers on one host`);
    const shared = this.#socketFor(link, source, slot, frame !== undefined);
    this.#lastId += 1;
    const id = this.#lastId;
    this.#times.setLastSent(slot, LONG_AGO_IN_MEMORY);
    this.#listeners.set(id, listener);
    const { authentication, checksum } = route;
    const settings = { id, slot, fd: shared.fd, source, authentication, checksum, destinations };
    this.#tell({ kind: "open", settings: frame === undefined ? settings : { ...settings, header: frame.header } });
    return new ThreadedVoice({
      tell: (command) => this.#tell(command),
      lastSentAt: () => this.#times.lastSent(slot),
      onClose: () => this.#forget(id, slot, shared),
      id,
    });
  }

  alive(): void {
    this.#times.alive = this.#clock.now();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#listeners.clear();
    const worker = this.#worker;
    for (const { fd } of this.#sockets.values()) this.#tell({ kind: "close-socket", fd });
    this.#sockets.clear();
    if (worker === null) return;
    worker.ref();
    const ended = once(worker, "exit", { signal: AbortSignal.timeout(END_MS) });
    this.#tell({ kind: "end" });
    try {
      await ended;
    } catch {
      // It hangs in the kernel, or has not been scheduled: what is left of it is ended from outside.
      await worker.terminate();
    }
  }

  #socketFor(link: LinkRecord, source: Uint8Array, slot: number, forFrames: boolean): Shared {
    const packets = `${link.index} ${source.length === IPV4_BYTES ? "ipv4" : source.join(".")}`;
    const key = forFrames ? "frames" : packets;
    const known = this.#sockets.get(key);
    if (known !== undefined) {
      known.users += 1;
      return known;
    }
    try {
      const shared = { key, fd: forFrames ? openFrameSocket() : openAdvertSocket(link, source), users: 1 };
      this.#sockets.set(key, shared);
      return shared;
    } catch (error) {
      this.#freeSlots.push(slot);
      throw error;
    }
  }

  #forget(id: VoiceId, slot: number, shared: Shared): void {
    if (!this.#open || !this.#listeners.delete(id)) return;
    this.#freeSlots.push(slot);
    this.#tell({ kind: "close", id });
    shared.users -= 1;
    if (shared.users > 0) return;
    this.#sockets.delete(shared.key);
    this.#tell({ kind: "close-socket", fd: shared.fd });
  }

  #tell(command: Command): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(command, []);
    this.#times.wake();
  }

  /** What the thread throws is a bug, and ends the program like any other: nobody listens for "error". */
  #start(): Worker {
    // Options of the program, as "--input-type", are not for its threads.
    const worker = new Worker(WORKER_FILE, { workerData: this.#times.memory, execArgv: [] });
    worker.on("message", (news: readonly News[]) => {
      for (const each of news) this.#hear(each);
    });
    worker.unref();
    return worker;
  }

  #hear(news: News): void {
    const listener = this.#listeners.get(news.id);
    if (news.kind === "sent") listener?.sent(news.at);
    else if (news.kind === "failed") listener?.failed(news.message);
    else listener?.silenced();
  }
}

/** Beside this file as TypeScript, and beside the parts of the programs when they are bundled. */
const WORKER_FILE = new URL(import.meta.url.endsWith(".ts") ? "vrrp-worker.ts" : "vrrp-worker.js", import.meta.url);

/** The shared memory has no word for "never"; nothing was sent at the moment of the boot. */
const LONG_AGO_IN_MEMORY = 0 as Instant;

/** What a voice works with. */
interface VoiceDeps {
  readonly id: VoiceId;
  readonly tell: (command: Command) => void;
  readonly lastSentAt: () => Instant;
  readonly onClose: () => void;
}

class ThreadedVoice implements AdvertVoice {
  readonly #deps: VoiceDeps;
  #open = true;

  constructor(deps: VoiceDeps) {
    this.#deps = deps;
  }

  speak(advert: VrrpAdvert, graceMs: number): void {
    this.#tell({ kind: "speak", id: this.#deps.id, advert, graceMs });
  }

  hush(): void {
    this.#tell({ kind: "hush", id: this.#deps.id });
  }

  say(advert: VrrpAdvert): void {
    this.#tell({ kind: "say", id: this.#deps.id, advert });
  }

  lastSentAt(): Instant {
    const at = this.#deps.lastSentAt();
    return at === LONG_AGO_IN_MEMORY ? LONG_AGO : at;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#deps.onClose();
  }

  #tell(command: Command): void {
    if (this.#open) this.#deps.tell(command);
  }
}

function destinationsOf(reach: VrrpReach, source: Uint8Array): readonly Uint8Array[] {
  if (reach.kind === "unicast") return reach.peers.map((peer) => ipBytes(peer));
  return [source.length === IPV4_BYTES ? VRRP_GROUP_IPV4 : VRRP_GROUP_IPV6];
}

/** How adverts are written that have a MAC of their own as source: the kernel would put the link's. */
function frameOf(
  { sourceMac, reach }: VrrpRoute,
  source: Uint8Array,
): { readonly header: Uint8Array; readonly group: Uint8Array } | undefined {
  const mac = sourceMac === undefined ? undefined : parseMac(sourceMac);
  if (mac === undefined || reach.kind === "unicast" || source.length !== IPV4_BYTES) return undefined;
  const group = ipv4MulticastMac(VRRP_GROUP_IPV4);
  return { header: encodeEthernetHeader(group, mac, ETHERTYPE_IPV4), group };
}

function linkOf(name: string): LinkRecord {
  const links = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");
  try {
    return needLink(links, name);
  } finally {
    links.close();
  }
}
