// When which advert is sent, by absolute deadlines: the heart of the sending thread, without the thread.
//
// A voice's adverts leave at whole multiples of its interval plus a phase of its slot, the first one at once. So adverts of one
// interval share their wake-ups, which keeps 255 routers cheap, and the phases keep bursts short for those who receive them.

import { createHmac } from "node:crypto";
import { messageOf } from "../../src/base/errors.ts";
import { type Instant, instant, later, NEVER } from "../../src/base/time.ts";
import type { VrrpAdvert } from "../../src/base/vrrp.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { concatBytes } from "../../src/wire/bytes.ts";
import { IPV4_BYTES } from "../../src/wire/ip.ts";
import { encodeVrrp, encodeVrrpIpv4, encodeVrrpPacket } from "../../src/wire/vrrp.ts";
import { authenticationOptions } from "../../src/wire/vrrp-auth.ts";
import { EHOSTUNREACH, ENETUNREACH, ENOBUFS, errnoOf } from "./errors.ts";
import type { Fd } from "./native.ts";
import type { Command, Destination, News, SharedTimes, VoiceId, VoiceSettings } from "./vrrp-channel.ts";

/** How many different phases adverts of one interval have. */
const PHASES = 16;

/** What the voices need. */
export interface VoicesDeps {
  readonly clock: Clock;
  readonly times: SharedTimes;
  readonly send: (fd: Fd, packet: Uint8Array, target: Uint8Array) => void;
  readonly closeSocket: (fd: Fd) => void;
  readonly tell: (news: readonly News[]) => void;
}

interface Voice {
  readonly settings: VoiceSettings;
  /** The sequence number of the last signed advert. */
  sequence: bigint;
  /** What it says periodically; `null`: it is silent. */
  speech: Speech | null;
}

interface Speech {
  readonly advert: VrrpAdvert;
  readonly graceMs: number;
  /** What to send to each destination; `null` where each advert is signed anew. */
  readonly packets: readonly Packet[] | null;
  dueAt: Instant;
}

/** One packet to one destination, or the frames that carry it, the first choice first. */
type Packet = readonly Uint8Array[];

/** All voices of a program. */
export class Voices {
  readonly #deps: VoicesDeps;
  readonly #voices = new Map<VoiceId, Voice>();
  #news: News[] = [];

  constructor(deps: VoicesDeps) {
    this.#deps = deps;
  }

  /**
   * One turn of the thread: does what it was told, sends what is due, and gives the time of the next advert; `null`: it was told
   * to end. The program's last sign of life is read before the commands are.
   */
  turn(next: () => Command | undefined): Instant | null {
    const aliveAt = this.#deps.times.alive;
    for (let command = next(); command !== undefined; command = next()) {
      if (command.kind === "end") return null;
      this.obey(command);
    }
    return this.run(aliveAt);
  }

  /** Does what it is told; "end" is the caller's to do. */
  obey(command: Command): void {
    if (command.kind === "end") return;
    if (command.kind === "close-socket") return this.#deps.closeSocket(command.fd);
    if (command.kind === "open") {
      this.#voices.set(command.settings.id, { settings: command.settings, sequence: 0n, speech: null });
      return;
    }
    const voice = this.#voices.get(command.id);
    if (voice === undefined) return;
    if (command.kind === "close") this.#voices.delete(command.id);
    if (command.kind === "hush") voice.speech = null;
    if (command.kind === "say") this.#say(voice, command.advert);
    if (command.kind === "speak") this.#speak(voice, command.advert, command.graceMs);
  }

  /**
   * Sends what is due, tells what happened, and gives the time of the next advert. `aliveAt`, the program's last sign of life,
   * was read before the commands were: whoever has given it had nothing more to say by then.
   */
  run(aliveAt: Instant): Instant {
    // Of hundreds of voices a few are due: the clock is read anew for those alone.
    const now = this.#deps.clock.now();
    let soonest = NEVER;
    for (const voice of this.#voices.values()) {
      if (voice.speech !== null && voice.speech.dueAt <= now) this.#sendDue(voice, voice.speech, aliveAt);
      if (voice.speech !== null && voice.speech.dueAt < soonest) soonest = voice.speech.dueAt;
    }
    if (this.#news.length > 0) this.#deps.tell(this.#news);
    this.#news = [];
    return soonest;
  }

  #say(voice: Voice, advert: VrrpAdvert): void {
    const failure = this.#sendAll(voice, packetsOf(voice, advert, this.#deps.clock));
    if (failure !== undefined) this.#news.push({ kind: "failed", id: voice.settings.id, message: failure.message });
  }

  #speak(voice: Voice, advert: VrrpAdvert, graceMs: number): void {
    const isSigned = voice.settings.authentication.kind === "hmac";
    const packets = isSigned ? null : packetsOf(voice, advert, this.#deps.clock);
    voice.speech = { advert, graceMs, packets, dueAt: this.#deps.clock.now() };
  }

  #sendDue(voice: Voice, speech: Speech, aliveAt: Instant): void {
    const { clock, times } = this.#deps;
    const { id, slot } = voice.settings;
    const at = clock.now();
    if (at > later(aliveAt, speech.graceMs)) {
      voice.speech = null;
      this.#news.push({ kind: "silenced", id });
      return;
    }
    speech.dueAt = nextDue(at, speech.advert.intervalMs, slot);
    const failure = this.#sendAll(voice, speech.packets ?? packetsOf(voice, speech.advert, clock));
    if (failure !== undefined) this.#news.push({ kind: "failed", id, message: failure.message });
    if (failure?.fatal === true) return;
    times.setLastSent(slot, at);
    this.#news.push({ kind: "sent", id, at });
  }

  /** Sends an advert to all. It has left when every packet has, those to peers that this host has no way to excepted. */
  #sendAll({ settings }: Voice, packets: readonly Packet[]): Failure | undefined {
    let sent = 0;
    let failure: Failure | undefined;
    for (const [i, { target }] of settings.destinations.entries()) {
      try {
        this.#sendFirst(settings.fd, packets[i] ?? [], target);
        sent += 1;
      } catch (error) {
        const fatal = failure?.fatal === true || !isUnreachable(error);
        failure = { message: messageOf(error), fatal };
      }
    }
    return failure === undefined ? undefined : { ...failure, fatal: failure.fatal || sent === 0 };
  }

  /** Sends the first choice, or, where the fence keeps that in, the next one. */
  #sendFirst(fd: Fd, choices: Packet, target: Uint8Array): void {
    for (const [i, bytes] of choices.entries()) {
      try {
        return this.#deps.send(fd, bytes, target);
      } catch (error) {
        if (i === choices.length - 1 || errnoOf(error) !== ENOBUFS) throw error;
      }
    }
  }
}

interface Failure {
  readonly message: string;
  /** The advert counts as not sent. */
  readonly fatal: boolean;
}

function isUnreachable(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === EHOSTUNREACH || errno === ENETUNREACH;
}

/** The next time after `at` of an interval and a slot: never more than an interval away. */
function nextDue(at: Instant, intervalMs: number, slot: number): Instant {
  const phase = ((slot % PHASES) * intervalMs) / PHASES;
  return instant((Math.floor((at - phase) / intervalMs) + 1) * intervalMs + phase);
}

function packetsOf(voice: Voice, advert: VrrpAdvert, clock: Clock): readonly Packet[] {
  const { source, authentication, checksum, destinations, headers } = voice.settings;
  const { sequence, ...options } = authenticationOptions(authentication, hmac, clock.wallMs(), voice.sequence);
  voice.sequence = sequence;
  const encodePayload = source.length === IPV4_BYTES ? encodeVrrpIpv4 : encodeVrrp;
  const encode = headers === undefined ? encodePayload : encodeVrrpPacket;
  return destinations.map(({ address }: Destination) => {
    const packet = encode(advert, { source, destination: address }, { ...options, checksum });
    return headers === undefined ? [packet] : headers.map((header) => concatBytes(header, packet));
  });
}

function hmac(key: Uint8Array, text: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(text).digest());
}
