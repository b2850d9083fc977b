// Adverts from a thread of their own: the program's side, apart from sockets and from the thread itself. The simulation runs
// this same code over its own.

import { VipdError } from "../../src/base/errors.ts";
import { type Instant, LONG_AGO } from "../../src/base/time.ts";
import type { VrrpAdvert } from "../../src/base/vrrp.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { AdvertSender, AdvertVoice, VoiceListener, VrrpRoute } from "../../src/ports/vrrp.ts";
import type { Fd } from "./native.ts";
import { type Command, type Destination, MAX_VOICES, type News, SharedTimes, type VoiceId } from "./vrrp-channel.ts";

/** The thread, as the program sees it. */
export interface SendingThread {
  /** Hands in a command; the thread is woken afterwards. */
  tell(command: Command): void;
  /** It was told to end: waits until it has, and no longer than that may take. */
  ended(): Promise<void>;
}

/** Where the adverts of a route go. */
export interface AdvertWay {
  /** Routes of the same key share a socket. */
  readonly key: string;
  readonly source: Uint8Array;
  readonly destinations: readonly Destination[];
  /** Where the socket takes whole frames, their Ethernet headers: the next one is for what the fence keeps in with the one before. */
  readonly headers?: readonly Uint8Array[];
  /** Throws as src/ports/vrrp.ts says. */
  readonly openSocket: () => Fd;
}

/** What the program's side works with. */
export interface ThreadedSenderDeps {
  readonly clock: Clock;
  /** Throws as src/ports/vrrp.ts says. */
  readonly wayOf: (route: VrrpRoute) => AdvertWay;
  readonly startThread: (times: SharedTimes, onNews: (news: readonly News[]) => void) => SendingThread;
}

/** A socket that voices share. */
interface Shared {
  readonly key: string;
  readonly fd: Fd;
  users: number;
}

/** Sends adverts by a thread, which is started with the first voice. */
export class ThreadedSender implements AdvertSender {
  readonly #deps: ThreadedSenderDeps;
  readonly #times = new SharedTimes();
  readonly #listeners = new Map<VoiceId, VoiceListener>();
  readonly #sockets = new Map<string, Shared>();
  readonly #freeSlots: number[] = Array.from({ length: MAX_VOICES }, (_, i) => MAX_VOICES - 1 - i);
  #thread: SendingThread | null = null;
  #lastId = 0;
  #open = true;

  constructor(deps: ThreadedSenderDeps) {
    this.#deps = deps;
    this.alive();
  }

  voice(route: VrrpRoute, listener: VoiceListener): AdvertVoice {
    if (!this.#open) throw new VipdError("kernel", "the sender of VRRP adverts is closed", { call: "voice" });
    const way = this.#deps.wayOf(route);
    const slot = this.#freeSlots.pop();
    if (slot === undefined) throw new VipdError("kernel", `more than ${MAX_VOICES} VRRP routers on one host`);
    const shared = this.#socketFor(way, slot);
    this.#lastId += 1;
    const id = this.#lastId;
    this.#times.setLastSent(slot, LONG_AGO_IN_MEMORY);
    this.#listeners.set(id, listener);
    const { authentication, checksum } = route;
    const { key: _key, openSocket: _open, ...settings } = way;
    this.#tell({ kind: "open", settings: { id, slot, fd: shared.fd, authentication, checksum, ...settings } });
    return new ThreadedVoice({
      tell: (command) => this.#tell(command),
      lastSentAt: () => this.#times.lastSent(slot),
      onClose: () => this.#forget(id, slot, shared),
      id,
    });
  }

  alive(): void {
    this.#times.alive = this.#deps.clock.now();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#listeners.clear();
    const thread = this.#thread;
    for (const { fd } of this.#sockets.values()) this.#tell({ kind: "close-socket", fd });
    this.#sockets.clear();
    if (thread === null) return;
    this.#tell({ kind: "end" });
    await thread.ended();
  }

  #socketFor({ key, openSocket }: AdvertWay, slot: number): Shared {
    const known = this.#sockets.get(key);
    if (known !== undefined) {
      known.users += 1;
      return known;
    }
    try {
      const shared = { key, fd: openSocket(), users: 1 };
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
    this.#thread ??= this.#deps.startThread(this.#times, (news) => {
      for (const each of news) this.#hear(each);
    });
    this.#thread.tell(command);
    this.#times.wake();
  }

  #hear(news: News): void {
    const listener = this.#listeners.get(news.id);
    if (news.kind === "sent") listener?.sent(news.at);
    else if (news.kind === "failed") listener?.failed(news.message);
    else listener?.silenced();
  }
}

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
