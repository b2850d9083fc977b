// The lease election as an elector: one session of this node, and one lock a VIP, in a store that the fleet shares.

import type { Candidacy } from "../base/candidacy.ts";
import type { Reason } from "../base/reasons.ts";
import { ownToken } from "../election/questions.ts";
import type { State } from "../election/state.ts";
import type { Elector, ElectorHost, Token } from "../ports/elector.ts";
import { type HostEffect, Participant, type ParticipantDeps, type ParticipantOptions } from "../runtime/participant.ts";

/** One session, one lease: all that it holds shares a deadline. */
const DEADLINE = 0;

/** What a lease elector works with, besides its host. */
export interface LeaseElectorDeps extends Omit<ParticipantDeps, "perform" | "onChange"> {
  /** Makes a new incarnation; it is durable on return. */
  readonly renewIncarnation: () => string;
  /** Keeps the fleet's longest lease for later processes, in milliseconds. */
  readonly rememberTtl: (longestTtlMs: number) => void;
}

/** An elector by a leased lock in a store. */
export class LeaseElector implements Elector {
  readonly kind = "lease";
  private readonly deps: LeaseElectorDeps;
  private readonly host: ElectorHost;
  private readonly participant: Participant;

  constructor(options: ParticipantOptions, deps: LeaseElectorDeps, host: ElectorHost) {
    this.deps = deps;
    this.host = host;
    this.participant = new Participant(options, {
      ...deps,
      perform: (effect) => this.perform(effect),
      onChange: () => host.changed(),
    });
  }

  /** The election's state, for status. */
  get state(): State {
    return this.participant.state;
  }

  get knowsFormer(): boolean {
    const { synced, identity, mirror, self } = this.state;
    return synced && (identity.kind === "spent" || mirror.sessions.has(self.node));
  }

  start(): void {
    this.participant.start();
  }

  updateCandidacies(changes: ReadonlyMap<string, Candidacy | null>): void {
    this.participant.post({ type: "candidacies", changes });
  }

  released(elections: readonly string[]): void {
    this.participant.post({ type: "released", elections });
  }

  tokenOf(election: string): Token | undefined {
    const tenure = this.state.tenures.get(election);
    return tenure?.phase === "on" ? tenure.token : undefined;
  }

  isUndecided(election: string): boolean {
    return ownToken(this.state, election) !== undefined && !this.state.tenures.has(election);
  }

  stepDown(election: string, to: string | null, why: Reason): string | undefined {
    if (this.tokenOf(election) === undefined) return `this node does not hold ${election}`;
    this.participant.post({ type: "step-down", election, to, reason: why });
    if (this.state.stepDowns.has(election) || this.tokenOf(election) === undefined) return undefined;
    return to === null ? "no other eligible candidate is alive" : `${to} is not an eligible candidate that is alive`;
  }

  stop(): void {
    this.participant.post({ type: "stop" });
  }

  close(): void {
    this.participant.close();
  }

  private perform(effect: HostEffect): void {
    const { host, deps } = this;
    switch (effect.type) {
      case "gain":
        return host.gain(effect.grants, { deadline: DEADLINE, until: effect.until });
      case "extend":
        return host.extend([{ deadline: DEADLINE, until: effect.until }]);
      case "lose":
        return host.lose(effect.losses);
      case "confirm":
        return host.confirm(effect.confirmed);
      case "adopted":
        return host.adopted(effect.addresses);
      case "renew-incarnation":
        return this.participant.post({ type: "incarnation", incarnation: deps.renewIncarnation() });
      case "remember-ttl":
        return deps.rememberTtl(effect.longestTtlMs);
      case "note":
        return host.note(effect.level, effect.election ?? null, effect.text);
      case "stopped":
        return host.stopped();
    }
  }
}
