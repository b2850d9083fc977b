// One host as its electors see it: news of VIPs that lease and VRRP decide together go to the elector of both.

import type { ElectorHost, ElectorKind } from "../ports/elector.ts";
import type { MixedElector } from "./mixed-elector.ts";

/** What tells elections of the two kinds apart. */
export type KindOf = (election: string) => ElectorKind;

/** The host that the lease elector sees. */
export function leaseHost(host: ElectorHost, mixed: MixedElector, kindOf: KindOf): ElectorHost {
  const isMixed = (election: string): boolean => kindOf(election) === "lease+vrrp";
  return {
    ...host,
    gain: (grants, validity) => {
      const own = grants.filter(({ election }) => !isMixed(election));
      if (own.length > 0) host.gain(own, validity);
      mixed.leaseHost.gain(
        grants.filter(({ election }) => isMixed(election)),
        validity,
      );
    },
    extend: (validities) => {
      host.extend(validities);
      for (const { until } of validities) mixed.leaseHost.extend(until);
    },
    lose: (losses) => {
      const own = losses.filter(({ election }) => !isMixed(election));
      if (own.length > 0) host.lose(own);
      for (const { election, reason } of losses) if (isMixed(election)) mixed.leaseHost.lose(election, reason);
    },
    confirm: (confirmed) => {
      const own = confirmed.filter(({ election }) => !isMixed(election));
      if (own.length > 0) host.confirm(own);
      for (const each of confirmed) if (isMixed(each.election)) mixed.leaseHost.confirm(each);
    },
  };
}

/** The host that the VRRP elector sees. */
export function vrrpHost(host: ElectorHost, mixed: MixedElector, kindOf: KindOf): ElectorHost {
  const isMixed = (election: string): boolean => kindOf(election) === "lease+vrrp";
  return {
    ...host,
    gain: (grants, validity) => {
      for (const grant of grants)
        if (isMixed(grant.election)) mixed.vrrpHost.gain(grant.election, validity);
        else host.gain([grant], validity);
    },
    extend: (validities) => {
      const own = validities.filter((validity) => !mixed.vrrpHost.extend(validity));
      if (own.length > 0) host.extend(own);
    },
    lose: (losses) => {
      const own = losses.filter(({ election }) => !isMixed(election));
      if (own.length > 0) host.lose(own);
      for (const { election, reason } of losses) if (isMixed(election)) mixed.vrrpHost.lose(election, reason);
    },
    // Which addresses may be answered for is the lease's word.
    confirm: (confirmed) => {
      const own = confirmed.filter(({ election }) => !isMixed(election));
      if (own.length > 0) host.confirm(own);
    },
  };
}
