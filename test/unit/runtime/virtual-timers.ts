// Timers that a test moves by hand: nothing happens between two steps, and nothing depends on the machine's speed.

import { type Instant, instant, later } from "../../../src/base/time.ts";
import type { Timers } from "../../../src/ports/clock.ts";

interface Pending {
  readonly when: Instant;
  readonly run: () => void;
}

/** How often promises may follow from promises between two timers. */
const TURNS = 30;

/** Virtual time from 1,000,000 ms on. */
export class VirtualTimers implements Timers {
  private current: Instant = instant(1_000_000);
  private pending: Pending[] = [];

  now(): Instant {
    return this.current;
  }

  wallMs(): number {
    return 1_800_000_000_000 + this.current;
  }

  at(when: Instant, run: () => void): () => void {
    const entry = { when, run };
    this.pending.push(entry);
    return () => {
      this.pending = this.pending.filter((other) => other !== entry);
    };
  }

  /** How many timers are waiting. */
  get waiting(): number {
    return this.pending.length;
  }

  /** Lets `ms` pass: calls back in the order of time, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = later(this.current, ms);
    await settlePromises();
    for (let next = this.soonest(end); next !== undefined; next = this.soonest(end)) {
      const due = next;
      this.pending = this.pending.filter((other) => other !== due);
      if (due.when > this.current) this.current = due.when;
      due.run();
      await settlePromises();
    }
    this.current = end;
  }

  private soonest(end: Instant): Pending | undefined {
    const due = this.pending.filter(({ when }) => when <= end);
    return due.toSorted((a, b) => a.when - b.when)[0];
  }
}

/** Lets promises that can settle now settle, and what follows from them. */
export async function settlePromises(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve();
}
