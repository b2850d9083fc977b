// Judges one election: what the host shall do for it, and what is due to be written for it, now or at which time.

import { reason } from "../base/reasons.ts";
import type { ConfirmedAddresses } from "../ports/elector.ts";
import { type Instant, NEVER } from "../base/time.ts";
import type { Grant, Loss } from "../ports/elector.ts";
import { answeringNode } from "./answering.ts";
import { claimAddresses, confirmAddresses, isAnswerable, isStillOwn } from "./address-claims.ts";
import { claimsOf, NOTHING } from "./claims.ts";
import { contenders, handoverTarget } from "./ranking.ts";
import { ineligibleReason, isInDoubt, isAssignedTo, ownToken, preemptDue, takeDueAt } from "./questions.ts";
import type { Revision } from "../ports/store.ts";
import { endInterruption, reportLoss } from "./session.ts";
import type { Moment, State } from "./state.ts";
import { candidateMutation, claimMutation, releaseMutation } from "./transaction.ts";
import { gainOf, hasTimeToGain, lossOf } from "./transitions.ts";

/** What the host is to be told after a round of judging. */
export interface Verdicts {
  readonly losses: Loss[];
  readonly grants: Grant[];
  readonly confirmed: ConfirmedAddresses[];
}

/** Losses of these kinds are not the node's own wish, and are told in the election's history. */
const UNWILLING: readonly string[] = ["lease-expired", "session-lost"];

/** Judges an election that something may have changed for. */
export function judge(state: State, election: string, at: Moment, verdicts: Verdicts): void {
  if (!concerns(state, election)) return forget(state, election);
  endStepDown(state, election, at.now);
  judgeLastResort(state, election, at.now);
  judgePreemption(state, election, at.now);
  judgeClaims(state, election, at.now);
  judgeLoss(state, election, at, verdicts.losses);
  judgeAdopted(state, election, verdicts.losses);
  judgeAddresses(state, election, verdicts.confirmed);
  if (judgeGain(state, election, at.now, verdicts.grants)) awaitPreemption(state, election, at.now);
  judgeMutations(state, election, at);
}

/** Whether the election is anything to this node. */
function concerns(state: State, election: string): boolean {
  const { node } = state.self;
  return (
    state.candidacies.has(election) ||
    state.tenures.has(election) ||
    state.adopted.has(election) ||
    state.mirror.elections.get(election)?.value?.holder === node ||
    state.mirror.candidates.get(election)?.has(node) === true
  );
}

function forget(state: State, election: string): void {
  const { release, candidate, claim, take } = state.due;
  for (const due of [release, candidate, claim, take]) due.delete(election);
  state.stepDowns.delete(election);
  state.claimed.delete(election);
  state.lastResorts.delete(election);
  state.openLosses.delete(election);
  state.interruptions.delete(election);
  state.wakeups.set(`claim ${election}`, NEVER);
  state.wakeups.set(`take ${election}`, NEVER);
  state.wakeups.set(`preempt ${election}`, NEVER);
}

/** A step-down ends when the election is another's, or when there is nobody left to take it. */
function endStepDown(state: State, election: string, now: Instant): void {
  if (!state.stepDowns.has(election) || isInDoubt(state, election)) return;
  const ended =
    ownToken(state, election) === undefined ||
    (!state.tenures.has(election) && handoverTarget(state.mirror, election, state.self.node, null, now) === undefined);
  if (ended) state.stepDowns.delete(election);
}

/**
 * Whether this node may hold an election that it is not fit for, because nobody is. A holder gives way once there is
 * somebody to hand it to; who does not hold it leaves it to everybody that is fit and alive.
 */
function judgeLastResort(state: State, election: string, now: Instant): void {
  const { mirror, self, lastResorts } = state;
  const candidacy = state.candidacies.get(election);
  const isUnfit = candidacy !== undefined && candidacy.ineligible !== null && candidacy.lastResort;
  const holds = ownToken(state, election) !== undefined;
  const others = (): boolean =>
    holds
      ? handoverTarget(mirror, election, self.node, null, now) !== undefined
      : contenders(mirror, election, now).some(({ node }) => node !== self.node);
  if (isUnfit && !others()) lastResorts.add(election);
  else lastResorts.delete(election);
}

function judgePreemption(state: State, election: string, now: Instant): void {
  const better = preemptDue(state, election, now);
  const due = better !== undefined && better.at <= now;
  if (due) {
    const isSpread = isAssignedTo(state, election, better.to);
    if (isSpread) state.spreadMovedAt = now;
    state.stepDowns.set(election, { to: better.to, reason: reason(isSpread ? "spread" : "preempted", better.to) });
  }
  state.wakeups.set(`preempt ${election}`, better === undefined || due ? NEVER : better.at);
}

/** What has been gained in this step is handed over in the next one at the soonest. */
function awaitPreemption(state: State, election: string, now: Instant): void {
  state.wakeups.set(`preempt ${election}`, preemptDue(state, election, now)?.at ?? NEVER);
}

/** Whether addresses of an election of this node are somebody else's; and when to look again. */
function judgeClaims(state: State, election: string, now: Instant): void {
  const answering = answeringNode(state.mirror, election, now);
  if (answering !== undefined) {
    state.wakeups.set(`claim ${election}`, answering.until);
    state.claimed.set(election, reason("address-claimed", `${answering.node} has an address of it as its host's own`));
    return;
  }
  const candidacy = state.candidacies.get(election) ?? NOTHING;
  const owns = ownToken(state, election) !== undefined;
  const { taken } = owns ? claimAddresses(state, election, candidacy, now) : { taken: [] };
  const [first] = taken;
  state.wakeups.set(`claim ${election}`, first?.until ?? NEVER);
  const isFree = (address: string): boolean => taken.every((each) => each.address !== address);
  if (first === undefined || isAnswerable(candidacy, isFree) || state.tenures.has(election))
    state.claimed.delete(election);
  else
    state.claimed.set(election, reason("address-claimed", `${first.address} is ${first.election}'s, by ${first.node}`));
}

/** An address that a held election has gained is told when it is confirmed, one that it has not any more at once. */
function judgeAddresses(state: State, election: string, confirmed: Verdicts["confirmed"]): void {
  const tenure = state.tenures.get(election);
  if (tenure?.phase !== "on") return;
  const wanted = claimsOf(state.candidacies.get(election) ?? NOTHING);
  const told = new Set(tenure.addresses);
  const kept = wanted.filter((address) => told.has(address) && isStillOwn(state, election, address));
  if (kept.length === wanted.length && told.size === wanted.length) return;
  const { addresses: more, isPending } = confirmAddresses(state, election);
  if (isPending) state.unconfirmed.add(election);
  // In an epoch that the fleet has not settled on, the store may have forgotten whose an address is.
  const granted = new Set([...kept, ...(state.trusted ? more : [])]);
  const addresses = wanted.filter((address) => granted.has(address));
  if (addresses.length === told.size && addresses.every((address) => told.has(address))) return;
  state.tenures.set(election, { ...tenure, addresses });
  confirmed.push({ election, addresses });
}

function judgeLoss(state: State, election: string, at: Moment, losses: Loss[]): void {
  const tenure = state.tenures.get(election);
  if (tenure?.phase !== "on") return;
  const why = lossOf(state, election, tenure.token);
  if (why === undefined) return;
  if (UNWILLING.includes(why.code)) reportLoss(state, election, why, at);
  const seq = state.mirror.elections.get(election)?.value?.seq;
  if (seq !== undefined && ownToken(state, election) === tenure.token)
    state.openLosses.set(election, { token: tenure.token, seq, at, reason: why });
  state.tenures.set(election, { phase: "closing", reason: why });
  state.holding -= 1;
  losses.push({ election, token: tenure.token, reason: why });
}

/** What the previous process left is settled once this one holds it, or has told the host to release it. */
function judgeAdopted(state: State, election: string, losses: Loss[]): void {
  if (!state.adopted.has(election)) return;
  const why = ownToken(state, election) === undefined ? reason("other-holder") : ineligibleReason(state, election);
  if (why !== undefined && !state.tenures.has(election)) {
    state.tenures.set(election, { phase: "closing", reason: why });
    losses.push({ election, token: null, reason: why });
  }
  if (state.tenures.has(election)) state.adopted.delete(election);
}

function judgeGain(state: State, election: string, now: Instant, grants: Grant[]): boolean {
  const named = ownToken(state, election);
  if (named !== undefined && named > state.confirmedRevision) state.unconfirmed.add(election);
  const token = gainOf(state, election, now);
  if (token === undefined) {
    const isWaiting = confirmAddresses(state, election).isPending || !hasTimeToGain(state, now);
    if (named !== undefined && isWaiting) state.unconfirmed.add(election);
    return false;
  }
  const record = state.mirror.elections.get(election)?.value;
  const { addresses } = confirmAddresses(state, election);
  state.tenures.set(election, { phase: "on", token, since: now, addresses });
  state.holding += 1;
  state.adopted.delete(election);
  state.preemptSuppressed.delete(election);
  const previous = record?.previousToken ?? null;
  grants.push({
    election,
    token,
    previousToken: previous === null ? null : BigInt(previous),
    ...originOf(state, election, token, now),
    addresses,
  });
  return true;
}

/** Why it is this node's, and for how long nobody held it: by its record, or, when it had it already, by what came between. */
function originOf(state: State, election: string, token: Revision, now: Instant): Pick<Grant, "reason" | "vacantMs"> {
  const loss = state.openLosses.get(election);
  state.openLosses.delete(election);
  if (loss?.token === token)
    return { reason: reason("regained", loss.reason.text), vacantMs: endInterruption(state, election, loss, now) };
  const record = state.mirror.elections.get(election)?.value;
  return { reason: record?.reason ?? reason("first-holder"), vacantMs: record?.vacantMs ?? null };
}

function judgeMutations(state: State, election: string, at: Moment): void {
  const { due } = state;
  mark(due.release, election, releaseMutation(state, election, at) !== undefined);
  mark(due.candidate, election, candidateMutation(state, election) !== undefined);
  mark(due.claim, election, claimMutation(state, election, at) !== undefined);
  const takeAt = takeDueAt(state, election, at.now);
  mark(due.take, election, takeAt <= at.now);
  state.wakeups.set(`take ${election}`, takeAt <= at.now ? NEVER : takeAt);
}

function mark(set: Set<string>, election: string, isDue: boolean): void {
  if (isDue) set.add(election);
  else set.delete(election);
}
