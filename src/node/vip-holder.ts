// Performs the VIP machine's effects on the host's kernel, each at once, and tells how they went.

import { messageOf } from "../base/errors.ts";
import { routingText } from "../base/routing.ts";
import type { Instant } from "../base/time.ts";
import type { VipAddress } from "../base/vip.ts";
import { fenceUntil } from "../election/lease.ts";
import type { Validity } from "../ports/elector.ts";
import type { AddressFailure, AddressPlace, BoundAddress, HostEvent } from "../ports/host.ts";
import { Driver } from "../runtime/driver.ts";
import { heldUnder } from "../vip/holding.ts";
import { nextVipWakeup, stepVips } from "../vip/machine.ts";
import { addressesOf, heldAddresses, placeOf, uniquePlaces, vipAt, wantedAddresses } from "../vip/places.ts";
import { readyEntries } from "../vip/routing.ts";
import { initialVips, type VipDrop, type VipEffect, type VipEvent, type VipPlan, type VipState } from "../vip/state.ts";
import { AddressRemoval, cidrOf, isOfVipd } from "./address-removal.ts";
import { ForeignClaims } from "./foreign-claims.ts";
import { Prober } from "./prober.ts";
import type { VipDeps } from "./vip-deps.ts";
import { VipRouting, type WantedRouting } from "./vip-routing.ts";
import { VirtualDevices, withIdleMac, withoutSharedMacs } from "./virtual-devices.ts";

type Opening = Extract<VipEffect, { type: "open" }>;
type Report = Extract<VipEffect, { type: "held" | "shrunk" | "released" | "hold-failed" | "conflict" }>;

/** All VIPs of this host. */
export class VipHolder {
  readonly state: VipState;
  private readonly deps: VipDeps;
  private readonly driver: Driver<VipEvent, VipEffect>;
  private readonly prober: Prober;
  private readonly foreignClaims: ForeignClaims;
  /** What the daemon is to be told. */
  private readonly outbox: Report[] = [];
  /** Extensions that go to the kernel together; `null`: each goes by itself. */
  private extensions: Opening[] | null = null;
  /** Deadlines under which the kernel may have less open than it should. */
  private readonly damaged = new Set<number>();
  /** Addresses of earlier plans that the kernel would not remove. */
  private leftovers: readonly AddressPlace[] = [];
  private readonly removal: AddressRemoval;
  readonly routing: VipRouting;
  private readonly devices: VirtualDevices;
  private planning = false;
  /** Addresses of VIPs that this host must not have: guarded, and nothing else is done for them. */
  private fenced: readonly AddressPlace[] = [];

  constructor(deps: VipDeps) {
    this.deps = deps;
    this.state = initialVips(deps.firstDeadline);
    const { timers, packets, log } = deps;
    const machine = {
      step: (event: VipEvent, now: Instant) => stepVips(this.state, event, now),
      nextWakeup: () => nextVipWakeup(this.state),
      tick: { type: "tick" } as const,
    };
    this.driver = new Driver<VipEvent, VipEffect>(machine, {
      timers,
      perform: (effect) => this.perform(effect),
      onRest: () => this.tell(),
    });
    this.removal = new AddressRemoval({ timers, addresses: deps.addresses, held: () => heldAddresses(this.state) });
    this.routing = new VipRouting({ table: deps.routing, log });
    this.devices = new VirtualDevices({ timers, addresses: deps.addresses, log });
    this.prober = new Prober({
      packets,
      log,
      addressesOf: (vip) => addressesOf(this.state, vip),
      probed: (vip, others) => this.post({ type: "probed", vip, others }),
    });
    this.foreignClaims = new ForeignClaims({
      timers,
      packets,
      log,
      held: () => this.answered(),
      heard: (vip, others) => this.post({ type: "heard", vip, others }),
    });
  }

  /** Hands in an event of an election. */
  post(event: VipEvent): void {
    this.driver.post(event);
    if (event.type === "confirm") this.foreignClaims.changed();
  }

  /** Extends deadlines together: hundreds of virtual routers cost the kernel what one costs. */
  extend(validities: readonly Validity[]): void {
    const [only] = validities;
    if (only === undefined) return;
    if (validities.length === 1) return this.post({ type: "extend", ...only });
    const gathered: Opening[] = [];
    this.extensions = gathered;
    try {
      for (const validity of validities) this.post({ type: "extend", ...validity });
    } finally {
      this.extensions = null;
    }
    // What has been let go of meanwhile may be open under its number still.
    const isCurrent = ({ deadline, number }: Opening): boolean => {
      const known = this.state.deadlines.get(deadline);
      return known?.number === number && !known.isTainted;
    };
    this.extendTogether(gathered.filter(isCurrent));
  }

  /**
   * Sets the VIPs of this host, and puts the fence around them. What vipd bound once and nobody plans any more goes
   * before its guard does; the answer is what the kernel would not remove: it stays guarded. `fenced` is guarded and
   * closed, and otherwise left alone. Throws when the fence cannot be put up; then nothing has changed.
   */
  plan(plans: readonly VipPlan[], fenced: readonly AddressPlace[] = []): readonly AddressPlace[] {
    const planned = plans.flatMap(({ addresses }) => addresses);
    this.devices.keep([...planned, ...this.guarded()]);
    const marked = this.deps.addresses.addresses().filter(({ ours }) => ours);
    this.protectAll(uniquePlaces([...planned, ...fenced, ...this.guarded(), ...marked]));
    // A former process may have opened what is none of the VIPs' now.
    if (fenced.length > 0) this.deps.fence.close(fenced);
    this.fenced = fenced;
    this.planning = true;
    this.post({ type: "plan", plans });
    this.planning = false;
    this.foreignClaims.changed();
    this.leftovers = [];
    const wanted = new Set(wantedAddresses(this.state).map(cidrOf));
    const isStray = (address: BoundAddress): boolean => address.ours && !wanted.has(cidrOf(address));
    const routed = new Set(plans.flatMap(({ routing = [] }) => routing.map(routingText)));
    this.routing.sweep((text) => routed.has(text));
    this.leftovers = this.removeAll(isStray, "is not configured any more: removed");
    this.protect();
    return this.leftovers;
  }

  /** Puts the fence up again around what is guarded now. A failure is only told: the next heartbeat finds the fence damaged, and repairs it or gives the VIPs up. */
  protect(): void {
    this.devices.keep(this.guarded());
    this.protectGuarded();
  }

  private protectGuarded(): void {
    try {
      this.protectAll(this.guarded());
    } catch (error) {
      this.deps.log.warn({ error: messageOf(error) }, `the fence could not be brought up to date: ${messageOf(error)}`);
    }
  }

  /** What has been closed by a damage of the fence is opened again with the next extension. */
  private protectAll(addresses: readonly AddressPlace[]): void {
    if (this.deps.fence.protect(addresses) === "kept") return;
    for (const deadline of this.state.deadlines.keys()) this.damaged.add(deadline);
    this.deps.log.warn({}, "somebody has changed the fence: it is put up again, and opened with the next heartbeat");
  }

  /**
   * Ends it, and takes the fence down, unless something of the VIPs is bound, on whatever interface, that cannot be
   * removed or is not vipd's to remove: that is the answer, and stays guarded.
   */
  retire(): readonly AddressPlace[] {
    this.close();
    this.routing.sweep(() => false);
    const wanted = wantedAddresses(this.state);
    const [places, ips] = [new Set(wanted.map(placeOf)), new Set(wanted.map(({ ip }) => ip))];
    const isOfVip = (address: BoundAddress): boolean =>
      address.ours || places.has(placeOf(address)) || (ips.has(address.ip) && isOfVipd(address));
    const left = this.removeAll(isOfVip, "was still bound: removed");
    const fenced = new Set(this.fenced.map(({ ip }) => ip));
    this.leftovers = [...left, ...this.deps.addresses.addresses().filter(({ ip }) => fenced.has(ip))];
    this.devices.keepAll(this.leftovers);
    if (this.leftovers.length > 0) {
      this.protectGuarded();
      return this.leftovers;
    }
    try {
      this.deps.fence.remove();
    } catch (error) {
      this.deps.log.warn({}, `the fence could not be taken down: ${messageOf(error)}; it stays, closed`);
    }
    return [];
  }

  /**
   * Removes what is bound or routed for these VIPs and not held; `address` is null when it is asked of a VIP as a whole.
   * `foreignOnly`: only what does not carry vipd's mark.
   */
  sweep(foreignOnly: boolean, isMeant: (vip: string, address: AddressPlace | null) => boolean = () => true): void {
    if (!foreignOnly) this.sweepRouting(isMeant);
    const strays = this.strays(foreignOnly).filter((address) => isMeant(vipAt(this.state, address) ?? "", address));
    const swept = foreignOnly ? strays : [...strays, ...withIdleMac(this.state, isMeant)];
    const vips = [...new Set(swept.map((address) => vipAt(this.state, address) ?? ""))];
    if (vips.length > 0) this.sweepVips(vips, strays);
  }

  /** What vipd has bound of these addresses, on whatever interface, and does not hold. */
  leftOf(ips: ReadonlySet<string>): readonly VipAddress[] {
    const held = new Set([...heldAddresses(this.state)].map(cidrOf));
    const isLeft = (address: BoundAddress): boolean => ips.has(address.ip) && isOfVipd(address);
    return this.deps.addresses.addresses().filter((address) => isLeft(address) && !held.has(cidrOf(address)));
  }

  private sweepRouting(isMeant: (vip: string, address: null) => boolean): void {
    const kept = [...this.state.plans.values()].filter(
      ({ name, routing }) => routing !== undefined && !isMeant(name, null),
    );
    const texts = new Set(kept.flatMap(({ routing = [] }) => routing.map(routingText)));
    this.routing.sweep((text) => texts.has(text));
  }

  /** A route or a rule of vipd's is gone, whoever removed it. */
  onRoutingRemoved(key: string): void {
    const vip = this.routing.gone(key);
    if (vip !== undefined) this.post({ type: "routing-removed", vip });
  }

  /** Asks the wire who else answers for these. */
  probe(vips: readonly string[]): void {
    this.prober.probe(vips);
  }

  /** The kernel's news come from here on: of what was removed before, none do. */
  beginListening(): void {
    this.removal.forget();
  }

  /** Takes in news from the kernel, except of links, which bear on more than VIPs. */
  onHostEvent(event: HostEvent): void {
    switch (event.kind) {
      case "address-added":
        // A refreshed lifetime of an own address is no news.
        if (event.address.ours && this.state.holdings.has(vipAt(this.state, event.address) ?? "")) return;
        // Nor is that of one which has been removed since.
        if (event.address.ours && this.removal.isAwaited(event.address)) return;
        return this.post({ type: event.kind, ip: event.address.ip, interface: event.address.interface });
      case "address-removed":
        if (this.removal.isOwnNews(event.address)) return;
        this.routing.doubt(vipAt(this.state, event.address) ?? "");
        return this.post({ type: event.kind, ip: event.address.ip, interface: event.address.interface });
      case "link-changed":
        if (!event.link.up) return;
        this.foreignClaims.changed();
        return this.post({ type: "link-up", interface: event.link.name });
      case "link-removed":
        return;
      case "overrun":
        this.foreignClaims.changed();
        this.removal.forget();
        for (const vip of this.state.holdings.keys()) this.routing.doubt(vip);
        return this.post({ type: "resync" });
    }
  }

  /** Ends timers and probes; what is held stays until the kernel's own timeouts. */
  close(): void {
    this.devices.close();
    this.prober.close();
    this.foreignClaims.close();
    this.driver.close();
  }

  private perform(effect: VipEffect): void {
    switch (effect.type) {
      case "bind":
        return this.bind(effect.vips, effect.lifetimeMs, true);
      case "refresh":
        return this.bind(effect.vips, effect.lifetimeMs, false);
      case "route":
        return this.route(effect.vips);
      case "open":
        if (this.extensions === null || effect.vips.length > 0) return this.open(effect);
        this.extensions.push(effect);
        return;
      case "announce":
        return this.announce(effect.vips);
      case "probe":
        return this.prober.probe(effect.vips);
      case "close":
        return this.closeVips(effect.vips);
      case "drop":
        return this.drop(effect.drops);
      case "sweep":
        return this.sweepVips(effect.vips, this.strays(false));
      case "held":
      case "shrunk":
      case "released":
      case "hold-failed":
      case "conflict":
        this.outbox.push(effect);
        return;
      case "note":
        return this.deps.log[effect.level === "warning" ? "warn" : "info"]({ vip: effect.vip }, effect.text);
    }
  }

  /** Only at rest: what an election then decides is done at once, and not queued behind a fence that is about to open. */
  private tell(): void {
    const { listener } = this.deps;
    if (this.outbox.some(({ type }) => type === "held" || type === "released")) this.foreignClaims.changed();
    if (this.outbox.some(({ type }) => type === "released")) this.devices.rest(() => this.guarded());
    for (let next = this.outbox.shift(); next !== undefined; next = this.outbox.shift()) {
      if (next.type === "held") listener.held(next.vips);
      else if (next.type === "shrunk") this.shrunk(next.vips);
      else if (next.type === "released") listener.released(next.losses);
      else if (next.type === "hold-failed") listener.holdFailed(next.vip, next.reason);
      else listener.conflict(next.vip, next.others);
    }
  }

  private bind(vips: readonly string[], lifetimeMs: number, isNew: boolean): void {
    const owners = new Map<string, string>();
    const wanted: VipAddress[] = [];
    for (const vip of vips)
      for (const address of addressesOf(this.state, vip)) {
        owners.set(address.ip, vip);
        wanted.push(address);
      }
    const unbound = this.failuresOf(() => this.deps.addresses.bind(wanted, lifetimeMs), owners, vips);
    const unrouted = this.routing.apply(this.wantedRouting(vips.filter((vip) => !unbound.has(vip))));
    const failed = new Map([...unbound, ...unrouted]);
    for (const [vip, message] of failed) this.post({ type: "failed", vip, message });
    if (isNew) this.post({ type: "bound", vips: vips.filter((vip) => !failed.has(vip)) });
  }

  private route(vips: readonly string[]): void {
    for (const [vip, message] of this.routing.apply(this.wantedRouting(vips)))
      this.post({ type: "failed", vip, message });
  }

  private wantedRouting(vips: readonly string[]): readonly WantedRouting[] {
    const { plans } = this.state;
    return vips.map((vip) => ({ vip, entries: readyEntries(plans.get(vip)?.routing, addressesOf(this.state, vip)) }));
  }

  /** By VIP, what the kernel refused; when it refused the whole batch, that is each VIP's failure. */
  private failuresOf(
    run: () => readonly AddressFailure[],
    owners: ReadonlyMap<string, string>,
    vips: readonly string[],
  ): ReadonlyMap<string, string> {
    try {
      return new Map(run().map(({ address, message }) => [owners.get(address.ip) ?? "", message]));
    } catch (error) {
      return new Map(vips.map((vip) => [vip, messageOf(error)]));
    }
  }

  /** In one transaction; where that cannot be, each for itself, so that one that is too late does not end the others. */
  private extendTogether(extensions: readonly Opening[]): void {
    const { fence } = this.deps;
    if (extensions.length === 0) return;
    try {
      if (!fence.intact()) this.protectAll(this.guarded());
      const sound = extensions.filter(({ deadline }) => !this.damaged.has(deadline));
      const { kind } = fence.extend(sound.map(({ number, until }) => ({ deadline: number, until: fenceUntil(until) })));
      if (kind !== "open") return this.extendEach(extensions);
      for (const { vips, deadline, until } of sound) this.post({ type: "opened", vips, deadline, until });
      this.extendEach(extensions.filter((each) => !sound.includes(each)));
    } catch (error) {
      this.deps.log.debug({ err: error }, "the deadlines could not be extended together");
      this.extendEach(extensions);
    }
  }

  private extendEach(extensions: readonly Opening[]): void {
    for (const each of extensions) this.open(each);
  }

  private open({ vips, deadline, number, until }: Opening): void {
    const { fence } = this.deps;
    try {
      if (!fence.intact()) this.protectAll(this.guarded());
      const opened = this.damaged.has(deadline) ? heldUnder(this.state, deadline) : vips;
      const addresses = opened.flatMap((vip) => addressesOf(this.state, vip));
      const { kind } = fence.open(addresses, number, fenceUntil(until));
      if (kind === "open") this.damaged.delete(deadline);
      this.post({ type: kind === "open" ? "opened" : "too-late", vips, deadline, until });
    } catch (error) {
      const message = messageOf(error);
      if (vips.length === 0) this.post({ type: "extend-failed", deadline, message });
      for (const vip of vips) this.post({ type: "failed", vip, message });
    }
  }

  private announce(vips: readonly string[]): void {
    const { packets, log } = this.deps;
    for (const vip of vips)
      for (const address of addressesOf(this.state, vip))
        try {
          if (!packets.announce(address))
            log.debug({ vip, ip: address.ip }, "the announcement did not leave this host");
        } catch (error) {
          this.post({ type: "failed", vip, message: messageOf(error) });
        }
  }

  private closeVips(vips: readonly string[]): void {
    const owners = new Map(vips.flatMap((vip) => addressesOf(this.state, vip).map(({ ip }) => [ip, vip])));
    const addresses = vips.flatMap((vip) => addressesOf(this.state, vip));
    const isClosed = this.closeFence(vips, addresses);
    this.routing.withdraw(vips.map((vip) => ({ vip, entries: this.state.plans.get(vip)?.routing ?? [] })));
    if (!isClosed) return this.unbindAnyway(addresses);
    const failed = this.failuresOf(() => this.removal.removeEverywhere(addresses).failures, owners, vips);
    for (const [vip, message] of failed) this.post({ type: "failed", vip, message });
    this.post({ type: "closed", vips: vips.filter((vip) => !failed.has(vip)) });
  }

  private drop(drops: readonly VipDrop[]): void {
    const vips = drops.map(({ vip }) => vip);
    const addresses = drops.flatMap((drop) => drop.addresses);
    if (!this.closeFence(vips, addresses)) return;
    this.routing.withdrawSources(drops);
    const owners = new Map(drops.flatMap((drop) => drop.addresses.map(({ ip }) => [ip, drop.vip])));
    const failed = this.failuresOf(() => this.removal.removeEverywhere(addresses).failures, owners, vips);
    for (const [vip, message] of failed) this.post({ type: "failed", vip, message });
    this.post({ type: "dropped", drops: drops.filter(({ vip }) => !failed.has(vip)) });
  }

  /** While a configuration is taken on, who does that looks for itself at what is left. */
  private shrunk(vips: readonly string[]): void {
    if (this.planning) return;
    if (this.state.shrinking.size === 0) this.protect();
    this.deps.listener.shrunk(vips);
  }

  /** What the kernel would not close it may still take off: then it answers no neighbour. It is not released by that. */
  private unbindAnyway(addresses: readonly VipAddress[]): void {
    try {
      this.removal.removeEverywhere(addresses);
    } catch (error) {
      this.deps.log.debug({ error: messageOf(error) }, "addresses behind an open fence could not be removed");
    }
  }

  private closeFence(vips: readonly string[], addresses: readonly AddressPlace[]): boolean {
    try {
      this.deps.fence.close(withoutSharedMacs(addresses, heldAddresses(this.state)));
      return true;
    } catch (error) {
      for (const vip of vips) this.post({ type: "failed", vip, message: messageOf(error), isOpen: true });
      return false;
    }
  }

  /** Addresses of VIPs that are bound, and not held for any. Others bind with other prefixes: keepalived with /32. */
  private strays(foreignOnly: boolean): readonly BoundAddress[] {
    const held = new Set([...this.state.holdings.values()].flatMap(({ addresses }) => addresses.map(({ ip }) => ip)));
    const isStray = (address: BoundAddress): boolean => !(foreignOnly && address.ours) && !held.has(address.ip);
    return this.deps.addresses.addresses().filter((each) => isStray(each) && vipAt(this.state, each) !== undefined);
  }

  /** What is not held may have been opened by a former process: it is closed too. What a VIP is held with stays open. */
  private sweepVips(vips: readonly string[], strays: readonly BoundAddress[]): void {
    const swept = new Set(vips);
    const owners = new Map<string, string>();
    for (const vip of vips) for (const { ip } of addressesOf(this.state, vip)) owners.set(ip, vip);
    const bound = strays.filter((address) => swept.has(vipAt(this.state, address) ?? ""));
    const remark = "was bound here although this node does not hold it: removed";
    const sweep = (): readonly AddressFailure[] => {
      const idle = vips.filter((vip) => !this.state.holdings.has(vip));
      this.deps.fence.close(uniquePlaces([...idle.flatMap((vip) => addressesOf(this.state, vip)), ...bound]));
      return bound.length === 0 ? [] : this.unbind(bound, remark);
    };
    for (const [vip, message] of this.failuresOf(sweep, owners, vips)) this.post({ type: "failed", vip, message });
    if (bound.length > 0) this.devices.rest(() => this.guarded());
  }

  /** Removes addresses behind a closed fence; `remark` is logged for each that was there. */
  private unbind(addresses: readonly AddressPlace[], remark: string): readonly AddressFailure[] {
    const { removed, failures } = this.removal.remove(addresses);
    for (const { ip, interface: link } of removed) this.deps.log.warn({ ip, interface: link }, `${ip} ${remark}`);
    return failures;
  }

  /** Closes and removes what is meant; the result: what the kernel has of it after that. */
  private removeAll(isMeant: (address: BoundAddress) => boolean, remark: string): readonly AddressPlace[] {
    const { addresses, fence, log } = this.deps;
    const bound = addresses.addresses().filter(isMeant);
    if (bound.length === 0) return [];
    try {
      fence.close(withoutSharedMacs(bound, heldAddresses(this.state)));
      for (const { address, message } of this.unbind(bound, remark))
        log.warn(
          { ip: address.ip, interface: address.interface, error: message },
          `${address.ip} cannot be removed: it stays behind the fence`,
        );
      return addresses.addresses().filter(isMeant);
    } catch (error) {
      log.warn({ error: messageOf(error) }, "addresses cannot be removed: they stay behind the fence");
      return bound;
    }
  }

  private *answered(): Generator<readonly [vip: string, addresses: readonly VipAddress[]]> {
    for (const [vip, holding] of this.state.holdings) if (holding.phase === "on") yield [vip, holding.addresses];
  }

  private guarded(): readonly AddressPlace[] {
    return uniquePlaces([...wantedAddresses(this.state), ...this.fenced, ...this.leftovers]);
  }
}
