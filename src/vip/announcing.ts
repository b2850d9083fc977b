// When to announce an address: a burst when it arrives, another one a little later for switches that were
// busy, and a slow refresh for those that forget.

import type { AnnouncePolicy } from "../base/vip.ts";
import { type Instant, later } from "../base/time.ts";

/** From the first announcement of a burst to the following ones, in milliseconds: one lost packet is not the last. */
const BURST_OFFSETS_MS = [0, 10, 20, 50, 100];

/** The announcements that are still to come, soonest first. */
export type Schedule = readonly Instant[];

/** The schedule of an address that arrived now. */
export function arrivalSchedule(policy: AnnouncePolicy, now: Instant): Schedule {
  const again = policy.repeatAfterMs > 0 ? burst(policy, later(now, policy.repeatAfterMs)) : [];
  return withRefresh([...burst(policy, now), ...again], policy, now);
}

/** What is left after the announcement that was due; the last one makes room for the refresh. */
export function afterAnnouncing(schedule: Schedule, policy: AnnouncePolicy, now: Instant): Schedule {
  const rest = schedule.filter((at) => at > now);
  return rest.length > 0 ? rest : withRefresh(rest, policy, now);
}

function burst(policy: AnnouncePolicy, from: Instant): Instant[] {
  return Array.from({ length: policy.burst }, (_, index) => later(from, offsetMs(index)));
}

function offsetMs(index: number): number {
  const last = BURST_OFFSETS_MS.length - 1;
  return BURST_OFFSETS_MS[index] ?? (BURST_OFFSETS_MS[last] as number) + (index - last) * 100;
}

function withRefresh(schedule: readonly Instant[], policy: AnnouncePolicy, now: Instant): Schedule {
  const last = schedule.at(-1) ?? now;
  return policy.refreshMs > 0 ? [...schedule, later(last, policy.refreshMs)] : schedule;
}
