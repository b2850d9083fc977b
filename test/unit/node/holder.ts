// A VIP holder on a host in memory, and what it reports, for tests.

import { type Reason, reason } from "../../../src/base/reasons.ts";
import { type Instant, later } from "../../../src/base/time.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import type { AddressPlace } from "../../../src/ports/host.ts";
import type { VipListener } from "../../../src/node/vip-deps.ts";
import { VipHolder } from "../../../src/node/vip-holder.ts";
import type { VipEvent, VipGrant, VipPlan } from "../../../src/vip/state.ts";
import { grantsOf } from "../vip/host.ts";
import { address, FakeHost } from "./fake-host.ts";
import { FakeLog } from "./fake-log.ts";
import { FakeRouting } from "./fake-routing.ts";

export const LEASE_MS = 3_000;
/** What the fence is opened for: packets in flight end before the lease does. */
export const OPEN_MS = LEASE_MS - 2;
export const FIRST_DEADLINE = 900;
export const WHY: Reason = reason("step-down");

export function plan(name: string, ...addresses: readonly VipAddress[]): VipPlan {
  return { name, addresses, announce: { burst: 1, repeatAfterMs: 0, refreshMs: 0 } };
}

/** VIPs `a` with 10.0.0.1, `b` with 10.0.0.2. */
export const PLANS = [plan("a", address("10.0.0.1")), plan("b", address("10.0.0.2"))];

export class Holder {
  readonly host = new FakeHost();
  readonly routing = new FakeRouting(this.host.calls);
  readonly log = new FakeLog();
  /** What was reported, such as `released a: step-down`. */
  readonly reports: string[] = [];
  /** Called after each report. */
  onReport: (report: string) => void = () => {};
  readonly vips: VipHolder;

  constructor(plans: readonly VipPlan[] = PLANS) {
    const { timers, fence, packets } = this.host;
    this.vips = new VipHolder({
      timers,
      addresses: this.host,
      fence,
      packets,
      routing: this.routing,
      log: this.log,
      firstDeadline: FIRST_DEADLINE,
      listener: this.listener(),
    });
    this.vips.plan(plans);
    this.host.news();
  }

  get until(): Instant {
    return later(this.host.timers.now(), LEASE_MS);
  }

  post(event: VipEvent): void {
    this.vips.post(event);
  }

  gain(...vips: readonly string[]): void {
    this.post({ type: "gain", grants: this.grantsOf(...vips), deadline: 0, until: this.until });
  }

  /** Sets a configuration, of which all addresses are granted. */
  plan(...plans: readonly VipPlan[]): readonly AddressPlace[] {
    const stuck = this.vips.plan(plans);
    const held = [...this.vips.state.holdings.keys()].filter((vip) => this.vips.state.plans.has(vip));
    this.post({ type: "confirm", grants: this.grantsOf(...held) });
    return stuck;
  }

  /** All addresses of these VIPs. */
  grantsOf(...vips: readonly string[]): readonly VipGrant[] {
    return grantsOf(this.vips.state, vips);
  }

  extend(): void {
    this.post({ type: "extend", deadline: 0, until: this.until });
  }

  lose(...vips: readonly string[]): void {
    this.post({ type: "lose", losses: vips.map((vip) => ({ vip, reason: WHY })) });
  }

  /** By VIP, its phase. */
  phases(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.vips.state.holdings].map(([vip, { phase }]) => [vip, phase]));
  }

  private report(text: string): void {
    this.reports.push(text);
    this.onReport(text);
  }

  private listener(): VipListener {
    return {
      held: (vips) => this.report(`held ${vips.join()}`),
      shrunk: (vips) => this.report(`shrunk ${vips.join()}`),
      released: (losses) =>
        this.report(`released ${losses.map(({ vip, reason: why }) => `${vip}: ${why.code}`).join()}`),
      holdFailed: (vip, why) => this.report(`failed ${vip}: ${why.text}`),
      conflict: (vip, others) => this.report(`conflict ${vip}: ${others ?? "none"}`),
    };
  }
}

/** A holder that has its plans, and its host. */
export function begin(plans?: readonly VipPlan[]): { readonly holder: Holder; readonly host: FakeHost } {
  const holder = new Holder(plans);
  return { holder, host: holder.host };
}
