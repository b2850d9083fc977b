// One virtual router of this host: the VRRP machine, joined to its voice and to what it hears. It does what the machine asks of the
// wire; what it asks of the host goes to the handler.

import { type Instant, LONG_AGO } from "../base/time.ts";
import type { VrrpAdvert, VrrpAuthentication } from "../base/vrrp.ts";
import type { Timers } from "../ports/clock.ts";
import type { AdvertSender, AdvertVoice } from "../ports/vrrp.ts";
import { Driver } from "../runtime/driver.ts";
import { nextVrrpWakeup, stepVrrp } from "../vrrp/machine.ts";
import type { VrrpRouter } from "../vrrp/router.ts";
import { advertOf } from "../vrrp/speaking.ts";
import { initialVrrp, type VrrpEffect, type VrrpEvent, type VrrpState, type VrrpStep } from "../vrrp/state.ts";
import type { AdvertListeners, Hearing } from "./advert-listeners.ts";

/** A program that gave no sign of life for so many intervals is not spoken for any more. */
const GRACE_INTERVALS = 2;

/** The effects that are not the wire's. */
export type RouterEffect = Exclude<VrrpEffect, { type: "speak" | "hush" | "say" | "drain" }>;

/** Moves a machine by one event. */
export type StepVrrp = (state: VrrpState, event: VrrpEvent, at: Instant) => VrrpStep;

/** A virtual router and where it speaks. */
export interface VirtualRouterOptions {
  readonly router: VrrpRouter;
  readonly interface: string;
  readonly authentication: VrrpAuthentication;
  /** Absent: adverts leave with the MAC of the interface. */
  readonly sourceMac?: string;
}

/** What it works with. */
export interface VirtualRouterDeps {
  readonly timers: Timers;
  readonly sender: AdvertSender;
  readonly listeners: AdvertListeners;
  /** Whether it may become the master now; else it listens on. */
  readonly mayClaim: () => boolean;
  /** It is about to speak: signs of life are needed from now on. */
  readonly speaks: () => void;
  /** Performs an effect of the host, synchronously as far as it bears on safety. */
  readonly perform: (effect: RouterEffect) => void;
  /** Called when all events have been dealt with. */
  readonly onRest: () => void;
  /** The machine's step; the simulation wraps it to look on. */
  readonly step?: StepVrrp;
}

/** A running virtual router. */
export class VirtualRouter {
  private given: VirtualRouterOptions;
  private readonly deps: VirtualRouterDeps;
  private readonly driver: Driver<VrrpEvent, VrrpEffect>;
  private voice: AdvertVoice;
  private hearing: Hearing;
  private current: VrrpState;
  /** The latest advert that the machine knows to have left. */
  private countedAt: Instant = LONG_AGO;

  /** Opens its sockets; throws as src/ports/vrrp.ts says. */
  constructor(options: VirtualRouterOptions, deps: VirtualRouterDeps) {
    this.given = options;
    this.deps = deps;
    const { timers } = deps;
    this.current = initialVrrp(options.router, timers.now());
    this.driver = new Driver<VrrpEvent, VrrpEffect>(
      {
        step: (event, now) => this.step(event, now),
        nextWakeup: () => nextVrrpWakeup(this.current),
        tick: { type: "tick" },
      },
      { timers, perform: (effect) => this.perform(effect), onRest: deps.onRest },
    );
    this.voice = this.openVoice();
    try {
      this.hearing = this.openHearing();
    } catch (error) {
      this.voice.close();
      throw error;
    }
  }

  get options(): VirtualRouterOptions {
    return this.given;
  }

  get state(): VrrpState {
    return this.current;
  }

  /** Whether it sends adverts. */
  get isSpeaking(): boolean {
    const { kind } = this.current.phase;
    return kind === "claiming" || kind === "master";
  }

  /** When its last periodic advert left. */
  get lastSentAt(): Instant {
    return this.voice.lastSentAt();
  }

  post(event: VrrpEvent): void {
    this.driver.post(event);
  }

  /** A tick, unless it would find nothing to do at `now`. */
  tickWhenDue(now: Instant): void {
    const hasNews = this.isSpeaking && this.voice.lastSentAt() > this.countedAt;
    if (hasNews || this.driver.dueAt <= now) this.post({ type: "tick" });
  }

  /**
   * From now on it speaks, and believes others, by this authentication, and its adverts have this MAC (`undefined`: that of the
   * interface); nothing else changes. Throws what opening its sockets throws; then all is as before.
   */
  equip(authentication: VrrpAuthentication, sourceMac: string | undefined): void {
    const { given, voice, hearing } = this;
    const { router, interface: link } = given;
    const next = { router, interface: link, authentication };
    this.given = sourceMac === undefined ? next : { ...next, sourceMac };
    try {
      this.voice = this.openVoice();
      this.hearing = this.openHearing();
    } catch (error) {
      if (this.voice !== voice) this.voice.close();
      [this.given, this.voice] = [given, voice];
      throw error;
    }
    hearing.close();
    this.post({ type: "sent", at: voice.lastSentAt() });
    voice.close();
    if (this.isSpeaking) this.speak(advertOf(this.current.router, this.current.priority));
  }

  /** It may claim now: a takeover that has waited for this goes on. */
  wake(): void {
    const { phase } = this.current;
    if (phase.kind === "backup" && phase.listening.takeover !== null) this.answerDrain();
  }

  /** Ends it where it stands; what was said before is let out. */
  close(): void {
    this.driver.close();
    this.hearing.close();
    this.voice.close();
  }

  /** Without an answer the machine asks again, and takes over meanwhile from nobody. */
  private answerDrain(): void {
    if (!this.deps.mayClaim()) return;
    this.hearing.drain();
    this.post({ type: "drained" });
  }

  private openVoice(): AdvertVoice {
    const { router, interface: link, authentication, sourceMac } = this.options;
    const { source, reach } = router;
    const route = { interface: link, source, reach, authentication, checksum: "pseudo-header" } as const;
    return this.deps.sender.voice(sourceMac === undefined ? route : { ...route, sourceMac }, {
      sent: (at) => this.post({ type: "sent", at }),
      failed: (message) => this.post({ type: "send-failed", message }),
      silenced: () => this.post({ type: "silenced" }),
    });
  }

  private openHearing(): Hearing {
    const { router, interface: link, authentication } = this.options;
    const { source, reach, vrid } = router;
    const from = {
      interface: link,
      family: source.includes(":") ? 6 : 4,
      unicast: reach.kind === "unicast" ? source : null,
    } as const;
    return this.deps.listeners.open(from, { vrid, authentication, onHeard: (event) => this.post(event) });
  }

  /** What the sending thread has sent while this program paused counts before a tick judges the lease. */
  private step(event: VrrpEvent, now: Instant): readonly VrrpEffect[] {
    const effects: VrrpEffect[] = [];
    const { step = stepVrrp } = this.deps;
    const move = (next: VrrpEvent): void => {
      if (next.type === "sent" && next.at > this.countedAt) this.countedAt = next.at;
      const [state, more] = step(this.current, next, now);
      this.current = state;
      effects.push(...more);
    };
    if (event.type === "tick" && this.isSpeaking) move({ type: "sent", at: this.voice.lastSentAt() });
    move(event);
    return effects;
  }

  private speak(advert: VrrpAdvert): void {
    this.deps.speaks();
    this.voice.speak(advert, GRACE_INTERVALS * advert.intervalMs);
  }

  private perform(effect: VrrpEffect): void {
    switch (effect.type) {
      case "speak":
        return this.speak(effect.advert);
      case "hush":
        return this.voice.hush();
      case "say":
        return this.voice.say(effect.advert);
      case "drain":
        return this.answerDrain();
      default:
        return this.deps.perform(effect);
    }
  }
}
