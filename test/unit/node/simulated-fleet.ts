// Whole daemons with real lease electors on the simulation's hosts, kernels and store, in virtual time, for tests that say
// themselves what happens. The simulation's checker watches: at the end no promise may be broken.

import { seededRandom } from "../../../src/base/random.ts";
import type { VipConfig } from "../../../src/config/types.ts";
import { Checker } from "../../simulation/checker.ts";
import type { SimDaemon } from "../../simulation/daemon.ts";
import { SimHost } from "../../simulation/host.ts";
import { INTERFACES } from "../../simulation/kernel.ts";
import { Network } from "../../simulation/network.ts";
import { FAIR } from "../../simulation/scenario.ts";
import { StoreModel } from "../../simulation/store-model.ts";
import { World } from "../../simulation/world.ts";
import { vipConfig } from "./config.ts";
import { address } from "./fake-host.ts";

export const LEASE_MS = 1_000;

/** VIP `vip-<number>`, with 10.0.<number>.<last> for each of `lasts`. */
export function simVip(number: number, priority: number, lasts: readonly number[] = [1]): VipConfig {
  const addresses = lasts.map((last) => address(`10.0.${number}.${last}`, INTERFACES[last === 2 ? 1 : 0]));
  return vipConfig(`vip-${number}`, addresses, { priority });
}

export class SimulatedFleet {
  readonly world = new World(seededRandom(1), false);
  readonly network: Network;
  readonly checker: Checker;
  private readonly hosts = new Map<string, SimHost>();

  /** By the names of the hosts, what their daemons are configured with. */
  constructor(configs: Readonly<Record<string, readonly VipConfig[]>>) {
    const store = new StoreModel(0n);
    this.network = new Network(this.world, store, FAIR, Number.POSITIVE_INFINITY);
    this.checker = new Checker(this.world, this.hosts);
    store.onApplied = (applied) => this.checker.applied(applied);
    for (const [index, [name, config]] of Object.entries(configs).entries()) {
      const ttlMs = LEASE_MS;
      const setup = { name, node: name, ttlMs, knownTtlMs: ttlMs, rate: 1, bootMs: 1_000, startAt: index * 20, config };
      const host = new SimHost(setup, {
        world: this.world,
        network: this.network,
        canary: null,
        onBoot: (booted) => this.checker.follow(booted),
        onSend: (daemon, heartbeat) => this.checker.sent(daemon, heartbeat),
        onStep: (daemon, after) => this.checker.stepped(daemon, after),
      });
      this.hosts.set(name, host);
    }
  }

  host(name: string): SimHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }

  daemon(name: string): SimDaemon {
    const { daemon } = this.host(name);
    if (daemon === null) throw new Error(`${name} runs no daemon`);
    return daemon;
  }

  run(ms: number): void {
    this.world.runUntil(this.world.now + ms);
  }

  /** Lets time pass until something is so; the result: how long that took, in milliseconds. */
  until(isSo: () => boolean, mostMs = 20 * LEASE_MS): number {
    const from = this.world.now;
    while (!isSo()) {
      if (this.world.now - from > mostMs) throw new Error(`it has not come to that within ${mostMs} ms`);
      this.run(1);
    }
    return this.world.now - from;
  }

  /** Does something as soon as something is so, also while a process is frozen in the middle of a step. */
  when(isSo: () => boolean, run: () => void): void {
    this.world.at(this.world.now + 1, () => (isSo() ? run() : this.when(isSo, run)));
  }

  /** Does something in a host's process, at its next turn. */
  at(name: string, run: (daemon: SimDaemon) => void): void {
    const daemon = this.daemon(name);
    this.world.at(this.world.now, () => run(daemon), daemon.process);
  }

  /** The hosts that answer for an address now. */
  answering(ip: string): readonly string[] {
    return [...this.hosts.values()]
      .filter(({ kernel }) => kernel.answersUntil(ip) > this.world.now)
      .map(({ name }) => name);
  }

  isHeldBy(name: string, ...ips: readonly string[]): boolean {
    return ips.every((ip) => this.answering(ip).join() === name);
  }

  /** What was wrong, of all that the checker and the machines themselves look at. */
  get broken(): readonly string[] {
    return [...this.checker.violations.map(({ text }) => text), ...this.world.broken];
  }
}
