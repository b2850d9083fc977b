// What the tests of VRRP's sockets share: a sender and listeners in the namespaces of a wire, and what they heard.

import { bootClock } from "../../adapters/linux/clock.ts";
import { openReceiver } from "../../adapters/linux/vrrp-receiver.ts";
import { createAdvertSender } from "../../adapters/linux/vrrp-sender.ts";
import { NO_AUTHENTICATION, type VrrpAdvert } from "../../src/base/vrrp.ts";
import type {
  AdvertReceiver,
  AdvertSender,
  AdvertVoice,
  VoiceListener,
  AdvertSource,
  VrrpRoute,
} from "../../src/ports/vrrp.ts";
import { decodeReceived, type DecodeOptions, type VrrpMessage } from "../../src/wire/vrrp.ts";
import type { VrrpFault } from "../../src/wire/vrrp-fault.ts";
import { formatIp } from "../../src/wire/ip.ts";
import type { Namespace, Wire } from "./namespaces.ts";

export const clock = bootClock();

/** One packet that was heard. */
export interface Heard {
  /** CLOCK_BOOTTIME in milliseconds. */
  readonly at: number;
  readonly source: string;
  readonly destination: string;
  readonly message?: VrrpMessage;
  readonly fault?: VrrpFault;
}

/** What an source hears, while the wire stands. */
export interface Listening extends AdvertReceiver {
  readonly heard: readonly Heard[];
}

/** Opens an source in a namespace, on eth0 unless told otherwise. */
export function openListener(
  wire: Wire,
  at: Namespace,
  given: Partial<AdvertSource> = {},
  options: DecodeOptions = {},
): Listening {
  const heard: Heard[] = [];
  const receiver = at.inside(() =>
    openReceiver({ interface: "eth0", family: 4, unicast: null, ...given }, (received) => {
      const { from, ...result } = decodeReceived(received, options);
      const ends = { source: formatIp(from?.source ?? ZERO), destination: formatIp(from?.destination ?? ZERO) };
      const what = result.kind === "message" ? { message: result.message } : { fault: result.fault };
      heard.push({ at: clock.now(), ...ends, ...what });
    }),
  );
  wire.onClose(() => receiver.close());
  return { heard, drain: () => receiver.drain(), close: () => receiver.close() };
}

const ZERO = new Uint8Array(4);

/** The route of an advert from 10.77.0.1 to the group. */
export function route(given: Partial<VrrpRoute> = {}): VrrpRoute {
  return {
    interface: "eth0",
    source: "10.77.0.1",
    reach: { kind: "multicast" },
    authentication: NO_AUTHENTICATION,
    checksum: "pseudo-header",
    ...given,
  };
}

/** An advert of version 3, router 51, priority 100, every 100 ms. */
export function advert(given: Partial<VrrpAdvert> = {}): VrrpAdvert {
  return { version: 3, vrid: 51, priority: 100, intervalMs: 100, addresses: ["10.77.0.50"], ...given };
}

/** A voice, and what its listener was told. */
export interface Speaker extends AdvertVoice {
  readonly sent: readonly number[];
  readonly failures: readonly string[];
  readonly silences: readonly number[];
}

/** A sender in the host's namespace that gives signs of life every 20 ms; closed when the wire closes. */
export class Studio {
  readonly sender: AdvertSender;
  private readonly wire: Wire;
  private readonly timer: NodeJS.Timeout;

  constructor(wire: Wire) {
    this.wire = wire;
    this.sender = createAdvertSender({ clock });
    this.timer = setInterval(() => this.sender.alive(), 20);
  }

  speaker(given: Partial<VrrpRoute> = {}): Speaker {
    const [sent, failures, silences]: [number[], string[], number[]] = [[], [], []];
    const listener: VoiceListener = {
      sent: (at) => sent.push(at),
      failed: (message) => failures.push(message),
      silenced: () => silences.push(clock.now()),
    };
    const voice = this.wire.host.inside(() => this.sender.voice(route(given), listener));
    return {
      sent,
      failures,
      silences,
      speak: (content, graceMs) => voice.speak(content, graceMs),
      hush: () => voice.hush(),
      say: (content) => voice.say(content),
      lastSentAt: () => voice.lastSentAt(),
      close: () => voice.close(),
    };
  }

  /** Gives no more signs of life. */
  stall(): void {
    clearInterval(this.timer);
  }

  async close(): Promise<void> {
    this.stall();
    await this.sender.close();
  }
}

/** Keeps the event loop busy for so long. */
export function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** The gaps between times, in milliseconds. */
export function gaps(times: readonly number[]): readonly number[] {
  return times.slice(1).map((at, i) => at - (times[i] ?? at));
}
