// One daemon: it takes part in the elections of its VIPs, and does on the host what they decide.

import type { Config, VipConfig } from "../config/types.ts";
import type { Effect, State } from "../election/state.ts";
import { ownToken } from "../election/tenure.ts";
import type { Entropy, Timers } from "../ports/clock.ts";
import type { AddressTable, Fence, HostEvent, HostMonitor, Link, PacketLink } from "../ports/host.ts";
import type { IdentityKeeper } from "../ports/identity.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store } from "../ports/store.ts";
import { type HostEffect, Participant } from "../runtime/participant.ts";
import { VipdError } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { VipPlan, VipState } from "../vip/state.ts";
import { candidacyOf } from "./eligibility.ts";
import { VipHolder } from "./vip-holder.ts";

/** A daemon that stops gives the store this long to take note, in milliseconds. */
const STOP_MS = 800;

/** A host that could not hold a VIP leaves it to others for this many leases. */
const UNFIT_LEASES = 2;

/** The parts that a daemon works with. */
export interface DaemonDeps {
  readonly store: Store;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly identity: IdentityKeeper;
  readonly addresses: AddressTable;
  readonly fence: Fence;
  readonly packets: PacketLink;
  readonly monitor: (onEvent: (event: HostEvent) => void) => HostMonitor;
  readonly log: Logger;
  /** The name of this host, for people. */
  readonly hostName: string;
}

/** A running daemon. */
export class Daemon {
  private config: Config;
  private readonly deps: DaemonDeps;
  private readonly participant: Participant;
  private readonly vips: VipHolder;
  private readonly listeners = new Set<() => void>();
  private readonly whenStopped: Promise<void>;
  private stopped: () => void = () => {};
  private monitor: HostMonitor | undefined;
  private links: readonly Link[] = [];
  private settled = false;

  constructor(config: Config, deps: DaemonDeps) {
    this.config = config;
    this.deps = deps;
    const { store, timers, entropy, identity, addresses, fence, packets, log, hostName } = deps;
    this.whenStopped = new Promise((resolve) => (this.stopped = resolve));
    this.vips = new VipHolder({
      timers,
      addresses,
      fence,
      packets,
      log,
      listener: {
        held: (vip) => log.info({ vip, token: this.tokenOf(vip) }, "holding: answers for the VIP"),
        released: (election) => this.participant.post({ type: "let-go", election }),
        unfit: (election, reason) =>
          this.participant.post({ type: "unfit", election, reason, forMs: UNFIT_LEASES * config.ttlMs }),
      },
    });
    const self = {
      node: config.node,
      fleet: config.fleet,
      host: hostName,
      processId: entropy.uniqueId(),
      ttlMs: config.ttlMs,
    };
    this.participant = new Participant(
      { self, incarnation: identity.incarnation, adopt: identity.adopt },
      { store, timers, entropy, perform: (effect) => this.perform(effect), onChange: () => this.changed() },
    );
  }

  /** The election's state, for status. */
  get election(): State {
    return this.participant.state;
  }

  /** The host's state, for status. */
  get holdings(): VipState {
    return this.vips.state;
  }

  /** Puts up the fence, removes what is not ours, and joins the fleet. Throws what the kernel refuses. */
  start(): void {
    const stuck = this.vips.plan(this.config.vips.map(planOf));
    if (stuck.length > 0)
      throw new VipdError(
        "kernel",
        "addresses of an earlier process that are not configured any more cannot be removed",
        {
          ips: stuck.map(({ ip }) => ip),
        },
      );
    this.vips.sweep(this.deps.identity.adopt);
    this.links = this.deps.addresses.links();
    this.monitor = this.deps.monitor((event) => this.hear(event));
    for (const vip of this.config.vips) this.stand(vip);
    this.participant.start();
    const { timers } = this.deps;
    timers.at(later(timers.now(), this.config.ttlMs), () => this.settle());
  }

  /** Calls `listener` after each change of anything that status shows; the result ends it. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Hands an election over; the answer says why not, or nothing. */
  stepDown(election: string, to: string | null): string | undefined {
    if (this.participant.state.tenures.get(election)?.phase !== "on") return `this node does not hold ${election}`;
    this.participant.post({ type: "step-down", election, to });
    const { stepDowns, tenures } = this.participant.state;
    if (stepDowns.has(election) || tenures.get(election)?.phase !== "on") return undefined;
    return to === null ? "no other eligible candidate is alive" : `${to} is no eligible candidate that is alive`;
  }

  /** Adopts a new configuration; only VIPs that are gone or have other addresses are let go. */
  reload(config: Config): void {
    const kept = new Map(config.vips.map((vip) => [vip.name, vip]));
    for (const vip of this.config.vips) {
      const next = kept.get(vip.name);
      if (next === undefined || addressKey(next) !== addressKey(vip))
        this.participant.post({ type: "candidacy", election: vip.name, candidacy: null });
    }
    this.config = config;
    this.vips.plan(config.vips.map(planOf));
    for (const vip of config.vips) this.stand(vip);
    this.deps.log.info({ vips: config.vips.map((vip) => vip.name) }, "configuration adopted");
  }

  /** Lets go of everything, hands over, leaves the fleet: within STOP_MS, whatever the store does. */
  async stop(): Promise<void> {
    const { timers, log } = this.deps;
    this.participant.post({ type: "stop" });
    const cancel = timers.at(later(timers.now(), STOP_MS), () => {
      log.warn({}, "the store did not take note of our leaving in time: others wait for the lease to end");
      this.stopped();
    });
    await this.whenStopped;
    cancel();
    this.close();
  }

  /** What is still bound keeps its fence for others' sake; a host that let go of all leaves no trace. */
  private close(): void {
    const { fence, packets, identity, log } = this.deps;
    this.monitor?.close();
    this.participant.close();
    const left = this.vips.retire();
    packets.close();
    if (left.length > 0) log.warn({ ips: left.map(({ ip }) => ip) }, "could not let go of all: the fence stays");
    fence.release();
    identity.release();
  }

  private perform(effect: HostEffect): void {
    const { log, identity } = this.deps;
    switch (effect.type) {
      case "gain":
        log.info({ vip: effect.election, token: String(effect.token) }, "won: the store names this node the holder");
        return this.vips.post({ type: "gain", vip: effect.election, until: effect.until });
      case "extend":
        return this.vips.post({ type: "extend", until: effect.until });
      case "lose":
        this.vips.post({ type: "lose", vip: effect.election, reason: effect.reason });
        return log.info({ vip: effect.election, reason: effect.reason }, "let go");
      case "renew-incarnation":
        return this.participant.post({ type: "incarnation", incarnation: identity.renew() });
      case "note":
        return this.note(effect);
      case "stopped":
        return this.stopped();
    }
  }

  private note(effect: Extract<Effect, { type: "note" }>): void {
    const fields = effect.election === undefined ? {} : { vip: effect.election };
    this.deps.log[effect.level === "warning" ? "warn" : "info"](fields, effect.text);
  }

  private hear(event: HostEvent): void {
    this.vips.hear(event);
    if (event.kind !== "address-added" && event.kind !== "address-removed") {
      this.links = this.deps.addresses.links();
      for (const vip of this.config.vips) this.stand(vip);
    }
  }

  /** Tells the election what this host brings to it, when that is news. */
  private stand(vip: VipConfig): void {
    const candidacy = candidacyOf(vip, this.links);
    const known = this.participant.state.candidacies.get(vip.name);
    if (JSON.stringify(known) !== JSON.stringify(candidacy))
      this.participant.post({ type: "candidacy", election: vip.name, candidacy });
  }

  private changed(): void {
    const { synced, identity, mirror } = this.participant.state;
    if (synced && (identity.kind === "spent" || mirror.sessions.has(this.config.node))) this.settle();
    for (const listener of this.listeners) listener();
  }

  /** Once it is known which VIPs an earlier process holds still, or that its lease is over, the others are removed. */
  private settle(): void {
    if (this.settled) return;
    const { state } = this.participant;
    const undecided = this.config.vips.some(
      (vip) => ownToken(state, vip.name) !== undefined && !state.tenures.has(vip.name),
    );
    if (undecided && state.synced) return;
    this.settled = true;
    this.vips.sweep(false);
  }

  private tokenOf(vip: string): string | undefined {
    const tenure = this.participant.state.tenures.get(vip);
    return tenure?.phase === "on" ? String(tenure.token) : undefined;
  }
}

function planOf(vip: VipConfig): VipPlan {
  return { name: vip.name, addresses: vip.addresses, announce: vip.announce };
}

function addressKey(vip: VipConfig): string {
  return JSON.stringify(vip.addresses);
}
