// All electors of a host as one: each VIP has the one that its configuration names. A VIP that changes its elector is let go
// by the one before the other may take it.

import type { Candidacy } from "../base/candidacy.ts";
import type { Reason } from "../base/reasons.ts";
import type { Elector, ElectorHost, ElectorKind, Loss, Token } from "../ports/elector.ts";

/** The electors of a host, by what they are; a kind that is missing cannot be had. */
export type Electors = ReadonlyMap<ElectorKind, Elector>;

/** What stands behind the name of a host's elections. */
export interface ChosenElectorDeps {
  /** Makes the electors, each for its own view of the host. */
  readonly make: (hostFor: (kind: ElectorKind) => ElectorHost) => Electors;
  /** Who decides about an election, by the configuration as it is now. */
  readonly kindOf: (election: string) => ElectorKind;
}

/** Gives each election to its elector. */
export class ChosenElector implements Elector {
  readonly kind = "lease+vrrp";
  private readonly electors: Electors;
  private readonly host: ElectorHost;
  private readonly deps: ChosenElectorDeps;
  private readonly owners = new Map<string, Elector>();
  private readonly candidacies = new Map<string, Candidacy>();
  /** What the host has gained and not released. */
  private readonly held = new Set<string>();
  /** Elections that wait to be released for another elector. */
  private readonly moving = new Set<string>();
  /** Who has said that an election is lost, and waits for the host's answer. */
  private readonly losers = new Map<string, Set<ElectorKind>>();
  /** Elections whose next elector is told when all are told of the change that is under way. */
  private readonly arrivals = new Set<string>();
  private telling = 0;
  private running = 0;

  constructor(deps: ChosenElectorDeps, host: ElectorHost) {
    this.deps = deps;
    this.host = host;
    this.electors = deps.make((kind) => this.hostFor(kind));
  }

  private hostFor(kind: ElectorKind): ElectorHost {
    const { host } = this;
    return {
      ...host,
      gain: (grants, validity) => {
        for (const { election } of grants) this.held.add(election);
        host.gain(grants, validity);
      },
      lose: (losses) => this.lose(kind, losses),
      stopped: () => this.oneStopped(),
    };
  }

  /** What a former process held by this elector, and this one holds by another, is not taken from that. */
  private lose(kind: ElectorKind, losses: readonly Loss[]): void {
    const isOthers = ({ election, token }: Loss): boolean =>
      token === null && this.held.has(election) && this.ownerNow(election) !== this.electors.get(kind);
    const own = losses.filter((loss) => !isOthers(loss));
    for (const { election } of own)
      this.losers.set(election, (this.losers.get(election) ?? new Set<ElectorKind>()).add(kind));
    if (own.length > 0) this.host.lose(own);
    const others = losses.filter(isOthers).map(({ election }) => election);
    if (others.length > 0) this.electors.get(kind)?.released(others);
  }

  /** Who decides about an election now: after a reload that may be another one than the configuration names. */
  kindNow(election: string): ElectorKind {
    return this.owners.get(election)?.kind ?? this.deps.kindOf(election);
  }

  get knowsFormer(): boolean {
    return this.all.every((elector) => elector.knowsFormer);
  }

  start(): void {
    for (const elector of this.all) elector.start();
  }

  updateCandidacies(changes: ReadonlyMap<string, Candidacy | null>): void {
    const told = new Map<Elector, Map<string, Candidacy | null>>();
    const tell = (elector: Elector, election: string, candidacy: Candidacy | null): void => {
      const news = told.get(elector) ?? new Map<string, Candidacy | null>();
      told.set(elector, news.set(election, candidacy));
    };
    for (const [election, candidacy] of changes) {
      if (candidacy === null) this.candidacies.delete(election);
      else this.candidacies.set(election, candidacy);
      const owner = this.ownerOf(election, candidacy, tell);
      if (owner !== undefined) tell(owner, election, candidacy);
    }
    this.tellAll(told);
  }

  /** Who has an election no longer is told first: two kinds of elector may stand on the same one. */
  private tellAll(told: ReadonlyMap<Elector, ReadonlyMap<string, Candidacy | null>>): void {
    this.telling += 1;
    for (const isEnd of [true, false])
      for (const [elector, news] of told) {
        const part = new Map([...news].filter(([, candidacy]) => (candidacy === null) === isEnd));
        if (part.size > 0) elector.updateCandidacies(part);
      }
    this.telling -= 1;
    if (this.telling > 0) return;
    for (const election of [...this.arrivals]) this.arrive(election);
  }

  /** The configuration may name other electors now. */
  refresh(): void {
    this.updateCandidacies(
      new Map([...this.candidacies].filter(([election]) => this.owners.get(election) !== this.wantedFor(election))),
    );
  }

  released(elections: readonly string[]): void {
    const waiting = new Map<Elector, string[]>();
    for (const election of elections) {
      this.held.delete(election);
      for (const elector of this.waitingFor(election))
        waiting.set(elector, [...(waiting.get(elector) ?? []), election]);
      this.losers.delete(election);
    }
    for (const [elector, names] of waiting) elector.released(names);
    for (const election of elections)
      if (this.telling > 0) this.arrivals.add(election);
      else this.arrive(election);
  }

  /** Who has said that it is lost; of what the host could not hold, who has it. */
  private waitingFor(election: string): readonly Elector[] {
    const losers = [...(this.losers.get(election) ?? [])].flatMap((kind) => this.electors.get(kind) ?? []);
    if (losers.length > 0) return losers;
    const owner = this.ownerNow(election);
    return owner === undefined ? [] : [owner];
  }

  tokenOf(election: string): Token | undefined {
    return this.owners.get(election)?.tokenOf(election);
  }

  isUndecided(election: string): boolean {
    return this.ownerNow(election)?.isUndecided(election) ?? false;
  }

  stepDown(election: string, to: string | null, why: Reason): string | undefined {
    const owner = this.owners.get(election);
    return owner === undefined ? `this node does not hold ${election}` : owner.stepDown(election, to, why);
  }

  stop(): void {
    const all = this.all;
    this.running = all.length;
    if (all.length === 0) this.host.stopped();
    for (const elector of all) elector.stop();
  }

  close(): void {
    for (const elector of this.all) elector.close();
  }

  /** What is not configured any more, a former process can have held by its lease only. */
  private ownerNow(election: string): Elector | undefined {
    return this.owners.get(election) ?? this.electors.get("lease");
  }

  private get all(): readonly Elector[] {
    return [...this.electors.values()];
  }

  private oneStopped(): void {
    this.running -= 1;
    if (this.running === 0) this.host.stopped();
  }

  private wantedFor(election: string): Elector | undefined {
    return this.electors.get(this.deps.kindOf(election));
  }

  /** Who shall know of a candidacy now; `undefined`: nobody yet, or nobody at all. */
  private ownerOf(
    election: string,
    candidacy: Candidacy | null,
    tell: (elector: Elector, election: string, candidacy: null) => void,
  ): Elector | undefined {
    const owner = this.owners.get(election);
    const wanted = candidacy === null ? owner : this.wantedFor(election);
    if (wanted === undefined && candidacy !== null) {
      const text = `${election} is to be elected by ${this.deps.kindOf(election)}, for which this process has no store: restart vipd`;
      this.host.note("warning", election, text);
    }
    if (owner === undefined || owner === wanted) {
      if (wanted !== undefined) this.owners.set(election, wanted);
      return wanted;
    }
    tell(owner, election, null);
    if (this.held.has(election)) {
      this.moving.add(election);
      return undefined;
    }
    this.owners.delete(election);
    if (wanted !== undefined) this.owners.set(election, wanted);
    return wanted;
  }

  /** The elector before has let go: now the other one may know of it. */
  private arrive(election: string): void {
    this.arrivals.delete(election);
    if (!this.moving.delete(election)) return;
    this.owners.delete(election);
    const candidacy = this.candidacies.get(election);
    if (candidacy !== undefined) this.updateCandidacies(new Map([[election, candidacy]]));
  }
}
