// What passes between the program and the thread that sends its adverts: commands and news as messages, and in shared memory
// the times that either side must read without waiting for the other.

import { type Instant, instant } from "../../src/base/time.ts";
import type { VrrpAdvert, VrrpAuthentication, VrrpChecksum } from "../../src/base/vrrp.ts";

/** A voice has this number among all that there ever were. */
export type VoiceId = number;

/** How a voice's adverts are written and where they go; fixed for its life. */
export interface VoiceSettings {
  readonly id: VoiceId;
  /** Its place in the shared memory. */
  readonly slot: number;
  readonly fd: number;
  readonly source: Uint8Array;
  readonly authentication: VrrpAuthentication;
  readonly checksum: VrrpChecksum;
  readonly destinations: readonly Destination[];
  /** Where the socket takes whole frames, their Ethernet headers: the next one is for what the fence keeps in with the one before. */
  readonly headers?: readonly Uint8Array[];
}

/** One receiver. */
export interface Destination {
  readonly address: Uint8Array;
  /** The same as a socket address. */
  readonly target: Uint8Array;
}

/** What the thread is told to do, in order. */
export type Command =
  | { readonly kind: "open"; readonly settings: VoiceSettings }
  | { readonly kind: "speak"; readonly id: VoiceId; readonly advert: VrrpAdvert; readonly graceMs: number }
  | { readonly kind: "hush"; readonly id: VoiceId }
  | { readonly kind: "say"; readonly id: VoiceId; readonly advert: VrrpAdvert }
  | { readonly kind: "close"; readonly id: VoiceId }
  /** No voice uses this socket any more. */
  | { readonly kind: "close-socket"; readonly fd: number }
  | { readonly kind: "end" };

/** What the thread tells. */
export type News =
  | { readonly kind: "sent"; readonly id: VoiceId; readonly at: Instant }
  | { readonly kind: "failed"; readonly id: VoiceId; readonly message: string }
  | { readonly kind: "silenced"; readonly id: VoiceId };

/** Most voices at a time. */
export const MAX_VOICES = 4096;

// Shared memory: i32 count of wake-ups @0, i32 pad, i64 time of the last sign of life @8, i64 time of the last advert of each slot @16;
// times in whole microseconds of CLOCK_BOOTTIME, rounded down, which is the safe side for all of them.

const BYTES = 16 + 8 * MAX_VOICES;
const ALIVE = 1;
const FIRST_SLOT = 2;
const US_PER_MS = 1000;

/** The shared memory as both sides see it. */
export class SharedTimes {
  readonly memory: SharedArrayBuffer;
  readonly #wakes: Int32Array<SharedArrayBuffer>;
  readonly #times: BigInt64Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.memory = memory;
    this.#wakes = new Int32Array(memory, 0, 2);
    this.#times = new BigInt64Array(memory);
  }

  /** The program's side: wakes the thread. */
  wake(): void {
    Atomics.add(this.#wakes, 0, 1);
    Atomics.notify(this.#wakes, 0);
  }

  /** The thread's side: how often it was woken; read before the commands are. */
  wakes(): number {
    return Atomics.load(this.#wakes, 0);
  }

  /** The thread's side: sleeps until it is woken beyond `wakes`, or for so long. */
  sleep(wakes: number, ms: number): void {
    Atomics.wait(this.#wakes, 0, wakes, ms);
  }

  /** When the program last gave a sign of life. */
  get alive(): Instant {
    return this.#read(ALIVE);
  }

  set alive(at: Instant) {
    this.#write(ALIVE, at);
  }

  /** When the last advert of a slot left; 0 for none. */
  lastSent(slot: number): Instant {
    return this.#read(FIRST_SLOT + slot);
  }

  /** Sets when the last advert of a slot left. */
  setLastSent(slot: number, at: Instant): void {
    this.#write(FIRST_SLOT + slot, at);
  }

  #read(index: number): Instant {
    return instant(Number(Atomics.load(this.#times, index)) / US_PER_MS);
  }

  #write(index: number, at: Instant): void {
    Atomics.store(this.#times, index, BigInt(Math.floor(at * US_PER_MS)));
  }
}
