// Who held a VIP, as this node alone has seen it: with VRRP nothing is written down anywhere but on this node.

import { HISTORY_LENGTH } from "../base/bounds.ts";
import type { Reason } from "../base/reasons.ts";

/** A change of who is master, as this node saw it. */
export interface Sighting {
  readonly atWallMs: number;
  /** This node's name, or the address that another master sends from; `null`: nobody. */
  readonly from: string | null;
  readonly to: string | null;
  readonly token: bigint;
  readonly reason: Reason;
}

/** The last changes of one VIP, the newest first. */
export class VrrpHistory {
  private readonly changes: Sighting[];
  private master: string | null;

  /** `changes`: what was kept, the newest first. */
  constructor(changes: readonly Sighting[] = []) {
    this.changes = changes.slice(0, HISTORY_LENGTH);
    this.master = changes[0]?.to ?? null;
  }

  /** Who holds it by the last sighting. */
  get holder(): string | null {
    return this.master;
  }

  get all(): readonly Sighting[] {
    return this.changes;
  }

  /** The last change; `undefined`: nobody was seen yet. */
  get last(): Sighting | undefined {
    return this.changes[0];
  }

  /** Takes down who is master now; true when that is news. */
  see(to: string | null, token: bigint, reason: Reason, atWallMs: number): boolean {
    if (to === this.master) return false;
    this.changes.unshift({ atWallMs, from: this.master, to, token, reason });
    this.changes.length = Math.min(this.changes.length, HISTORY_LENGTH);
    this.master = to;
    return true;
  }
}
