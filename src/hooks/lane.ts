// What waits for the hooks of one election: at most the latest state and the latest conflict. A state that has not been told
// when the next one comes is superseded; a conflict is no state, and supersedes only an older conflict.

import type { HookEvent } from "./event.ts";

interface Waiting {
  readonly event: HookEvent;
  /** The order of arrival. */
  readonly number: number;
}

/** The events of one election that are to be told. */
export class Lane {
  private state: Waiting | undefined;
  private conflict: Waiting | undefined;
  private count = 0;

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.state === undefined && this.conflict === undefined;
  }

  /** Puts an event in; the answer is the one that it supersedes. */
  push(event: HookEvent): HookEvent | undefined {
    const waiting = { event, number: (this.count += 1) };
    const superseded = event.state === "CONFLICT" ? this.conflict : this.state;
    if (event.state === "CONFLICT") this.conflict = waiting;
    else this.state = waiting;
    return superseded?.event;
  }

  /** Takes out the one that came first. */
  shift(): HookEvent | undefined {
    const { state, conflict } = this;
    const isConflictFirst = state === undefined || (conflict !== undefined && conflict.number < state.number);
    const first = isConflictFirst ? conflict : state;
    if (isConflictFirst) this.conflict = undefined;
    else this.state = undefined;
    return first?.event;
  }
}
