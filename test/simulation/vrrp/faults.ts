// What the faults of a scenario do.

import { createHmac } from "node:crypto";
import type { VrrpReceived } from "../../../src/base/vrrp.ts";
import { ipBytes, IPV4_BYTES } from "../../../src/wire/ip.ts";
import { encodeVrrp, encodeVrrpIpv4 } from "../../../src/wire/vrrp.ts";
import { authenticationOptions } from "../../../src/wire/vrrp-auth.ts";
import type { SimHost } from "../host.ts";
import type { Keepalived } from "./keepalived.ts";
import type { Party } from "./parties.ts";
import type { VrrpFleet } from "./run.ts";
import { calmWire, ipOf, type VrrpFault } from "./scenario.ts";
import { groupOf } from "./segment.ts";
import { wallMsOf } from "./wire-ports.ts";

/** The daemon asks a kernel that would not close so often, in milliseconds (src/vip/machine.ts). */
const CLOSE_RETRY_MS = 100;

/** A fault strikes. */
export function strike(fleet: VrrpFleet, fault: VrrpFault): void {
  const { world, segment, scenario } = fleet;
  world.say("FAULT", () => JSON.stringify(fault));
  if (fault.kind === "storm") {
    segment.weather = fault.weather;
    return after(fleet, fault.forMs, () => {
      segment.weather = world.now < scenario.calmAt ? scenario.weather : calmWire(scenario.mostDelayMs);
    });
  }
  if (fault.kind === "cut") return cut(fleet, fault);
  if (fault.kind === "forged") return forge(fleet, fault);
  if (fault.kind === "freeze-preempted") return lieInWait(fleet, fault);
  const party = fleet.parties.get(fault.host);
  if (party?.kind === "keepalived") return strikeKeepalived(fleet, party.station, fault);
  if (party?.kind === "vipd") strikeHost(fleet, party, fault);
}

/** Ends a fault after a while, or when the calm begins. */
function after({ world, scenario }: VrrpFleet, forMs: number, end: () => void): void {
  world.at(Math.min(world.now + forMs, scenario.calmAt), end);
}

function cut(fleet: VrrpFleet, { host, direction, others, forMs }: Extract<VrrpFault, { kind: "cut" }>): void {
  const ways = others.flatMap((other) => [
    ...(direction === "in" ? [] : [`${host}>${other}`]),
    ...(direction === "out" ? [] : [`${other}>${host}`]),
  ]);
  for (const way of ways) fleet.segment.cut.add(way);
  after(fleet, forMs, () => {
    for (const way of ways) fleet.segment.cut.delete(way);
  });
}

/** Whoever is pre-empted next has no time to hear of it. */
function lieInWait(fleet: VrrpFleet, fault: Extract<VrrpFault, { kind: "freeze-preempted" }>): void {
  const { rules, parties, world, scenario } = fleet;
  const { what, after: points, forMs } = fault;
  rules.onPreempt = (former) => {
    const party = parties.get(former);
    if (party === undefined || world.now >= scenario.calmAt) return;
    rules.onPreempt = () => {};
    if (party.kind === "keepalived") return party.station.process?.freeze(points, forMs);
    strikeHost(fleet, party, { kind: "freeze", at: world.now, host: former, what, after: points, forMs });
  };
}

/** It reaches all hosts, whose switch does not look at senders. */
function forge({ segment, scenario, world }: VrrpFleet, fault: Extract<VrrpFault, { kind: "forged" }>): void {
  const { version, vips, hosts } = scenario;
  const vrid = 51 + vips.indexOf(fault.vip);
  const { priority, intervalMs } = fault;
  const advert = { version, vrid, priority, intervalMs, addresses: [ipOf(fault.vip)] };
  const source = ipBytes(fault.source);
  const options = authenticationOptions(fault.authentication, hmac, wallMsOf(world), 0n);
  for (const host of hosts) {
    const unicast = host.config.some(({ vrrp }) => vrrp !== undefined && vrrp.unicastPeers.length > 0);
    const ends = { source, destination: unicast ? ipBytes(host.source ?? "") : groupOf(source) };
    const received: VrrpReceived =
      source.length === IPV4_BYTES
        ? { family: 4, packet: encodeVrrpIpv4(advert, ends, options) }
        : { family: 6, ...ends, message: encodeVrrp(advert, ends, options) };
    segment.inject(host.name, received, unicast);
  }
}

function hmac(key: Uint8Array, text: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(text).digest());
}

function strikeKeepalived(fleet: VrrpFleet, station: Keepalived, fault: VrrpFault): void {
  const { world } = fleet;
  switch (fault.kind) {
    case "freeze":
      return station.process?.freeze(0, fault.forMs);
    case "kill":
      station.kill();
      return after(fleet, fault.backMs, () => station.start());
    case "stop":
      station.stop();
      if (fault.backMs !== null) after(fleet, fault.backMs + 20, () => station.start());
      return;
    case "link-down":
      station.setLink(false);
      return after(fleet, fault.forMs, () => station.setLink(true));
    default:
      return world.say("FAULT", () => "means nothing to keepalived");
  }
}

type HostParty = Extract<Party, { kind: "vipd" }>;

function strikeHost(fleet: VrrpFleet, party: HostParty, fault: VrrpFault): void {
  const { host } = party;
  const { kernel } = host;
  const { world, network } = fleet;
  switch (fault.kind) {
    case "link-down":
      kernel.setLink("eth0", false);
      return after(fleet, fault.forMs, () => host.kernel === kernel && kernel.setLink("eth0", true));
    case "suspend":
      return host.suspend(Math.min(fault.forMs, world.calmAt - world.now), fault.darkMs, 0);
    case "refusal":
      kernel.refused.add(fault.what);
      return after(fleet, fault.forMs, () => {
        kernel.refused.delete(fault.what);
        party.slowAt = world.now + CLOSE_RETRY_MS;
      });
    case "sick":
      host.feel(1);
      return after(fleet, fault.forMs, () => host.feel(-1));
    case "address-removed":
      return kernel.removeByHand(fault.ip);
    case "reboot":
      host.reboot();
      return host.startIn(fault.backMs, null);
    case "store-cut":
      network.cut.set(host.name, fault.direction);
      return after(fleet, fault.forMs, () => network.cut.delete(host.name));
    case "store-outage":
      network.outage = fault.how;
      return after(fleet, fault.forMs, () => (network.outage = "none"));
    default:
      return strikeDaemon(fleet, party, host, fault);
  }
}

function strikeDaemon(fleet: VrrpFleet, party: HostParty, host: SimHost, fault: VrrpFault): void {
  const { daemon } = host;
  if (daemon === null) return;
  const { world } = fleet;
  const { process } = daemon;
  switch (fault.kind) {
    case "freeze":
      if (fault.what !== "thread") process.freeze(fault.after, fault.forMs);
      if (fault.what !== "program") host.wire?.thread?.freeze(fault.what === "thread" ? fault.after : 0, fault.forMs);
      return;
    case "slow":
      process.stepMs = fault.stepMs;
      return after(fleet, fault.forMs, () => {
        process.stepMs = 0;
        party.slowAt = world.now;
      });
    case "kill":
      host.whenGone = () => host.startIn(fault.backMs, null);
      return process.killAfter(fault.after);
    case "stop":
      host.whenGone = () => host.startIn(fault.backMs, null);
      world.at(world.now, () => daemon.stop(), process);
      return;
    case "step-down":
      world.at(world.now, () => void daemon.daemon.stepDown(fault.vip, null), process);
      return;
    case "reload":
      host.config = fault.config;
      world.at(
        world.now,
        () => {
          party.reloadedAt = world.now;
          daemon.reload(fault.config);
        },
        process,
      );
      return;
    default:
  }
}
