// A store as the election machine's integrator calls it: with callbacks, each called exactly once and in time, whatever
// the adapter does. The simulation has the same interface over its model of a store.

import { isVipdError, messageOf, VipdError } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Change, Revision, Snapshot, Store, Txn } from "../ports/store.ts";

/** How a read ended. */
export type ReadResult =
  | { readonly kind: "read"; readonly snapshot: Snapshot }
  | { readonly kind: "failed"; readonly message: string };

/** How a commit ended, as far as it is known. */
export type CommitOutcome =
  | { readonly kind: "committed"; readonly revision: Revision; readonly epoch: string }
  | { readonly kind: "conflict" }
  /** It was surely not applied and will not be. */
  | { readonly kind: "refused"; readonly message: string }
  /** It may have been applied, or may be later. */
  | { readonly kind: "unknown"; readonly message: string };

/** What a watch tells. After "ended", and after it was stopped, it tells nothing more. */
export type WatchNews =
  | { readonly kind: "changes"; readonly changes: readonly Change[] }
  | { readonly kind: "ended"; readonly reason: string };

/** Calls to a store. After `close` no callback is called any more. */
export interface StoreCalls {
  read(prefix: string, timeoutMs: number, done: (result: ReadResult) => void): void;
  commit(txn: Txn, timeoutMs: number, done: (outcome: CommitOutcome) => void): void;
  /** The result stops it. */
  watch(prefix: string, since: Revision, tell: (news: WatchNews) => void): () => void;
  close(): void;
}

/** An adapter that has not settled a call this long after its limit is taken to have failed, in milliseconds. */
const SETTLE_SLACK_MS = 100;

/** Calls to `store`, which stays its owner's to close. `log`: where the client library's own words go. */
export function storeCalls(store: Store, timers: Timers, log?: Pick<Logger, "debug">): StoreCalls {
  const ending = new AbortController();
  const { signal } = ending;
  const settle = <T>(promise: Promise<T>, timeoutMs: number, done: (value: T | VipdError) => void): void => {
    let settled = false;
    const once = (value: T | VipdError): void => {
      if (settled) return;
      settled = true;
      cancel();
      if (!signal.aborted) done(value);
    };
    const late = new VipdError(
      "outcome-unknown",
      `the store did not settle a request within ${Math.round(timeoutMs)} ms`,
    );
    const cancel = timers.at(later(timers.now(), timeoutMs + SETTLE_SLACK_MS), () => once(late));
    promise.then(once, (error: unknown) => {
      const failure = asVipdError(error);
      if (failure.cause !== undefined) log?.debug({ cause: messageOf(failure.cause) }, failure.message);
      once(failure);
    });
  };
  return {
    read: (prefix, timeoutMs, done) =>
      settle(store.read(prefix, { timeoutMs, signal }), timeoutMs, (result) =>
        done(
          result instanceof VipdError
            ? { kind: "failed", message: result.message }
            : { kind: "read", snapshot: result },
        ),
      ),
    commit: (txn, timeoutMs, done) =>
      settle(store.commit(txn, { timeoutMs, signal }), timeoutMs, (result) => done(outcomeOf(result))),
    watch: (prefix, since, tell) => {
      const stop = new AbortController();
      void follow(store, prefix, since, AbortSignal.any([signal, stop.signal]), tell);
      return () => stop.abort();
    },
    close: () => ending.abort(),
  };
}

function outcomeOf(result: Exclude<CommitOutcome, { message: string }> | VipdError): CommitOutcome {
  if (!(result instanceof VipdError)) return result;
  const kind = isVipdError(result, "store-unavailable") ? "refused" : "unknown";
  return { kind, message: result.message };
}

function asVipdError(error: unknown): VipdError {
  return isVipdError(error) ? error : new VipdError("outcome-unknown", messageOf(error), {}, error);
}

/** However a watch ends, that is told once. */
async function follow(
  store: Store,
  prefix: string,
  since: Revision,
  signal: AbortSignal,
  tell: (news: WatchNews) => void,
): Promise<void> {
  const own = new AbortController();
  let reason = "the watch ended";
  try {
    for await (const event of store.watch(prefix, since, AbortSignal.any([signal, own.signal]))) {
      if (signal.aborted) return;
      if (event.kind === "gap") {
        reason = event.reason;
        break;
      }
      tell(event);
    }
  } catch (error) {
    reason = messageOf(error);
  } finally {
    own.abort();
  }
  if (!signal.aborted) tell({ kind: "ended", reason });
}
