// A fleet read straight from its store, for when there is no daemon to ask.

import { fleetParts, historyViews } from "../admin/fleet-view.ts";
import type { FleetView, HistoryView } from "../admin/views.ts";
import { isVipdError, messageOf, VipdError } from "../base/errors.ts";
import { later } from "../base/time.ts";
import { redactUrl } from "../base/store-url.ts";
import { Keys } from "../election/keys.ts";
import { Mirror } from "../election/mirror.ts";
import type { Timers } from "../ports/clock.ts";
import type { Revision, Snapshot, Store } from "../ports/store.ts";
import { repairOf } from "../election/repair.ts";
import { forgetting, remainsOf } from "../election/forget.ts";
import type { Forgotten, RepairOptions, RepairReport, StoreWriter } from "./deps.ts";

/** A store that has not answered by then is out of reach, in milliseconds. */
const READ_MS = 2_000;

/** A watch looks anew at least this often, so that ages and doubts show, in milliseconds. */
const LOOK_AGAIN_MS = 1_000;

/** What a session is taken to last whose record does not parse, in milliseconds. */
const ASSUMED_TTL_MS = 3_000;

/** Which fleet of which store. */
export interface StoreFleetOptions {
  readonly fleet: string;
  /** As the user gave it; shown without its secrets. */
  readonly url: string;
}

/** Reads a fleet's records from `store`, which it owns from now on; repairs where it was opened for writing. */
export function storeFleet(store: Store, options: StoreFleetOptions, timers: Timers): StoreWriter {
  const keys = new Keys(options.fleet);
  const look = async (signal: AbortSignal): Promise<{ view: FleetView; revision: Revision }> => {
    const snapshot = await readAll(store, keys.live, signal);
    return { view: viewOf(snapshot, keys, store, options, timers), revision: snapshot.revision };
  };
  return {
    read: async (signal) => (await look(signal)).view,
    examine: async (signal) => (await store.examine?.({ timeoutMs: READ_MS, signal })) ?? [],
    history: (election, signal) => readHistory(store, keys, election, signal),
    forget: (node, signal) => forget({ store, keys, timers, node, signal }),
    repair: (election, how, signal) => repair({ store, keys, timers, election, how, signal }),
    async *watch(signal) {
      while (!signal.aborted) {
        const { view, revision } = await look(signal);
        yield view;
        await nextChange(store, keys.live, revision, timers, signal);
      }
    },
    close: () => store.close(),
  };
}

function viewOf(snapshot: Snapshot, keys: Keys, store: Store, options: StoreFleetOptions, timers: Timers): FleetView {
  const now = timers.now();
  const mirror = new Mirror(keys, now);
  mirror.applySnapshot(snapshot, "all", now);
  const fleet = { mirror, keys, ttlMs: ASSUMED_TTL_MS };
  const parts = fleetParts(fleet, now, { kind: "passer-by", wallMs: timers.wallMs() });
  const { name, minTtlMs, tokenDurable, failoverSafe, caveats } = store.guarantees;
  const guarantees = { name, minTtlMs, tokenDurable, failoverSafe, caveats };
  return {
    fleet: options.fleet,
    store: { url: redactUrl(options.url), ok: true, lastError: null, guarantees },
    ...parts,
  };
}

async function readHistory(
  store: Store,
  keys: Keys,
  election: string,
  signal: AbortSignal,
): Promise<readonly HistoryView[]> {
  const snapshot = await readAll(store, keys.historyOf(election), signal);
  return historyViews(snapshot.records);
}

interface RepairRun {
  readonly store: Store;
  readonly keys: Keys;
  readonly timers: Timers;
  readonly election: string;
  readonly how: RepairOptions;
  readonly signal: AbortSignal;
}

async function liveMirror(store: Store, keys: Keys, timers: Timers, signal: AbortSignal): Promise<Mirror> {
  const live = await readAll(store, keys.live, signal);
  const mirror = new Mirror(keys, timers.now());
  mirror.applySnapshot(live, "all", timers.now());
  return mirror;
}

interface ForgetRun {
  readonly store: Store;
  readonly keys: Keys;
  readonly timers: Timers;
  readonly node: string;
  readonly signal: AbortSignal;
}

async function forget({ store, keys, timers, node, signal }: ForgetRun): Promise<Forgotten> {
  const before = remainsOf(await liveMirror(store, keys, timers, signal), node);
  if (before === undefined) return { kind: "unknown" };
  await wait(before.waitMs, timers, signal);
  const after = remainsOf(await liveMirror(store, keys, timers, signal), node);
  if (after === undefined) return { kind: "unknown" };
  if (after.session !== before.session) return { kind: "alive" };
  for (const txn of forgetting(keys, node, after)) {
    const result = await store.commit(txn, { timeoutMs: READ_MS, signal });
    if (result.kind === "conflict") return { kind: "alive" };
  }
  return { kind: "forgotten", candidacies: after.elections.length };
}

async function wait(ms: number, timers: Timers, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  let cancel = (): void => {};
  try {
    await new Promise<void>((resolve) => {
      cancel = timers.at(later(timers.now(), ms), resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  } finally {
    cancel();
  }
  if (signal.aborted) throw new VipdError("aborted", "interrupted");
}

async function repair({ store, keys, timers, election, how, signal }: RepairRun): Promise<RepairReport> {
  const live = await readAll(store, keys.live, signal);
  const past = await readAll(store, keys.historyOf(election), signal);
  const now = timers.now();
  const mirror = new Mirror(keys, now);
  mirror.applySnapshot(live, "all", now);
  const record = live.records.find(({ key }) => key === keys.election(election));
  const { force } = how;
  const found = repairOf({ election, keys, mirror, record, history: past.records, wallMs: timers.wallMs(), force });
  if (found.kind !== "broken" || !how.apply) return { kind: found.kind, lines: found.lines, done: false };
  const result = await store.commit(found.txn, { timeoutMs: READ_MS, signal });
  if (result.kind === "committed") return { kind: "broken", lines: found.lines, done: true };
  const changed = `the record of ${election} has changed meanwhile: nothing was written, look again`;
  return { kind: "refused", lines: [...found.lines, changed], done: false };
}

/** To the reader, a store that does not answer in time is one that is not there. */
async function readAll(store: Store, prefix: string, signal: AbortSignal): Promise<Snapshot> {
  try {
    return await store.read(prefix, { timeoutMs: READ_MS, signal });
  } catch (error) {
    if (isVipdError(error, "timeout"))
      throw new VipdError("store-unavailable", `the store does not answer: ${messageOf(error)}`, error.context, error);
    throw error;
  }
}

/** Settles at the next change after `since`, after LOOK_AGAIN_MS, or when the signal aborts; a broken watch waits too. */
async function nextChange(
  store: Store,
  prefix: string,
  since: Revision,
  timers: Timers,
  signal: AbortSignal,
): Promise<void> {
  const enough = new AbortController();
  const cancel = timers.at(later(timers.now(), LOOK_AGAIN_MS), () => enough.abort());
  try {
    for await (const event of store.watch(prefix, since, AbortSignal.any([enough.signal, signal])))
      if (event.kind === "changes") return;
    if (!enough.signal.aborted && !signal.aborted)
      await new Promise<void>((resolve) => enough.signal.addEventListener("abort", () => resolve(), { once: true }));
  } finally {
    cancel();
    enough.abort();
  }
}
