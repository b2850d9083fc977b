// Adverts in memory: a sender that sends when a test says so, and receivers that hear what a test says.

import { type Instant, LONG_AGO } from "../../../src/base/time.ts";
import { NO_AUTHENTICATION, type VrrpAdvert, type VrrpAuthentication } from "../../../src/base/vrrp.ts";
import type { Timers } from "../../../src/ports/clock.ts";
import type {
  AdvertSender,
  AdvertVoice,
  OnReceived,
  VoiceListener,
  AdvertSource,
  VrrpRoute,
} from "../../../src/ports/vrrp.ts";
import type { OpenReceiver } from "../../../src/node/advert-listeners.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import { encodeVrrpIpv4 } from "../../../src/wire/vrrp.ts";
import { authenticationOptions } from "../../../src/wire/vrrp-auth.ts";
import { hmac } from "../wire/vrrp-samples.ts";

export class FakeWire implements AdvertSender {
  /** What was asked for, such as `speak 51 100` or `say 51 0`. */
  readonly calls: string[] = [];
  readonly voices: FakeVoice[] = [];
  readonly receivers = new Map<string, OnReceived>();
  readonly timers: Timers;
  aliveCount = 0;
  /** Whether no voice can be opened. */
  refuses = false;

  constructor(timers: Timers) {
    this.timers = timers;
  }

  readonly openReceiver: OpenReceiver = (source, onReceived) => {
    this.receivers.set(nameOf(source), onReceived);
    return { drain: () => {}, close: () => void this.receivers.delete(nameOf(source)) };
  };

  voice(route: VrrpRoute, listener: VoiceListener): AdvertVoice {
    if (this.refuses) throw new Error("no more sockets");
    const voice = new FakeVoice(this, route, listener);
    this.voices.push(voice);
    return voice;
  }

  alive(): void {
    this.aliveCount += 1;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Another router's advert arrives at all sockets of its interface. */
  hear(advert: VrrpAdvert, source: string, authentication: VrrpAuthentication = NO_AUTHENTICATION): void {
    const ends = { source: ipBytes(source), destination: ipBytes("224.0.0.18") };
    const packet = encodeVrrpIpv4(advert, ends, authenticationOptions(authentication, hmac, this.timers.wallMs(), 0n));
    for (const receive of this.receivers.values()) receive({ family: 4, packet });
  }

  /** The calls since this was asked last. */
  news(): readonly string[] {
    return this.calls.splice(0);
  }
}

/** The voice of a router that is not closed. */
class FakeVoice implements AdvertVoice {
  readonly route: VrrpRoute;
  private readonly wire: FakeWire;
  private readonly listener: VoiceListener;
  private sentAt: Instant = LONG_AGO;

  constructor(wire: FakeWire, route: VrrpRoute, listener: VoiceListener) {
    this.wire = wire;
    this.route = route;
    this.listener = listener;
  }

  speak(advert: VrrpAdvert): void {
    this.wire.calls.push(`speak ${advert.vrid} ${advert.priority} ${advert.addresses.join()}`);
  }

  hush(): void {
    this.wire.calls.push("hush");
  }

  say(advert: VrrpAdvert): void {
    this.wire.calls.push(`say ${advert.vrid} ${advert.priority}`);
  }

  lastSentAt(): Instant {
    return this.sentAt;
  }

  close(): void {
    this.wire.calls.push("close");
  }

  /** An advert leaves now; `told`: the program hears of it. */
  send(told = true): void {
    this.sentAt = this.wire.timers.now();
    if (told) this.listener.sent(this.sentAt);
  }
}

function nameOf(source: AdvertSource): string {
  return `${source.interface} ${source.family} ${source.unicast ?? "group"}`;
}
