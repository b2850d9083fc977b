// What callers give to the library, checked before anything happens.

import { hostname } from "node:os";
import { MAX_TTL_MS, MIN_TTL_MS } from "../base/bounds.ts";
import { VipdError } from "../base/errors.ts";
import { isName, NAME_RULE } from "../base/names.ts";
import { nearest } from "../config/suggest.ts";
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
  /**
   * How long work may go on after its signal has aborted, in milliseconds. When it has not settled by then, the member
   * leaves the fleet without it, so that others can lead: 30000 by default.
   */
  readonly settleMs?: number;
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

/** The wait for work whose signal has aborted when none is asked for, and the longest, in milliseconds. */
export const DEFAULT_SETTLE_MS = 30_000;
const MAX_SETTLE_MS = 86_400_000;
const DEFAULT_PRIORITY = 100;

/** A node id that no other process has. */
export function defaultNode(): string {
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9.-]/gu, "-")
    .replaceAll(/^[^A-Za-z0-9]+/gu, "")
    .slice(0, 40);
  return `${host}-${process.pid}-${systemEntropy.uniqueId().slice(0, 6)}`.replace(/^-+/u, "");
}

interface Kind {
  readonly fits: (value: unknown) => boolean;
  readonly expected: string;
}

const STRING: Kind = { fits: (value) => typeof value === "string", expected: "a string" };
const NUMBER: Kind = { fits: (value) => typeof value === "number", expected: "a number" };
const BOOLEAN: Kind = { fits: (value) => typeof value === "boolean", expected: "true or false" };
const SIGNAL: Kind = { fits: (value) => value instanceof AbortSignal, expected: "an AbortSignal" };
const LOG: Kind = { fits: (value) => hasMethods(value, ["info", "warn"]), expected: "an object with info and warn" };
const STORE: Kind = {
  fits: (value) => typeof value === "string" || hasMethods(value, ["read", "commit", "watch", "close"]),
  expected: "the URL of a store, such as sqlite:/var/lib/app/fleet.db, or a Store",
};

const FLEET_OPTIONS: Readonly<Record<keyof FleetOptions, Kind>> = {
  ...{ store: STORE, fleet: STRING, node: STRING, ttlMs: NUMBER, settleMs: NUMBER, signal: SIGNAL, log: LOG },
};
const LEAD_OPTIONS: Readonly<Record<keyof LeadOptions, Kind>> = { priority: NUMBER, again: BOOLEAN, signal: SIGNAL };

/** Throws VipdError "config", naming the option, for what joinFleet does not take: callers may be plain JavaScript. */
export function checkFleetOptions(options: unknown): void {
  checkOptions("joinFleet", options, FLEET_OPTIONS, ["store", "fleet"]);
  const { settleMs = DEFAULT_SETTLE_MS } = options as FleetOptions;
  if (Number.isInteger(settleMs) && settleMs >= 0 && settleMs <= MAX_SETTLE_MS) return;
  throw wrongOption("settleMs", `is ${settleMs}: use a whole number of milliseconds up to ${MAX_SETTLE_MS}`);
}

/** Throws VipdError "config", naming the option, for what `lead` does not take. */
export function checkLeadOptions(work: unknown, options: unknown): void {
  if (typeof work !== "function") throw wrongOption("work", `is ${kindOf(work)}: give the function that leads`);
  checkOptions("lead", options, LEAD_OPTIONS, []);
}

function checkOptions(
  call: string,
  options: unknown,
  kinds: Readonly<Record<string, Kind>>,
  required: readonly string[],
): void {
  const names = Object.keys(kinds);
  if (typeof options !== "object" || options === null)
    throw wrongOption("options", `of ${call} is ${kindOf(options)}: give an object with ${names.join(", ")}`);
  const given = new Map<string, unknown>(Object.entries(options));
  for (const [key, value] of given) {
    const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
    if (kind === undefined) throw wrongOption(key, `is no option of ${call}: ${suggestion(key, names)}`);
    if (value !== undefined && !kind.fits(value)) throw wrongOption(key, `is ${kindOf(value)}: give ${kind.expected}`);
  }
  const missing = required.find((name) => given.get(name) === undefined);
  if (missing !== undefined)
    throw wrongOption(missing, `is missing: give ${kinds[missing]?.expected ?? "it"} to ${call}`);
}

function suggestion(key: string, names: readonly string[]): string {
  const near = names.find((name) => name.toLowerCase().startsWith(key.toLowerCase())) ?? nearest(key, names);
  return near === undefined ? `use ${names.join(", ")}` : `did you mean ${near}?`;
}

function hasMethods(value: unknown, methods: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return methods.every((method) => typeof (value as Readonly<Record<string, unknown>>)[method] === "function");
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return "missing";
  return Array.isArray(value) ? "an array" : `of type ${typeof value}`;
}

function wrongOption(key: string, problem: string): VipdError {
  return new VipdError("config", `${key} ${problem}`, { key });
}

/** Throws VipdError "config" when `value` may not be a name; `what` says whose. */
export function checkName(what: string, value: string): void {
  if (typeof value !== "string") throw wrongOption(what, `is ${kindOf(value)}: give ${NAME_RULE}`);
  if (!isName(value)) throw wrongOption(what, `"${value}" is no name: use ${NAME_RULE}`);
}

/** Throws VipdError "config" when the store cannot keep leases of this length. */
export function checkTtl(ttlMs: number, store: Store): void {
  const least = Math.max(MIN_TTL_MS, store.guarantees.minTtlMs);
  if (ttlMs >= least && ttlMs <= MAX_TTL_MS) return;
  throw new VipdError(
    "config",
    `ttlMs is ${ttlMs}: use ${least} to ${MAX_TTL_MS} (milliseconds) on ${store.guarantees.name}`,
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
    macs: [],
    interface: null,
  };
}
