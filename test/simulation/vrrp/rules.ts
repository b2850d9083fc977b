// Watches a fleet that speaks VRRP from outside, with the world's true time and the wire's own records:
//
//   succession  who takes over because a master fell silent, having heard its last advert, finds it silent in truth: frozen,
//               killed or starved, its fence has closed before (0 ms, whatever happened to either)
//   farewells   who takes over since a master said farewell finds that it said so, and that its address is gone: keepalived has
//               removed it a few milliseconds later, unless it was stopped in between, or the skew is shorter than that
//   pre-emption who has pre-empted a master that lived answers when that one does not any more (0 ms, whatever happened to it);
//               keepalived, which is not fenced, no longer than its adverts would have let it hold
//   rivals      two that answer hear each other at once: the claim's way and an event loop's latency (`tight`), and where an
//               advert was lost or late, somebody was stopped, or a file was read anew, one interval more
//   lease       no fence is open for longer than three intervals from the moment when the last advert left, by the fastest clock
//   lapse       once all is calm, whoever goes on as master extends its fence before it closes
//   farewell    nobody says priority 0 while it answers
//   mute        nobody goes on advertising for long without answering: its backups would wait for nothing. Who pre-empts may wait
//               for the time of silence of a master that goes on beside it
//   leaseless   in a mixed fleet only the holder of the lease claims
//
// Where two routers do not hear each other RFC 9568 allows two masters, and so do these rules.

import { DRIFT } from "../../../src/election/lease.ts";
import type { Listening, VrrpEffect, VrrpState } from "../../../src/vrrp/state.ts";
import { routerSkewMs } from "../../../src/vrrp/timing.ts";
import type { SimDaemon } from "../daemon.ts";
import type { SimHost } from "../host.ts";
import type { TrueTime, World } from "../world.ts";
import type { Keepalived } from "./keepalived.ts";
import { answersUntil, disturbedAt, type Party } from "./parties.ts";
import { ipOf, type VrrpScenario } from "./scenario.ts";
import type { Segment, SentAdvert } from "./segment.ts";

/** The event loop, the kernel's answer and a timer's lateness, in milliseconds; and what keepalived takes to remove an address. */
const LATENCY_MS = 6;
const REMOVAL_MS = 20;

/** An advert that reaches keepalived is read within this time, in milliseconds. */
const KEEPALIVED_LATENCY_MS = 2;

/** Arithmetic on clocks that drift is not exact, in milliseconds. */
const EPSILON = 1e-3;

/** How long a wire is looked back on: the longest time of silence, skew included. */
const LOOK_BACK_INTERVALS = 4;
const LOOK_BACK_MS = 1_000;

/** What a router knew when it claimed. */
interface Claim {
  readonly at: TrueTime;
  readonly why: string;
  /** The last one that it heard as master, and whether it has waited longer than keepalived takes to remove an address. */
  readonly master: string | null;
  readonly hasSkew: boolean;
  /** When its sockets were empty. */
  readonly drainedAt: TrueTime;
  readonly listeningSince: TrueTime;
  readonly intervalMs: number;
  /** Adverts of a lower priority did not keep it waiting. */
  readonly obeysFrom: number;
}

/** A master whose adverts reach nobody lapses after so many intervals, by a clock that is as fast as it may be. */
const LAPSE_INTERVALS = 2.99;

/** Two that answer at the same time. */
interface Overlap {
  readonly ip: string;
  readonly since: TrueTime;
  until: TrueTime;
}

/** What the rules look at. */
export interface RulesDeps {
  readonly world: World;
  readonly segment: Segment;
  readonly scenario: VrrpScenario;
  readonly parties: ReadonlyMap<string, Party>;
  readonly say: (rule: string, text: string) => void;
}

/** The outside observer. */
export class VrrpRules {
  private readonly deps: RulesDeps;
  private readonly claims = new Map<string, Claim>();
  private readonly listeningSince = new Map<string, TrueTime>();
  /** By host and VIP: what it knew of masters as a backup. */
  private readonly knowledge = new Map<string, Listening>();
  private readonly overlaps = new Map<string, Overlap>();
  /** By host and router id: when its present row of adverts began; by host and address: until when it answered. */
  private readonly speakingSince = new Map<string, { readonly since: TrueTime; readonly last: TrueTime }>();
  private readonly answered = new Map<string, TrueTime>();
  /** By host and address: until when its fence was opened. */
  private readonly openUntil = new Map<string, TrueTime>();
  /** By host and VIP: who claims, and waits for a former master. */
  private readonly waiting = new Set<string>();
  /** Called when a master is pre-empted, with its name. */
  onPreempt: (former: string) => void = () => {};
  /** How often somebody became master. */
  claimed = 0;
  /** From here on nobody moves any more. */
  steadyAt: TrueTime = Number.POSITIVE_INFINITY;

  constructor(deps: RulesDeps) {
    this.deps = deps;
  }

  /** Something changed in what a host answers for. */
  changed(party: Party): void {
    const { world, parties, scenario } = this.deps;
    for (const vip of scenario.vips) {
      const ip = ipOf(vip);
      const until = answersUntil(party, ip);
      if (until > world.now) this.answered.set(`${party.name} ${ip}`, until);
      else if ((this.answered.get(`${party.name} ${ip}`) ?? 0) > world.now)
        this.answered.set(`${party.name} ${ip}`, world.now);
      for (const other of parties.values()) if (other !== party) this.compare(party, other, ip);
    }
  }

  /** A fence was opened or extended. */
  opened(host: SimHost, ips: readonly string[], until: TrueTime): void {
    const { segment, scenario, world } = this.deps;
    if (until < world.now) return;
    for (const [i, vip] of scenario.vips.entries()) {
      // After a migration the lease alone holds it.
      const byVrrp = host.daemon?.daemon.running.vips.some(({ name, vrrp }) => name === vip && vrrp !== undefined);
      if (!ips.includes(ipOf(vip)) || byVrrp !== true) continue;
      this.checkLapse(host, vip, until);
      const last = segment.sentBy(host.name, 51 + i).findLast(({ priority }) => priority > 0);
      const limit = last === undefined ? -1 : last.at + (3 * last.intervalMs) / (1 + DRIFT);
      if (until > limit + EPSILON)
        this.deps.say(
          "lease",
          `${host.name} opens until ${until.toFixed(2)}, and its last advert lasts until ${limit.toFixed(2)}`,
        );
    }
  }

  private checkLapse({ name }: SimHost, vip: string, until: TrueTime): void {
    const { now } = this.deps.world;
    const key = `${name} ${vip}`;
    const before = this.openUntil.get(key);
    this.openUntil.set(key, until);
    const goesOn = (this.claims.get(key)?.at ?? 0) < this.steadyAt && now > this.steadyAt;
    if (goesOn && before !== undefined && before < now)
      this.deps.say("lapse", `${name} extends ${vip}, whose fence has been closed for ${(now - before).toFixed(2)} ms`);
  }

  /** A machine has moved. */
  stepped(host: SimHost, daemon: SimDaemon, after: VrrpState, effects: readonly VrrpEffect[]): void {
    const { world, scenario } = this.deps;
    const vip = scenario.vips[after.router.vrid - 51] ?? "";
    const key = `${host.name} ${vip}`;
    if (after.phase.kind === "backup") this.knowledge.set(key, after.phase.listening);
    if (after.phase.kind === "claiming" && after.phase.former !== null) this.waiting.add(key);
    else this.waiting.delete(key);
    for (const effect of effects) {
      if (effect.type !== "moved") continue;
      world.say(host.name, () => `${vip}: ${effect.from} -> ${effect.to}, ${effect.change.text}`);
      if (effect.to === "backup") this.listeningSince.set(key, world.now);
      if (effect.to !== "claiming") continue;
      const known = this.knowledge.get(key);
      this.claimed += 1;
      this.speakingSince.delete(`${host.name} ${after.router.vrid}`);
      this.claims.set(key, {
        at: world.now,
        why: effect.change.code,
        master: known?.master?.source ?? null,
        hasSkew:
          wasToldToFollow(known) ||
          routerSkewMs(after.router, after.priority, known?.masterIntervalMs ?? 0) > REMOVAL_MS,
        drainedAt: host.wire?.drainedAt ?? world.now,
        listeningSince: this.listeningSince.get(key) ?? world.now,
        intervalMs: after.router.intervalMs,
        obeysFrom: 0,
      });
      if (scenario.mode === "mixed" && daemon.election.tenures.get(vip)?.phase !== "on")
        this.deps.say("leaseless", `${host.name} claims ${vip} without the lease`);
      const former = [...this.deps.parties.values()].find((party) => sourceOf(party) === known?.master?.source);
      if (effect.change.code === "lower-master" && former !== undefined) this.onPreempt(former.name);
    }
  }

  /** keepalived was silent about why: a farewell, or silence. Frozen, it may not have read what came. */
  keepalivedClaims(station: Keepalived, vip: string): void {
    const { world } = this.deps;
    const instance = station.setup.instances.find((each) => each.vip === vip);
    if (instance === undefined || station.process === null) return;
    this.claims.set(`${station.name} ${vip}`, {
      at: world.now,
      why: station.saidFarewell(vip) ? "master-left" : "master-down",
      master: null,
      hasSkew: true,
      drainedAt: world.now - KEEPALIVED_LATENCY_MS,
      listeningSince: Math.max(station.startedAt, station.process.thawedAt),
      intervalMs: instance.intervalMs,
      obeysFrom: instance.preempt ? instance.priority : 0,
    });
  }

  /** An advert has left a host. */
  sent({ from, vrid, priority, intervalMs }: SentAdvert): void {
    const { world, parties, scenario } = this.deps;
    const party = parties.get(from);
    if (party?.kind !== "vipd") return;
    const ip = ipOf(scenario.vips[vrid - 51] ?? "");
    const answers = answersUntil(party, ip) > world.now;
    if (priority === 0) {
      this.speakingSince.delete(`${from} ${vrid}`);
      const isMigrated = party.host.daemon?.daemon.running.vips.every(({ vrrp }) => vrrp?.vrid !== vrid) === true;
      if (answers && !isMigrated) this.deps.say("farewell", `${from} says farewell while it answers for ${ip}`);
      return;
    }
    const key = `${from} ${vrid}`;
    const row = this.speakingSince.get(key);
    const goesOn = row !== undefined && world.now - row.last < 2.5 * intervalMs;
    const since = goesOn ? row.since : world.now;
    this.speakingSince.set(key, { since, last: world.now });
    const waits = this.waiting.has(`${from} ${scenario.vips[vrid - 51]}`);
    const waitsUntil = waits ? this.lastHeardBy(from, vrid) + LOOK_BACK_INTERVALS * scenario.intervalMs : 0;
    const muteMs = answers ? 0 : world.now - Math.max(since, waitsUntil, this.answered.get(`${from} ${ip}`) ?? 0);
    if (muteMs > 2.5 * scenario.intervalMs + 1_000)
      this.deps.say("mute", `${from} advertises, and has not answered for ${ip} for ${muteMs.toFixed(0)} ms`);
  }

  private compare(party: Party, other: Party, ip: string): void {
    const { world } = this.deps;
    const key = [party.name, other.name].toSorted().join(" ") + ` ${ip}`;
    const until = Math.min(answersUntil(party, ip), answersUntil(other, ip));
    const known = this.overlaps.get(key);
    if (until <= world.now) {
      this.overlaps.delete(key);
      return;
    }
    if (known !== undefined && known.until > world.now) {
      known.until = until;
      return;
    }
    const overlap = { ip, since: world.now, until };
    this.overlaps.set(key, overlap);
    world.say("CHECKER", () => `${party.name} and ${other.name} answer for ${ip}`);
    if (party.kind === "keepalived" && other.kind === "keepalived") return;
    this.checkSuccession(party, other, ip);
    this.checkPreemption(party, other, ip);
    world.at(world.now + this.tightMs(party, other), () => this.checkRivals(key, party, other, overlap));
  }

  /** The later claim of the two, by a time of silence: it must not have heard the other in that time. */
  private checkSuccession(one: Party, another: Party, ip: string): void {
    const { segment, scenario, world } = this.deps;
    const vip = scenario.vips.find((name) => ipOf(name) === ip) ?? "";
    const vrid = 51 + scenario.vips.indexOf(vip);
    const claimOf = ({ name }: Party): Claim | undefined => this.claims.get(`${name} ${vip}`);
    const [successor, predecessor] =
      (claimOf(one)?.at ?? -1) > (claimOf(another)?.at ?? -1) ? [one, another] : [another, one];
    const claim = claimOf(successor);
    if (claim === undefined) return;
    if (claim.why === "master-left" && claim.master === sourceOf(predecessor))
      this.checkFarewell(successor, predecessor, vrid, claim, claimOf(predecessor)?.at ?? 0);
    if (predecessor.kind !== "vipd" || claim.why !== "master-down") return;
    const last = segment.sentBy(predecessor.name, vrid).findLast(({ at, priority }) => at <= claim.at && priority > 0);
    const heardAt = last?.arrivals.get(successor.name);
    if (last === undefined || heardAt === undefined || heardAt > claim.drainedAt) return;
    if (last.priority < claim.obeysFrom || (successor.kind === "keepalived" && heardAt < claim.listeningSince)) return;
    // It answers by adverts that left after the claim: the two are rivals.
    if (last.at + 3 * last.intervalMs < claim.at) return;
    if (segment.failedAt(predecessor.name, successor.name) > last.at - this.lookBackMs) return;
    // Version 3: who begins to listen does not know yet how seldom the master advertises, or believes an advert of another one that
    // comes late; keepalived always believes whom it heard last.
    const isUnknown = heardAt < claim.listeningSince && last.intervalMs > scenario.shortestIntervalMs;
    const isOverlaid = [...this.deps.parties.keys()].some(
      (name) =>
        name !== predecessor.name &&
        segment
          .sentBy(name, vrid)
          .some((each) => each.intervalMs < last.intervalMs && lastArrival(each, successor.name) > heardAt),
    );
    if (isUnknown || (successor.kind === "keepalived" && isOverlaid)) return;
    this.deps.say(
      "succession",
      `${successor.name} has claimed ${vip} at ${claim.at.toFixed(2)}, since no master was heard, and ${predecessor.name} answers until ${answersUntil(predecessor, ip).toFixed(2)}: its advert of ${last.at.toFixed(2)} had come (now ${world.now.toFixed(2)})`,
    );
  }

  /** The successor opens now, and the predecessor had not closed. */
  private checkPreemption(successor: Party, predecessor: Party, ip: string): void {
    const { segment, scenario, world } = this.deps;
    const vip = scenario.vips.find((name) => ipOf(name) === ip) ?? "";
    const claim = this.claims.get(`${successor.name} ${vip}`);
    const before = this.claims.get(`${predecessor.name} ${vip}`)?.at ?? 0;
    if (successor.kind !== "vipd" || claim?.why !== "lower-master" || before > claim.at) return;
    const failedAt = Math.max(
      segment.failedAt(predecessor.name, successor.name),
      segment.failedAt(successor.name, predecessor.name),
    );
    if (failedAt > claim.at - this.lookBackMs) return;
    const vrid = 51 + scenario.vips.indexOf(vip);
    const last = segment.sentBy(predecessor.name, vrid).findLast(({ priority }) => priority > 0);
    const lapsesAt = last === undefined ? 0 : last.at + LAPSE_INTERVALS * last.intervalMs;
    if (predecessor.kind === "keepalived" && world.now >= lapsesAt) return;
    const until = answersUntil(predecessor, ip).toFixed(2);
    this.deps.say(
      "pre-emption",
      `${successor.name} has claimed ${vip} at ${claim.at.toFixed(2)} from ${predecessor.name}, which answers until ${until}, and answers`,
    );
  }

  /** When somebody else's advert, no farewell, reached this host last. */
  private lastHeardBy(name: string, vrid: number): TrueTime {
    const { segment, parties, world } = this.deps;
    const others = [...parties.keys()].filter((other) => other !== name);
    const arrivals = others.flatMap((other) =>
      segment
        .sentBy(other, vrid)
        .filter(({ priority }) => priority > 0)
        .flatMap(({ arrivals: first, repeats }) => [first.get(name) ?? 0, repeats.get(name) ?? 0]),
    );
    return Math.max(0, ...arrivals.filter((at) => at <= world.now));
  }

  /** The predecessor has begun at `begunAt`, and answers still. */
  private checkFarewell(successor: Party, predecessor: Party, vrid: number, claim: Claim, begunAt: TrueTime): void {
    const { segment, world } = this.deps;
    const said = segment
      .sentBy(predecessor.name, vrid)
      .findLast(({ at, priority }) => at >= begunAt && at <= claim.at && priority === 0);
    if (segment.failedAt(predecessor.name, successor.name) > claim.at - this.lookBackMs) return;
    if (said !== undefined && (!claim.hasSkew || disturbedAt(predecessor, world.now) >= said.at)) return;
    const what = said === undefined ? "which never came" : `of ${said.at.toFixed(2)}`;
    this.deps.say(
      "farewells",
      `${successor.name} has claimed router ${vrid} at ${claim.at.toFixed(2)} by the farewell of ${predecessor.name}, ${what}, and that one answers still`,
    );
  }

  private checkRivals(key: string, one: Party, other: Party, overlap: Overlap): void {
    const { world, segment, scenario } = this.deps;
    const isOver = (): boolean =>
      this.overlaps.get(key) !== overlap ||
      Math.min(answersUntil(one, overlap.ip), answersUntil(other, overlap.ip)) <= world.now;
    if (isOver()) return;
    const troubledAt = Math.max(
      segment.failedAt(one.name, other.name),
      segment.failedAt(other.name, one.name),
      disturbedAt(one, world.now),
      disturbedAt(other, world.now),
    );
    const tight = this.tightMs(one, other);
    if (troubledAt > overlap.since - this.lookBackMs) {
      const allowedUntil = Math.max(overlap.since, troubledAt) + scenario.intervalMs + tight;
      if (world.now < allowedUntil) {
        world.at(allowedUntil, () => this.checkRivals(key, one, other, overlap));
        return;
      }
    }
    const ms = (world.now - overlap.since).toFixed(2);
    this.deps.say("rivals", `${one.name} and ${other.name} hear each other, and answer for ${overlap.ip} for ${ms} ms`);
  }

  private tightMs(one: Party, other: Party): number {
    const removal = one.kind === "keepalived" || other.kind === "keepalived" ? REMOVAL_MS : 0;
    return this.deps.scenario.mostDelayMs + LATENCY_MS + removal;
  }

  private get lookBackMs(): number {
    return LOOK_BACK_INTERVALS * this.deps.scenario.intervalMs + LOOK_BACK_MS;
  }
}

/** Whether it was told that its master has given way, before its own timer ran out. */
function wasToldToFollow(known: Listening | undefined): boolean {
  return known?.takeover != null && known.takeover.askedAt < known.masterDownAt;
}

function sourceOf(party: Party): string {
  return party.kind === "keepalived" ? party.station.source : (party.host.setup.source ?? "");
}

function lastArrival({ arrivals, repeats }: SentAdvert, name: string): TrueTime {
  return Math.max(arrivals.get(name) ?? -1, repeats.get(name) ?? -1);
}
