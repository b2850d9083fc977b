// A node may answer for an address of an election without holding it: its host had the address as its own before vipd guarded
// it, and would be cut off without it. While such a node is alive nobody else may answer, so nobody holds the election.
// When it has died its host may still answer; nobody can tell then.

import type { Instant } from "../base/time.ts";
import { isCandidate, silentAt } from "./address-claims.ts";
import type { Mirror } from "./mirror.ts";

/** A node that answers whoever holds the election, and until when it is alive at least, unless it is heard of again. */
export interface Answering {
  readonly node: string;
  readonly until: Instant;
}

/** The first such node of an election. */
export function answeringNode(mirror: Mirror, election: string, now: Instant): Answering | undefined {
  for (const [node, { value }] of mirror.candidates.get(election) ?? [])
    if (value?.answers === true && isCandidate(mirror, election, node, now))
      return { node, until: silentAt(mirror, node, now) };
  return undefined;
}
