// One node's part in a fleet's elections: the election machine, joined to a store. It performs what the
// machine asks of the store; what it asks of the host goes to the handler.

import { isVipdError, messageOf, VipdError } from "../base/errors.ts";
import { type Instant, later } from "../base/time.ts";
import { nextWakeup, step } from "../election/machine.ts";
import { type Effect, type Event, initialState, type Self, type State } from "../election/state.ts";
import type { Entropy, Timers } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { Driver } from "./driver.ts";

/** The effects that are not the store's. */
export type HostEffect = Exclude<Effect, { type: "read" | "commit" }>;

/** Who takes part, and under which claim. */
export interface ParticipantOptions {
  readonly self: Self;
  readonly incarnation: string;
  /** Whether the incarnation is one of an earlier process that is surely over. */
  readonly adopt: boolean;
}

/** What a participant works with. */
export interface ParticipantDeps {
  readonly store: Store;
  readonly timers: Timers;
  readonly entropy: Entropy;
  /** Performs a host effect, synchronously as far as it bears on safety. */
  readonly perform: (effect: HostEffect) => void;
  /** Called after each event that has been dealt with. */
  readonly onChange?: (state: State) => void;
}

/** An adapter that has not settled a call this long after its limit is taken to have failed, in milliseconds. */
const SETTLE_SLACK_MS = 100;

/** A running participant. */
export class Participant {
  private readonly deps: ParticipantDeps;
  private readonly driver: Driver<State, Event, Effect>;
  private readonly ending = new AbortController();
  private watching = false;

  constructor(options: ParticipantOptions, deps: ParticipantDeps) {
    this.deps = deps;
    const { timers } = deps;
    const initial = initialState(options.self, options.incarnation, options.adopt, timers.now());
    const machine = {
      step: (state: State, event: Event, now: Instant) => step(state, event, { now, wallMs: timers.wallMs() }),
      nextWakeup,
      tick: { type: "tick" } as const,
    };
    this.driver = new Driver<State, Event, Effect>(machine, initial, {
      timers,
      perform: (effect) => this.perform(effect),
      onRest: () => deps.onChange?.(this.driver.state),
    });
  }

  get state(): State {
    return this.driver.state;
  }

  /** Begins: the first read goes out. */
  start(): void {
    this.post({ type: "tick" });
  }

  /** Hands in an event of the host or of a person. */
  post(event: Event): void {
    if (this.ending.signal.aborted) return;
    this.driver.post(event);
  }

  /** Ends it where it stands: nothing more is sent, answers that come late are dropped. */
  close(): void {
    this.ending.abort();
    this.driver.close();
  }

  private perform(effect: Effect): void {
    if (effect.type === "read") void this.read(effect.timeoutMs);
    else if (effect.type === "commit") void this.commit(effect);
    else this.deps.perform(effect);
  }

  private async read(timeoutMs: number): Promise<void> {
    const limits = { timeoutMs, signal: this.ending.signal };
    const event = await this.withTimeout(timeoutMs, this.deps.store.read(this.state.keys.live, limits)).then(
      (snapshot): Event => ({ type: "read", snapshot }),
      (error: unknown): Event => ({ type: "read-failed", message: messageOf(error) }),
    );
    this.post(event);
    if (event.type === "read" && !this.watching) void this.watch(event.snapshot.revision);
  }

  private async commit(effect: Extract<Effect, { type: "commit" }>): Promise<void> {
    const { attempt, txn, timeoutMs } = effect;
    const limits = { timeoutMs, signal: this.ending.signal };
    const event = await this.withTimeout(timeoutMs, this.deps.store.commit(txn, limits)).then(
      (result): Event =>
        result.kind === "conflict" ? { type: "conflict", attempt } : { ...result, type: "committed", attempt },
      (error: unknown): Event => {
        const type = isVipdError(error, "store-unavailable") ? "refused" : "unknown";
        return { type, attempt, message: messageOf(error) };
      },
    );
    this.post(event);
  }

  /** Follows the store's changes; however the watch ends, a gap makes the machine read, and that starts it anew. */
  private async watch(since: bigint): Promise<void> {
    this.watching = true;
    let reason = "the watch ended";
    try {
      for await (const event of this.deps.store.watch(this.state.keys.live, since, this.ending.signal)) {
        if (event.kind === "changes") this.post({ type: "changes", changes: event.changes });
        else this.post({ type: "gap", reason: event.reason });
      }
    } catch (error) {
      reason = messageOf(error);
    }
    if (this.ending.signal.aborted) return;
    await this.pause(this.state.timings.retryEveryMs);
    this.watching = false;
    this.post({ type: "gap", reason });
  }

  private pause(ms: number): Promise<void> {
    const { timers } = this.deps;
    return new Promise((resolve) => timers.at(later(timers.now(), ms), resolve));
  }

  /** The promise's result, or a failure of unknown outcome when the adapter overruns its own limit. */
  private withTimeout<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
    const { timers } = this.deps;
    return new Promise((resolve, reject) => {
      const late = new VipdError("outcome-unknown", `the store did not settle a request within ${timeoutMs} ms`);
      const cancel = timers.at(later(timers.now(), timeoutMs + SETTLE_SLACK_MS), () => reject(late));
      promise.then(resolve, reject).finally(cancel);
    });
  }
}
