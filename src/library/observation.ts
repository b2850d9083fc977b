// What an observer is told of an election, and the stream of it: the newest state, never a queue.

import type { Instant } from "../base/time.ts";
import type { State } from "../election/state.ts";
import { surveyElection, surveyNode } from "../election/survey.ts";
import type { Revision } from "../ports/store.ts";

/** An election at one moment. */
export interface Observation {
  /** The node that the store names; `null`: nobody. */
  readonly holder: string | null;
  /** The fencing token of the last ownership change; `null`: there was none. */
  readonly token: Revision | null;
  /** Whether the holder has sent a heartbeat within its lease. */
  readonly alive: boolean;
  /** How long ago the holder's last heartbeat was seen here, in milliseconds; `null`: there is no holder. */
  readonly seenAgoMs: number | null;
  /** Whether it is this member. */
  readonly self: boolean;
}

/** The election as a member's state has it; `undefined` before the store was read once. */
export function observationOf(state: State, election: string, now: Instant): Observation | undefined {
  if (!state.synced) return undefined;
  const { mirror, keys, self } = state;
  const found = surveyElection({ mirror, keys, ttlMs: self.ttlMs }, election, now);
  const holder = found?.holder ?? null;
  const session = holder === null ? undefined : surveyNode(mirror, holder, now);
  const { alive = false, seenAgoMs = null } = session ?? {};
  return { holder, token: found?.token ?? null, alive, seenAgoMs, self: holder === state.self.node };
}

/** Calls back after each change; the result ends it. */
export type Follow = (onChange: () => void) => () => void;

/** The state now, and the newest one after each change, until the signal aborts. */
export async function* observations(
  look: () => Observation | undefined,
  follow: Follow,
  signal: AbortSignal,
): AsyncGenerator<Observation> {
  let wake = (): void => {};
  let shown: Observation | undefined;
  const unfollow = follow(() => wake());
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  try {
    while (!signal.aborted) {
      const news = new Promise<void>((resolve) => (wake = resolve));
      const seen = look();
      if (seen !== undefined && !same(seen, shown)) {
        shown = seen;
        yield seen;
      } else await news;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    unfollow();
  }
}

function same(a: Observation, b: Observation | undefined): boolean {
  return b !== undefined && a.holder === b.holder && a.token === b.token && a.alive === b.alive;
}
