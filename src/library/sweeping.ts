// What dead processes leave in the store. Their ids are mostly random and never come back, so that nobody else would take
// their records away. Hosts of a VIP are left alone: that they are dead is what people want to see.

import { MAX_TXN_WRITES } from "../base/bounds.ts";
import { messageOf } from "../base/errors.ts";
import { elapsedMs, type Instant, later } from "../base/time.ts";
import { observerWaitMs } from "../election/lease.ts";
import type { Observed } from "../election/mirror.ts";
import { type CandidateRecord, type ChangedRecord, encodeValue } from "../election/records.ts";
import type { State } from "../election/state.ts";
import type { Timers } from "../ports/clock.ts";
import type { Store, Txn } from "../ports/store.ts";

/** Silent for this many leases: long after others could have broken its session. */
const FORGOTTEN_LEASES = 5;

/** Most dead processes that one sweep takes away. */
const MAX_SWEPT = 16;

/** Sweeps every few leases until `signal` aborts. A commit that fails is told to `onTrouble`; the next sweep looks anew. */
export function sweepRegularly(
  look: () => State,
  deps: { store: Store; timers: Timers; onTrouble: (message: string) => void },
  signal: AbortSignal,
): void {
  const { store, timers, onTrouble } = deps;
  const { ttlMs, requestTimeoutMs: timeoutMs } = look().timings;
  const sweep = async (): Promise<void> => {
    for (const txn of sweepings(look(), timers.now())) {
      if (signal.aborted) return;
      await store.commit(txn, { timeoutMs, signal });
    }
  };
  const waitAndSweep = (): void => {
    if (signal.aborted) return;
    const cancel = timers.at(later(timers.now(), FORGOTTEN_LEASES * ttlMs), () => {
      signal.removeEventListener("abort", cancel);
      void sweep()
        .catch((error: unknown) => (signal.aborted ? undefined : onTrouble(messageOf(error))))
        .then(waitAndSweep);
    });
    signal.addEventListener("abort", cancel, { once: true });
  };
  waitAndSweep();
}

/**
 * For each of some dead processes, the commit that takes its records away. Like a break it insists on the very session
 * that was watched in silence; a process that lives after all loses that session, and joins anew.
 */
function sweepings(state: State, now: Instant): readonly Txn[] {
  if (!state.synced) return [];
  const { mirror, self } = state;
  const nodes = new Set([...mirror.sessions.keys(), ...mirror.wantedBy.keys()]);
  nodes.delete(self.node);
  for (const node of mirror.heldBy.keys()) nodes.delete(node);
  const found: Txn[] = [];
  for (const node of nodes) {
    if (found.length === MAX_SWEPT) break;
    const txn = sweeping(state, node, now);
    if (txn !== undefined) found.push(txn);
  }
  return found;
}

function sweeping(state: State, node: string, now: Instant): Txn | undefined {
  const { mirror, keys } = state;
  const session = mirror.sessions.get(node);
  const candidacies = candidaciesOf(state, node);
  if (session?.value === undefined && session !== undefined) return undefined;
  if (candidacies.some(([, { value }]) => value === undefined || (value?.addresses.length ?? 0) > 0)) return undefined;
  const seen = [...(session === undefined ? [] : [session.seenAt]), ...candidacies.map(([, { seenAt }]) => seenAt)];
  const silentMs = Math.min(...seen.map((at) => elapsedMs(at, now)));
  const ttlMs = Math.max(state.longestTtlMs, session?.value?.ttlMs ?? 0);
  if (silentMs < FORGOTTEN_LEASES * observerWaitMs(ttlMs)) return undefined;
  const key = keys.session(node);
  const gone = [key, ...candidacies.map(([election]) => keys.candidate(election, node))].slice(0, MAX_TXN_WRITES - 1);
  const marker = { key: keys.changed, value: encodeValue<ChangedRecord>({}) };
  return {
    guards: [{ key, version: session?.value == null ? null : session.version }],
    writes: [...gone.map((each) => ({ key: each, value: null })), ...(candidacies.length === 0 ? [] : [marker])],
  };
}

function candidaciesOf({ mirror }: State, node: string): readonly (readonly [string, Observed<CandidateRecord>])[] {
  return [...(mirror.wantedBy.get(node) ?? [])].flatMap((election) => {
    const seen = mirror.candidates.get(election)?.get(node);
    return seen === undefined || seen.value === null ? [] : [[election, seen] as const];
  });
}
