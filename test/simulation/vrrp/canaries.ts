// Deliberately broken variants of the VRRP side, each of which the simulation must notice.

import type { Instant } from "../../../src/base/time.ts";
import { later } from "../../../src/base/time.ts";
import { NO_AUTHENTICATION } from "../../../src/base/vrrp.ts";
import type { VipConfig, VrrpConfig } from "../../../src/config/types.ts";
import type { ElectorHost, Validity } from "../../../src/ports/elector.ts";
import type { VrrpEvent, VrrpState } from "../../../src/vrrp/state.ts";
import type { SimDaemon } from "../daemon.ts";
import type { FenceFlaw } from "../kernel.ts";
import type { Process, World } from "../world.ts";
import type { VrrpTrouble } from "./scenario.ts";

/** What a broken host is made with. */
interface Around {
  readonly world: World;
  readonly process: Process;
  readonly daemon: () => SimDaemon | null;
}

/** A way to be wrong. */
export interface VrrpCanary {
  readonly name: string;
  /** The rules of which one breaks first. */
  readonly breaks: readonly string[];
  /** What brings it to light. */
  readonly trouble?: VrrpTrouble["kind"];
  readonly mode?: "vrrp" | "mixed";
  readonly fenceFlaw?: FenceFlaw;
  /** A backup believes in silence without having looked into its sockets. */
  readonly doesNotDrain?: boolean;
  /** Who follows its only peer's farewell does not ask the wire who still answers. */
  readonly doesNotAsk?: boolean;
  /** The sending thread goes on whatever the program does. */
  readonly ignoresSignsOfLife?: boolean;
  readonly seenVips?: (vips: readonly VipConfig[]) => readonly VipConfig[];
  /** Changes what the machine is told. */
  readonly perturb?: (state: VrrpState, event: VrrpEvent, at: Instant) => VrrpEvent;
  readonly brokenHost?: (host: ElectorHost, around: Around) => ElectorHost;
}

/** All of them. */
export const VRRP_CANARIES: readonly VrrpCanary[] = [
  {
    name: "a takeover without a look into the sockets",
    breaks: ["succession", "rivals"],
    trouble: "freeze",
    mode: "vrrp",
    doesNotDrain: true,
    // Else a claim that should not have begun finds the master a moment later, and waits for it.
    perturb: (state, event, at) =>
      event.type === "advert" && state.phase.kind === "claiming" ? { type: "sent", at: later(at, -1e9) } : event,
  },
  {
    name: "a fence that is open for longer than the master-down time",
    breaks: ["lease", "succession"],
    trouble: "freeze",
    mode: "vrrp",
    brokenHost: (host) => lengthened(host, 2_000),
  },
  {
    name: "a lease from when an advert is reported, and not from before it was sent",
    breaks: ["lease"],
    trouble: "freeze",
    mode: "vrrp",
    perturb: (_, event, at) => (event.type === "sent" && event.at > 0 ? { ...event, at } : event),
  },
  { name: "priority 0 before the address is gone", breaks: ["farewell"], mode: "vrrp", brokenHost: releasingFirst },
  {
    name: "a master-down time of a third",
    breaks: ["succession", "rivals", "steady"],
    mode: "vrrp",
    perturb: (_, event) =>
      event.type === "advert" && event.advert.version === 3
        ? { ...event, advert: { ...event.advert, intervalMs: event.advert.intervalMs / 3 } }
        : event,
  },
  {
    name: "signs of life that the sending thread ignores",
    breaks: ["mute"],
    trouble: "freeze",
    mode: "vrrp",
    ignoresSignsOfLife: true,
  },
  {
    name: "an equal priority that moves",
    breaks: ["storm", "recovery", "steady", "rivals"],
    mode: "vrrp",
    perturb: (state, event) =>
      event.type === "advert" && event.advert.priority === state.priority
        ? { ...event, advert: { ...event.advert, priority: event.advert.priority - 1 } }
        : event,
  },
  {
    name: "masters that do not yield",
    breaks: ["rivals", "pre-emption"],
    mode: "vrrp",
    perturb: (state, event, at) =>
      event.type === "advert" && (state.phase.kind === "master" || state.phase.kind === "claiming")
        ? { type: "sent", at: later(at, -1e9) }
        : event,
  },
  {
    name: "extensions that wait until the fence has closed",
    breaks: ["lapse", "mute", "recovery", "steady", "storm"],
    mode: "vrrp",
    brokenHost: (host, { world, process }) => ({
      ...host,
      extend: (validities) => void world.at(world.now + 2_980, () => host.extend(validities), process),
    }),
  },
  {
    name: "a pair that follows keepalived's farewell before its address is gone",
    breaks: ["farewells"],
    trouble: "stop",
    mode: "vrrp",
    doesNotAsk: true,
    // Whoever pre-empts asks, too, and waits as long as it may have to.
    perturb: (_, event) => (event.type === "answered" ? { ...event, isSilent: false } : event),
  },
  {
    name: "a pre-emption that does not wait until nobody else answers",
    breaks: ["pre-emption"],
    trouble: "freeze-preempted",
    mode: "vrrp",
    perturb: (_, event) => (event.type === "answered" ? { ...event, isSilent: true } : event),
  },
  {
    name: "adverts that are believed without their trailer",
    breaks: ["farewells"],
    trouble: "forged",
    mode: "vrrp",
    seenVips: (vips) => vips.map((vip) => withWire(vip, { authentication: NO_AUTHENTICATION })),
  },
  {
    name: "a mixed fleet that claims without the lease",
    breaks: ["leaseless", "invariant 1"],
    mode: "mixed",
    seenVips: (vips) => vips.map((vip) => withWire(vip, { kind: "vrrp" })),
  },
  {
    name: "a mixed fleet that holds by VRRP's deadline alone",
    breaks: ["invariant 1", "invariant 3"],
    trouble: "store-cut",
    mode: "mixed",
    brokenHost: (host) => lengthened(host, 60_000),
  },
  {
    name: "a mixed fleet that holds by the lease alone",
    breaks: ["lease"],
    mode: "mixed",
    seenVips: (vips) => vips.map(withoutVrrp),
  },
  { name: "a fence without a timeout", breaks: ["lease"], mode: "vrrp", fenceFlaw: "no-timeout" },
  {
    name: "a fence that is not armed before the clock is read",
    breaks: ["lease", "succession"],
    trouble: "freeze",
    mode: "vrrp",
    fenceFlaw: "unarmed",
  },
];

function withWire(vip: VipConfig, given: Partial<VrrpConfig>): VipConfig {
  return vip.vrrp === undefined ? vip : { ...vip, vrrp: { ...vip.vrrp, ...given } };
}

function withoutVrrp(vip: VipConfig): VipConfig {
  const { vrrp: _, ...others } = vip;
  return others;
}

function lengthened(host: ElectorHost, byMs: number): ElectorHost {
  const longer = ({ deadline, until }: Validity): Validity => ({ deadline, until: later(until, byMs) });
  return {
    ...host,
    gain: (grants, validity) => host.gain(grants, longer(validity)),
    extend: (validities) => host.extend(validities.map(longer)),
  };
}

function releasingFirst(host: ElectorHost, { world, process, daemon }: Around): ElectorHost {
  return {
    ...host,
    lose: (losses) => {
      if (losses.some(({ reason: { code } }) => code === "higher-master")) return host.lose(losses);
      world.at(world.now + 20, () => host.lose(losses), process);
      world.at(world.now, () => daemon()?.vrrp.released(losses.map(({ election }) => election)), process);
    },
  };
}
