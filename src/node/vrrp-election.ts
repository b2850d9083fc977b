// One VIP that VRRP decides about: its virtual router, opened while this host may hold the VIP and closed while it may not,
// so that an interface that comes back is found anew.

import { isDeepStrictEqual } from "node:util";
import type { Candidacy } from "../base/candidacy.ts";
import { messageOf } from "../base/errors.ts";
import { type Reason, reason, sameReason } from "../base/reasons.ts";
import { elapsedMs, type Instant, later, LONG_AGO } from "../base/time.ts";
import { VRRP_PRIORITY_STOP } from "../base/vrrp.ts";
import type { VipAddress } from "../base/vip.ts";
import { grantFor } from "../base/virtual-mac.ts";
import type { VipConfig, VrrpConfig } from "../config/types.ts";
import type { Timers } from "../ports/clock.ts";
import type { ElectorHost, Loss, Token, Validity } from "../ports/elector.ts";
import type { AdvertSender } from "../ports/vrrp.ts";
import type { VrrpRouter } from "../vrrp/router.ts";
import type { Rival, VrrpState } from "../vrrp/state.ts";
import { type RouterEffect, type StepVrrp, VirtualRouter, type VirtualRouterOptions } from "./virtual-router.ts";
import type { AdvertListeners } from "./advert-listeners.ts";
import type { VrrpHistory } from "./vrrp-history.ts";
import type { HistoryKeeper } from "./vrrp-history-file.ts";
import { isAnother, isSlow, obstacleOf, optionsOf, plain, priorityOf } from "./vrrp-options.ts";
import { askableOn, findSource, type HostInterfaces } from "./vrrp-place.ts";

/** Sockets that cannot be opened are tried again after this, in milliseconds. */
const OPEN_RETRY_MS = 1_000;

/** A master that skips an extension has an interval left for the next one: of a second or more that is enough. */
const LONG_INTERVAL_MS = 1_000;

/** An extension is skipped in the expectation of a greater one, of so many intervals at least. */
const WORTH_INTERVALS = 1.5;

/**
 * When so many intervals are left, the advert that would have brought the greater one is late: what was skipped is told. More than
 * that, and those who are in time would need every extension.
 */
const LATE_INTERVALS = 0.9;

/** Tells, within tens of milliseconds, whether no other host answers for these addresses. */
export type AskIfSilent = (addresses: readonly VipAddress[], done: (isSilent: boolean) => void) => void;

/** What an election works with. */
export interface ElectionDeps {
  readonly node: string;
  readonly timers: Timers;
  readonly sender: AdvertSender;
  readonly listeners: AdvertListeners;
  readonly histories: HistoryKeeper;
  readonly host: ElectorHost;
  readonly place: () => HostInterfaces;
  readonly vips: () => readonly VipConfig[];
  /** Whether it may become the master now. */
  readonly mayClaim: () => boolean;
  /** Whether there are so many routers that each kernel call counts: then extensions wait for `takeExtension`. */
  readonly isCrowded: () => boolean;
  /** Asks the wire whether anybody else answers for these; absent where it cannot be asked. `false`: nobody knows. */
  readonly askIfSilent: AskIfSilent | undefined;
  /** Has the host let go, at the end of what goes on now at the latest. */
  readonly lose: (loss: Loss) => void;
  /** Its router begins to speak. */
  readonly speaks: () => void;
  /** It has left the wire, for good. */
  readonly gone: () => void;
  readonly step: StepVrrp | undefined;
}

/** The part of this node in one VIP. */
export class VrrpElection {
  readonly name: string;
  readonly history: VrrpHistory;
  private readonly deadline: number;
  private readonly deps: ElectionDeps;
  private candidacy: Candidacy | null = null;
  private router: VirtualRouter | null = null;
  private held: Token | null = null;
  private lastToken: Token;
  /** Until when the host was told that it may hold it. */
  private heldUntil: Instant = LONG_AGO;
  /** A later time that the host has not been told yet. */
  private extension: Instant | null = null;
  /** Why it cannot take part; `null`: it can. */
  private problem: string | null = null;
  private shown = "";
  /** The last master that was heard before it said farewell. */
  private lastMaster: Rival | null = null;
  /** When the farewell was heard about which the wire was asked last, and whether its answer is still to come. */
  private asked: { readonly about: Instant; isOpen: boolean } | null = null;
  private cancelRetry: () => void = () => {};

  constructor(name: string, deadline: number, deps: ElectionDeps) {
    this.name = name;
    this.deadline = deadline;
    this.deps = deps;
    this.history = deps.histories.of(name);
    this.lastToken = this.history.last?.token ?? 0n;
    // What a former process held, it held by adverts that are over.
    if (this.history.holder === deps.node) this.see(null, reason("started"));
  }

  /** The token under which this node holds it; `null`: it does not. */
  get token(): Token | null {
    return this.held;
  }

  /** The machine's state; `null`: it takes no part. */
  get state(): VrrpState | null {
    return this.router?.state ?? null;
  }

  get trouble(): string | null {
    return this.problem;
  }

  /** What this host brings to it. */
  get brings(): Candidacy | null {
    return this.candidacy;
  }

  /** When this node's last advert left. */
  get lastSentAt(): Instant | null {
    return this.router?.lastSentAt ?? null;
  }

  /** The interval of a router that speaks; Infinity: it does not. */
  get speakingIntervalMs(): number {
    const { router } = this;
    return this.isSpeaking && router !== null ? router.state.router.intervalMs : Number.POSITIVE_INFINITY;
  }

  get isSpeaking(): boolean {
    return this.router?.isSpeaking === true;
  }

  /** The master that is heard, also by who replaces it; `null`: none is. */
  get master(): Rival | null {
    const phase = this.router?.state.phase;
    if (phase?.kind === "claiming") return phase.former?.rival ?? null;
    if (phase?.kind !== "backup" || phase.listening.master?.priority === VRRP_PRIORITY_STOP) return null;
    return phase.listening.master;
  }

  /** As the configuration has it now. */
  private get vip(): VipConfig | undefined {
    return this.deps.vips().find(({ name }) => name === this.name);
  }

  /** Its addresses that the wire can be asked about. */
  private get askable(): readonly VipAddress[] {
    return askableOn(this.deps.place().links, this.vip?.addresses ?? []);
  }

  wish(candidacy: Candidacy): void {
    this.candidacy = candidacy;
  }

  /** Leaves the wire, and tells when it has. */
  leave(why: Reason): void {
    this.candidacy = null;
    this.cancelRetry();
    if (this.router === null) this.deps.gone();
    else this.router.post({ type: "stop", reason: why });
  }

  /** Brings the virtual router in line with the configuration and with what the host brings. */
  refresh(): void {
    const { candidacy, router } = this;
    const { vip } = this;
    if (candidacy === null || vip?.vrrp === undefined) return;
    if (router === null) {
      if (obstacleOf(candidacy) === null) this.open(vip, vip.vrrp);
      return;
    }
    const found = findSource(vip, vip.vrrp, this.deps.vips(), this.deps.place());
    // An address that has gone for a moment is the link's business; another one is another router.
    const source = "source" in found ? found.source : router.state.router.source;
    const options = optionsOf(vip, vip.vrrp, candidacy, source);
    if (isAnother(router.options, options)) return router.post({ type: "stop", reason: reason("reconfigured") });
    this.equip(router, options);
    this.adapt(router, options.router, vip, vip.vrrp);
  }

  stepDown(why: Reason): void {
    this.router?.post({ type: "step-down", reason: why });
  }

  /** It may become the master from now on. */
  wake(): void {
    this.router?.wake();
    this.follow();
  }

  /** Judges its lease, and whatever else is due. */
  tick(now: Instant): void {
    this.router?.tickWhenDue(now);
  }

  /** What the host is to be told together with what others have to tell it. */
  takeExtension(now: Instant): Validity | null {
    const { extension, deadline } = this;
    if (extension === null || this.maySkip(extension, now)) return null;
    this.extension = null;
    this.heldUntil = extension;
    return { deadline, until: extension };
  }

  /** The host does not hold it any more: by this election's word, or because it cannot. */
  released(): void {
    const { router } = this;
    if (router === null) return;
    this.extension = null;
    if (!router.isSpeaking) return router.post({ type: "released" });
    this.held = null;
    router.post({ type: isSlow(this.candidacy) ? "too-slow" : "unable" });
  }

  close(): void {
    this.cancelRetry();
    this.router?.close();
    this.router = null;
  }

  private open(vip: VipConfig, vrrp: VrrpConfig): void {
    const { candidacy, deps } = this;
    if (candidacy === null) return;
    this.cancelRetry();
    const found = findSource(vip, vrrp, deps.vips(), deps.place());
    if ("trouble" in found) return this.tryLater(found.trouble);
    const { timers, sender, listeners, speaks, mayClaim, step } = deps;
    try {
      this.router = new VirtualRouter(optionsOf(vip, vrrp, candidacy, found.source), {
        timers,
        sender,
        listeners,
        mayClaim,
        speaks,
        ...(step === undefined ? {} : { step }),
        perform: (effect) => this.perform(effect),
        onRest: () => this.rest(),
      });
    } catch (error) {
      return this.tryLater(messageOf(error));
    }
    this.problem = null;
    this.router.post({ type: "priority", priority: priorityOf(vip, vrrp, candidacy) });
    this.router.post({ type: "tick" });
  }

  private tryLater(problem: string): void {
    const { timers, host } = this.deps;
    if (problem !== this.problem) host.note("warning", this.name, `VRRP cannot take part: ${problem}`);
    this.problem = problem;
    this.cancelRetry = timers.at(later(timers.now(), OPEN_RETRY_MS), () => this.refresh());
    host.changed();
  }

  /** Keys, and the virtual MAC, change one host after the other: that must not move anything. */
  private equip(router: VirtualRouter, { authentication, sourceMac }: VirtualRouterOptions): void {
    const { options } = router;
    if (sourceMac === options.sourceMac && isDeepStrictEqual(authentication, options.authentication)) return;
    try {
      router.equip(authentication, sourceMac);
    } catch (error) {
      const text = `VRRP goes on with the authentication and the source MAC that it had: ${messageOf(error)}`;
      this.deps.host.note("warning", this.name, text);
    }
  }

  private adapt(router: VirtualRouter, wanted: VrrpRouter, vip: VipConfig, vrrp: VrrpConfig): void {
    const { candidacy } = this;
    if (candidacy === null) return;
    if (JSON.stringify(plain(wanted)) !== JSON.stringify(plain(router.state.router)))
      router.post({ type: "configure", router: wanted });
    router.post({ type: "priority", priority: priorityOf(vip, vrrp, candidacy) });
    const ineligible = obstacleOf(candidacy);
    if (!sameReason(ineligible, router.state.ineligible)) router.post({ type: "fitness", ineligible });
    if (this.held !== null) this.deps.host.confirm([{ election: this.name, addresses: grantFor(vip.addresses) }]);
  }

  private perform(effect: RouterEffect): void {
    const { host } = this.deps;
    switch (effect.type) {
      case "gain":
        return this.gain(effect.until);
      case "extend":
        return this.extend(effect.until);
      case "lose":
        return this.lose(effect.change);
      case "ask":
        return this.ask(effect.askedAt);
      case "announce":
        return host.announce(this.name);
      case "conflict-begins":
        return host.contested(this.name, `the VRRP master ${effect.rival.source}, priority ${effect.rival.priority}`);
      case "conflict-ends":
        return host.contested(this.name, null);
      case "note":
        return host.note(
          effect.level,
          this.name,
          effect.count > 1 ? `${effect.text} (${effect.count} times)` : effect.text,
        );
      case "moved":
      case "stopped":
        // Seen at rest.
        return;
    }
  }

  private gain(until: Instant): void {
    const { timers, host } = this.deps;
    const { router, vip } = this;
    const wallMs = BigInt(Math.floor(timers.wallMs()));
    const previousToken = this.lastToken === 0n ? null : this.lastToken;
    this.lastToken = wallMs > this.lastToken ? wallMs : this.lastToken + 1n;
    this.held = this.lastToken;
    const why = router === null ? reason("first-holder") : router.state.change;
    this.heldUntil = until;
    this.extension = null;
    const grant = { election: this.name, token: this.held, previousToken, vacantMs: null, reason: why };
    host.gain([{ ...grant, addresses: vip === undefined ? [] : grantFor(vip.addresses) }], {
      deadline: this.deadline,
      until,
    });
  }

  /** An extension costs two transactions of the fence: hundreds of routers share them, and those of long intervals need every other one. */
  private extend(until: Instant): void {
    // A shorter interval cuts it down, which does not wait.
    if (this.deps.isCrowded() && until >= this.heldUntil) {
      this.extension = until;
      return;
    }
    this.heldUntil = until;
    this.extension = null;
    this.deps.host.extend([{ deadline: this.deadline, until }]);
  }

  /** Whether the next advert is in time to bring a greater extension than this. */
  private maySkip(extension: Instant, now: Instant): boolean {
    const intervalMs = this.router?.state.router.intervalMs ?? 0;
    if (intervalMs < LONG_INTERVAL_MS) return false;
    const isLate = elapsedMs(now, this.heldUntil) <= LATE_INTERVALS * intervalMs;
    return !isLate && elapsedMs(this.heldUntil, extension) < WORTH_INTERVALS * intervalMs;
  }

  private lose(why: Reason): void {
    const token = this.held;
    this.held = null;
    this.extension = null;
    this.deps.lose({ election: this.name, token, reason: why });
  }

  /** All is done that the machine asked for. */
  private rest(): void {
    const { router } = this;
    if (router === null) return;
    const { phase, change, ineligible } = router.state;
    if (phase.kind === "stopped") return this.stopped(router);
    if (phase.kind === "fault" && ineligible !== null) this.closeRouter(router);
    this.lastMaster = this.master ?? this.lastMaster;
    this.follow();
    this.sight(phase.kind, change);
    const rival = phase.kind === "master" ? phase.holding.rival : null;
    const shown = `${phase.kind} ${this.master?.source ?? ""} ${this.master?.priority ?? ""} ${rival?.source ?? ""}`;
    if (shown === this.shown) return;
    this.shown = shown;
    this.deps.host.changed();
  }

  /**
   * Where no skew has to sort who follows a farewell, the wire is asked, and when it is silent, the way is free. What is left for
   * the skew is a router that says farewell before its addresses are gone, as keepalived does: the kernel of such a one answers
   * for them, however busy its host is.
   */
  private follow(): void {
    const { router, vip } = this;
    const { askIfSilent, mayClaim } = this.deps;
    if (router === null || askIfSilent === undefined || !this.isNext(router, vip?.vrrp)) return;
    const about = farewellOf(router);
    if (about === null || this.asked?.isOpen === true || this.asked?.about === about) return;
    const asked = { about, isOpen: true };
    this.asked = asked;
    askIfSilent(this.askable, (isSilent) => {
      asked.isOpen = false;
      if (isSilent && this.router === router && farewellOf(router) === about && mayClaim())
        router.post({ type: "given-way" });
    });
  }

  /**
   * Whether nobody else would follow this router's master: it is the only other one, or it has this fleet's priority, and this
   * node has the lease.
   */
  private isNext({ state }: VirtualRouter, vrrp: VrrpConfig | undefined): boolean {
    if (vrrp?.kind !== "lease+vrrp") return isPair(vrrp);
    const { phase } = state;
    const { lastMaster } = this;
    const isLast = phase.kind === "backup" && phase.listening.master?.source === lastMaster?.source;
    return isLast && lastMaster?.priority === state.priority && this.deps.mayClaim();
  }

  /** Where the wire cannot be asked nobody knows: then the former master's right to hold is waited for. */
  private ask(askedAt: Instant): void {
    const { router } = this;
    const { askIfSilent } = this.deps;
    const tell = (isSilent: boolean): void => {
      if (this.router === router) router?.post({ type: "answered", askedAt, isSilent });
    };
    if (askIfSilent === undefined) tell(false);
    else askIfSilent(this.askable, tell);
  }

  /** Who is not heard any more may still be there: only a claim says that nobody is. */
  private sight(phase: VrrpState["phase"]["kind"], why: Reason): void {
    const { node } = this.deps;
    const { master } = this;
    if (phase === "master") this.see(node, why);
    else if (master !== null) this.see(master.source, why);
    else if (this.history.holder === node) this.see(null, why);
  }

  private see(master: string | null, why: Reason): void {
    const { timers, histories } = this.deps;
    if (this.history.see(master, this.lastToken, why, timers.wallMs())) histories.changed();
  }

  /** Another configuration begins anew; an election that is left is over. */
  private stopped(router: VirtualRouter): void {
    this.closeRouter(router);
    this.sight("stopped", router.state.change);
    if (this.candidacy === null) this.deps.gone();
    else this.refresh();
  }

  private closeRouter(router: VirtualRouter): void {
    router.close();
    if (this.router === router) this.router = null;
  }
}

/** Whether one unicast peer is the only other router, and nobody has said how long to wait behind its farewell. */
function isPair(vrrp: VrrpConfig | undefined): boolean {
  return vrrp?.kind === "vrrp" && vrrp.unicastPeers.length === 1 && vrrp.farewellWaitMs === null;
}

/** When the farewell was heard that a backup waits behind; `null`: it waits behind none. */
function farewellOf({ state: { phase } }: VirtualRouter): Instant | null {
  if (phase.kind !== "backup" || phase.listening.takeover !== null) return null;
  const { master } = phase.listening;
  return master?.priority === VRRP_PRIORITY_STOP ? master.heardAt : null;
}
