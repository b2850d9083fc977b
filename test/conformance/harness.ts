// What an adapter brings to the conformance suite, and small tools that its tests share.

import { randomBytes } from "node:crypto";
import { test } from "vitest";
import type { CallLimits, CommitResult, Revision, Snapshot, Store, Txn } from "../../src/ports/store.ts";
import type { Proxy } from "../servers/proxy.ts";

/** One real store, empty at first, with everything that the suite may do to it. What it cannot do it leaves out. */
export interface Harness {
  /** Opens another Store on the same data, in this process. */
  open(): Promise<Store>;
  /** Where other processes find the same data; `undefined`: only this process has it. */
  readonly url: string | undefined;
  /** Ends every Store and the service behind them, and begins anew on the same data. */
  restart(): Promise<void>;
  /** Keeps every call waiting until the result is called; `reads`: reads as well as commits. */
  readonly block?: { readonly reads: boolean; start(): Promise<() => Promise<void>> };
  /** Makes the store unreachable, and reachable again. */
  readonly outage?: { begin(): Promise<void>; end(): Promise<void> };
  /** Writes a record past every vipd and its bounds, in a commit of its own, as a program might that knows the store. */
  foreignPut(key: string, value: string): Promise<void>;
  /** A Store whose requests can be kept on their way to the data. */
  readonly openDelayed?: () => Promise<DelayedStore>;
  /** Ways in which data are lost or replaced, by name. */
  readonly losses: Readonly<Record<string, (harness: Harness) => Promise<void>>>;
  /** How many commits it takes until a watch cannot begin before them. */
  readonly historyLength: number;
  /** Makes the store forget its history at once, where commits alone do not. */
  readonly forgetHistory?: () => Promise<void>;
  /** Closes and removes everything. */
  cleanUp(): Promise<void>;
}

/** A Store, and the way to its data. */
export interface DelayedStore {
  readonly store: Store;
  /** Keeps what is sent from now on. */
  hold(): Promise<void>;
  /** Settles when something is kept on its way. */
  holds(): Promise<void>;
  release(): Promise<void>;
}

/** A Store whose way to its server leads through a proxy. */
export function proxied(store: Store, proxy: Proxy): DelayedStore {
  return {
    store,
    hold: () => Promise.resolve(proxy.hold()),
    holds: () => proxy.holds(),
    release: () => Promise.resolve(proxy.release()),
  };
}

/** Generous limits for calls whose deadline is not what is tested. */
export const PATIENT: CallLimits = { timeoutMs: 5_000 };

/** How late a call may settle on a busy machine, in milliseconds. */
export const SLACK_MS = 400;

/**
 * A test of what not every store is made for. A store declares in its traits what it has; where it has it not, there is
 * nothing to test, which is another thing than a test that was skipped.
 */
export function testWith(trait: boolean): (name: string, run: () => Promise<void>, timeoutMs?: number) => void {
  return (name, run, timeoutMs) => {
    if (trait) test(name, run, timeoutMs);
  };
}

/** A name that no other run has. */
export function uniqueName(): string {
  return `vd${randomBytes(6).toString("hex")}`;
}

/** Commits, and insists that it is not in conflict. */
export async function committed(store: Store, txn: Txn): Promise<Revision> {
  const result: CommitResult = await store.commit(txn, PATIENT);
  if (result.kind !== "committed") throw new Error("the commit was in conflict");
  return result.revision;
}

/** Writes one record, whatever is there. */
export function put(store: Store, key: string, value: string | null): Promise<Revision> {
  return committed(store, { guards: [], writes: [{ key, value }] });
}

/** The records as a plain object. */
export function contents(snapshot: Snapshot): Record<string, string> {
  return Object.fromEntries(snapshot.records.map(({ key, value }) => [key, value]));
}

/** What a call threw, whether at once or by its promise; fails when it did not. */
export async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
  const outcome = await Promise.resolve()
    .then(call)
    .then(
      (value: unknown) => ({ value }),
      (error: unknown) => ({ error }),
    );
  if ("error" in outcome) return outcome.error;
  throw new Error(
    `nothing was thrown, but the result was ${JSON.stringify(outcome.value, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value))}`,
  );
}
