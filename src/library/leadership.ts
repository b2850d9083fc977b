// One term of leading: from the gain until the work of the leader has settled. The signal aborts when the lease is given up,
// and `check` tells it even when the event loop was too busy for the signal to abort in time.

import { VipdError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { Clock } from "../ports/clock.ts";
import type { Revision } from "../ports/store.ts";

/** What a leader works with. */
export interface Leadership {
  /**
   * Aborts before anyone else can lead; its reason is a VipdError, "lease-lost" or "aborted". Stop then, and settle. It aborts
   * also when the work has settled: what it has left running shall not outlive its term.
   */
  readonly signal: AbortSignal;
  /**
   * Greater at each change of leader: hand it to what you write to, and let that refuse smaller ones. A bigint, for a
   * store's revisions outgrow the numbers that JavaScript keeps exactly; in JSON write it as text: `String(token)`.
   */
  readonly token: Revision;
  /**
   * Throws the signal's reason when the lease does not cover this moment. It reads the clock, and is right where the
   * signal is late: after a long computation, or when the process was stopped. Call it right before each effect.
   */
  check(): void;
}

/** A term that may be prolonged and ended. */
export class Term implements Leadership {
  readonly token: Revision;
  private readonly election: string;
  private readonly clock: Clock;
  private readonly ending = new AbortController();
  private until: Instant;

  /** `until`: when the leader must have stopped. */
  constructor(election: string, token: Revision, until: Instant, clock: Clock) {
    this.election = election;
    this.token = token;
    this.until = until;
    this.clock = clock;
  }

  /** For errors. */
  get facts(): { readonly election: string; readonly token: string } {
    return { election: this.election, token: String(this.token) };
  }

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  readonly check = (): void => {
    if (this.clock.now() >= this.until) this.end("the lease ran out");
    if (this.ending.signal.aborted) throw this.ending.signal.reason;
  };

  prolong(until: Instant): void {
    this.until = until;
  }

  /** Ends it; a second reason does not replace the first. */
  end(reason: string): void {
    const { election, token } = this;
    const context = { election, token: String(token), reason };
    this.abort(new VipdError("lease-lost", `no longer the leader of ${election}: ${reason}`, context));
  }

  /** Ends it with an error of the caller's. */
  abort(error: VipdError): void {
    if (!this.ending.signal.aborted) this.ending.abort(error);
  }
}
