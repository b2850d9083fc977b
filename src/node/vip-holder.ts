// Performs the VIP machine's effects on the host's kernel, each at once, and tells how they went.

import { messageOf } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { VipAddress } from "../base/vip.ts";
import { fenceUntil } from "../election/lease.ts";
import type { Timers } from "../ports/clock.ts";
import type { AddressTable, Fence, HostEvent, PacketLink } from "../ports/host.ts";
import type { Logger } from "../ports/logger.ts";
import { Driver } from "../runtime/driver.ts";
import { initialVips, nextVipWakeup, stepVips } from "../vip/machine.ts";
import type { VipEffect, VipEvent, VipPlan, VipState } from "../vip/state.ts";

/** How long a probe for other answerers listens, in milliseconds. */
const PROBE_MS = 60;

/** An address that the fence guards: of a plan, or found in the kernel. */
export type GuardedAddress = Pick<VipAddress, "family" | "ip" | "prefix" | "interface">;

/** What the election is told. */
export interface VipListener {
  held(vip: string): void;
  released(vip: string, reason: string): void;
  unfit(vip: string, reason: string): void;
}

/** The parts of the host, and whom to tell. */
export interface VipDeps {
  readonly timers: Timers;
  readonly addresses: AddressTable;
  readonly fence: Fence;
  readonly packets: PacketLink;
  readonly log: Logger;
  readonly listener: VipListener;
}

/** All VIPs of this host. */
export class VipHolder {
  private readonly deps: VipDeps;
  private readonly driver: Driver<VipState, VipEvent, VipEffect>;
  private readonly ending = new AbortController();
  /** What the election is to be told. */
  private readonly outbox: Extract<VipEffect, { type: "held" | "released" | "unfit" }>[] = [];
  /** Addresses of earlier plans that the kernel would not remove. */
  private leftovers: readonly GuardedAddress[] = [];

  constructor(deps: VipDeps) {
    this.deps = deps;
    const machine = {
      step: stepVips,
      nextWakeup: (state: VipState): Instant => nextVipWakeup(state),
      tick: { type: "tick" } as const,
    };
    this.driver = new Driver<VipState, VipEvent, VipEffect>(machine, initialVips(), {
      timers: deps.timers,
      perform: (effect) => this.perform(effect),
      onRest: () => this.tell(),
    });
  }

  get state(): VipState {
    return this.driver.state;
  }

  /** Hands in an event of the election. */
  post(event: VipEvent): void {
    this.driver.post(event);
  }

  /**
   * Sets the VIPs of this host, and puts the fence around them. What vipd bound once and nobody plans any more goes
   * before its guard does; the answer is what the kernel would not remove: it stays guarded.
   */
  plan(plans: readonly VipPlan[]): readonly GuardedAddress[] {
    this.post({ type: "plan", plans });
    this.leftovers = [];
    const wanted = new Set(this.guarded().map(cidrOf));
    const strays = this.deps.addresses.addresses().filter((address) => address.ours && !wanted.has(cidrOf(address)));
    this.leftovers = strays.filter((address) => !this.removed(address, "is not planned any more: removed"));
    this.deps.fence.protect(this.guarded());
    return this.leftovers;
  }

  /** Ends it, and takes the fence down, unless a guarded address cannot be removed: that is the answer, and stays guarded. */
  retire(): readonly GuardedAddress[] {
    this.close();
    const guarded = new Set(this.guarded().map(placeOf));
    const bound = this.deps.addresses.addresses().filter((address) => guarded.has(placeOf(address)));
    const left = bound.filter((address) => !this.removed(address, "was still bound: removed"));
    if (left.length === 0) this.deps.fence.remove();
    return left;
  }

  /** Removes what is bound and not held. `foreignOnly`: only what does not carry vipd's mark. */
  sweep(foreignOnly: boolean): void {
    const bound = this.deps.addresses.addresses();
    for (const [vip, plan] of this.state.plans) {
      const stray = plan.addresses.some((address) =>
        bound.some(
          (other) => other.ip === address.ip && other.interface === address.interface && !(foreignOnly && other.ours),
        ),
      );
      if (stray && !this.state.holdings.has(vip)) this.perform({ type: "sweep", vip });
    }
  }

  /** Takes in news from the kernel. */
  hear(event: HostEvent): void {
    switch (event.kind) {
      case "address-added":
      case "address-removed":
        return this.post({ type: event.kind, ip: event.address.ip, interface: event.address.interface });
      case "link-changed":
        this.deps.fence.protect(this.guarded());
        return event.link.up ? this.post({ type: "link-up", interface: event.link.name }) : undefined;
      case "link-removed":
        return;
      case "overrun":
        return this.post({ type: "resync" });
    }
  }

  /** Ends timers and probes; what is held stays until the kernel's own timeouts. */
  close(): void {
    this.ending.abort();
    this.driver.close();
  }

  private perform(effect: VipEffect): void {
    const { log } = this.deps;
    switch (effect.type) {
      case "bind":
        return this.attempt(effect.vip, () => this.bind(effect.vip, effect.lifetimeMs));
      case "open":
        return this.open(effect.vips, effect.until);
      case "announce":
        return this.attempt(effect.vip, () => this.announce(effect.vip));
      case "probe":
        return void this.probe(effect.vip);
      case "close":
        return this.attempt(effect.vip, () => this.closeVip(effect.vip));
      case "sweep":
        return this.attempt(effect.vip, () => this.sweepVip(effect.vip));
      case "held":
      case "released":
      case "unfit":
        this.outbox.push(effect);
        return;
      case "note":
        return log[effect.level === "warning" ? "warn" : "info"]({ vip: effect.vip }, effect.text);
    }
  }

  /** Only at rest: what the election then decides is done at once, and not queued behind a fence that is about to open. */
  private tell(): void {
    const { listener } = this.deps;
    for (let next = this.outbox.shift(); next !== undefined; next = this.outbox.shift()) {
      if (next.type === "held") listener.held(next.vip);
      else listener[next.type](next.vip, next.reason);
    }
  }

  /** Does one step; what the kernel refuses becomes an event. */
  private attempt(vip: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.post({ type: "failed", vip, message: messageOf(error) });
    }
  }

  private bind(vip: string, lifetimeMs: number): void {
    for (const address of this.addressesOf(vip)) this.deps.addresses.bind(address, lifetimeMs);
  }

  private open(vips: readonly string[], until: Instant): void {
    const { fence } = this.deps;
    try {
      if (!fence.intact()) fence.protect(this.guarded());
      const result = fence.hold(
        vips.flatMap((vip) => this.addressesOf(vip)),
        fenceUntil(until),
      );
      this.post(result.kind === "open" ? { type: "opened", vips, until } : { type: "too-late", vips, until });
    } catch (error) {
      for (const vip of vips) this.post({ type: "failed", vip, message: messageOf(error) });
    }
  }

  private announce(vip: string): void {
    for (const address of this.addressesOf(vip))
      if (!this.deps.packets.announce(address))
        this.deps.log.debug({ vip, ip: address.ip }, "the announcement did not leave this host");
  }

  private async probe(vip: string): Promise<void> {
    try {
      const answers = await Promise.all(
        this.addressesOf(vip).map((address) => this.deps.packets.probe(address, PROBE_MS, this.ending.signal)),
      );
      const others = [...new Set(answers.flat().map((answer) => answer.mac))].sort();
      this.post({ type: "probed", vip, others });
    } catch (error) {
      if (!this.ending.signal.aborted)
        this.deps.log.warn({ vip, error: messageOf(error) }, "the wire could not be asked who else answers");
    }
  }

  private closeVip(vip: string): void {
    this.deps.fence.close(this.addressesOf(vip));
    this.unbind(vip, undefined);
    this.post({ type: "closed", vip });
  }

  /** What is not held may have been opened by an earlier processId: it is closed too. */
  private sweepVip(vip: string): void {
    this.deps.fence.close(this.addressesOf(vip));
    this.unbind(vip, "was bound here but is not ours to hold: removed");
  }

  /** Removes the VIP's addresses; `remark` is logged for each that was there. */
  private unbind(vip: string, remark: string | undefined): void {
    const { addresses, log } = this.deps;
    for (const address of this.addressesOf(vip))
      if (addresses.unbind(address) && remark !== undefined)
        log.warn({ vip, ip: address.ip, interface: address.interface }, `${address.ip} ${remark}`);
  }

  /** Removes one address; false when the kernel would not. */
  private removed(address: GuardedAddress, remark: string): boolean {
    const { addresses, fence, log } = this.deps;
    const { ip, interface: link } = address;
    try {
      fence.close([address]);
      if (addresses.unbind(address)) log.warn({ ip, interface: link }, `${ip} ${remark}`);
      return true;
    } catch (error) {
      log.warn({ ip, interface: link, error: messageOf(error) }, `${ip} cannot be removed: it stays behind the fence`);
      return false;
    }
  }

  private addressesOf(vip: string): readonly VipAddress[] {
    const { holdings, plans } = this.state;
    return holdings.get(vip)?.addresses ?? plans.get(vip)?.addresses ?? [];
  }

  private guarded(): readonly GuardedAddress[] {
    const { holdings, plans } = this.state;
    const all = [...plans.values(), ...holdings.values()].flatMap(
      ({ addresses }): readonly GuardedAddress[] => addresses,
    );
    return [...new Map([...all, ...this.leftovers].map((address) => [placeOf(address), address])).values()];
  }
}

function cidrOf(address: GuardedAddress): string {
  return `${placeOf(address)} ${address.prefix}`;
}

function placeOf({ ip, interface: link }: GuardedAddress): string {
  return `${ip} ${link}`;
}
