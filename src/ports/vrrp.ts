// What VRRP needs from the host: adverts that leave in time, and those that arrive. Failures are VipdErrors: "interface",
// "privilege", "kernel".

import type { Instant } from "../base/time.ts";
import type { VrrpAdvert, VrrpAuthentication, VrrpChecksum, VrrpReach, VrrpReceived } from "../base/vrrp.ts";

/** The way of one virtual router's adverts. */
export interface VrrpRoute {
  readonly interface: string;
  /** An address of that interface, canonical text: IPv6's multicast leaves from a link-local one (RFC 9568, section 5.1.2.1). */
  readonly source: string;
  readonly reach: VrrpReach;
  /**
   * The virtual router's MAC, for multicast (RFC 9568, section 7.2); absent: that of the interface. An advert that the fence
   * keeps in with it leaves with that of the interface: the first one, before the VIP is held, and the farewell.
   */
  readonly sourceMac?: string;
  readonly authentication: VrrpAuthentication;
  /** Version 3 on IPv4. */
  readonly checksum: VrrpChecksum;
}

/** Told of what one voice does, from the event loop. */
export interface VoiceListener {
  /** A periodic advert left; `at` was read before it was handed to the socket. */
  sent(at: Instant): void;
  /** An advert did not leave, to none or not to all peers. */
  failed(message: string): void;
  /** The voice fell silent, since this program gave no sign of life; it stays so until it is told to speak. */
  silenced(): void;
}

/** The voice of one virtual router. */
export interface AdvertVoice {
  /**
   * Sends this advert at once, and then each interval. It falls silent when the program has given no sign of life (`alive`)
   * for `graceMs`. Calling it again replaces the advert.
   */
  speak(advert: VrrpAdvert, graceMs: number): void;
  hush(): void;
  /** Sends this advert once, behind all that was asked for before. */
  say(advert: VrrpAdvert): void;
  /** When the last periodic advert left, read before its send, whether or not the listener was told; LONG_AGO: none did. */
  lastSentAt(): Instant;
  close(): void;
}

/** Sends adverts at their times, whatever the event loop is busy with. */
export interface AdvertSender {
  /** Throws when the interface, the address or the privilege is missing. */
  voice(route: VrrpRoute, listener: VoiceListener): AdvertVoice;
  /**
   * This program lives and has dealt with everything up to now. Call it several times in each grace, and each time behind a
   * tick of every machine that wants one by now: after a pause of the program the leases are judged first, and a voice that shall be silent is told
   * so before this; what was told before is obeyed before the next advert.
   */
  alive(): void;
  /** Lets out what was said, and ends. */
  close(): Promise<void>;
}

/** What to listen for on an interface: what is sent to the group, or to this address. */
export interface AdvertSource {
  readonly interface: string;
  readonly family: 4 | 6;
  /** The own address that peers send to; `null`: the group. */
  readonly unicast: string | null;
}

/** Hears the adverts of all router ids, until closed. */
export interface AdvertReceiver {
  /** Hands in now what has arrived. */
  drain(): void;
  close(): void;
}

/** Takes what arrived, from the event loop or from `drain`. */
export type OnReceived = (received: VrrpReceived) => void;
