// When the checks of a node begin: each at a phase of its own, so that a hundred checks of one interval do not start at one
// instant.

import { type Instant, instant, later } from "../base/time.ts";

/** The first runs of all checks begin within this time, in milliseconds: nobody takes a VIP before it knows. */
const FIRST_RUNS_WITHIN_MS = 250;

/** Fractional part of the golden ratio: its multiples modulo 1 spread evenly, however many there are (Weyl sequence). */
const GOLDEN_FRACTION = 0.618_033_988_749_894_9;

/** When a check begins. */
export interface CheckStart {
  /** Now. */
  readonly at: Instant;
  /** Its first run. */
  readonly firstAt: Instant;
  /** All later ones: this instant plus multiples of the interval. */
  readonly grid: Instant;
}

/**
 * The start of the check of this number (0, 1, 2 ... in the order of their making). Phases are multiples of `slotMs` on the
 * clock: to wake up costs more than to look, so checks that only look share their wake-ups. 0: no slots.
 */
export function staggeredStart(index: number, intervalMs: number, slotMs: number, at: Instant): CheckStart {
  const phase = (index * GOLDEN_FRACTION) % 1;
  const within = (ms: number): Instant => inSlot(later(at, phase * ms), slotMs);
  return { at, firstAt: within(Math.min(intervalMs, FIRST_RUNS_WITHIN_MS)), grid: within(intervalMs) };
}

function inSlot(when: Instant, slotMs: number): Instant {
  return slotMs === 0 ? when : instant(Math.ceil(when / slotMs) * slotMs);
}
