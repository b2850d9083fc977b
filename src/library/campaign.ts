// One call of `lead`: it campaigns, leads while it has the lease, and ends. A term's work is awaited before the election is
// let go and before the next term begins: two terms of one member never overlap.

import { VipdError } from "../base/errors.ts";
import { reason } from "../base/reasons.ts";
import type { Leadership, Term } from "./leadership.ts";

/** What a leader does. */
export type Work<T> = (leadership: Leadership) => Promise<T> | T;

/** How a campaign tells its member what it wants. */
export interface CampaignDeps {
  /** It wants the election no more: the candidacy goes. */
  readonly withdraw: () => void;
  /** The work has settled: the election may be another's. */
  readonly release: () => void;
  /** Calls back when work whose signal has aborted has had its time; the result takes that back. */
  readonly settleWithin: (onLate: () => void) => () => void;
  /** The work did not settle in its time: nobody may wait for it any more. */
  readonly abandon: () => void;
}

/** A campaign that is under way. */
export class Campaign<T> {
  /** Settles when the campaign is over. */
  readonly result: Promise<T>;
  private readonly work: Work<T>;
  private readonly again: boolean;
  private readonly deps: CampaignDeps;
  private readonly settle: { resolve: (value: T) => void; reject: (error: unknown) => void };
  private term: Term | undefined;
  private over = false;
  private cancelWait: (() => void) | undefined;

  constructor(work: Work<T>, again: boolean, deps: CampaignDeps) {
    this.work = work;
    this.again = again;
    this.deps = deps;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.result = promise;
    this.settle = { resolve, reject };
  }

  /** The election is won. */
  begin(term: Term): void {
    // A caller's listener may end the campaign between the decision to gain and the gain: the withdrawal is on its way.
    if (this.over) return;
    this.term = term;
    void this.serve(term);
  }

  prolong(until: Parameters<Term["prolong"]>[0]): void {
    this.term?.prolong(until);
  }

  /** The term is over. True when there is no work to wait for. */
  end(reason: string): boolean {
    if (this.term === undefined) return true;
    this.term.end(reason);
    this.awaitWork();
    return false;
  }

  /** Ends the campaign: at once when nothing runs, else when the work has settled. */
  cancel(error: VipdError): void {
    if (this.over) return;
    const { term } = this;
    if (term === undefined) return this.finish(() => this.settle.reject(error));
    this.over = true;
    term.abort(error);
    this.deps.withdraw();
    this.awaitWork();
  }

  /** Ends the campaign whether its work has settled or not, for the member's claim is over: nothing is held any more. */
  drop(error: VipdError): void {
    this.over = true;
    this.term?.abort(error);
    if (this.term === undefined) this.settle.reject(error);
    else this.awaitWork();
  }

  private awaitWork(): void {
    this.cancelWait ??= this.deps.settleWithin(() => {
      const { election = "", token = "" } = this.term?.facts ?? {};
      this.over = true;
      this.deps.abandon();
      this.settle.reject(stuck(election, token));
    });
  }

  private async serve(term: Term): Promise<void> {
    const conclude = await Promise.resolve()
      .then(() => this.work(term))
      .then(
        (value) => () => this.settle.resolve(value),
        (error: unknown) => () => this.settle.reject(error),
      );
    this.term = undefined;
    this.cancelWait?.();
    this.cancelWait = undefined;
    const lost = term.signal.aborted;
    term.end("its work has settled");
    if (lost && !this.over && this.again) this.deps.release();
    else {
      const verdict = lost ? () => this.settle.reject(term.signal.reason) : conclude;
      this.finish(verdict);
      this.deps.release();
    }
  }

  private finish(verdict: () => void): void {
    if (!this.over) this.deps.withdraw();
    this.over = true;
    verdict();
  }
}

/** The error of a campaign that its caller ends. */
export function cancelled(election: string, why: string): VipdError {
  return new VipdError("aborted", `no longer a candidate for ${election}: ${why}`, { election });
}

/** The error of a campaign whose work went on for too long after its signal had aborted. */
function stuck(election: string, token: string): VipdError {
  const why = reason("work-stuck");
  return new VipdError("lease-lost", `no longer the leader of ${election}: ${why.text}`, {
    election,
    token,
    reason: why.code,
  });
}
