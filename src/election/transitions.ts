// When the host starts and stops holding an election: two tables, each row with its reason.

import { type Reason, reason } from "../base/reasons.ts";
import { elapsedMs, type Instant } from "../base/time.ts";
import type { Revision } from "../ports/store.ts";
import { claimAddresses, confirmAddresses, isAnswerable } from "./address-claims.ts";
import { claimsOf } from "./claims.ts";
import { LEAST_TO_GAIN_MS } from "./lease.ts";
import { ineligibleReason, isInDoubt, isOutdated, ownToken } from "./questions.ts";
import type { State } from "./state.ts";

/** One reason to stop holding; the rows are asked in their order. */
type LossRule = (state: State, election: string, token: Revision) => Reason | undefined;

const LOSSES: readonly LossRule[] = [
  (state) => (state.owned ? undefined : reason("session-lost", "the store has no session of this node any more")),
  (state) => (state.covered ? undefined : reason("lease-expired", state.outage?.lastError ?? "")),
  (state, election, token) => (ownToken(state, election) === token ? undefined : reason("other-holder")),
  (state, election) => ineligibleReason(state, election),
];

/** Why the host must stop holding an election that it holds under `token`; `undefined`: it may go on. */
export function lossOf(state: State, election: string, token: Revision): Reason | undefined {
  for (const row of LOSSES) {
    const found = row(state, election, token);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** One condition of starting to hold; all must be met. */
type GainCondition = (state: State, election: string, token: Revision, now: Instant) => boolean;

const GAINS: readonly GainCondition[] = [
  /** The host is surely not holding it under an earlier token. */
  (state, election) => !state.tenures.has(election),
  /** The lease, counted from before the heartbeat was sent, still runs. */
  (state) => state.covered,
  /** There is time to open the fence: a store that answers late is no failure of this host. */
  (state, _election, _token, now) => hasTimeToGain(state, now),
  /** The fleet has settled on the store's epoch. */
  (state) => state.trusted,
  /** A read or an own commit said so, which know of which epoch of the store they speak. */
  (state, _election, token) => token <= state.confirmedRevision,
  /** The token is greater than any that was given out before. */
  (state, _election, token) => !isOutdated(state, token),
  /** No request is under way that may give it to somebody else. */
  (state, election) => !isInDoubt(state, election),
  /** Nothing speaks against it: configured, eligible, not stepping down, not stopping. */
  (state, election) => ineligibleReason(state, election) === undefined,
  /** Its addresses are no other election's. */
  (state, election, _token, now) => hasItsAddresses(state, election, now),
];

/** Whether enough of the lease is left to begin to hold something. */
export function hasTimeToGain(state: State, now: Instant): boolean {
  return elapsedMs(now, state.validUntil) >= LEAST_TO_GAIN_MS;
}

/** The token under which the host shall start to hold an election; `undefined`: it shall not. */
export function gainOf(state: State, election: string, now: Instant): Revision | undefined {
  const token = ownToken(state, election);
  if (token === undefined) return undefined;
  return GAINS.every((condition) => condition(state, election, token, now)) ? token : undefined;
}

/** Whether all addresses of an election are confirmed that can be, and one can be answered for, where it has any. */
function hasItsAddresses(state: State, election: string, now: Instant): boolean {
  const candidacy = state.candidacies.get(election);
  if (candidacy === undefined || candidacy.addresses.length === 0) return true;
  const { taken } = claimAddresses(state, election, candidacy, now);
  const { addresses: confirmed } = confirmAddresses(state, election);
  const isSettled = confirmed.length + taken.length === claimsOf(candidacy).length;
  return isSettled && isAnswerable(candidacy, (address) => confirmed.includes(address));
}
