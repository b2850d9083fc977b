// Several routers together, by chance but repeatable: never two that answer for longer than an advert takes from one to the
// other, and never nobody for longer than it takes to notice.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { type Random, seededRandom } from "../../../src/base/random.ts";
import { NO_LINK, router } from "./lab.ts";
import { MOST_DELAY_MS, Segment, type Station } from "./segment.ts";

function segmentOf(random: Random): Segment {
  const segment = new Segment(random);
  const version = random.pick([2, 3] as const);
  const intervalMs = version === 2 ? 1_000 : random.pick([100, 500, 1_000]);
  for (let i = 1; i <= random.int(2, 4); i += 1) {
    segment.start(
      router({
        version,
        intervalMs,
        source: `10.77.0.${i}`,
        priority: random.pick([1, 90, 100, 100, 200, 254]),
        preempt: random.chance(0.7),
        preemptDelayMs: random.pick([0, 0, 5_000]),
      }),
    );
  }
  return segment;
}

/** One thing that happens to a host; the result counts how many changes of master it may cause. */
function disturb(random: Random, segment: Segment, station: Station): void {
  const { intervalMs } = station.state.router;
  switch (random.int(0, 5)) {
    case 0:
      return station.freeze(random.next() * 8 * intervalMs);
    case 1:
      return station.post({ type: "step-down", reason: reason("step-down") });
    case 2:
      return station.post({ type: "priority", priority: random.int(1, 254) });
    case 3:
      return station.post({ type: "unable" });
    case 4: {
      station.post({ type: "fitness", ineligible: NO_LINK });
      return segment.at(segment.now, () => station.post({ type: "fitness", ineligible: null }));
    }
    default:
      return station.post({ type: "silenced" });
  }
}

/** How many hosts may have answered beside another in a run: each time for as long as an advert is under way. */
const CHANGES_A_DISTURBANCE = 6;

describe("a segment", () => {
  test.each(Array.from({ length: 20 }, (_, i) => i * 10))(
    "seeds %i to +9: one answers at a time, and soon one again",
    (first) => {
      for (let seed = first; seed < first + 10; seed += 1) {
        const random = seededRandom(seed + 1);
        const segment = segmentOf(random);
        const disturbances = 12;
        for (let i = 0; i < disturbances; i += 1) {
          segment.advance(random.next() * 6_000);
          disturb(random, segment, random.pick(segment.stations));
        }
        expect(segment.twoAnswered, `seed ${seed}`).toBeLessThan(disturbances * CHANGES_A_DISTURBANCE * MOST_DELAY_MS);
        // The longest of all waits: a back-off, twice the time of silence, pre-emption.
        segment.advance(90_000);
        const { twoAnswered } = segment;
        segment.advance(30_000);
        expect(
          segment.stations.filter((station) => station.answers),
          `seed ${seed}`,
        ).toHaveLength(1);
        expect(segment.twoAnswered - twoAnswered, `seed ${seed}: quiet`).toBe(0);
      }
    },
  );

  test("a master that freezes is silent before its backup answers, at any moment of freezing", () => {
    for (let phase = 0; phase < 40; phase += 1) {
      const segment = new Segment(seededRandom(phase + 7));
      const master = segment.start(router({ source: "10.77.0.1", priority: 200 }));
      segment.advance(5_000);
      segment.start(router({ source: "10.77.0.2", priority: 254, preempt: false }));
      segment.advance(5_000 + phase * 25);
      expect(master.answers).toBe(true);
      master.freeze(9_000);
      segment.advance(8_900);
      expect(segment.stations.map((station) => station.answers)).toEqual([false, true]);
      expect(segment.twoAnswered).toBe(0);
    }
  });
});
