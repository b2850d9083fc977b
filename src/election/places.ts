// Where the elections of spread groups belong: every node computes it from the same candidate records, so nobody has to be
// asked. While two nodes have read different records they may differ, and an election is handed over once too often; who
// may hold it is not decided here.

import type { Instant } from "../base/time.ts";
import type { Mirror } from "./mirror.ts";
import { contending } from "./ranking.ts";
import { spreadVips } from "./spread.ts";

interface Group {
  readonly elections: string[];
  /** By node that could hold one of them now: its greatest priority, which is its weight. */
  readonly weights: Map<string, number>;
}

/** Computes the places anew; the result: the elections that belong somewhere else than before. */
export function placeElections(mirror: Mirror, now: Instant): readonly string[] {
  const places = new Map<string, string>();
  for (const { elections, weights } of groupsOf(mirror, now).values()) {
    const nodes = [...weights].map(([node, weight]) => ({ node, weight }));
    for (const [election, node] of spreadVips(elections, nodes)) places.set(election, node);
  }
  const moved = [...new Set([...mirror.places.keys(), ...places.keys()])].filter(
    (election) => mirror.places.get(election) !== places.get(election),
  );
  mirror.places = places;
  return moved;
}

function groupsOf(mirror: Mirror, now: Instant): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const [election, candidates] of mirror.candidates) {
    const named = new Set<string>();
    for (const [node, observed] of candidates) {
      const value = contending(mirror, node, observed, now, "eligible");
      if (value?.spread == null) continue;
      const group = groups.get(value.spread) ?? { elections: [], weights: new Map<string, number>() };
      groups.set(value.spread, group);
      if (!named.has(value.spread)) group.elections.push(election);
      named.add(value.spread);
      group.weights.set(node, Math.max(group.weights.get(node) ?? 1, value.priority));
    }
  }
  return groups;
}
