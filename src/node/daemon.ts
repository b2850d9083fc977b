// One daemon: its electors decide which VIPs this node holds, its host does it. It stands between them, and tells
// both what the other needs to know.

import { type Candidacy, sameCandidacy } from "../base/candidacy.ts";
import { messageOf, VipdError } from "../base/errors.ts";
import { type Reason, reason } from "../base/reasons.ts";
import type { RoutingEntry } from "../base/routing.ts";
import { later, NEVER } from "../base/time.ts";
import type { VipAddress } from "../base/vip.ts";
import { isGranted } from "../base/virtual-mac.ts";
import type { Config, VipConfig } from "../config/types.ts";
import type { Timers } from "../ports/clock.ts";
import type { Elector, ElectorHost, Grant, Loss, Validity } from "../ports/elector.ts";
import type { AddressPlace, AddressTable, Fence, HostEvent, HostMonitor, PacketLink } from "../ports/host.ts";
import type { IdentityKeeper } from "../ports/identity.ts";
import type { Logger } from "../ports/logger.ts";
import type { RoutingRemoved, RoutingTable } from "../ports/routing.ts";
import { addressesLeft } from "../vip/places.ts";
import type { VipLoss, VipState } from "../vip/state.ts";
import { ArpWatch } from "./arp-settings.ts";
import { candidacyOf } from "./candidacy.ts";
import { Eligibility, lasting, untilChanged } from "./eligibility.ts";
import { HoldBackoff } from "./hold-backoff.ts";
import { CheckIneligibility } from "./check-ineligibility.ts";
import { fitnessOf, Health, type MakeChecks } from "./health.ts";
import { isOn, Links } from "./links.ts";
import { changeMaintenance, type MaintenanceKeeper } from "./maintenance.ts";
import { logGains, logLosses, logStandingBack } from "./ownership-log.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { Probing } from "./probing.ts";
import { type TellTransition, Transitions } from "./transitions.ts";
import { VipHolder } from "./vip-holder.ts";

/** A daemon that stops gives its electors this long to tell others, in milliseconds. */
const STOP_MS = 800;

/** Makes an elector for a host. */
export type MakeElector = (host: ElectorHost) => Elector;

/** The parts that a daemon works with. */
export interface DaemonDeps {
  readonly timers: Timers;
  readonly identity: IdentityKeeper;
  /** Absent where no maintenance is kept. */
  readonly maintenance?: MaintenanceKeeper;
  readonly addresses: AddressTable;
  readonly fence: Fence;
  /** A number for the first deadline of the fence that no former process had: 32 bits. */
  readonly firstDeadline: number;
  readonly packets: PacketLink;
  /** Absent: VIPs with routes are not held here. */
  readonly routing?: RoutingTable;
  readonly monitor: (onEvent: (event: HostEvent | RoutingRemoved) => void) => HostMonitor;
  readonly log: Logger;
  readonly makeElector: MakeElector;
  /** Absent: nothing is checked. */
  readonly makeChecks?: MakeChecks;
  /** Absent: nobody is told of transitions. */
  readonly tell?: TellTransition;
}

/** A running daemon. */
export class Daemon {
  readonly elector: Elector;
  readonly eligibility = new Eligibility();
  readonly health: Health;
  private config: Config;
  private readonly deps: DaemonDeps;
  private readonly vips: VipHolder;
  private readonly links: Links;
  private readonly transitions: Transitions;
  private readonly probing: Probing;
  private readonly own: OwnAddresses;
  private readonly arp: ArpWatch;
  private readonly backoff: HoldBackoff;
  private readonly checkIneligibility: CheckIneligibility;
  private readonly candidacies = new Map<string, Candidacy>();
  private readonly listeners = new Set<() => void>();
  private monitor: HostMonitor | undefined;
  private adoptionFinished = false;
  /** By election, the addresses that a former process may answer for. */
  private former: ReadonlyMap<string, readonly string[]> = new Map();
  private onStopped: (() => void) | undefined;
  private cancelExpiry: () => void = () => {};
  private cancelAdoption: () => void = () => {};

  constructor(config: Config, deps: DaemonDeps) {
    this.config = config;
    this.deps = deps;
    const { timers, addresses, fence, packets, routing, log, firstDeadline } = deps;
    this.backoff = new HoldBackoff(config.ttlMs);
    const listener = this.vipListener();
    this.vips = new VipHolder({ timers, addresses, fence, packets, routing, log, firstDeadline, listener });
    this.links = new Links({
      timers,
      addresses,
      gone: () => fence.doubt(),
      protect: () => this.vips.protect(),
      carriesVip: (name) => this.vips.state.byLink.has(name) || this.vips.state.wires.has(name),
      changed: (links) => this.updateEligibility(this.config.vips.filter((vip) => isOn(vip, links))),
    });
    this.health = new Health({
      makeChecks: deps.makeChecks,
      linkNews: { links: () => this.links.all(), follow: (onNews) => this.links.follow(onNews) },
      changed: (check) => this.checkChanged(check),
    });
    this.checkIneligibility = new CheckIneligibility({
      clock: timers,
      ttlMs: config.ttlMs,
      eligibility: this.eligibility,
      health: this.health,
      holds: (vip) => this.elector.tokenOf(vip) !== undefined,
      mayBeHeld: (vip) => (deps.identity.adopt && !this.adoptionFinished) || this.elector.isUndecided(vip),
    });
    this.transitions = this.followTransitions();
    this.probing = new Probing({
      timers,
      isHeld: (vip) => this.vips.state.holdings.get(vip)?.phase === "on",
      probe: (vips) => this.vips.probe(vips),
    });
    this.own = new OwnAddresses({ addresses, fence, isHeld: (vip) => this.vips.state.holdings.has(vip) });
    this.arp = new ArpWatch({
      timers,
      addresses,
      changed: (vips) => {
        this.updateEligibility(vips);
        logStandingBack(log, vips, this.eligibility);
      },
    });
    this.elector = deps.makeElector(this.electorHost());
  }

  /** The host's state, for status. */
  get holdings(): VipState {
    return this.vips.state;
  }

  /** The configuration that is in force. */
  get running(): Config {
    return this.config;
  }

  /** Puts up the fence, removes what is not ours, and joins the fleet. Throws what the kernel refuses. */
  start(): void {
    const { identity, monitor, timers, log } = this.deps;
    this.own.look(this.config.vips);
    const stuck = this.vips.plan(this.own.plans(), this.own.fenced());
    if (stuck.length > 0)
      throw new VipdError(
        "kernel",
        "addresses that a former vipd bound, and that are not configured any more, cannot be removed",
        {
          ips: stuck.map(({ ip }) => ip),
        },
      );
    this.vips.sweep(identity.adopt);
    this.links.refresh();
    this.monitor = monitor((event) => this.onHostEvent(event));
    this.vips.beginListening();
    this.health.plan(this.config.checks);
    this.probing.plan(this.config.vips);
    this.arp.plan(this.config.vips);
    // Who takes up its own lease has not booted.
    if (!identity.adopt) this.checkIneligibility.begin(this.config.vips, this.config.startupDelayMs);
    this.updateEligibility(this.config.vips);
    logStandingBack(log, this.config.vips, this.eligibility);
    this.elector.start();
    this.cancelAdoption = timers.at(later(timers.now(), this.config.ttlMs), () => this.finishAdoption());
  }

  /** Whether a route or a rule of a VIP is set, for status. */
  isInPlace(vip: string, entry: RoutingEntry): boolean {
    return this.vips.routing.isInPlace(vip, entry);
  }

  /** Calls `listener` after each change of anything that status shows; the result ends it. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Tells whoever shows the status that something of it has changed that the daemon itself knows nothing of. */
  noteChange(): void {
    for (const listener of this.listeners) listener();
  }

  /** Hands an election over; the answer says why not, or nothing. */
  stepDown(election: string, to: string | null): string | undefined {
    return this.elector.stepDown(election, to, reason("step-down"));
  }

  /** Begins (`why`) or ends (`null`) maintenance of a VIP, or of all; the answer says why not, or nothing. Throws "admin". */
  maintain(vip: string | null, why: string | null): string | undefined {
    const refusal = changeMaintenance(this.deps.maintenance, this.config.vips, vip, why);
    if (refusal !== undefined) return refusal;
    this.updateEligibility(this.config.vips);
    this.changed();
    return undefined;
  }

  /** Adopts a new configuration. VIPs that are gone are released; the others change in place. Throws when the fence cannot follow: then nothing has changed. */
  reload(config: Config): void {
    const before = this.config.vips;
    this.own.look(config.vips);
    try {
      this.planChecks(config);
    } catch (error) {
      this.own.look(before);
      throw error;
    }
    const kept = new Set(config.vips.map(({ name }) => name));
    const gone = this.config.vips.filter(({ name }) => !kept.has(name));
    this.config = config;
    this.probing.plan(config.vips);
    this.arp.plan(config.vips);
    this.eligibility.keepOnly(kept);
    this.checkIneligibility.keepOnly(kept);
    this.withdraw(gone);
    this.transitions.stop(gone, reason("unconfigured"));
    this.updateEligibility(config.vips);
    logStandingBack(this.deps.log, config.vips, this.eligibility);
    this.deps.log.info({ vips: config.vips.length }, "configuration adopted");
  }

  /** Releases everything, hands over, leaves the fleet, and calls back: within STOP_MS, whatever the store does. */
  stop(onStopped: () => void): void {
    this.transitions.silence();
    const { timers, log } = this.deps;
    const cancel = timers.at(later(timers.now(), STOP_MS), () => {
      log.warn({}, "others were not told of our release in time: they wait until our lease or last advert ends");
      this.onStopped?.();
    });
    this.onStopped = () => {
      this.onStopped = undefined;
      cancel();
      this.close();
      onStopped();
    };
    this.elector.stop();
  }

  /** What is still bound keeps its fence for others' sake; a host that has released all leaves no trace. */
  private close(): void {
    const { fence, packets, identity, log } = this.deps;
    this.monitor?.close();
    this.cancelExpiry();
    this.cancelAdoption();
    this.links.close();
    this.probing.close();
    this.arp.close();
    this.elector.close();
    const left = this.vips.retire();
    this.transitions.stop(this.config.vips, reason("shutdown"));
    packets.close();
    if (left.length > 0)
      log.warn({ ips: left.map(({ ip }) => ip) }, "could not release all addresses: the fence stays");
    fence.release();
    identity.release();
  }

  private electorHost(): ElectorHost {
    const { log } = this.deps;
    return {
      gain: (grants, validity) => {
        this.gain(grants, validity);
        this.deps.identity.fenceWasSet();
      },
      extend: (validities) => {
        this.vips.extend(validities);
        this.deps.identity.fenceWasSet();
      },
      lose: (losses) => this.lose(losses),
      adopted: (former) => {
        this.former = former;
        this.vips.sweep(false, (vip, address) => isUnheld(former, vip, address));
      },
      confirm: (confirmed) =>
        this.vips.post({
          type: "confirm",
          grants: confirmed.map(({ election, addresses }) => ({ vip: election, addresses })),
        }),
      announce: (vip) => this.vips.post({ type: "announce-anew", vip }),
      contested: (vip, by) => this.vips.post({ type: "probed", vip, others: by === null ? [] : [by] }),
      note: (level, election, text) =>
        log[level === "warning" ? "warn" : "info"](election === null ? {} : { vip: election }, text),
      changed: () => this.changed(),
      stopped: () => this.onStopped?.(),
    };
  }

  private gain(grants: readonly Grant[], validity: Validity): void {
    logGains(this.deps.log, grants);
    for (const { election, reason: why } of grants) this.transitions.because(election, why);
    const gained = grants.map(({ election, addresses }) => ({ vip: election, addresses }));
    const names = new Set(gained.map(({ vip }) => vip));
    this.checkIneligibility.gained(this.config.vips.filter(({ name }) => names.has(name)));
    this.vips.post({ type: "gain", grants: gained, ...validity });
  }

  private lose(losses: readonly Loss[]): void {
    for (const { election, reason: why } of losses) {
      this.transitions.because(election, why);
      this.checkIneligibility.lost(election, why);
    }
    const left = this.leftOf(losses.flatMap(({ election, token }) => (token === null ? [election] : [])));
    this.vips.post({
      type: "lose",
      losses: losses.map(({ election, reason: why }) => ({
        vip: election,
        reason: why,
        left: left.get(election) ?? [],
      })),
    });
    logLosses(this.deps.log, losses);
  }

  /** What a former process has left for these elections: it goes with them, also where another VIP has the address by now. */
  private leftOf(elections: readonly string[]): ReadonlyMap<string, readonly VipAddress[]> {
    const former = elections.flatMap((election) =>
      (this.former.get(election) ?? []).map((ip) => [ip, election] as const),
    );
    if (former.length === 0) return new Map();
    const owners = new Map(former);
    return Map.groupBy(this.vips.leftOf(new Set(owners.keys())), ({ ip }) => owners.get(ip) ?? "");
  }

  private vipListener(): ConstructorParameters<typeof VipHolder>[0]["listener"] {
    const { log, timers } = this.deps;
    return {
      held: (vips) => {
        const now = timers.now();
        for (const vip of vips) this.backoff.held(vip, now);
        for (const vip of vips)
          log.info({ vip, token: String(this.elector.tokenOf(vip) ?? "") }, "answers for the VIP");
        this.probing.held(vips);
        const held = new Set(vips);
        this.transitions.look(this.config.vips.filter(({ name }) => held.has(name)));
      },
      shrunk: (vips) => this.eligibilityChanged(vips),
      released: (losses) => this.released(losses),
      holdFailed: (vip, why) => this.holdFailed(vip, why),
      conflict: (vip, others) => this.conflict(vip, others),
    };
  }

  private released(losses: readonly VipLoss[]): void {
    this.elector.released(losses.map(({ vip }) => vip));
    const released = new Set(losses.map(({ vip }) => vip));
    // Addresses that were still on the host are published no longer.
    this.updateEligibility(this.config.vips.filter(({ name }) => released.delete(name)));
    if (this.own.isPostponed(losses.map(({ vip }) => vip))) this.lookAtOwn();
    // What is not configured any more needs no guard once it is gone.
    if (released.size > 0) this.vips.protect();
  }

  private holdFailed(vip: string, why: Reason): void {
    const now = this.deps.timers.now();
    const until = this.backoff.failed(vip, now);
    if (this.eligibility.set(vip, "hold-backoff", { reason: why, until }, now)) this.eligibilityChanged([vip]);
  }

  /** The host got an address that is a VIP, or lost it. */
  private lookAtOwn(): void {
    const changed = this.own.look();
    if (changed.size === 0) return;
    const vips = this.config.vips.filter(({ name }) => changed.has(name));
    try {
      this.vips.plan(this.own.plans(), this.own.fenced());
    } catch (error) {
      this.deps.log.error({}, `the fence cannot follow this host's addresses: ${messageOf(error)}`);
    }
    this.updateEligibility(vips);
    logStandingBack(this.deps.log, vips, this.eligibility);
  }

  private onHostEvent(event: HostEvent | RoutingRemoved): void {
    if (event.kind === "routing-removed") {
      this.noteChange();
      return this.vips.onRoutingRemoved(event.key);
    }
    if (this.own.concerns(event)) this.lookAtOwn();
    // Whatever came of that: what the host has as its own is never removed.
    if (event.kind === "address-added" && this.own.has(event.address.ip)) return;
    this.vips.onHostEvent(event);
    if (event.kind !== "address-added" && event.kind !== "address-removed") this.links.onHostEvent(event);
  }

  /** Asks the sources of eligibility again, and tells the elector what is news. */
  private updateEligibility(vips: readonly VipConfig[]): void {
    const { maintenance, timers } = this.deps;
    const now = timers.now();
    const standings = this.health.standings(vips);
    this.checkIneligibility.update(standings);
    for (const vip of vips) {
      const { name } = vip;
      this.eligibility.set(name, "link", untilChanged("link-down", this.links.troubleOf(vip)), now);
      this.eligibility.set(name, "maintenance", untilChanged("maintenance", maintenance?.reasonFor(name)), now);
      this.eligibility.set(name, "address", lasting(this.own.troubleOf(name)), now);
      this.eligibility.set(name, "arp-settings", lasting(this.arp.troubleOf(vip)), now);
    }
    this.updateCandidacies(vips, standings);
    this.scheduleExpiry();
  }

  private eligibilityChanged(vips: readonly string[]): void {
    const changed = new Set(vips);
    this.updateCandidacies(this.config.vips.filter(({ name }) => changed.has(name)));
    this.scheduleExpiry();
  }

  private scheduleExpiry(): void {
    const { timers } = this.deps;
    this.cancelExpiry();
    const at = this.eligibility.nextExpiry();
    this.cancelExpiry =
      at === NEVER ? () => {} : timers.at(at, () => this.eligibilityChanged(this.eligibility.expire(timers.now())));
  }

  /** Tells the elector what this host brings to its elections, where that is news. */
  private updateCandidacies(vips: readonly VipConfig[], standings = this.health.standings(vips)): void {
    const changes = new Map<string, Candidacy>();
    for (const vip of vips) {
      const fitness = fitnessOf(vip, standings.get(vip.name), this.eligibility);
      const candidacy = candidacyOf(vip, fitness, addressesLeft(this.vips.state, vip.name));
      const known = this.candidacies.get(vip.name);
      if (known !== undefined && sameCandidacy(known, candidacy)) continue;
      this.candidacies.set(vip.name, candidacy);
      changes.set(vip.name, candidacy);
    }
    if (changes.size > 0) this.elector.updateCandidacies(changes);
    this.transitions.look(vips);
  }

  private checkChanged(check: string): void {
    this.updateEligibility(this.config.vips.filter(({ checks }) => checks.some((tracked) => tracked.check === check)));
    this.changed();
  }

  /** The checks first: when the fence cannot follow, the former ones go on. */
  private planChecks(config: Config): void {
    this.health.plan(config.checks);
    try {
      this.vips.plan(this.own.plans(), this.own.fenced());
    } catch (error) {
      this.health.plan(this.config.checks);
      throw error;
    }
  }

  private followTransitions(): Transitions {
    return new Transitions({
      clock: this.deps.timers,
      node: this.config.node,
      tell: (event) => this.deps.tell?.(event),
      holdingOf: (vip) => this.vips.state.holdings.get(vip),
      ineligibleReason: (vip) => this.eligibility.reasonFor(vip),
      tokenOf: (vip) => String(this.elector.tokenOf(vip) ?? ""),
      priorityOf: (vip) => this.health.standings([vip]).get(vip.name)?.priority ?? vip.priority,
    });
  }

  private conflict(name: string, others: string | null): void {
    const vip = this.config.vips.find((each) => each.name === name);
    if (vip !== undefined && others !== null) this.transitions.conflict(vip, others);
    this.changed();
  }

  private withdraw(vips: readonly VipConfig[]): void {
    if (vips.length === 0) return;
    for (const { name } of vips) this.candidacies.delete(name);
    this.elector.updateCandidacies(new Map(vips.map(({ name }) => [name, null])));
  }

  private changed(): void {
    if (!this.adoptionFinished && this.elector.knowsFormer) this.finishAdoption();
    this.noteChange();
  }

  /** Once it is known which VIPs a former process holds still, or that its lease is over, the others are removed. */
  private finishAdoption(): void {
    if (this.adoptionFinished) return;
    if (this.config.vips.some(({ name }) => this.elector.isUndecided(name))) return;
    this.adoptionFinished = true;
    this.vips.sweep(false);
    this.transitions.atRest();
    this.updateEligibility(this.config.vips);
  }
}

/** Whether a former process does not hold a VIP, or this address of it. */
function isUnheld(former: ReadonlyMap<string, readonly string[]>, vip: string, address: AddressPlace | null): boolean {
  const granted = former.get(vip);
  return granted === undefined || (address !== null && !isGranted(new Set(granted), address));
}
