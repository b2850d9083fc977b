// The electors of one daemon, joined: the lease where there is a store, VRRP, and both together for a mixed fleet. The daemon
// and the simulation join them by this same code.

import { assert } from "../base/assert.ts";
import type { VipConfig } from "../config/types.ts";
import type { Elector, ElectorHost, ElectorKind } from "../ports/elector.ts";
import { ChosenElector } from "./electors.ts";
import type { LeaseElector } from "./lease-elector.ts";
import { MixedElector } from "./mixed-elector.ts";
import { leaseHost, vrrpHost } from "./mixed-hosts.ts";
import { VrrpElector, type VrrpElectorDeps } from "./vrrp-elector.ts";

/** The deadline of the lease is 0. */
const FIRST_VRRP_DEADLINE = 1;

/** What the electors of a host are made of. */
export interface HostElectorsDeps {
  /** `null`: there is no store. */
  readonly makeLease: ((host: ElectorHost) => LeaseElector) | null;
  readonly vrrp: Omit<VrrpElectorDeps, "mayClaim" | "firstDeadline">;
}

/** The electors of a host. */
export class HostElectors {
  /** All of them as one: the daemon's. */
  readonly chosen: ChosenElector;
  /** `undefined`: there is no store. */
  readonly lease: LeaseElector | undefined;
  readonly vrrp: VrrpElector;

  constructor({ makeLease, vrrp }: HostElectorsDeps, host: ElectorHost) {
    // The electors are made by the one that chooses between them, and ask it later.
    const joined: { chosen?: ChosenElector } = {};
    let lease: LeaseElector | undefined;
    let adverts: VrrpElector | undefined;
    const configured = (election: string): ElectorKind => configuredKind(vrrp.vips(), election);
    const kindOf = (election: string): ElectorKind => joined.chosen?.kindNow(election) ?? configured(election);
    const make = (hostFor: (kind: ElectorKind) => ElectorHost): ReadonlyMap<ElectorKind, Elector> => {
      const mixed = new MixedElector(hostFor("lease+vrrp"));
      const mayClaim = (election: string): boolean => kindOf(election) === "vrrp" || mixed.mayClaim(election);
      const deps = { ...vrrp, mayClaim, firstDeadline: FIRST_VRRP_DEADLINE };
      const byAdverts = new VrrpElector(deps, vrrpHost(hostFor("vrrp"), mixed, kindOf));
      adverts = byAdverts;
      const electors = new Map<ElectorKind, Elector>([["vrrp", byAdverts]]);
      if (makeLease === null) return electors;
      lease = makeLease(leaseHost(hostFor("lease"), mixed, kindOf));
      mixed.join({ lease, vrrp: byAdverts, wake: (election) => byAdverts.wake(election) });
      return electors.set("lease", lease).set("lease+vrrp", mixed);
    };
    this.chosen = new ChosenElector({ make, kindOf: configured }, host);
    joined.chosen = this.chosen;
    this.lease = lease;
    assert(adverts !== undefined, "the electors are made at once");
    this.vrrp = adverts;
  }

  /** After a reload. */
  refresh(): void {
    this.chosen.refresh();
    this.vrrp.refresh();
  }
}

function configuredKind(vips: readonly VipConfig[], election: string): ElectorKind {
  return vips.find(({ name }) => name === election)?.vrrp?.kind ?? "lease";
}
