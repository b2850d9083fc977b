// Whether this host may hold a VIP: one place where every source has its say (link, back-off after a failed hold, checks,
// maintenance). A VIP is eligible when nobody objects. One source objects only to its being taken from others.

import { type Reason, type ReasonCode, reason } from "../base/reasons.ts";
import { type Instant, NEVER } from "../base/time.ts";

/** Who may object. */
export type EligibilitySource =
  | "link"
  | "hold-backoff"
  | "flapping"
  | "preempt-backoff"
  | "check"
  | "maintenance"
  | "startup"
  | "address";

/** Why a VIP shall not be held here, by one source. */
export interface IneligibleReason {
  readonly source: EligibilitySource;
  readonly reason: Reason;
  readonly since: Instant;
  /** When it ends by itself; `NEVER`: when its source says so. */
  readonly until: Instant;
}

/** The reasons of all sources, by VIP. */
export class Eligibility {
  private readonly ineligibleReasons = new Map<string, Map<EligibilitySource, IneligibleReason>>();

  /** Sets what a source says of a VIP; `null`: nothing against it. True when that is news. */
  set(
    vip: string,
    source: EligibilitySource,
    ineligibleReason: Omit<IneligibleReason, "source" | "since"> | null,
    now: Instant,
  ): boolean {
    const known = this.ineligibleReasons.get(vip)?.get(source);
    if (ineligibleReason === null) {
      if (known === undefined) return false;
      this.remove(vip, source);
      return true;
    }
    const { reason, until } = ineligibleReason;
    if (known?.reason.text === reason.text && known.reason.code === reason.code && known.until === until) return false;
    const of = this.ineligibleReasons.get(vip) ?? new Map<EligibilitySource, IneligibleReason>();
    this.ineligibleReasons.set(vip, of.set(source, { source, reason, since: known?.since ?? now, until }));
    return true;
  }

  /** Why this host shall not hold a VIP, the oldest reason first. */
  of(vip: string): readonly IneligibleReason[] {
    return this.all(vip).filter(({ source }) => source !== "preempt-backoff");
  }

  /** All that speaks against a VIP here, the oldest first: also what only keeps this host from pre-empting others. */
  all(vip: string): readonly IneligibleReason[] {
    return [...(this.ineligibleReasons.get(vip)?.values() ?? [])].sort((a, b) => a.since - b.since);
  }

  /** Whether this host may take a VIP from a holder of lower priority. */
  mayPreempt(vip: string): boolean {
    return this.ineligibleReasons.get(vip)?.has("preempt-backoff") !== true;
  }

  /** Why the VIP is not eligible; `null`: it is. */
  reasonFor(vip: string): Reason | null {
    return this.of(vip)[0]?.reason ?? null;
  }

  /** Ends the reasons whose time is over; the result: the VIPs that they were about. */
  expire(now: Instant): readonly string[] {
    const freed: string[] = [];
    for (const [vip, of] of [...this.ineligibleReasons])
      for (const { source, until } of [...of.values()])
        if (until <= now) {
          this.remove(vip, source);
          freed.push(vip);
        }
    return freed;
  }

  /** When the next reason ends by itself. */
  nextExpiry(): Instant {
    let next = NEVER;
    for (const of of this.ineligibleReasons.values())
      for (const { until } of of.values()) if (until < next) next = until;
    return next;
  }

  /** Forgets VIPs that are not configured any more. */
  keepOnly(vips: ReadonlySet<string>): void {
    for (const vip of [...this.ineligibleReasons.keys()]) if (!vips.has(vip)) this.ineligibleReasons.delete(vip);
  }

  private remove(vip: string, source: EligibilitySource): void {
    const of = this.ineligibleReasons.get(vip);
    of?.delete(source);
    if (of?.size === 0) this.ineligibleReasons.delete(vip);
  }
}

/** What a source says of a VIP until the source itself says otherwise. */
export function untilChanged(
  code: ReasonCode,
  trouble: string | null | undefined,
): Pick<IneligibleReason, "reason" | "until"> | null {
  return trouble === null || trouble === undefined ? null : lasting(reason(code, trouble));
}

/** What holds until its source says otherwise. */
export function lasting(why: Reason | undefined): Pick<IneligibleReason, "reason" | "until"> | null {
  return why === undefined ? null : { reason: why, until: NEVER };
}
