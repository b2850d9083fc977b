// The elector of a mixed fleet, while nodes with keepalived are replaced one at a time: a VIP is held while the lease AND
// VRRP say so. The vipd nodes agree by their lease which of them speaks VRRP; so to keepalived they are one router. The others
// listen, and are as ready as any backup: they ask for the master's place only when they have the lease.
//
// What this cannot promise: keepalived does not see the lease. Against a keepalived that does not hear the speaker, or that is
// frozen with the address bound, it is no better than VRRP.

import type { Candidacy } from "../base/candidacy.ts";
import { type Reason, reason } from "../base/reasons.ts";
import { earliest, type Instant } from "../base/time.ts";
import type { ConfirmedAddresses, Elector, ElectorHost, Grant, Loss, Token, Validity } from "../ports/elector.ts";

/** The electors that must agree, and what is asked of them. */
export interface MixedParts {
  readonly lease: Elector;
  readonly vrrp: Elector;
  /** The lease is here: a takeover that waits for it goes on. */
  readonly wake: (election: string) => void;
}

interface Both {
  lease: { readonly grant: Grant; readonly until: Instant } | null;
  vrrp: Validity | null;
  /** What the host does: it holds, it lets go, or neither. */
  host: "none" | "held" | "closing";
  /** Who is to be told that the host has let go. */
  readonly owed: Set<"lease" | "vrrp">;
}

/** An elector by lease and VRRP together. */
export class MixedElector implements Elector {
  readonly kind = "lease+vrrp";
  private readonly host: ElectorHost;
  private readonly elections = new Map<string, Both>();
  private parts: MixedParts | undefined;

  constructor(host: ElectorHost) {
    this.host = host;
  }

  /** The electors, which tell their news to `leaseHost` and `vrrpHost`; once. */
  join(parts: MixedParts): void {
    this.parts = parts;
  }

  /** Whether this node may speak VRRP for the fleet. */
  mayClaim(election: string): boolean {
    return (this.elections.get(election)?.lease ?? null) !== null;
  }

  /** Both electors are run by whom they belong to. */
  get knowsFormer(): boolean {
    return true;
  }

  start(): void {}

  updateCandidacies(changes: ReadonlyMap<string, Candidacy | null>): void {
    this.parts?.lease.updateCandidacies(changes);
    this.parts?.vrrp.updateCandidacies(changes);
    for (const [election, candidacy] of changes)
      if (candidacy === null && this.elections.get(election)?.host === "none") this.elections.delete(election);
  }

  released(elections: readonly string[]): void {
    for (const election of elections) this.hostReleased(election);
  }

  tokenOf(election: string): Token | undefined {
    const both = this.elections.get(election);
    return both?.host === "held" ? both.lease?.grant.token : undefined;
  }

  isUndecided(election: string): boolean {
    return this.parts?.lease.isUndecided(election) ?? false;
  }

  stepDown(election: string, to: string | null, why: Reason): string | undefined {
    if (this.tokenOf(election) === undefined) return `this node does not hold ${election}`;
    return this.parts?.lease.stepDown(election, to, why);
  }

  stop(): void {
    this.host.stopped();
  }

  close(): void {
    this.elections.clear();
  }

  /** The host that the lease elector sees, for elections of this kind. */
  readonly leaseHost = {
    gain: (grants: readonly Grant[], { until }: Validity): void => {
      for (const grant of grants) {
        this.bothOf(grant.election).lease = { grant, until };
        this.parts?.wake(grant.election);
        this.decide(grant.election);
      }
    },
    extend: (until: Instant): void => {
      for (const both of this.elections.values()) {
        if (both.lease === null) continue;
        both.lease = { ...both.lease, until };
        this.extend(both);
      }
    },
    lose: (election: string, why: Reason): void => {
      const both = this.bothOf(election);
      const token = both.lease?.grant.token ?? null;
      // What this process has not gained a former one may have left open: the lease is not given away before that is closed.
      const isFormer = both.lease === null;
      both.lease = null;
      this.lose(election, both, "lease", { election, token, reason: why }, isFormer);
      // Who has the lease next speaks next: the farewell tells it that the way is free.
      this.parts?.vrrp.stepDown(election, null, why);
    },
    confirm: ({ election, addresses }: ConfirmedAddresses): void => {
      const both = this.bothOf(election);
      if (both.lease !== null) both.lease = { ...both.lease, grant: { ...both.lease.grant, addresses } };
      if (both.host === "held") this.host.confirm([{ election, addresses }]);
    },
  };

  /** The host that the VRRP elector sees, for elections of this kind. */
  readonly vrrpHost = {
    gain: (election: string, validity: Validity): void => {
      this.bothOf(election).vrrp = validity;
      this.decide(election);
    },
    extend: (validity: Validity): boolean => {
      const found = [...this.elections].find(([, { vrrp }]) => vrrp?.deadline === validity.deadline);
      if (found === undefined) return false;
      const [, both] = found;
      both.vrrp = validity;
      this.extend(both);
      return true;
    },
    lose: (election: string, why: Reason): void => {
      const both = this.bothOf(election);
      both.vrrp = null;
      const token = both.lease?.grant.token ?? null;
      this.lose(election, both, "vrrp", { election, token, reason: why });
    },
  };

  private bothOf(election: string): Both {
    const known = this.elections.get(election);
    if (known !== undefined) return known;
    const both: Both = { lease: null, vrrp: null, host: "none", owed: new Set() };
    this.elections.set(election, both);
    return both;
  }

  private decide(election: string): void {
    const both = this.bothOf(election);
    const { lease, vrrp } = both;
    if (vrrp !== null && lease === null) return void this.parts?.vrrp.stepDown(election, null, reason("other-holder"));
    if (lease === null || vrrp === null || both.host !== "none") return;
    both.host = "held";
    const until = earliest(lease.until, vrrp.until);
    this.host.gain([lease.grant], { deadline: vrrp.deadline, until });
  }

  private extend({ lease, vrrp, host }: Both): void {
    if (lease === null || vrrp === null || host !== "held") return;
    this.host.extend([{ deadline: vrrp.deadline, until: earliest(lease.until, vrrp.until) }]);
  }

  private lose(election: string, both: Both, who: "lease" | "vrrp", loss: Loss, isFormer = false): void {
    both.owed.add(who);
    if (both.host === "none" && !isFormer) return this.pay(election, both);
    if (both.host === "closing") return;
    both.host = "closing";
    this.host.lose([loss]);
  }

  private pay(election: string, { owed }: Both): void {
    for (const who of [...owed]) {
      owed.delete(who);
      this.parts?.[who].released([election]);
    }
  }

  /** By one elector's word, or because the host could not hold it: then both are told. */
  private hostReleased(election: string): void {
    const both = this.bothOf(election);
    const byItself = both.host === "held";
    both.host = "none";
    if (byItself) {
      both.lease = null;
      both.vrrp = null;
      both.owed.add("lease").add("vrrp");
    }
    this.pay(election, both);
    if (both.lease === null && both.vrrp === null) this.elections.delete(election);
    else this.decide(election);
  }
}
