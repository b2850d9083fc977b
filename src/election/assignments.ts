// Which node each election of a spread group is assigned to: every node computes it from the same candidate records, so nobody has to be
// asked. While two nodes have read different records they may differ, and an election is handed over once too often; who
// may hold it is not decided here.

import type { Instant } from "../base/time.ts";
import type { Mirror } from "./mirror.ts";
import { contending } from "./ranking.ts";
import { spreadVips } from "./spread.ts";

interface Group {
  readonly elections: string[];
  /** The greatest priority of each node, which is its weight: also by what it could not hold now, so that the weights of others' shares stay. */
  readonly weights: Map<string, number>;
  /** The nodes that could hold one of them now. */
  readonly able: Set<string>;
}

/**
 * Assigns anew, as `self` sees it; the result: the elections that are another node's than before. Of other nodes only
 * those count that have sent a heartbeat since this one began to look: what a first read shows may be of the dead.
 */
export function assignElections(mirror: Mirror, self: string, now: Instant): readonly string[] {
  const assigned = new Map<string, string>();
  for (const { elections, weights, able } of groupsOf(mirror, self, now).values()) {
    const nodes = [...able].map((node) => ({ node, weight: weights.get(node) ?? 1 }));
    for (const [election, node] of spreadVips(elections, nodes)) assigned.set(election, node);
  }
  const moved = [...new Set([...mirror.assigned.keys(), ...assigned.keys()])].filter(
    (election) => mirror.assigned.get(election) !== assigned.get(election),
  );
  mirror.assigned = assigned;
  return moved;
}

function groupsOf(mirror: Mirror, self: string, now: Instant): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const [election, candidates] of mirror.candidates) {
    const named = new Set<string>();
    for (const [node, observed] of candidates) {
      const { value } = observed;
      if (value?.spread == null) continue;
      const group = groups.get(value.spread) ?? emptyGroup();
      groups.set(value.spread, group);
      if (node !== self && mirror.sessions.get(node)?.fresh !== true) continue;
      group.weights.set(node, Math.max(group.weights.get(node) ?? 1, value.priority));
      if (!named.has(value.spread)) group.elections.push(election);
      named.add(value.spread);
      if (contending(mirror, node, observed, now, "eligible") !== undefined) group.able.add(node);
    }
  }
  return groups;
}

function emptyGroup(): Group {
  return { elections: [], weights: new Map(), able: new Set() };
}
