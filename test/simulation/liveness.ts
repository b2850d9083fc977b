// What must be so once nothing goes wrong any more: every VIP that somebody can hold is held by one, and nobody
// is stuck.

import { routingText } from "../../src/base/routing.ts";
import { NEVER } from "../../src/base/time.ts";
import { grantFor, wireInterface } from "../../src/base/virtual-mac.ts";
import { observerWaitMs, leaseTimings } from "../../src/election/lease.ts";
import { ownSession } from "../../src/election/session.ts";
import { readyEntries } from "../../src/vip/routing.ts";
import type { SimDaemon } from "./daemon.ts";
import type { SimHost } from "./host.ts";
import type { Fleet } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { FIRST_EPOCH } from "./store-model.ts";

/** A daemon that is restarted is away this long. */
const RESTART_MS = 20;

/** A handover takes no longer than this on a fair network, in milliseconds. */
export const HANDOVER_MS = 100;

/** A check looks every 5 ms at most; then the VIP is handed over, and perhaps once more. In milliseconds. */
export const SICK_MS = 5 + 3 * HANDOVER_MS;

/** Steps of a daemon in a second of calm: more, and it spins. */
const MOST_STEPS_A_SECOND = 400;

/**
 * How long a fleet may take to hold everything again: a read or a request that was under way runs into its limit and
 * is tried again; a store with a new epoch is first seen by a resync, and watched for a lease; or a host that could
 * not hold a VIP stays away from it for two leases. Then a lease of the dead must end, and the last in rank acts.
 */
export function recoveryMs({ ttlMs, hosts }: Scenario): number {
  const { requestTimeoutMs, retryEveryMs, resyncEveryMs, staggerMs } = leaseTimings(ttlMs);
  const quarantineMs = Math.max(resyncEveryMs + observerWaitMs(ttlMs), 2 * ttlMs);
  return quarantineMs + observerWaitMs(ttlMs) + 2 * requestTimeoutMs + retryEveryMs + hosts.length * staggerMs + 200;
}

/** How long it must stay so: until pre-emption has come to rest, a daemon has been restarted, and its lease has passed. */
export function steadyMs({ ttlMs }: Scenario): number {
  return 4 * ttlMs;
}

/** Restarts the daemon of a host that holds something, within its lease: nothing may move, and nothing may fall silent. */
export function restartOne(fleet: Fleet): void {
  const { world, scenario, checker } = fleet;
  const contested = contestedVips(fleet);
  const held = (host: SimHost): readonly string[] =>
    scenario.vips.filter(
      (vip) =>
        host.daemon?.election.tenures.get(vip)?.phase === "on" &&
        !contested.has(vip) &&
        !isAwaited(fleet, vip) &&
        holds(host, vip, world.now),
    );
  const host = [...fleet.hosts.values()].find((other) => held(other).length > 0);
  if (host === undefined) return;
  const before = new Map(held(host).map((vip) => [vip, checker.grantOf(vip)]));
  const restored = fleet.store.epoch !== FIRST_EPOCH;
  // A reload that failed has left another file behind.
  host.config = host.daemon?.daemon.running.vips ?? host.config;
  host.whenGone = () => host.startIn(RESTART_MS, null);
  host.daemon?.process.kill();
  const look = (): void => {
    for (const [vip, grant] of before) {
      const now = checker.grantOf(vip);
      // A token from before the store was put back is renewed: that moves nothing.
      if (now?.holder !== grant?.holder || (now?.token !== grant?.token && !restored))
        checker.say(
          7,
          `${vip} moved when the daemon of ${host.name} was restarted (${JSON.stringify([grant?.holder, String(grant?.token), now?.holder, String(now?.token)])})`,
        );
      if (!holds(host, vip, world.now))
        checker.say(7, `${vip} fell silent when the daemon of ${host.name} was restarted`);
    }
  };
  const restMs = steadyMs(scenario) / 2;
  for (let passedMs = 0; passedMs < restMs; passedMs += scenario.ttlMs / 8) world.at(world.now + passedMs, look);
}

/** Whether it is about to move anyhow: a node waits until it may hold it again, or its holder until it shall yield. */
function isAwaited(fleet: Fleet, vip: string): boolean {
  return daemons(fleet).some(
    ({ daemon, election }) =>
      daemon.eligibility.of(vip).some(({ until }) => until < NEVER) || election.wakeups.at(`preempt ${vip}`) < NEVER,
  );
}

/** The service of a host that holds something falls sick: another one that is fit has it soon. */
export function sickenOne(fleet: Fleet): void {
  const { world, checker } = fleet;
  const contested = contestedVips(fleet);
  const fitOthers = (host: SimHost, vip: string): readonly SimHost[] =>
    [...fleet.hosts.values()].filter((other) => other.name !== host.name && isFit(other, vip));
  const atRisk = (host: SimHost): readonly string[] =>
    (host.daemon?.daemon.running.vips ?? [])
      .filter(({ name, checks }) => checks.length > 0 && !contested.has(name) && holds(host, name, world.now))
      .map(({ name }) => name)
      .filter((vip) => fitOthers(host, vip).length > 0 && isAlike(fleet, vip));
  const host = [...fleet.hosts.values()].find((each) => atRisk(each).length > 0);
  if (host === undefined) return;
  const vips = atRisk(host);
  host.feel(1);
  const missing = (): readonly string[] =>
    vips.filter((vip) => {
      const fit = fitOthers(host, vip);
      return fit.length > 0 && !fit.some((other) => holds(other, vip, world.now));
    });
  world.at(world.now + SICK_MS - HANDOVER_MS, () => {
    // What moves on within its spread group is looked at once more.
    const first = new Set(missing());
    world.at(world.now + HANDOVER_MS, () => {
      for (const vip of missing())
        if (first.has(vip)) checker.say(6, `${vip} is held by nobody who is well, although ${host.name} is sick`);
    });
  });
}

/** Whether all nodes have the same addresses for a VIP: where they differ, one of another VIP may be in the way. */
function isAlike(fleet: Fleet, vip: string): boolean {
  const lists = daemons(fleet).flatMap(({ daemon }) => daemon.running.vips.filter(({ name }) => name === vip));
  return new Set(lists.map(({ addresses }) => JSON.stringify(addresses))).size === 1;
}

function isFit(host: SimHost, vip: string): boolean {
  return couldHold(host, vip) && host.sickness === 0 && host.daemon?.daemon.eligibility.of(vip).length === 0;
}

/** All that can be held is held. */
export function checkRecovered(fleet: Fleet): void {
  for (const daemon of daemons(fleet)) {
    fleet.world.say(daemon.options.node, () => `at the check: ${summary(daemon)}`);
    daemon.steps = 0;
  }
  checkHeld(fleet, "was not held again in time");
}

/** It is held still, and nobody waits in vain or spins. */
export function checkSteady(fleet: Fleet): void {
  checkHeld(fleet, "was lost again in the calm");
  checkRouting(fleet);
  for (const daemon of daemons(fleet)) checkAlive(fleet, daemon);
}

/** What is on its way from one host to another at this moment is looked at once more. */
function checkHeld(fleet: Fleet, trouble: string): void {
  const { world, checker } = fleet;
  const first = new Set(notHeld(fleet).map(([vip]) => vip));
  if (first.size === 0) return;
  world.at(world.now + HANDOVER_MS, () => {
    for (const [vip, able] of notHeld(fleet))
      if (first.has(vip)) checker.say(6, `${vip} ${trouble}; ${able.map(({ name }) => name).join(", ")} could hold it`);
  });
}

/** Routes and rules are where their VIPs are held; what is on its way is looked at once more. */
function checkRouting(fleet: Fleet): void {
  const { world, checker } = fleet;
  const first = new Set(misplaced(fleet));
  if (first.size === 0) return;
  world.at(world.now + HANDOVER_MS, () => {
    for (const text of misplaced(fleet)) if (first.has(text)) checker.say(8, text);
  });
}

function misplaced(fleet: Fleet): readonly string[] {
  const contested = contestedVips(fleet);
  return [...fleet.hosts.values()].flatMap(({ name, daemon, kernel }) => {
    if (daemon === null || daemon.election.stopping) return [];
    // Whoever takes up what another name has, too, may be undecided for long.
    if (daemon.daemon.running.vips.some((vip) => contested.has(vip.name))) return [];
    const { holdings, plans } = daemon.daemon.holdings;
    const wanted = [...holdings].flatMap(([vip, { phase, addresses }]) =>
      phase === "on" ? readyEntries(plans.get(vip)?.routing, addresses) : [],
    );
    const texts = new Set(wanted.map(routingText));
    const missing = wanted
      .filter((entry) => !kernel.routing.has(entry))
      .map((entry) => `${routingText(entry)} is missing`);
    const extra = kernel.routing.all().filter((entry) => !texts.has(routingText(entry)));
    return [...missing, ...extra.map((entry) => `${routingText(entry)} is set and not wanted`)].map(
      (text) => `${name}: ${text}`,
    );
  });
}

/** The VIPs that nobody holds, with the hosts that could. */
function notHeld(fleet: Fleet): readonly (readonly [string, readonly SimHost[]])[] {
  const contested = contestedVips(fleet);
  return fleet.scenario.vips.flatMap((vip): readonly (readonly [string, readonly SimHost[]])[] => {
    const able = contested.has(vip) ? [] : [...fleet.hosts.values()].filter((host) => couldHold(host, vip));
    return able.length > 0 && !able.some((host) => holds(host, vip, fleet.world.now)) ? [[vip, able]] : [];
  });
}

/** VIPs of which an address, or the virtual MAC, is configured under another name as well: who answers for that depends on who came first. */
function contestedVips(fleet: Fleet): ReadonlySet<string> {
  const names = new Map<string, Set<string>>();
  for (const daemon of daemons(fleet))
    for (const { name, addresses } of daemon.daemon.running.vips)
      for (const claim of grantFor(addresses)) names.set(claim, (names.get(claim) ?? new Set()).add(name));
  return new Set([...names.values()].filter(({ size }) => size > 1).flatMap((vips) => [...vips]));
}

function couldHold({ daemon, kernel }: SimHost, vip: string): boolean {
  if (daemon === null || daemon.election.stopping) return false;
  const config = daemon.daemon.running.vips.find(({ name }) => name === vip);
  return config?.addresses.every((address) => kernel.isUp(wireInterface(address))) === true;
}

function holds({ kernel, daemon, config }: SimHost, vip: string, now: number): boolean {
  const vips = daemon?.daemon.running.vips ?? config;
  const addresses = vips.find(({ name }) => name === vip)?.addresses ?? [];
  return grantFor(addresses).every((claim) => kernel.answersUntil(claim) > now);
}

function checkAlive({ checker, scenario }: Fleet, daemon: SimDaemon): void {
  const { node } = daemon.options;
  const state = daemon.election;
  if (state.stopping) return;
  if (ownSession(state) === undefined) checker.say(6, `${node} has no session: ${summary(daemon)}`);
  if (state.inDoubtAttempts.length > 0) checker.say(6, `${node} still does not know what became of its requests`);
  for (const [election, tenure] of state.tenures)
    if (tenure.phase === "closing") checker.say(6, `${node} closes ${election} for ever`);
  const most = (MOST_STEPS_A_SECOND * steadyMs(scenario)) / 1_000;
  if (daemon.steps > most)
    checker.say(6, `${node} took ${daemon.steps} steps in ${steadyMs(scenario)} ms of calm: it spins`);
}

function daemons(fleet: Fleet): readonly SimDaemon[] {
  return [...fleet.hosts.values()].flatMap(({ daemon }) => daemon ?? []);
}

function summary({ election: state, daemon }: SimDaemon): string {
  const { identity, synced, reading, readWanted, inFlight, inDoubtAttempts, tenures, mirror } = state;
  return JSON.stringify({
    identity,
    synced,
    reading,
    readWanted,
    inFlight: inFlight?.number,
    inDoubtAttempts: inDoubtAttempts.length,
    epoch: mirror.epoch,
    settledOn: mirror.settledEpoch?.value?.epoch,
    tenures: [...tenures].map(([name, { phase }]) => `${name} ${phase}`),
    holdings: [...daemon.holdings.holdings].map(([name, { phase }]) => `${name} ${phase}`),
  });
}
