// When the host starts and stops holding an election: a table, each row with a reason for people.

import type { Instant } from "../base/time.ts";
import type { Revision } from "../ports/store.ts";
import { ownSession } from "./session.ts";
import type { State } from "./state.ts";
import { inDoubt, leaseCovers, ineligibleReason, outdated, ownToken, trusted } from "./tenure.ts";

/** One reason to stop holding, in the order in which they are asked. */
interface Loss {
  readonly when: (state: State, election: string, token: Revision, now: Instant) => boolean;
  readonly reason: (state: State, election: string, now: Instant) => string;
}

const LOSSES: readonly Loss[] = [
  { when: (state) => ownSession(state) === undefined, reason: () => "the session was lost" },
  {
    when: (state, _election, _token, now) => !leaseCovers(state, now),
    reason: () => "the lease ran out: no heartbeat was confirmed in time",
  },
  {
    when: (state, election, token) => ownToken(state, election) !== token,
    reason: () => "the store names another holder",
  },
  {
    when: (state, election, _token, now) => ineligibleReason(state, election, now) !== undefined,
    reason: (state, election, now) => ineligibleReason(state, election, now) ?? "",
  },
];

/** Why the host must stop holding an election that it holds under `token`; `undefined`: it may go on. */
export function lossOf(state: State, election: string, token: Revision, now: Instant): string | undefined {
  return LOSSES.find((row) => row.when(state, election, token, now))?.reason(state, election, now);
}

/** A token that no store has given out. */
const NOT_YET: Revision = -1n;

/** One condition of starting to hold; all must be met. */
type Condition = (state: State, election: string, now: Instant) => boolean;

const GAINS: readonly Condition[] = [
  /** The host is surely not holding it under an earlier token. */
  (state, election) => !state.tenures.has(election),
  /** The store named this node, under the session that it has now. */
  (state, election) => ownToken(state, election) !== undefined,
  /** A read or an own commit said so, which know of which epoch of the store they speak. */
  (state, election) => (ownToken(state, election) ?? NOT_YET) <= state.confirmedRevision,
  /** The token is greater than any that was given out before. */
  (state, election) => !outdated(state, ownToken(state, election) ?? NOT_YET),
  /** No request is under way that may give it to somebody else. */
  (state, election) => !inDoubt(state, election),
  /** The lease, counted from before the heartbeat was sent, still runs. */
  (state, _election, now) => leaseCovers(state, now),
  /** The store did not just lose its memory. */
  (state) => trusted(state),
  /** Nothing speaks against it: configured, eligible, not stepping down, not stopping. */
  (state, election, now) => ineligibleReason(state, election, now) === undefined,
];

/** The token under which the host shall start to hold an election; `undefined`: it shall not. */
export function gainOf(state: State, election: string, now: Instant): Revision | undefined {
  return GAINS.every((condition) => condition(state, election, now)) ? ownToken(state, election) : undefined;
}
