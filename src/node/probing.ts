// Asks the wire at intervals who else answers for the VIPs that this host holds, so that a second answerer is told of soon.

import { later, NEVER } from "../base/time.ts";
import { Wakeups } from "../base/wakeups.ts";
import type { VipConfig } from "../config/types.ts";
import type { Timers } from "../ports/clock.ts";

/** What asking at intervals needs. */
export interface ProbingDeps {
  readonly timers: Timers;
  readonly isHeld: (vip: string) => boolean;
  readonly probe: (vips: readonly string[]) => void;
}

/** The next question about each VIP. */
export class Probing {
  private readonly deps: ProbingDeps;
  private readonly due = new Wakeups();
  private intervals: ReadonlyMap<string, number> = new Map();
  private cancel: () => void = () => {};

  constructor(deps: ProbingDeps) {
    this.deps = deps;
  }

  /** These are the VIPs of this host. What is held already is asked about from now on. */
  plan(vips: readonly Pick<VipConfig, "name" | "probeIntervalMs">[]): void {
    const before = this.intervals;
    this.intervals = new Map(vips.map(({ name, probeIntervalMs }) => [name, probeIntervalMs]));
    for (const name of before.keys()) if (!this.intervals.has(name)) this.due.set(name, NEVER);
    this.held([...this.intervals.keys()].filter((name) => before.get(name) !== this.intervals.get(name)));
  }

  /** These are held from now on; those that are not are passed over. */
  held(vips: readonly string[]): void {
    for (const vip of vips) this.ask(vip);
    this.schedule();
  }

  close(): void {
    this.cancel();
  }

  private ask(vip: string): void {
    const { timers, isHeld } = this.deps;
    const intervalMs = this.intervals.get(vip) ?? 0;
    const isWanted = intervalMs > 0 && isHeld(vip);
    this.due.set(vip, isWanted ? later(timers.now(), intervalMs) : NEVER);
  }

  private schedule(): void {
    const { timers, isHeld, probe } = this.deps;
    this.cancel();
    const at = this.due.next();
    if (at === NEVER) return;
    this.cancel = timers.at(at, () => {
      const vips = this.due.takeDue(timers.now()).filter(isHeld);
      if (vips.length > 0) probe(vips);
      this.held(vips);
    });
  }
}
