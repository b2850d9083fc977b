// What must be so once nothing goes wrong any more: each VIP is answered for by one party, the best that may be, and stays so,
// and nobody is busy about it.

import { later, NEVER } from "../../../src/base/time.ts";
import type { VrrpElection } from "../../../src/node/vrrp-election.ts";
import { recoveryMs as leaseRecoveryMs } from "../liveness.ts";
import type { Scenario } from "../scenario.ts";
import type { TrueTime } from "../world.ts";
import { answersUntil, type Party } from "./parties.ts";
import type { VrrpFleet } from "./run.ts";
import { ipOf, type VrrpScenario } from "./scenario.ts";

/** Something is on its way from one to another at this moment: it is looked at once more. */
const HANDOVER_MS = 200;

/** Machine steps of a daemon for each of its routers in an interval of calm: pulses, adverts, reports. */
const MOST_STEPS_AN_INTERVAL = 14;
/** And in a second, for timers and checks that have nothing to do with the interval. */
const MOST_STEPS_A_SECOND = 60;
/** A mixed fleet has a session besides. */
const MOST_LEASE_STEPS_A_SECOND = 400;

/**
 * How long a fleet may take. A router listens for a time of silence, once more when it overslept, and twice when it stepped
 * down. Then a better one may wait: for its own time of silence, its delay, and an advert of the lower master. Rows of these
 * may follow one after the other when the first in line is ineligible.
 */
function recoveryMs({ mode, intervalMs, ttlMs, hosts, version }: VrrpScenario): number {
  const silenceMs = 3 * intervalMs + (version === 2 ? 1_000 : intervalMs);
  const delayMs = Math.max(...hosts.flatMap(({ config }) => config.map(({ preemptDelayMs }) => preemptDelayMs)));
  const leaseMs = mode === "mixed" ? leaseRecoveryMs({ ttlMs, hosts } as unknown as Scenario) + 2 * ttlMs : 0;
  return leaseMs + 5 * silenceMs + 4 * intervalMs + delayMs + 3_000 + 1_000;
}

/** Runs the world to its end, and looks. */
export function watchCalm(fleet: VrrpFleet): void {
  const { world, scenario } = fleet;
  world.runUntil(scenario.calmAt + 100);
  // The back-offs of what the host could not hold end first.
  const free = Math.max(world.now, ...[...backOffs(fleet)]);
  world.runUntil(Math.min(free, scenario.calmAt + 120_000) + recoveryMs(scenario));
  checkHeld(fleet, "recovery");
  const from = world.now;
  const claimsBefore = fleet.rules.claimed;
  fleet.rules.steadyAt = from;
  for (const host of fleet.hosts.values()) if (host.daemon !== null) host.daemon.steps = 0;
  const steadyMs = 12 * scenario.intervalMs + 1_000;
  world.runUntil(from + steadyMs);
  checkHeld(fleet, "steady");
  checkQuiet(fleet, steadyMs, fleet.rules.claimed - claimsBefore);
}

function* backOffs({ hosts, world }: VrrpFleet): Generator<TrueTime> {
  for (const { daemon, kernel } of hosts.values()) {
    if (daemon === null) continue;
    for (const vip of daemon.daemon.running.vips)
      for (const { until } of daemon.daemon.eligibility.of(vip.name))
        if (until < NEVER) yield kernel.clock.trueTimeOf(until);
    for (const { state } of daemon.vrrp.all.values())
      if (state?.phase.kind === "fault" && state.phase.until < NEVER)
        yield kernel.clock.trueTimeOf(later(state.phase.until, 1));
  }
  yield world.now;
}

function checkHeld(fleet: VrrpFleet, rule: string): void {
  const { world, scenario } = fleet;
  const wrong = (): readonly (readonly [vip: string, what: string])[] =>
    scenario.vips.flatMap((vip) => {
      const what = troubleOf(fleet, vip);
      return what === null ? [] : [[vip, what] as const];
    });
  const first = new Map(wrong());
  if (first.size === 0) return;
  world.runUntil(world.now + HANDOVER_MS);
  for (const [vip, what] of wrong())
    if (first.has(vip)) fleet.say(rule, `${vip}: ${what}; ${[...summaries(fleet, vip)].join("; ")}`);
}

function troubleOf(fleet: VrrpFleet, vip: string): string | null {
  const { parties, world } = fleet;
  const able = [...parties.values()].filter((party) => isAble(party, vip));
  const answering = [...parties.values()].filter((party) => answersUntil(party, ipOf(vip)) > world.now);
  if (answering.length > 1) return `${answering.map(({ name }) => name).join(" and ")} answer`;
  const [holder] = answering;
  if (holder === undefined)
    return able.length === 0 ? null : `nobody answers, and ${able.map(({ name }) => name).join(", ")} could`;
  const better = able.find((party) => isDue(fleet, party, holder, vip));
  return better === undefined ? null : `${holder.name} answers, and ${better.name} should have replaced it`;
}

function isAble(party: Party, vip: string): boolean {
  if (party.kind === "keepalived") return party.station.isRunning && party.station.isUp();
  const { daemon, kernel } = party.host;
  if (daemon === null || !kernel.isUp("eth0")) return false;
  return electionOf(party, vip)?.brings?.ineligible === null;
}

function electionOf(party: Party, vip: string): VrrpElection | undefined {
  return party.kind === "vipd" ? party.host.daemon?.vrrp.all.get(vip) : undefined;
}

/** Whether this one is to replace the holder by now. In a mixed fleet only the holder of the lease is. */
function isDue({ scenario }: VrrpFleet, party: Party, holder: Party, vip: string): boolean {
  if (party === holder || (scenario.mode === "mixed" && party.kind === holder.kind)) return false;
  const priority = priorityOf(party, vip);
  if (priority <= priorityOf(holder, vip)) return false;
  if (party.kind === "keepalived") return party.station.setup.instances.every(({ preempt }) => preempt);
  const { daemon, kernel } = party.host;
  const state = electionOf(party, vip)?.state;
  if (daemon === null || state?.phase.kind !== "backup" || !state.router.preempt) return false;
  if (scenario.mode === "mixed" && daemon.election.tenures.get(vip)?.phase !== "on") return false;
  return state.phase.listening.preemptSuppressedUntil < kernel.clock.read(daemon.kernel.world.now);
}

function priorityOf(party: Party, vip: string): number {
  if (party.kind === "keepalived")
    return party.station.setup.instances.find((instance) => instance.vip === vip)?.priority ?? 0;
  return electionOf(party, vip)?.state?.priority ?? 0;
}

/** Nobody moves any more, and nobody is busier than adverts make it. */
function checkQuiet({ scenario, hosts, say }: VrrpFleet, steadyMs: number, claims: number): void {
  // Who waited for its back-off or its delay may come back once.
  if (claims > scenario.vips.length) say("storm", `${claims} claims in ${steadyMs} ms of calm`);
  const intervals = steadyMs / scenario.shortestIntervalMs;
  const seconds = steadyMs / 1_000;
  const most =
    scenario.vips.length * (MOST_STEPS_AN_INTERVAL * intervals + MOST_STEPS_A_SECOND * seconds) +
    (scenario.mode === "mixed" ? MOST_LEASE_STEPS_A_SECOND * seconds : 0);
  for (const { daemon, name } of hosts.values())
    if (daemon !== null && daemon.steps > most)
      say("storm", `${name} took ${daemon.steps} steps in ${steadyMs} ms of calm: it spins`);
}

function* summaries({ parties }: VrrpFleet, vip: string): Generator<string> {
  for (const party of parties.values()) {
    const state = electionOf(party, vip)?.state;
    const trouble = electionOf(party, vip)?.trouble ?? "";
    const lease =
      party.kind === "vipd" && party.host.wire?.hasStore === true
        ? party.host.daemon?.election.tenures.get(vip)?.phase
        : "";
    yield `${party.name} ${priorityOf(party, vip)} ${state?.phase.kind ?? ""} ${state?.router.intervalMs ?? ""} ${lease ?? ""} ${trouble}`;
  }
}
