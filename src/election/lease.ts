// The arithmetic of a lease. Let every clock's rate be off by at most DRIFT. A holder counts from the moment BEFORE it
// sent its heartbeat, and shortens; an observer counts from the moment AFTER it received the heartbeat, and stretches.
// So the holder's lease has always ended before an observer may break it, whatever the delays of messages were:
// sent <= committed <= received, and validity < ttl < observer's wait.

import { type Instant, later } from "../base/time.ts";

/** Bound on the rate error of any clock: covers NTP slewing (500 ppm) plus a poor crystal. */
export const DRIFT = 1e-3;

/** What ends before the lease does: packets that have left but not arrived, in milliseconds. */
const IN_FLIGHT_MS = 2;

/**
 * Nothing is gained with less of its lease left, in milliseconds: so long it may take to open the kernel's fence (its armed
 * element lives for 100 ms, and it is opened for 20 ms at least).
 */
export const LEAST_TO_GAIN_MS = 130;

/** Between two reads of everything, in leases, and at least this long: the watch and the short reads do the rest. */
const FULL_READ_LEASES = 20;
const FULL_READ_MS = 60_000;

/** All durations that follow from a lease's length, in milliseconds. */
export interface LeaseTimings {
  readonly ttlMs: number;
  /** How long the holder may rely on a heartbeat, from the moment before it was sent. */
  readonly validityMs: number;
  /** The daemon gives up this long before the validity ends; the kernel's fence needs no such margin. */
  readonly giveUpMarginMs: number;
  /** From one heartbeat's send to the next. */
  readonly heartbeatEveryMs: number;
  /** Limit of one commit: several fit between a late heartbeat and the end of the lease. */
  readonly requestTimeoutMs: number;
  /** Limit of one read: no lease waits for it. */
  readonly readTimeoutMs: number;
  /** Wait before the next request after one that failed. */
  readonly retryEveryMs: number;
  /** A watch is only a hint: sessions, epoch and the marker of changes are read this often. */
  readonly resyncEveryMs: number;
  /** Everything is read this often. */
  readonly fullReadEveryMs: number;
  /** At a vacancy, the candidate of rank r waits r times this. */
  readonly staggerMs: number;
}

/** The timings of leases that last `ttlMs`. */
export function leaseTimings(ttlMs: number): LeaseTimings {
  return {
    ttlMs,
    validityMs: (ttlMs * (1 - DRIFT)) / (1 + DRIFT),
    giveUpMarginMs: clamp(ttlMs / 20, 20, 250),
    heartbeatEveryMs: ttlMs / 3,
    requestTimeoutMs: clamp(ttlMs / 6, 50, 2_000),
    readTimeoutMs: clamp(ttlMs / 3, 100, 3_000),
    retryEveryMs: clamp(ttlMs / 12, 20, 500),
    resyncEveryMs: ttlMs,
    fullReadEveryMs: Math.max(FULL_READ_LEASES * ttlMs, FULL_READ_MS),
    staggerMs: clamp(ttlMs / 40, 10, 100),
  };
}

/** How long an observer, on its own clock, must see no new heartbeat before it may break a lease of `ttlMs`. */
export function observerWaitMs(ttlMs: number): number {
  return (ttlMs * (1 + DRIFT)) / (1 - DRIFT);
}

/** The end of the lease that a heartbeat sent at `sentAt` gives. */
export function validUntil(sentAt: Instant, timings: LeaseTimings): Instant {
  return later(sentAt, timings.validityMs);
}

/** When the daemon itself gives up everything. */
export function giveUpAt(until: Instant, timings: LeaseTimings): Instant {
  return later(until, -timings.giveUpMarginMs);
}

/** When the kernel must have closed the fence. */
export function fenceUntil(until: Instant): Instant {
  return later(until, -IN_FLIGHT_MS);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
