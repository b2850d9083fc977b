// One node's part in a fleet's elections: the election machine, joined to a store. It performs what the machine asks of
// the store; what it asks of the host goes to the handler.

import { later } from "../base/time.ts";
import { nextWakeup, step } from "../election/machine.ts";
import { type Effect, type Event, initialState, type Self, type State } from "../election/state.ts";
import type { Timers } from "../ports/clock.ts";
import { Driver } from "./driver.ts";
import type { CommitOutcome, StoreCalls } from "./store-calls.ts";

/** The effects that are not the store's. */
export type HostEffect = Exclude<Effect, { type: "read" | "commit" | "rewatch" }>;

/** Who takes part, and under which claim. */
export interface ParticipantOptions {
  readonly self: Self;
  readonly incarnation: string;
  /** Whether the incarnation is one of a previous process that is surely over. */
  readonly adopt: boolean;
}

/** What a participant works with. */
export interface ParticipantDeps {
  readonly calls: StoreCalls;
  readonly timers: Timers;
  /** Performs a host effect, synchronously as far as it bears on safety. */
  readonly perform: (effect: HostEffect) => void;
  /** Called after each event that has been dealt with. */
  readonly onChange?: (state: State) => void;
  /** The machine; a simulation looks over its shoulder. */
  readonly step?: typeof step;
}

/** A running participant. */
export class Participant {
  readonly state: State;
  private readonly deps: ParticipantDeps;
  private readonly driver: Driver<Event, Effect>;
  /** Ends the present watch, or the wait for the next; `undefined`: there is none. */
  private stopWatch: (() => void) | undefined;

  constructor(options: ParticipantOptions, deps: ParticipantDeps) {
    this.deps = deps;
    const { timers, step: move = step } = deps;
    this.state = initialState(options.self, options.incarnation, options.adopt, timers.now());
    const machine = {
      step: (event: Event, now: Parameters<typeof nextWakeup>[1]) =>
        move(this.state, event, { now, wallMs: timers.wallMs() }),
      nextWakeup: (now: Parameters<typeof nextWakeup>[1]) => nextWakeup(this.state, now),
      tick: { type: "tick" } as const,
    };
    this.driver = new Driver<Event, Effect>(machine, {
      timers,
      perform: (effect) => this.perform(effect),
      onRest: () => deps.onChange?.(this.state),
    });
  }

  /** Begins: the first read goes out. */
  start(): void {
    this.post({ type: "tick" });
  }

  /** Hands in an event of the host or of a person. */
  post(event: Event): void {
    this.driver.post(event);
  }

  /** Ends it where it stands: nothing more is sent, answers that come late are dropped. */
  close(): void {
    this.endWatch();
    this.deps.calls.close();
    this.driver.close();
  }

  private perform(effect: Effect): void {
    if (effect.type === "read") this.read(effect);
    else if (effect.type === "commit") this.commit(effect);
    else if (effect.type === "rewatch") this.endWatch();
    else this.deps.perform(effect);
  }

  private read({ scope, timeoutMs }: Extract<Effect, { type: "read" }>): void {
    const { keys } = this.state;
    this.deps.calls.read(scope === "all" ? keys.live : keys.fleet, timeoutMs, (result) => {
      if (result.kind === "failed") return this.post({ type: "read-failed", message: result.message });
      this.post({ type: "read", scope, snapshot: result.snapshot });
      // A watch goes on from where everything is known.
      if (scope === "all" && this.stopWatch === undefined) this.watch(result.snapshot.revision);
    });
  }

  private commit({ attempt, txn, timeoutMs }: Extract<Effect, { type: "commit" }>): void {
    this.deps.calls.commit(txn, timeoutMs, (outcome) => this.post(asEvent(attempt, outcome)));
  }

  /** Follows the store's changes; when the watch ends, a gap makes the machine read everything, and that starts it anew. */
  private watch(since: bigint): void {
    const { calls, timers } = this.deps;
    this.stopWatch = calls.watch(this.state.keys.live, since, (news) => {
      if (news.kind === "changes") return this.post({ type: "changes", changes: news.changes });
      this.stopWatch = timers.at(later(timers.now(), this.state.timings.retryEveryMs), () => {
        this.stopWatch = undefined;
        this.post({ type: "gap", reason: news.reason });
      });
    });
  }

  private endWatch(): void {
    this.stopWatch?.();
    this.stopWatch = undefined;
  }
}

function asEvent(attempt: number, outcome: CommitOutcome): Event {
  switch (outcome.kind) {
    case "committed":
      return { type: "committed", attempt, revision: outcome.revision, epoch: outcome.epoch };
    case "conflict":
      return { type: "conflict", attempt };
    case "refused":
    case "unknown":
      return { type: outcome.kind, attempt, message: outcome.message };
  }
}
