// VRRP as an elector: one virtual router a VIP, speaking with whatever other VRRP routers there are on the wire. There is no
// store. A master's own adverts are its lease (src/vrrp/timing.ts), so that the fence and the lifetimes of addresses hold here
// as they do for a lease: who is frozen, killed or starved is silent before a peer's master-down timer can fire.
//
// What VRRP cannot promise: routers that do not hear each other are all masters.

import type { Candidacy } from "../base/candidacy.ts";
import { type Reason, reason } from "../base/reasons.ts";
import { later } from "../base/time.ts";
import { VRRP_CAVEAT } from "../base/vrrp.ts";
import type { VipConfig } from "../config/types.ts";
import type { Timers } from "../ports/clock.ts";
import type { Elector, ElectorHost, Loss, Token } from "../ports/elector.ts";
import type { AdvertSender } from "../ports/vrrp.ts";
import { type OpenReceiver, AdvertListeners } from "./advert-listeners.ts";
import { type AskIfSilent, type ElectionDeps, VrrpElection } from "./vrrp-election.ts";
import type { StepVrrp } from "./virtual-router.ts";
import type { HistoryKeeper } from "./vrrp-history-file.ts";
import type { HostInterfaces } from "./vrrp-place.ts";

/** Between two signs of life, in milliseconds; and so many come in each interval of the fastest router that speaks. */
const PULSE_MS = { least: 5, most: 250 };
const PULSES_PER_INTERVAL = 4;

/** More virtual routers than these go easy on the kernel, unless told otherwise. */
const CROWD = 64;

/** What a VRRP elector works with, besides its host. */
export interface VrrpElectorDeps {
  readonly node: string;
  readonly timers: Timers;
  readonly sender: AdvertSender;
  readonly openReceiver: OpenReceiver;
  /** What was seen of masters, also before this process. */
  readonly histories: HistoryKeeper;
  readonly place: () => HostInterfaces;
  /** The VIPs that are configured now. */
  readonly vips: () => readonly VipConfig[];
  /** Whether this node may become the master of it now. */
  readonly mayClaim: (election: string) => boolean;
  /** Its deadlines have this number and greater ones. */
  readonly firstDeadline: number;
  readonly askIfSilent?: AskIfSilent;
  /** More virtual routers than these go easy on the kernel; the simulation has few. */
  readonly crowd?: number;
  /** The machines' step; the simulation wraps it to look on. */
  readonly step?: StepVrrp;
}

/** An elector by adverts. */
export class VrrpElector implements Elector {
  readonly kind = "vrrp";
  readonly knowsFormer = true;
  private readonly deps: VrrpElectorDeps;
  private readonly host: ElectorHost;
  private readonly listeners: AdvertListeners;
  private readonly elections = new Map<string, VrrpElection>();
  private started = false;
  private stopping = false;
  private nextDeadline: number;
  /** The deadlines of elections that are over may be used again: the host holds nothing under them. */
  private readonly freeDeadlines: number[] = [];
  /** What goes to the host together; `null`: each loss goes by itself. */
  private losses: Loss[] | null = null;
  private pulseMs = Number.POSITIVE_INFINITY;
  private cancelPulse: () => void = () => {};

  constructor(deps: VrrpElectorDeps, host: ElectorHost) {
    this.deps = deps;
    this.host = host;
    this.nextDeadline = deps.firstDeadline;
    this.listeners = new AdvertListeners({ clock: deps.timers, openReceiver: deps.openReceiver });
  }

  /** For status. */
  get all(): ReadonlyMap<string, VrrpElection> {
    return this.elections;
  }

  start(): void {
    this.started = true;
    if (this.elections.size > 0)
      this.host.note("warning", null, `${[...this.elections.keys()].join(", ")}: elected by VRRP. ${VRRP_CAVEAT}`);
    this.refresh();
  }

  /** The configuration may be another one: virtual routers change in place where they can. */
  refresh(): void {
    if (this.started && !this.stopping) for (const election of [...this.elections.values()]) election.refresh();
    this.host.changed();
  }

  /** This node may become the master of it from now on. */
  wake(election: string): void {
    this.elections.get(election)?.wake();
  }

  updateCandidacies(changes: ReadonlyMap<string, Candidacy | null>): void {
    this.together(() => {
      for (const [name, candidacy] of changes) this.updateCandidacy(name, candidacy);
    });
  }

  released(elections: readonly string[]): void {
    for (const name of elections) this.elections.get(name)?.released();
  }

  tokenOf(election: string): Token | undefined {
    return this.elections.get(election)?.token ?? undefined;
  }

  /** What a former process held, it held by adverts that are over. */
  isUndecided(): boolean {
    return false;
  }

  stepDown(election: string, to: string | null, why: Reason): string | undefined {
    const known = this.elections.get(election);
    if (known === undefined || (known.token === null && !known.isSpeaking))
      return `this node does not hold ${election}`;
    if (to !== null)
      return `${election} is elected by VRRP, which cannot name a successor: leave out --to, and the best of the others takes it`;
    known.stepDown(why);
    return undefined;
  }

  stop(): void {
    this.stopping = true;
    if (this.elections.size === 0) return this.host.stopped();
    this.together(() => {
      for (const election of [...this.elections.values()]) election.leave(reason("shutdown"));
    });
  }

  close(): void {
    this.cancelPulse();
    for (const election of this.elections.values()) election.close();
    this.elections.clear();
  }

  private updateCandidacy(name: string, candidacy: Candidacy | null): void {
    const known = this.elections.get(name);
    if (candidacy === null) return known?.leave(reason("unconfigured"));
    const election = known ?? this.begin(name);
    election.wish(candidacy);
    if (this.started && !this.stopping) election.refresh();
  }

  /** Hundreds of routers that are lost at once, by a stop or a cable that is pulled, cost the kernel little more than one. */
  private together(run: () => void): void {
    const losses: Loss[] = [];
    this.losses = losses;
    try {
      run();
    } finally {
      this.losses = null;
      if (losses.length > 0) this.host.lose(losses);
    }
  }

  private lose(loss: Loss): void {
    if (this.losses === null) this.host.lose([loss]);
    else this.losses.push(loss);
  }

  private begin(name: string): VrrpElection {
    const deadline = this.freeDeadlines.pop() ?? this.nextDeadline++;
    const { deps, host, listeners } = this;
    const electionDeps: ElectionDeps = {
      node: deps.node,
      timers: deps.timers,
      sender: deps.sender,
      place: deps.place,
      vips: deps.vips,
      histories: deps.histories,
      host,
      listeners,
      isCrowded: () => this.elections.size > (deps.crowd ?? CROWD),
      mayClaim: () => deps.mayClaim(name),
      askIfSilent: deps.askIfSilent,
      lose: (loss) => this.lose(loss),
      speaks: () => this.keepAlive(),
      gone: () => this.gone(name, deadline),
      step: deps.step,
    };
    const election = new VrrpElection(name, deadline, electionDeps);
    this.elections.set(name, election);
    return election;
  }

  private gone(name: string, deadline: number): void {
    this.elections.delete(name);
    this.freeDeadlines.push(deadline);
    this.host.changed();
    if (this.stopping && this.elections.size === 0) this.host.stopped();
  }

  /** Somebody begins to speak: a sign of life now, and from now on often enough for the fastest. */
  private keepAlive(): void {
    const wantedMs = this.wantedPulseMs();
    if (wantedMs >= this.pulseMs) return;
    if (this.pulseMs === Number.POSITIVE_INFINITY) this.deps.sender.alive();
    this.schedulePulse(wantedMs);
  }

  private schedulePulse(ms: number): void {
    const { timers } = this.deps;
    this.cancelPulse();
    this.pulseMs = ms;
    this.cancelPulse = timers.at(later(timers.now(), ms), () => this.pulse());
  }

  /** Every lease is judged before the sending thread is told that this program lives. */
  private pulse(): void {
    this.pulseMs = Number.POSITIVE_INFINITY;
    const now = this.deps.timers.now();
    for (const election of [...this.elections.values()]) election.tick(now);
    this.deps.sender.alive();
    const extensions = [...this.elections.values()].flatMap((election) => election.takeExtension(now) ?? []);
    if (extensions.length > 0) this.host.extend(extensions);
    const wantedMs = this.wantedPulseMs();
    if (wantedMs < this.pulseMs) this.schedulePulse(wantedMs);
  }

  /** Infinity: nobody speaks. */
  private wantedPulseMs(): number {
    let fastestMs = Number.POSITIVE_INFINITY;
    for (const election of this.elections.values()) fastestMs = Math.min(fastestMs, election.speakingIntervalMs);
    if (fastestMs === Number.POSITIVE_INFINITY) return fastestMs;
    return Math.min(PULSE_MS.most, Math.max(PULSE_MS.least, fastestMs / PULSES_PER_INTERVAL));
  }
}
