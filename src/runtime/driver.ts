// Drives any machine: one event at a time, effects in order, one timer. The daemon, the library and the simulator run
// this same driver; only what performs the effects differs.

import { assert } from "../base/assert.ts";
import { MAX_QUEUED_EVENTS } from "../base/bounds.ts";
import { type Instant, later, NEVER } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";

/** A state machine that knows no clock: what it does follows from its events and their times alone. */
export interface Machine<E, F> {
  step(event: E, now: Instant): readonly F[];
  /** When a tick is wanted at the latest. */
  nextWakeup(now: Instant): Instant;
  /** The event that only tells that time has passed. */
  readonly tick: E;
}

/** What a driver works with. */
export interface DriverDeps<F> {
  readonly timers: Timers;
  readonly perform: (effect: F) => void;
  /** Called when all events have been dealt with, those of the driver's own ticks too. */
  readonly onRest?: () => void;
}

/** Two ticks are never closer than this, in milliseconds: a machine that errs about its wake-up cannot spin. */
const LEAST_PAUSE_MS = 0.5;

/** Runs a machine until it is closed. */
export class Driver<E, F> {
  private readonly machine: Machine<E, F>;
  private readonly timers: Timers;
  private readonly perform: (effect: F) => void;
  private readonly onRest: (() => void) | undefined;
  private readonly queue: E[] = [];
  private running = false;
  private closed = false;
  private wakeAt: Instant = NEVER;
  private cancelWake: () => void = () => {};

  constructor(machine: Machine<E, F>, deps: DriverDeps<F>) {
    this.machine = machine;
    this.timers = deps.timers;
    this.perform = deps.perform;
    this.onRest = deps.onRest;
  }

  /** Hands in an event. Events that effects cause while they are performed wait for their turn. */
  post(event: E): void {
    if (this.closed) return;
    assert(this.queue.length < MAX_QUEUED_EVENTS, "a machine's events are dealt with faster than they come");
    this.queue.push(event);
    if (this.running) return;
    this.running = true;
    try {
      for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) this.handle(next);
    } finally {
      this.running = false;
    }
    this.schedule();
    if (!this.closed) this.onRest?.();
  }

  /** When the next tick comes by itself. */
  get dueAt(): Instant {
    return this.wakeAt;
  }

  /** Ends it: no further event, no further tick. */
  close(): void {
    this.closed = true;
    this.queue.length = 0;
    this.cancelWake();
  }

  private handle(event: E): void {
    for (const effect of this.machine.step(event, this.timers.now())) if (!this.closed) this.perform(effect);
  }

  private schedule(): void {
    if (this.closed) return;
    const now = this.timers.now();
    const wanted = this.machine.nextWakeup(now);
    if (wanted === this.wakeAt && wanted > now) return;
    this.cancelWake();
    this.wakeAt = wanted;
    if (wanted === NEVER) return;
    const soonest = later(now, LEAST_PAUSE_MS);
    this.cancelWake = this.timers.at(wanted > soonest ? wanted : soonest, () => {
      this.wakeAt = NEVER;
      this.post(this.machine.tick);
    });
  }
}
