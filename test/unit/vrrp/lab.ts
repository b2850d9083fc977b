// One virtual router with a sender and a host that do what they are told, in virtual time, and a transcript of all that it asks
// for: a line an effect, with the seconds since the start.

import { reason } from "../../../src/base/reasons.ts";
import { type Instant, instant, later, NEVER } from "../../../src/base/time.ts";
import type { VrrpAdvert, VrrpReach } from "../../../src/base/vrrp.ts";
import { nextVrrpWakeup, stepVrrp } from "../../../src/vrrp/machine.ts";
import { type VrrpRouter, vrrpRouter } from "../../../src/vrrp/router.ts";
import { initialVrrp, type VrrpEffect, type VrrpEvent, type VrrpState } from "../../../src/vrrp/state.ts";

export const OWN = "10.77.0.5";
export const LOWER = "10.77.0.2";
export const HIGHER = "10.77.0.9";
export const VIP = "10.77.0.50";
export const NO_LINK = reason("link-down", "no link");
export const STOPPED = reason("shutdown");

const START = instant(1_000_000);

/** How long the wire is asked. */
const QUESTION_MS = 20;

/** A router of the tests: id 51, one address, keepalived's defaults for the rest. */
export function router(given: Partial<VrrpRouter> = {}): VrrpRouter {
  return vrrpRouter({ vrid: 51, addresses: [VIP], source: OWN, ...given });
}

/** A pending action of the surroundings. */
interface Due {
  readonly at: Instant;
  readonly run: () => void;
}

/** A virtual router and its surroundings. */
export class Lab {
  now: Instant = START;
  state: VrrpState;
  /** All effects but "extend" and "drain", as lines. */
  readonly transcript: string[] = [];
  /** The end of the right to hold, as it was last told; NaN when nothing is held. */
  until: number = Number.NaN;
  /** Whether adverts leave. */
  sends = true;
  /** Whether the host confirms "lose" at once. */
  releases = true;
  /** What is done when the machine asks to drain, before "drained"; `null`: not even that is handed in. */
  onDrain: (() => void) | null = () => {};
  /** Whether somebody answers when the wire is asked; `null`: the question has no end. */
  isAnswered: boolean | null = false;
  private due: Due[] = [];
  private spoken: { readonly advert: VrrpAdvert; readonly token: object } | null = null;

  constructor(given: Partial<VrrpRouter> = {}, { begin = true } = {}) {
    this.state = initialVrrp(router(given), this.now);
    if (begin) this.post({ type: "tick" });
  }

  /** Milliseconds since the start. */
  get ms(): number {
    return this.now - START;
  }

  get phase(): string {
    return this.state.phase.kind;
  }

  get holds(): boolean {
    return this.state.phase.kind === "master";
  }

  /** The advert that is being sent now; undefined when the router is silent. */
  get speaks(): VrrpAdvert | undefined {
    return this.spoken?.advert;
  }

  post(event: VrrpEvent): this {
    const [state, effects] = stepVrrp(this.state, event, this.now);
    this.state = state;
    for (const effect of effects) this.perform(effect);
    return this;
  }

  /** Another router's advert. */
  hear(priority: number, source = LOWER, given: Partial<VrrpAdvert> & { readonly multicast?: boolean } = {}): this {
    const { version, vrid, intervalMs, addresses, reach } = this.state.router;
    const { multicast = isMulticast(reach), ...changes } = given;
    const advert = { version, vrid, intervalMs, addresses, priority, ...changes };
    return this.post({ type: "advert", advert, source, multicast });
  }

  /** Hears another router every interval for so long; the first time after one interval. */
  hearFor(ms: number, priority: number, source = LOWER, intervalMs = this.state.router.intervalMs): this {
    const end = this.ms + ms;
    while (this.ms + intervalMs <= end) {
      this.advance(intervalMs);
      this.hear(priority, source, { intervalMs });
    }
    return this.advance(end - this.ms);
  }

  /** Lets time pass: timers, adverts and answers come in their order. */
  advance(ms: number): this {
    const end = later(this.now, ms);
    for (let rounds = 0; ; rounds += 1) {
      if (rounds > 100_000) throw new Error("the machine does not come to rest");
      const next = this.due.toSorted((a, b) => a.at - b.at)[0];
      const wakeAt = nextVrrpWakeup(this.state);
      if (next !== undefined && next.at <= wakeAt && next.at <= end) {
        this.due = this.due.filter((other) => other !== next);
        this.moveTo(next.at);
        next.run();
      } else if (wakeAt <= end) {
        this.moveTo(wakeAt);
        this.post({ type: "tick" });
      } else break;
    }
    this.moveTo(end);
    return this;
  }

  /** The program is frozen: nothing happens for so long, and then what was due comes late. */
  freeze(ms: number): this {
    this.moveTo(later(this.now, ms));
    return this;
  }

  /** Advances until `done`; the result is how long that took, in milliseconds, to the millisecond. */
  waitFor(done: () => boolean, limitMs = 120_000): number {
    const began = this.ms;
    while (!done()) {
      if (this.ms - began > limitMs) throw new Error(`not within ${limitMs} ms`);
      this.advance(1);
    }
    return this.ms - began;
  }

  /** Brings the router to hold the addresses; the transcript begins anew. */
  becomeMaster(): this {
    this.waitFor(() => this.holds);
    this.transcript.length = 0;
    return this;
  }

  private perform(effect: VrrpEffect): void {
    const line = lineOf(effect, this.now);
    if (line !== undefined) this.transcript.push(`${(this.ms / 1000).toFixed(3)} ${line}`);
    switch (effect.type) {
      case "speak":
        return this.startSpeaking(effect.advert);
      case "hush":
        this.spoken = null;
        return;
      case "gain":
      case "extend":
        this.until = effect.until - START;
        return;
      case "lose":
        this.until = Number.NaN;
        if (this.releases) this.after(0, () => this.post({ type: "released" }));
        return;
      case "ask":
        this.after(QUESTION_MS, () => this.answer(effect.askedAt));
        return;
      case "drain":
        if (this.onDrain !== null) this.after(0, () => this.drain());
        return;
      default:
        return;
    }
  }

  private answer(askedAt: Instant): void {
    if (this.isAnswered !== null) this.post({ type: "answered", askedAt, isSilent: !this.isAnswered });
  }

  private drain(): void {
    this.onDrain?.();
    this.post({ type: "drained" });
  }

  private startSpeaking(advert: VrrpAdvert): void {
    const token = {};
    this.spoken = { advert, token };
    const send = (): void => {
      if (this.spoken?.token !== token) return;
      if (this.sends) this.post({ type: "sent", at: this.now });
      else this.post({ type: "send-failed", message: "sendto failed: Network is down (ENETDOWN)" });
      this.after(advert.intervalMs, send);
    };
    this.after(0, send);
  }

  private after(ms: number, run: () => void): void {
    this.due.push({ at: later(this.now, ms), run });
  }

  private moveTo(when: Instant): void {
    if (when > this.now && when !== NEVER) this.now = when;
  }
}

function isMulticast(reach: VrrpReach): boolean {
  return reach.kind === "multicast";
}

function lineOf(effect: VrrpEffect, now: Instant): string | undefined {
  switch (effect.type) {
    case "moved":
      return `${effect.from} -> ${effect.to}: ${effect.change.text}`;
    case "speak":
      return `speak ${effect.advert.priority} every ${effect.advert.intervalMs} ms`;
    case "say":
      return `say ${effect.advert.priority}`;
    case "gain":
      return `gain, for ${Math.floor(effect.until - now)} ms`;
    case "lose":
      return `lose: ${effect.change.text}`;
    case "conflict-begins":
    case "conflict-ends":
      return `${effect.type}: ${effect.rival.source} (${effect.rival.priority})`;
    case "note":
      return `${effect.level} ${effect.code}${effect.count === 1 ? "" : ` x${effect.count}`}: ${effect.text}`;
    case "extend":
    case "drain":
      return undefined;
    default:
      return effect.type;
  }
}
