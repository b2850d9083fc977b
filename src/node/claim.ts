// The claim that a daemon leaves to the next one of its host, and when that one takes it up: only where the former process can
// have left its addresses, so on the same boot, in the same network namespace, with this very state directory and not a copy
// of it. Nor does it when the machine has slept since: what the kernel counts down stood still meanwhile, so the fence is
// open for longer than the lease. Where the claim is kept, and that the former process is surely dead, is the caller's.

import * as z from "zod";
import type { IdentityKeeper } from "../ports/identity.ts";

/** A claim, and where it was made. */
export const claimSchema = z.object({
  incarnation: z.string().min(1).max(64),
  bootId: z.string(),
  sleptMs: z.number(),
  networkNamespace: z.string(),
  lockFile: z.string(),
  node: z.string(),
  fleet: z.string(),
  knownTtlMs: z.number().nonnegative(),
});
export type Claim = z.infer<typeof claimSchema>;

/** Where, and by whom, a claim is made: whoever finds another one here does not take it up. */
export type ClaimOrigin = Omit<Claim, "incarnation" | "knownTtlMs" | "sleptMs">;

/** What a claim works with. */
export interface ClaimDeps {
  readonly uniqueId: () => string;
  /** How long the machine has slept since it booted, in milliseconds. */
  readonly sleptMs: () => number;
  /** Keeps it for later processes; durable on return, as far as that is possible. */
  readonly keep: (claim: Claim) => void;
}

/** Two clocks cannot be read at one instant; no sleep is as short as this. */
const READING_MS = 20;

/** Takes up the claim that was found, or makes one anew. */
export function takeUpClaim(
  found: Claim | undefined,
  origin: ClaimOrigin,
  { uniqueId, sleptMs, keep }: ClaimDeps,
): Omit<IdentityKeeper, "release"> {
  const now = { ...origin, sleptMs: sleptMs() };
  const adopt = found !== undefined && isSameOrigin(found, now) && isSameSleep(found.sleptMs, now.sleptMs);
  let claim: Claim = {
    ...now,
    incarnation: adopt ? found.incarnation : uniqueId(),
    knownTtlMs: found?.fleet === origin.fleet ? found.knownTtlMs : 0,
  };
  const change = (part: Partial<Claim>): void => {
    claim = { ...claim, ...part };
    keep(claim);
  };
  if (!adopt) keep(claim);
  return {
    incarnation: claim.incarnation,
    adopt,
    knownTtlMs: claim.knownTtlMs,
    rememberTtl: (knownTtlMs) => change({ knownTtlMs }),
    fenceWasSet: () => {
      const slept = sleptMs();
      if (!isSameSleep(claim.sleptMs, slept)) change({ sleptMs: slept });
    },
    renew: () => {
      change({ sleptMs: sleptMs(), incarnation: uniqueId() });
      return claim.incarnation;
    },
  };
}

function isSameOrigin(one: ClaimOrigin, other: ClaimOrigin): boolean {
  return (
    one.bootId === other.bootId &&
    one.networkNamespace === other.networkNamespace &&
    one.lockFile === other.lockFile &&
    one.node === other.node &&
    one.fleet === other.fleet
  );
}

function isSameSleep(one: number, other: number): boolean {
  return Math.abs(one - other) < READING_MS;
}
