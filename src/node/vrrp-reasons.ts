// VRRP's causes in the words of all electors.

import type { Reason, ReasonCode } from "../base/reasons.ts";
import type { Cause, Change } from "../vrrp/causes.ts";

const CODES: Readonly<Record<Cause, ReasonCode>> = {
  started: "first-holder",
  owner: "address-owner",
  silence: "master-down",
  farewell: "master-left",
  preemption: "lower-master",
  "given-way": "vacant",
  outranked: "higher-master",
  "adverts-stopped": "adverts-late",
  ineligible: "ineligible",
  "fit-again": "vacant",
  unable: "hold-failed",
  "back-off-over": "vacant",
  "step-down": "step-down",
  stop: "shutdown",
};

/** The reason of a change; `ineligibleReason` is what the host has against holding it. */
export function reasonOf({ cause, text }: Change, ineligibleReason: Reason | null): Reason {
  return cause === "ineligible" && ineligibleReason !== null ? ineligibleReason : { code: CODES[cause], text };
}
