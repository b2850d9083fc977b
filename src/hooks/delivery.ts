// Delivers events in the background: in order, one at a time, tried again with longer and longer pauses until a deadline, from
// a queue that drops its oldest event when it is full.

import { messageOf, VipdError } from "../base/errors.ts";
import { elapsedMs, type Instant, later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import { timeLimit } from "../runtime/time-limit.ts";
import { sleep } from "../runtime/timers.ts";
import type { HookEvent } from "./event.ts";
import type { DeliveryOptions } from "../config/hook-options.ts";

/** So many events wait at most. */
const MAX_QUEUED = 100;

/** The first pause between two tries, and the longest, in milliseconds; each is twice the one before. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** How long a try may take to end when it is told to, in milliseconds. */
const SETTLE_MS = 1_000;

/** How one try went. */
export type DeliveryAttempt =
  | { readonly kind: "done" }
  /** It may go better later. */
  | { readonly kind: "failed"; readonly reason: string }
  /** It will never go. */
  | { readonly kind: "refused"; readonly reason: string };

/** What a delivery needs. */
export interface DeliveryDeps {
  readonly timers: Timers;
  readonly log: Logger;
  /** Whom it goes to, for the log: nothing secret. */
  readonly target: string;
  /** Tries once; settles soon after the signal aborts, or is left behind. */
  readonly attempt: (event: HookEvent, signal: AbortSignal) => Promise<DeliveryAttempt>;
}

interface Queued {
  readonly event: HookEvent;
  readonly since: Instant;
}

/** The deliveries to one target. */
export class Delivery {
  private readonly options: DeliveryOptions;
  private readonly deps: DeliveryDeps;
  private readonly queue: Queued[] = [];
  private readonly ending = new AbortController();
  private work: Promise<void> | undefined;
  private isStopping = false;

  constructor(options: DeliveryOptions, deps: DeliveryDeps) {
    this.options = options;
    this.deps = deps;
  }

  /** Puts an event in; returns at once. */
  post(event: HookEvent): void {
    if (this.isStopping) return this.drop(event, "the daemon stops");
    if (this.queue.length >= MAX_QUEUED) {
      const oldest = this.queue.shift();
      if (oldest !== undefined) this.drop(oldest.event, `${MAX_QUEUED} newer ones wait`);
    }
    this.queue.push({ event, since: this.deps.timers.now() });
    this.work ??= this.deliverAll();
  }

  /** Waits until all that waits is delivered, at most `withinMs`; then drops the rest with a word in the log. */
  async stop(withinMs: number): Promise<void> {
    this.isStopping = true;
    const { timers } = this.deps;
    const cancel = timers.at(later(timers.now(), withinMs), () =>
      this.ending.abort(new VipdError("aborted", "the daemon stops")),
    );
    await this.work;
    cancel();
  }

  private async deliverAll(): Promise<void> {
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) await this.deliver(next);
    this.work = undefined;
  }

  private async deliver({ event, since }: Queued): Promise<void> {
    const { timers } = this.deps;
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      if (this.ending.signal.aborted) return this.drop(event, "the daemon stops");
      const attempt = await this.attempt(event);
      if (attempt.kind === "done") return;
      if (attempt.kind === "refused") return this.drop(event, attempt.reason);
      if (this.ending.signal.aborted) return this.drop(event, "the daemon stops");
      if (elapsedMs(since, timers.now()) + pauseMs > this.options.deadlineMs) return this.drop(event, attempt.reason);
      this.deps.log.info(this.fieldsOf(event), `${this.deps.target}: ${attempt.reason}; tried again in ${pauseMs} ms`);
      await this.pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  private async attempt(event: HookEvent): Promise<DeliveryAttempt> {
    const { timers, target } = this.deps;
    const limit = timeLimit(timers, this.options.timeoutMs, target, this.ending.signal);
    const patience = this.patience(limit.signal);
    try {
      const attempt = await Promise.race([this.deps.attempt(event, limit.signal), patience.end]);
      // What a client makes of an abort says less than why it was aborted.
      if (attempt.kind === "failed" && limit.signal.aborted)
        return { kind: "failed", reason: messageOf(limit.signal.reason) };
      return attempt;
    } catch (error) {
      return { kind: "failed", reason: messageOf(error) };
    } finally {
      limit.clear();
      patience.clear();
    }
  }

  /** A try that does not end when it is told to is not waited for: a client may have a mistake. */
  private patience(signal: AbortSignal): { readonly end: Promise<DeliveryAttempt>; readonly clear: () => void } {
    const { timers } = this.deps;
    let onAbort = (): void => {};
    let cancel = (): void => {};
    const end = new Promise<DeliveryAttempt>((resolve) => {
      onAbort = (): void => {
        const giveUp = (): void => resolve({ kind: "failed", reason: "it did not end in time" });
        cancel = timers.at(later(timers.now(), SETTLE_MS), giveUp);
      };
    });
    signal.addEventListener("abort", onAbort, { once: true });
    const clear = (): void => {
      signal.removeEventListener("abort", onAbort);
      cancel();
    };
    return { end, clear };
  }

  private async pause(ms: number): Promise<void> {
    try {
      await sleep(this.deps.timers, ms, this.ending.signal);
    } catch {
      // The daemon stops: the loop sees it.
    }
  }

  private drop(event: HookEvent, why: string): void {
    const text = `${this.deps.target} is not told of ${event.election} ${event.state}: ${why}`;
    this.deps.log.warn(this.fieldsOf(event), text);
  }

  private fieldsOf({ election, state }: HookEvent): Readonly<Record<string, string>> {
    return { election, state, target: this.deps.target };
  }
}
