// How most scenarios begin: a holder that has been at it for a while, alone or with other candidates.

import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { candidacy } from "./samples.ts";

/** A holder "a" that has just sent a heartbeat. */
export function holderAlone(): { fleet: Fleet; a: Node } {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(10_000);
  fleet.untilHeartbeat(a);
  return { fleet, a };
}

/** A holder "a" that has just sent a heartbeat, and another candidate "b". */
export function holderAndCandidate(): { fleet: Fleet; a: Node; b: Node } {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a"), fleet.start("b")];
  fleet.advance(10_000);
  fleet.untilHeartbeat(a);
  return { fleet, a, b };
}

/** A holder "a" of priority 100 between two heartbeats, and others of these priorities that do not pre-empt. */
export function holderAndOthers(priorities: Readonly<Record<string, number>>): {
  fleet: Fleet;
  a: Node;
  others: readonly Node[];
} {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(1_000);
  const others = Object.entries(priorities).map(([name, priority]) =>
    fleet.start(name, candidacy({ priority, preempt: false })),
  );
  // Between two heartbeats: nothing is under way.
  fleet.advance(10_400);
  return { fleet, a, others };
}
