// Time as the core sees it: instants on one monotonic clock, and durations in milliseconds.

declare const instantBrand: unique symbol;

/**
 * A point on the host's CLOCK_BOOTTIME, in milliseconds (fractions count). It grows during suspend
 * and never steps. Comparable only with instants of the same boot.
 */
export type Instant = number & { readonly [instantBrand]: true };

/** Reads a number of milliseconds since boot as an instant. */
export function instant(ms: number): Instant {
  return ms as Instant;
}

/** The instant `ms` milliseconds after `from` (before it, when negative). */
export function later(from: Instant, ms: number): Instant {
  return (from + ms) as Instant;
}

/** Milliseconds from `from` to `to`; negative when `to` is the earlier one. */
export function elapsedMs(from: Instant, to: Instant): number {
  return to - from;
}

/** The instant that never comes. */
export const NEVER: Instant = instant(Number.POSITIVE_INFINITY);

/** The instant before all others. */
export const LONG_AGO: Instant = instant(Number.NEGATIVE_INFINITY);

/** The earliest of the given instants; `NEVER` when there is none. */
export function earliest(...instants: readonly Instant[]): Instant {
  return instant(Math.min(NEVER, ...instants));
}

/** The later of two instants. */
export function latest(a: Instant, b: Instant): Instant {
  return a > b ? a : b;
}
