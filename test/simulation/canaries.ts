// Deliberately broken variants. Each breaks one rule that the safety or the liveness of the fleet rests on; the
// simulation must notice every one of them, or its silence about the real code means nothing.

import { type Instant, later, LONG_AGO } from "../../src/base/time.ts";
import { isVirtualRouterMac } from "../../src/base/virtual-mac.ts";
import type { Random } from "../../src/base/random.ts";
import { observerWaitMs } from "../../src/election/lease.ts";
import type { Event, State } from "../../src/election/state.ts";
import { type Claimed, claimsOf, NOTHING } from "../../src/election/claims.ts";
import type { LeaseElector } from "../../src/node/lease-elector.ts";
import type { ConfirmedAddresses, ElectorHost } from "../../src/ports/elector.ts";
import type { Change, StoredRecord } from "../../src/ports/store.ts";
import type { StoreCalls } from "../../src/runtime/store-calls.ts";
import type { FenceFlaw } from "./kernel.ts";
import type { RoutingFlaw } from "./routing.ts";
import type { Trouble } from "./scenario.ts";
import type { Process, World } from "./world.ts";

/** A way to be wrong. */
export interface Canary {
  readonly name: string;
  /** The invariants of which one breaks first. */
  readonly breaks: readonly number[];
  /** What brings it to light: such troubles strike more often. */
  readonly trouble?: Trouble["kind"];
  /** Changes what the election machine believes, or what it is told. */
  readonly perturb?: (state: State, event: Event, now: Instant) => Event;
  readonly fenceFlaw?: FenceFlaw;
  /** Tells the election that the VIP is gone before it is. */
  readonly releasesFirst?: boolean;
  /** Some reads are never answered. */
  readonly forgetsReads?: boolean;
  /** Takes others' leases for this much shorter than they are. */
  readonly sight?: number;
  /** The store's logical time falls with its data. */
  readonly store?: "revisions-fall";
  /** A daemon starts, and adopts, while its frozen predecessor is alive. */
  readonly ignoresLock?: boolean;
  /** A daemon adopts a claim that was made elsewhere. */
  readonly adoptsCopies?: boolean;
  /** A process sleeps on for as long as its machine has slept. */
  readonly sleepsOn?: boolean;
  /** A master that has lost its replicas confirms, and answers reads. */
  readonly believesFormer?: boolean;
  /** The host takes every address that is configured for one that it may answer for. */
  readonly takesAllAddresses?: boolean;
  /** A host keeps open what a former process left, whatever VIP it is configured for now. */
  readonly keepsLeftovers?: boolean;
  readonly routingFlaw?: RoutingFlaw;
  /** A check that fails moves nothing. */
  readonly feelsNothing?: boolean;
  /** The store has nothing to say of addresses, or of virtual MACs. */
  readonly ignoresClaims?: "of addresses" | "of MACs";
  /** The host sends with every virtual MAC that is configured for an address that it may answer for. */
  readonly takesAllMacs?: boolean;
}

/** All canaries. */
export const CANARIES: readonly Canary[] = [
  { name: "validity from the answer instead of the send", breaks: [3], perturb: fromTheAnswer },
  { name: "an unknown outcome taken for success", breaks: [2, 3], perturb: unknownIsSuccess },
  { name: "a new epoch not noticed in an answer", breaks: [1, 4, 6], trouble: "restore", perturb: epochBlind },
  { name: "a token of before the store was restored", breaks: [4], trouble: "restore", perturb: oldTokens },
  { name: "release before the address is gone", breaks: [1, 2], releasesFirst: true },
  { name: "a fence without a timeout", breaks: [3], fenceFlaw: "no-timeout" },
  {
    name: "a fence that is not armed before the clock is read",
    breaks: [1, 3],
    trouble: "freeze",
    fenceFlaw: "unarmed",
  },
  { name: "a stale read accepted over newer news", breaks: [1, 6, 7], perturb: staleReads },
  { name: "no quarantine after the store lost data", breaks: [1], trouble: "restore", perturb: trusting },
  { name: "leases of others broken after half of their length", breaks: [1], sight: 0.5 },
  { name: "a restart beside a frozen predecessor", breaks: [1, 2, 3, 6, 7], trouble: "freeze", ignoresLock: true },
  { name: "a read that is never answered", breaks: [6, 7], forgetsReads: true },
  {
    name: "a new epoch waited for by the own lease instead of the longest",
    breaks: [1],
    trouble: "restore",
    perturb: ownWait,
  },
  { name: "a shorter lease published before the former one is over", breaks: [1], trouble: "kill", perturb: tooShort },
  { name: "a copied state directory taken for the own one", breaks: [1, 2, 3], trouble: "twin", adoptsCopies: true },
  { name: "timers that stand still while the machine sleeps", breaks: [1], trouble: "suspend", sleepsOn: true },
  { name: "a master believed that has lost its replicas", breaks: [1, 3], trouble: "fork", believesFormer: true },
  { name: "an address taken without asking who has it", breaks: [1], trouble: "reload", ignoresClaims: "of addresses" },
  {
    name: "an address opened before the store says whose it is",
    breaks: [1],
    trouble: "reload",
    takesAllAddresses: true,
  },
  { name: "a virtual MAC taken without asking who has it", breaks: [1], trouble: "reload", ignoresClaims: "of MACs" },
  {
    name: "a virtual MAC let out before the store says whose it is",
    breaks: [1],
    trouble: "reload",
    takesAllMacs: true,
  },
  { name: "what a former process left kept for another VIP", breaks: [1, 2], trouble: "kill", keepsLeftovers: true },
  {
    name: "a fence put up again and not opened again",
    breaks: [6],
    trouble: "fence-flushed",
    fenceFlaw: "keeps-quiet",
  },
  { name: "a check that fails and moves nothing", breaks: [6], feelsNothing: true },
  { name: "routes that stay when their VIP goes", breaks: [8], routingFlaw: "keeps" },
  { name: "a route that somebody removed not put back", breaks: [8], trouble: "route-removed", routingFlaw: "deaf" },
  { name: "a store whose revisions fall", breaks: [4, 6], trouble: "restore", store: "revisions-fall" },
];

/** The host as a broken daemon shows it to its elector. */
export function brokenHost(
  canary: Canary | null,
  host: ElectorHost,
  elector: () => LeaseElector | undefined,
  { world, process }: { readonly world: World; readonly process: Process },
): ElectorHost {
  if (canary?.takesAllAddresses === true) return taking(host, elector, claimsOf);
  if (canary?.takesAllMacs === true) return taking(host, elector, ({ macs }) => macs);
  if (canary?.keepsLeftovers === true) return { ...host, adopted: () => {} };
  if (canary?.releasesFirst !== true) return host;
  return {
    ...host,
    lose: (losses) => {
      world.at(world.now + 20, () => host.lose(losses), process);
      elector()?.released(losses.map(({ election }) => election));
    },
  };
}

/** Some of what is configured is taken for granted, whatever the elector has confirmed. */
function taking(
  host: ElectorHost,
  elector: () => LeaseElector | undefined,
  what: (claimed: Claimed) => readonly string[],
): ElectorHost {
  const all = <T extends ConfirmedAddresses>(confirmed: T): T => ({
    ...confirmed,
    addresses: [...confirmed.addresses, ...what(elector()?.state.candidacies.get(confirmed.election) ?? NOTHING)],
  });
  return {
    ...host,
    gain: (grants, validity) => host.gain(grants.map(all), validity),
    confirm: (confirmed) => host.confirm(confirmed.map(all)),
  };
}

/** The store as a broken daemon sees it. */
export function brokenStore(canary: Canary | null, calls: StoreCalls, random: Random): StoreCalls {
  if (canary?.ignoresClaims !== undefined) return withoutClaims(calls, canary.ignoresClaims === "of MACs");
  const { sight, forgetsReads } = canary ?? {};
  if (sight === undefined && forgetsReads !== true) return calls;
  const shortened = <T extends Change | StoredRecord>(records: readonly T[]): readonly T[] =>
    sight === undefined ? records : records.map((record) => ({ ...record, value: shorten(record.value, sight) }));
  return {
    read: (prefix, timeoutMs, done) => {
      if (forgetsReads === true && random.chance(0.01)) return;
      calls.read(prefix, timeoutMs, (result) =>
        done(
          result.kind === "failed"
            ? result
            : { kind: "read", snapshot: { ...result.snapshot, records: shortened(result.snapshot.records) } },
        ),
      );
    },
    commit: (txn, timeoutMs, done) => calls.commit(txn, timeoutMs, done),
    watch: (prefix, since, tell) =>
      calls.watch(prefix, since, (news) =>
        tell(news.kind === "ended" ? news : { kind: "changes", changes: shortened(news.changes) }),
      ),
    close: () => calls.close(),
  };
}

/** Every address, or every virtual MAC, looks as if nobody had it. */
function withoutClaims(calls: StoreCalls, ofMacs: boolean): StoreCalls {
  const isClaim = ({ key }: { readonly key: string }): boolean => {
    const [, address] = key.split("/addresses/");
    return address !== undefined && isVirtualRouterMac(address) === ofMacs;
  };
  return {
    close: () => calls.close(),
    read: (prefix, timeoutMs, done) =>
      calls.read(prefix, timeoutMs, (result) =>
        done(
          result.kind === "failed"
            ? result
            : {
                kind: "read",
                snapshot: { ...result.snapshot, records: result.snapshot.records.filter((each) => !isClaim(each)) },
              },
        ),
      ),
    commit: ({ guards, writes }, timeoutMs, done) =>
      calls.commit({ guards: guards.filter((guard) => !isClaim(guard)), writes }, timeoutMs, done),
    watch: (prefix, since, tell) =>
      calls.watch(prefix, since, (news) =>
        tell(
          news.kind === "ended" ? news : { kind: "changes", changes: news.changes.filter((each) => !isClaim(each)) },
        ),
      ),
  };
}

function shorten<V extends string | null>(value: V, sight: number): V {
  return (value?.replace(/"ttlMs":(\d+)/u, (_, ms: string) => `"ttlMs":${Number(ms) * sight}`) ?? null) as V;
}

function fromTheAnswer(state: State, event: Event, now: Instant): Event {
  if (event.type === "committed" && state.inFlight !== null) state.inFlight = { ...state.inFlight, sentAt: now };
  return event;
}

function unknownIsSuccess({ mirror }: State, event: Event): Event {
  if (event.type !== "unknown") return event;
  const revision = (mirror.fleetRevision > mirror.newestChange ? mirror.fleetRevision : mirror.newestChange) + 1n;
  return { type: "committed", attempt: event.attempt, revision, epoch: mirror.epoch ?? "" };
}

function epochBlind({ mirror }: State, event: Event): Event {
  return event.type === "committed" && mirror.epoch !== null ? { ...event, epoch: mirror.epoch } : event;
}

function oldTokens({ mirror }: State, event: Event): Event {
  if (mirror.settledEpoch !== null) mirror.settledEpoch = { ...mirror.settledEpoch, version: -1n };
  return event;
}

function staleReads({ mirror }: State, event: Event): Event {
  if (event.type !== "read") return event;
  mirror.revision = -1n;
  mirror.fleetRevision = -1n;
  mirror.settledEpoch = null;
  for (const part of [mirror.sessions, mirror.elections, mirror.candidates, mirror.heldBy, mirror.wantedBy])
    part.clear();
  mirror.touched.everything = true;
  return event;
}

function ownWait(state: State, event: Event): Event {
  state.longestTtlMs = state.self.ttlMs;
  return event;
}

function tooShort(state: State, event: Event): Event {
  state.startedAt = LONG_AGO;
  return event;
}

function trusting(state: State, event: Event): Event {
  const { mirror } = state;
  const changes = event.type === "read" && event.snapshot.epoch !== mirror.epoch;
  if (mirror.epoch !== null && !changes)
    mirror.epochSeenAt = later(mirror.epochSeenAt, -observerWaitMs(state.longestTtlMs));
  return event;
}
