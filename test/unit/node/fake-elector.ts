// An elector for tests of the daemon: it decides what a test says, and keeps what it is told.

import type { Candidacy } from "../../../src/base/candidacy.ts";
import { ipOf } from "../../../src/election/claims.ts";
import { type Reason, reason } from "../../../src/base/reasons.ts";
import { type Instant, later } from "../../../src/base/time.ts";
import type { Timers } from "../../../src/ports/clock.ts";
import type { Elector, ElectorHost, Token } from "../../../src/ports/elector.ts";
import { TTL_MS } from "./config.ts";

export class FakeElector implements Elector {
  readonly kind = "lease";
  /** What it was told, such as `released web` or `stop`. */
  readonly calls: string[] = [];
  /** What this node brings to each election, by the last word. */
  readonly candidacies = new Map<string, Candidacy>();
  readonly tokens = new Map<string, Token>();
  readonly undecided = new Set<string>();
  knowsFormer = false;
  readonly host: ElectorHost;
  private readonly timers: Timers;

  constructor(host: ElectorHost, timers: Timers) {
    this.host = host;
    this.timers = timers;
  }

  start(): void {
    this.calls.push("start");
  }

  updateCandidacies(changes: ReadonlyMap<string, Candidacy | null>): void {
    const told = [...changes].map(([election, candidacy]) => {
      if (candidacy === null) this.candidacies.delete(election);
      else this.candidacies.set(election, candidacy);
      return `${election} ${candidacy === null ? "none" : (candidacy.ineligible?.code ?? "eligible")}`;
    });
    this.calls.push(`candidacies: ${told.join(", ")}`);
    const held = [...changes].flatMap(([election, candidacy]) =>
      candidacy !== null && this.tokens.has(election) ? [{ election, addresses: this.addressesOf(election) }] : [],
    );
    if (held.length > 0) this.host.confirm(held);
  }

  released(elections: readonly string[]): void {
    this.calls.push(`released ${elections.join()}`);
  }

  tokenOf(election: string): Token | undefined {
    return this.tokens.get(election);
  }

  isUndecided(election: string): boolean {
    return this.undecided.has(election);
  }

  stepDown(election: string, to: string | null, why: Reason): string | undefined {
    this.calls.push(`step down ${election} to ${to ?? "anybody"}: ${why.code}`);
    return this.tokens.has(election) ? undefined : `this node does not hold ${election}`;
  }

  stop(): void {
    this.calls.push("stop");
  }

  close(): void {
    this.calls.push("close");
  }

  /** What an election's candidacy has, without prefixes. */
  addressesOf(election: string): readonly string[] {
    return (this.candidacies.get(election)?.addresses ?? []).map(ipOf);
  }

  /** Grants elections for a whole lease from now. */
  grant(...elections: readonly string[]): void {
    for (const election of elections) this.tokens.set(election, BigInt(this.tokens.size + 1));
    const grants = elections.map((election) => ({
      election,
      token: this.tokens.get(election) ?? 0n,
      previousToken: null,
      reason: reason("first-holder"),
      vacantMs: null,
      addresses: this.addressesOf(election),
    }));
    this.host.gain(grants, { deadline: 0, until: this.until });
  }

  extend(): void {
    this.host.extend([{ deadline: 0, until: this.until }]);
  }

  /** Takes elections away. */
  revoke(why: Reason, ...elections: readonly string[]): void {
    const losses = elections.map((election) => ({ election, token: this.tokens.get(election) ?? null, reason: why }));
    for (const election of elections) this.tokens.delete(election);
    this.host.lose(losses);
  }

  /** The calls since this was asked last. */
  news(): readonly string[] {
    return this.calls.splice(0);
  }

  private get until(): Instant {
    return later(this.timers.now(), TTL_MS);
  }
}
