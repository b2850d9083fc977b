// A process that takes part in elections: the same core and stores as the daemon's, without root and without native code.

import { hostname } from "node:os";
import { inspect } from "node:util";
import { assert } from "../base/assert.ts";
import { messageOf, VipdError } from "../base/errors.ts";
import { later } from "../base/time.ts";
import { giveUpAt } from "../election/lease.ts";
import type { Timers } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { type HostEffect, Participant } from "../runtime/participant.ts";
import { storeCalls } from "../runtime/store-calls.ts";
import { procClock, systemEntropy, systemTimers } from "../runtime/timers.ts";
import { Campaign, cancelled, type Work } from "./campaign.ts";
import { Term } from "./leadership.ts";
import { type Observation, observationOf, observations } from "./observation.ts";
import {
  checkName,
  checkFleetOptions,
  checkLeadOptions,
  checkTtl,
  candidacyWith,
  DEFAULT_SETTLE_MS,
  DEFAULT_TTL_MS,
  defaultNode,
  type FleetOptions,
  type LeadOptions,
} from "./options.ts";
import { openStore } from "../stores/index.ts";
import { sweepRegularly } from "./sweeping.ts";

/** Leaving gives the store this long to take note, in milliseconds, once the work of all terms has settled. */
const LEAVE_MS = 1_000;

/** Joins a fleet. Throws VipdErrors "config", "store-url", "store-unavailable", "store-corrupt", "aborted". */
export async function joinFleet(options: FleetOptions): Promise<FleetMember> {
  checkFleetOptions(options);
  const { fleet, node = defaultNode(), ttlMs = DEFAULT_TTL_MS, signal } = options;
  checkName("fleet", fleet);
  checkName("node", node);
  checkWanted(signal);
  const isOwn = typeof options.store === "string";
  const store = typeof options.store === "string" ? await openStore(options.store) : options.store;
  try {
    checkTtl(ttlMs, store);
    checkWanted(signal);
    return new FleetMember({ ...options, store, node, ttlMs }, isOwn, systemTimers(procClock()));
  } catch (error) {
    if (isOwn) await store.close();
    throw error;
  }
}

function checkWanted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new VipdError("aborted", "joining was aborted by the caller");
}

/** A member of a fleet. */
export class FleetMember implements AsyncDisposable {
  /** This member's id. */
  readonly node: string;
  private readonly store: Store;
  private readonly ownsStore: boolean;
  private readonly timers: Timers;
  private readonly log: FleetOptions["log"];
  private readonly settleMs: number;
  private readonly participant: Participant;
  private readonly campaigns = new Map<string, Campaign<unknown>>();
  private readonly followers = new Set<() => void>();
  private readonly ending = new AbortController();
  private readonly stopped = Promise.withResolvers<void>();
  private leaving: Promise<void> | undefined;

  /** For `joinFleet`, which has checked everything. */
  constructor(
    options: FleetOptions & { store: Store; node: string; ttlMs: number },
    ownsStore: boolean,
    timers: Timers,
  ) {
    this.node = options.node;
    this.store = options.store;
    this.ownsStore = ownsStore;
    this.timers = timers;
    this.log = options.log;
    this.settleMs = options.settleMs ?? DEFAULT_SETTLE_MS;
    const self = {
      node: this.node,
      fleet: options.fleet,
      host: hostname(),
      processId: systemEntropy.uniqueId(),
      ttlMs: options.ttlMs,
      knownTtlMs: options.ttlMs,
    };
    this.participant = new Participant(
      { self, incarnation: systemEntropy.uniqueId(), adopt: false },
      {
        calls: storeCalls(this.store, timers),
        timers,
        perform: (effect) => this.perform(effect),
        onChange: () => this.changed(),
      },
    );
    this.participant.start();
    const onTrouble = (trouble: string): void => this.log?.info({ trouble }, "records of dead members stay for now");
    sweepRegularly(() => this.participant.state, { store: this.store, timers, onTrouble }, this.ending.signal);
    const onAbort = (): void => void this.leave().catch((error: unknown) => this.warn("leaving failed", error));
    options.signal?.addEventListener("abort", onAbort, { once: true, signal: this.ending.signal });
  }

  /** What console.log shows: not the store, which has its secrets. */
  [inspect.custom](): string {
    return `FleetMember { node: "${this.node}" }`;
  }

  /**
   * Campaigns for an election, runs `work` while this member leads, and gives the election up when the work has settled.
   * Resolves with the work's value. Rejects with what the work throws; with "lease-lost" when the lease was lost before
   * the work had settled (unless `again`), or when the work did not settle within `settleMs` after its signal; with "aborted" when `resign`, `leave` or the signal ended it. The next term, here or
   * by handover elsewhere, begins only after the work has settled; but a lease that ran out is anybody's.
   */
  async lead<T>(election: string, work: Work<T>, options: LeadOptions = {}): Promise<T> {
    checkName("election", election);
    checkLeadOptions(work, options);
    const { signal, again = false } = options;
    const candidacy = candidacyWith(options.priority);
    if (this.leaving !== undefined) throw cancelled(election, "this member has left the fleet");
    if (this.campaigns.has(election))
      throw new VipdError("config", `this member campaigns for ${election} already`, { election });
    if (signal?.aborted === true) throw cancelled(election, "aborted by the caller");
    const campaign = new Campaign(work, again, {
      withdraw: () => this.post({ type: "candidacies", changes: new Map([[election, null]]) }),
      release: () => this.post({ type: "released", elections: [election] }),
      settleWithin: (onLate) => this.timers.at(later(this.timers.now(), this.settleMs), onLate),
      abandon: () => this.abandon(election),
    });
    this.campaigns.set(election, campaign as Campaign<unknown>);
    const onAbort = (): void => campaign.cancel(cancelled(election, "aborted by the caller"));
    signal?.addEventListener("abort", onAbort, { once: true });
    this.post({ type: "candidacies", changes: new Map([[election, candidacy]]) });
    try {
      return await campaign.result;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.campaigns.delete(election);
    }
  }

  /** Gives an election up: the work's signal aborts, and `lead` rejects. Settles when the work has settled: the work itself must not wait for it. */
  async resign(election: string): Promise<void> {
    const campaign = this.campaigns.get(election);
    campaign?.cancel(cancelled(election, "resigned"));
    await campaign?.result.then(nothing, nothing);
  }

  /** The election as this member knows it now; `undefined` before it has read the store for the first time. */
  look(election: string): Observation | undefined {
    return observationOf(this.participant.state, election, this.timers.now());
  }

  /** The election now, and after each change: the newest state, until the signal aborts or the member leaves. */
  observe(election: string, signal?: AbortSignal): AsyncIterable<Observation> {
    const either = signal === undefined ? this.ending.signal : AbortSignal.any([signal, this.ending.signal]);
    const look = (): Observation | undefined => this.look(election);
    const follow = (onChange: () => void): (() => void) => {
      this.followers.add(onChange);
      return () => this.followers.delete(onChange);
    };
    return observations(look, follow, either);
  }

  /**
   * Leaves the fleet: all signals abort, all elections are handed over when their work has settled. Settles then, or when
   * the store has not taken note in time: others then wait for the lease to end. The work itself must not wait for it.
   */
  leave(): Promise<void> {
    this.leaving ??= this.end();
    return this.leaving;
  }

  /** As `leave`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }

  /**
   * Ends this member's claim where it stands: no heartbeat is sent any more, so that others lead once its lease is over.
   * Its other work is told, and has its own time to settle.
   */
  private abandon(election: string): void {
    this.participant.close();
    this.stopped.resolve();
    this.warn(
      `the work of ${election} did not settle within ${this.settleMs} ms: this member has left the fleet without it`,
    );
    const error = cancelled(election, "this member has left the fleet, for other work did not settle");
    for (const [other, campaign] of this.campaigns) if (other !== election) campaign.drop(error);
    void this.leave().catch((failure: unknown) => this.warn("leaving failed", failure));
  }

  private async end(): Promise<void> {
    const campaigns = [...this.campaigns];
    for (const [election, campaign] of campaigns) campaign.cancel(cancelled(election, "left the fleet"));
    this.ending.abort();
    this.post({ type: "stop" });
    await Promise.all(campaigns.map(([, campaign]) => campaign.result.then(nothing, nothing)));
    const cancel = this.timers.at(later(this.timers.now(), LEAVE_MS), () => {
      this.warn("the store did not confirm our release in time: others wait for the lease to end");
      this.stopped.resolve();
    });
    await this.stopped.promise;
    cancel();
    this.participant.close();
    if (this.ownsStore) await this.store.close();
  }

  private post(event: Parameters<Participant["post"]>[0]): void {
    this.participant.post(event);
  }

  private perform(effect: HostEffect): void {
    switch (effect.type) {
      case "gain":
        for (const { election, token } of effect.grants) {
          const campaign = this.campaigns.get(election);
          assert(campaign !== undefined, "only who campaigns can win");
          campaign.begin(new Term(election, token, this.deadline(effect.until), this.timers));
        }
        return;
      case "extend":
        for (const campaign of this.campaigns.values()) campaign.prolong(this.deadline(effect.until));
        return;
      case "lose":
        for (const { election, reason } of effect.losses) this.lose(election, reason.text);
        return;
      case "renew-incarnation":
        return this.post({ type: "incarnation", incarnation: systemEntropy.uniqueId() });
      // An application's elections have no addresses, and its process no state directory.
      case "confirm":
      case "adopted":
      case "remember-ttl":
        return;
      case "note":
        return this.log?.[effect.level === "warning" ? "warn" : "info"]({ election: effect.election }, effect.text);
      case "stopped":
        return this.stopped.resolve();
    }
  }

  private lose(election: string, why: string): void {
    const mayRelease = this.campaigns.get(election)?.end(why) ?? true;
    if (mayRelease) this.post({ type: "released", elections: [election] });
  }

  /** The leader has stopped before the lease ends: by the same margin as the daemon. */
  private deadline(until: Parameters<typeof giveUpAt>[0]): ReturnType<typeof giveUpAt> {
    return giveUpAt(until, this.participant.state.timings);
  }

  private warn(text: string, error?: unknown): void {
    this.log?.warn(error === undefined ? {} : { error: messageOf(error) }, text);
  }

  private changed(): void {
    for (const follower of [...this.followers]) follower();
  }
}

function nothing(): void {}
