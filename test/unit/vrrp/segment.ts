// Several virtual routers on one segment in virtual time: adverts arrive after a random delay, programs freeze, people stop and
// start them. What the kernel of each host answers for is recorded: a frozen program's host goes on until its lease ends.

import { type Instant, instant, later } from "../../../src/base/time.ts";
import type { Random } from "../../../src/base/random.ts";
import type { VrrpAdvert } from "../../../src/base/vrrp.ts";
import { nextVrrpWakeup, stepVrrp } from "../../../src/vrrp/machine.ts";
import type { VrrpRouter } from "../../../src/vrrp/router.ts";
import { initialVrrp, type VrrpEffect, type VrrpEvent, type VrrpState } from "../../../src/vrrp/state.ts";

/** Longest way of an advert, in milliseconds. */
export const MOST_DELAY_MS = 4;

/** How long the wire is asked, and how often. */
const QUESTION_MS = 20;
const QUESTIONS = 3;

/** What is due at a time. */
interface Due {
  readonly at: Instant;
  readonly run: () => void;
}

/** One host. */
export class Station {
  state: VrrpState;
  /** The kernel answers for the addresses until then. */
  until: Instant;
  frozenUntil: Instant;
  private readonly segment: Segment;
  private readonly inbox: VrrpEvent[] = [];
  private spoken: object | null = null;

  constructor(segment: Segment, router: VrrpRouter) {
    this.segment = segment;
    this.state = initialVrrp(router, segment.now);
    this.until = segment.now;
    this.frozenUntil = segment.now;
  }

  get answers(): boolean {
    return this.until > this.segment.now;
  }

  get frozen(): boolean {
    return this.frozenUntil > this.segment.now;
  }

  post(event: VrrpEvent): void {
    if (this.frozen) return;
    const [state, effects] = stepVrrp(this.state, event, this.segment.now);
    this.state = state;
    for (const effect of effects) this.perform(effect);
  }

  /** A packet from the wire: a frozen program finds it in its socket later. */
  receive(event: VrrpEvent): void {
    if (this.frozen) this.inbox.push(event);
    else this.post(event);
  }

  /** The whole process stops for so long. Afterwards timers fire first, and then the sockets are read. */
  freeze(ms: number): void {
    this.frozenUntil = later(this.segment.now, ms);
    this.segment.at(this.frozenUntil, () => {
      if (ms > 2 * this.state.router.intervalMs && this.spoken !== null) {
        this.spoken = null;
        this.post({ type: "tick" });
        this.post({ type: "silenced" });
      } else this.post({ type: "tick" });
      this.drain();
    });
  }

  private drain(): void {
    for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) this.post(next);
  }

  private perform(effect: VrrpEffect): void {
    const { now } = this.segment;
    if (effect.type === "speak") this.speak(effect.advert);
    if (effect.type === "say") this.segment.send(this, effect.advert);
    if (effect.type === "hush") this.spoken = null;
    if (effect.type === "gain" || effect.type === "extend") this.until = effect.until;
    if (effect.type === "lose") {
      this.until = now;
      this.segment.at(now, () => this.post({ type: "released" }));
    }
    if (effect.type === "ask") this.ask(effect.askedAt);
    if (effect.type === "drain")
      this.segment.at(now, () => {
        this.drain();
        this.post({ type: "drained" });
      });
  }

  /** The kernel of a host answers as long as it may, whatever its program does. */
  private ask(askedAt: Instant): void {
    const { segment } = this;
    let isSilent = true;
    for (let i = 0; i < QUESTIONS; i += 1)
      segment.at(later(segment.now, (i * QUESTION_MS) / QUESTIONS), () => {
        isSilent &&= segment.stations.every((other) => other === this || !other.answers);
      });
    segment.at(later(segment.now, QUESTION_MS), () => this.post({ type: "answered", askedAt, isSilent }));
  }

  private speak(advert: VrrpAdvert): void {
    const token = {};
    this.spoken = token;
    const send = (): void => {
      if (this.spoken !== token) return;
      if (this.frozen) return this.segment.at(this.frozenUntil, send);
      this.segment.send(this, advert);
      this.post({ type: "sent", at: this.segment.now });
      this.segment.at(later(this.segment.now, advert.intervalMs), send);
    };
    this.segment.at(this.segment.now, send);
  }
}

/** The wire, its hosts and their time. */
export class Segment {
  now: Instant = instant(1_000_000);
  readonly stations: Station[] = [];
  /** Two hosts that answered at the same time: how long, in milliseconds. */
  twoAnswered = 0;
  private readonly random: Random;
  private due: Due[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  start(router: VrrpRouter): Station {
    const station = new Station(this, router);
    this.stations.push(station);
    station.post({ type: "tick" });
    return station;
  }

  at(when: Instant, run: () => void): void {
    this.due.push({ at: when, run });
  }

  send(from: Station, advert: VrrpAdvert): void {
    const { source } = from.state.router;
    for (const to of this.stations) {
      if (to === from) continue;
      const arrival = later(this.now, this.random.next() * MOST_DELAY_MS);
      this.at(arrival, () => to.receive({ type: "advert", advert, source, multicast: true }));
    }
  }

  /** Lets time pass, and measures how long more than one host answered. */
  advance(ms: number): void {
    const end = later(this.now, ms);
    for (let rounds = 0; this.now < end; rounds += 1) {
      if (rounds > 1_000_000) throw new Error("the machines do not come to rest");
      const next = this.due.reduce<Due | undefined>((a, b) => (a === undefined || b.at < a.at ? b : a), undefined);
      const sleeper = this.stations
        .filter((station) => !station.frozen)
        .map((station) => ({ station, at: nextVrrpWakeup(station.state) }))
        .reduce<{ station: Station; at: Instant } | undefined>(
          (a, b) => (a === undefined || b.at < a.at ? b : a),
          undefined,
        );
      const at = instant(Math.min(next?.at ?? end, sleeper?.at ?? end, end));
      this.pass(at);
      if (next !== undefined && next.at <= at) {
        this.due = this.due.filter((other) => other !== next);
        next.run();
      } else if (sleeper !== undefined && sleeper.at <= at) sleeper.station.post({ type: "tick" });
    }
  }

  private pass(to: Instant): void {
    if (to <= this.now) return;
    const ends = this.stations.map(({ until }) => Math.min(until, to) - this.now).filter((ms) => ms > 0);
    if (ends.length > 1) this.twoAnswered += ends.toSorted((a, b) => b - a)[1] ?? 0;
    this.now = to;
  }
}
