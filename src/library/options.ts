// What callers give to the library, checked before anything happens.

import { hostname } from "node:os";
import { MAX_TTL_MS, MIN_TTL_MS } from "../base/bounds.ts";
import { VipdError } from "../base/errors.ts";
import { isName, NAME_RULE } from "../base/names.ts";
import type { Candidacy } from "../base/candidacy.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store } from "../ports/store.ts";
import { systemEntropy } from "../runtime/timers.ts";

/** Whom to join. */
export interface FleetOptions {
  /** A store URL, or a store, which stays the caller's to close. */
  readonly store: string | Store;
  /** Processes of one fleet share a store and compete. */
  readonly fleet: string;
  /** This member's id, unique in the fleet; by default host name, process id and a random part. */
  readonly node?: string;
  /** The lease in milliseconds, the same for all members: a dead leader is waited for that long. 3000 by default. */
  readonly ttlMs?: number;
  /** Leaves when it aborts. */
  readonly signal?: AbortSignal;
  /** Where warnings go; nowhere by default. */
  readonly log?: Pick<Logger, "info" | "warn">;
}

/** How to campaign. */
export interface LeadOptions {
  /** 0 to 255: at a vacancy the greatest leads first. 100 by default. */
  readonly priority?: number;
  /** Campaign anew when the lease is lost while the work runs; by default `lead` rejects then. */
  readonly again?: boolean;
  /** Ends the campaign, and the term. */
  readonly signal?: AbortSignal;
}

/** The lease when none is asked for, in milliseconds. */
export const DEFAULT_TTL_MS = 3_000;
const DEFAULT_PRIORITY = 100;

/** A node id that no other process has. */
export function defaultNode(): string {
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9.-]/gu, "-")
    .replaceAll(/^[^A-Za-z0-9]+/gu, "")
    .slice(0, 40);
  return `${host}-${process.pid}-${systemEntropy.uniqueId().slice(0, 6)}`.replace(/^-+/u, "");
}

/** Throws VipdError "config" when `value` may not be a name; `what` says whose. */
export function checkName(what: string, value: string): void {
  if (!isName(value)) throw new VipdError("config", `${what} "${value}" is no name: use ${NAME_RULE}`, { key: what });
}

/** Throws VipdError "config" when the store cannot keep leases of this length. */
export function checkTtl(ttlMs: number, store: Store): void {
  const least = Math.max(MIN_TTL_MS, store.guarantees.minTtlMs);
  if (ttlMs >= least && ttlMs <= MAX_TTL_MS) return;
  throw new VipdError(
    "config",
    `ttlMs is ${ttlMs}: use ${least} to ${MAX_TTL_MS} with a ${store.guarantees.name} store`,
    { key: "ttlMs" },
  );
}

/** A process' candidacy: it can always hold, and takes over from nobody who leads. Throws VipdError "config". */
export function candidacyWith(priority = DEFAULT_PRIORITY): Candidacy {
  if (!Number.isInteger(priority) || priority < 0 || priority > 255)
    throw new VipdError("config", `priority is ${priority}: use a whole number from 0 to 255`, { key: "priority" });
  return {
    priority,
    ineligible: null,
    lastResort: false,
    preempt: false,
    preemptDelayMs: 0,
    minHoldMs: 0,
    spread: null,
    addresses: [],
    interface: null,
  };
}
