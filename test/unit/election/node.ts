// One election machine with what surrounds it in a test: its host, its way to the store, and its process, which may
// freeze or die. Every effect that it asks for is kept with its time.

import type { Candidacy } from "../../../src/base/candidacy.ts";
import { reason } from "../../../src/base/reasons.ts";
import type { Instant } from "../../../src/base/time.ts";
import { nextWakeup, step } from "../../../src/election/machine.ts";
import type { ReadScope } from "../../../src/election/mirror.ts";
import type { Grant, Loss } from "../../../src/ports/elector.ts";
import { type Effect, type Event, initialState, type State } from "../../../src/election/state.ts";
import type { Revision, Txn } from "../../../src/ports/store.ts";
import { ELECTION, FLEET, TTL_MS } from "./samples.ts";

/**
 * How requests reach the store: `good`; `refused`: they fail before the send; `lost`: they never arrive, outcome
 * unknown; `unanswered`: they arrive, but the answer does not; `late`: they arrive when nobody waits any more.
 */
export type Link = "good" | "refused" | "lost" | "unanswered" | "late";

/** Effects that are the host's to perform. */
type HostEffect = Exclude<Effect, { type: "read" | "commit" }>;

/** How a node starts. */
export interface NodeOptions {
  readonly incarnation?: string;
  readonly adopt?: boolean;
  readonly processId?: string;
  readonly ttlMs?: number;
  readonly knownTtlMs?: number;
  readonly link?: Link;
}

/** What a node asks of the world around it. */
export interface Surroundings {
  readonly now: Instant;
  after(ms: number, run: () => void): void;
  read(node: Node, request: Extract<Effect, { type: "read" }>): void;
  commit(node: Node, request: Extract<Effect, { type: "commit" }>): void;
  /** Called when a host begins to hold. */
  onGain(node: Node): void;
}

/** The time of people's clocks is this much ahead of the machines'. */
export const WALL_AHEAD_MS = 1_800_000_000_000;

/** One machine and its surroundings. */
export class Node {
  readonly name: string;
  readonly state: State;
  /** How all its requests fare, and its commits and reads where that differs. */
  link: Link;
  commitLink: Link | undefined;
  readLink: Link | undefined;
  /** How long a commit over a good link takes to arrive, and an answer or a refusal to come back. */
  lagMs = 0;
  /** The answers of its reads are so long under way. */
  readLagMs = 0;
  answerMs = 0;
  /** Whether the store's watch brings anything, and from where on it does; `null`: none has been begun. */
  watching = true;
  watch: { since: Revision; readonly epoch: string } | null = null;
  /** Whether the host releases as soon as it is told to. */
  releasesAtOnce = true;
  dead = false;
  /** What the host may answer for: elections, with the addresses that it was granted. */
  readonly bound = new Map<string, readonly string[]>();
  /** Every host effect, with the time at which it was asked for. */
  readonly log: { readonly at: Instant; readonly effect: HostEffect }[] = [];
  readonly commits: Txn[] = [];
  readonly reads: { readonly at: Instant; readonly scope: ReadScope }[] = [];
  private readonly around: Surroundings;
  private readonly pending: Event[] = [];
  private frozen = false;
  private incarnations = 1;

  constructor(around: Surroundings, name: string, options: NodeOptions) {
    const { incarnation = `${name}-1`, adopt = false, processId = `${name}-process` } = options;
    const { ttlMs = TTL_MS, knownTtlMs = 0, link = "good" } = options;
    this.around = around;
    this.name = name;
    this.link = link;
    const self = { node: name, fleet: FLEET, host: `host-of-${name}`, processId, ttlMs, knownTtlMs };
    this.state = initialState(self, incarnation, adopt, around.now);
  }

  /** Whether the host holds the election now: told to, and not yet told otherwise. */
  get holds(): boolean {
    return this.holdsElection(ELECTION);
  }

  holdsElection(election: string): boolean {
    return this.state.tenures.get(election)?.phase === "on";
  }

  /** How many elections the host holds. */
  get held(): number {
    return [...this.state.tenures.values()].filter(({ phase }) => phase === "on").length;
  }

  get isAwake(): boolean {
    return !this.frozen && !this.dead;
  }

  get incarnation(): string {
    return this.state.identity.kind === "ready" ? this.state.identity.incarnation : "";
  }

  get losses(): readonly Loss[] {
    return this.log.flatMap(({ effect }) => (effect.type === "lose" ? effect.losses : []));
  }

  /** The codes of the reasons for which the host was told to stop holding. */
  get reasons(): readonly string[] {
    return this.losses.map(({ reason: { code } }) => code);
  }

  get grants(): readonly Grant[] {
    return this.log.flatMap(({ effect }) => (effect.type === "gain" ? effect.grants : []));
  }

  /** The tokens under which the host was told to hold. */
  get tokens(): readonly Revision[] {
    return this.grants.map(({ token }) => token);
  }

  get notes(): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.type === "note" ? effect.text : []));
  }

  /** How many host effects of one type were asked for. */
  count(type: HostEffect["type"]): number {
    return this.log.filter(({ effect }) => effect.type === type).length;
  }

  /** The scopes of the reads since a time. */
  scopesSince(from: Instant): readonly ReadScope[] {
    return this.reads.filter(({ at }) => at >= from).map(({ scope }) => scope);
  }

  /** Brings this to an election from now on. */
  wish(value: Candidacy | null, election: string = ELECTION): void {
    this.post({ type: "candidacies", changes: new Map([[election, value]]) });
  }

  stepDown(to: string | null = null, election: string = ELECTION): void {
    this.post({ type: "step-down", election, to, reason: reason("step-down") });
  }

  released(election: string = ELECTION): void {
    this.post({ type: "released", elections: [election] });
  }

  /** The process stands still: no event reaches it, no time passes for it. */
  freeze(): void {
    this.frozen = true;
  }

  /** It runs again: first its timers, then what has come meanwhile. */
  thaw(): void {
    this.frozen = false;
    this.post({ type: "tick" });
    for (const event of this.pending.splice(0)) this.post(event);
  }

  /** Hands in an event, and performs what comes of it. */
  post(event: Event): void {
    if (this.dead) return;
    if (this.frozen) {
      this.pending.push(event);
      return;
    }
    const { now } = this.around;
    if (event.type === "released") for (const election of event.elections) this.bound.delete(election);
    for (const effect of step(this.state, event, { now, wallMs: WALL_AHEAD_MS + now })) this.perform(effect);
  }

  wakeup(): Instant {
    return nextWakeup(this.state, this.around.now);
  }

  private perform(effect: Effect): void {
    const { around } = this;
    if (effect.type === "read") {
      this.reads.push({ at: around.now, scope: effect.scope });
      return around.read(this, effect);
    }
    if (effect.type === "commit") {
      this.commits.push(effect.txn);
      return around.commit(this, effect);
    }
    this.log.push({ at: around.now, effect });
    if (effect.type === "rewatch") this.watch = null;
    if (effect.type === "gain") {
      for (const { election, addresses } of effect.grants) this.bound.set(election, addresses);
      around.onGain(this);
    }
    if (effect.type === "confirm") {
      for (const { election, addresses } of effect.confirmed) this.bound.set(election, addresses);
      around.onGain(this);
    }
    if (effect.type === "lose" && this.releasesAtOnce) {
      const elections = effect.losses.map(({ election }) => election);
      around.after(0, () => this.post({ type: "released", elections }));
    }
    if (effect.type === "renew-incarnation") {
      this.incarnations += 1;
      const incarnation = `${this.name}-${this.incarnations}-${this.state.self.processId}`;
      around.after(0, () => this.post({ type: "incarnation", incarnation }));
    }
  }
}
