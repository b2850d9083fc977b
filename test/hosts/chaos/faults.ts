// What befalls a chaos fleet: each fault is drawn, done, and undone at the latest when it is to be calm.

import type { Random } from "../../../src/base/random.ts";
import { cut } from "../harness/cut.ts";
import type { DaemonProcess, Fleet } from "../harness/fleet.ts";
import type { Station } from "../harness/lan.ts";
import { ADDRESSES, type ChaosVip, changeVips, nameOf } from "./configuration.ts";

/** A host of the fleet and what is done to it now. */
export interface ChaosHost {
  readonly station: Station;
  daemon: DaemonProcess;
  /** Stopped by a signal, and not dead. */
  isFrozen: boolean;
  /** Addresses that its kernel surely guards, whatever the daemon has read of its file by now: until an orderly stop. */
  guarded: readonly string[];
  /** By what was done to it, how that ends. */
  readonly undo: Map<string, () => void>;
}

/** What faults work with. */
export interface FaultDeps {
  readonly random: Random;
  readonly fleet: Fleet;
  readonly hosts: readonly ChaosHost[];
  readonly store: Station;
  /** Writes a host's file. */
  readonly configure: (host: ChaosHost, vips: readonly ChaosVip[]) => void;
  readonly start: (host: ChaosHost) => void;
  /** The configuration that all shall have in the end. */
  readonly wanted: { vips: readonly ChaosVip[] };
  readonly note: (text: string) => void;
}

type Fault = (deps: FaultDeps, host: ChaosHost) => void | Promise<void>;

const idle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs ip on a host; what it refuses is part of the chaos. */
export function tryIp(host: ChaosHost, ...args: readonly string[]): string {
  try {
    return host.station.namespace.exec("ip", ...args);
  } catch {
    return "";
  }
}

/** Ends what was done to a host under this name. */
export function undo(host: ChaosHost, what: string): void {
  const end = host.undo.get(what);
  host.undo.delete(what);
  end?.();
}

/** For a while that is drawn, or until it is calm. */
async function during(deps: FaultDeps, host: ChaosHost, what: string, begin: () => () => void): Promise<void> {
  if (host.undo.has(what)) return undo(host, what);
  host.undo.set(what, begin());
  if (deps.random.chance(0.4)) return;
  await idle(deps.random.pick([20, 200, 1_500]));
  undo(host, what);
}

async function freeze({ random }: FaultDeps, host: ChaosHost): Promise<void> {
  if (!host.daemon.running || host.isFrozen) return thaw(host);
  host.daemon.signal("SIGSTOP");
  host.isFrozen = true;
  if (random.chance(0.4)) return;
  await idle(random.pick([30, 200, 700, 2_500]));
  thaw(host);
}

/** Lets a frozen daemon go on. */
export function thaw(host: ChaosHost): void {
  if (host.isFrozen) host.daemon.signal("SIGCONT");
  host.isFrozen = false;
}

async function end(host: ChaosHost, signal: "SIGKILL" | "SIGTERM" | "SIGUSR2"): Promise<void> {
  thaw(host);
  host.daemon.signal(signal);
  const { code } = await host.daemon.ended;
  if (signal === "SIGTERM" && code === 0) host.guarded = [];
}

async function restart(
  { random, start }: FaultDeps,
  host: ChaosHost,
  signal: Parameters<typeof end>[1],
): Promise<void> {
  if (host.daemon.running) await end(host, signal);
  if (random.chance(0.3)) return;
  await idle(random.pick([0, 100, 1_500]));
  start(host);
}

async function reload(deps: FaultDeps): Promise<void> {
  const { random, wanted, hosts, configure, note } = deps;
  const { what, vips } = changeVips(random, wanted.vips);
  wanted.vips = vips;
  note(`a reload ${what}: ${vips.map((vip) => `${nameOf(vip)} ${vip.addresses.join(" ")}`).join(", ")}`);
  for (const host of hosts) {
    if (random.chance(0.3)) continue;
    configure(host, vips);
    host.daemon.signal("SIGHUP");
    if (random.chance(0.5)) await idle(random.int(0, 300));
  }
}

async function bindByHand(deps: FaultDeps, host: ChaosHost): Promise<void> {
  if (host.guarded.length === 0) return;
  const address = deps.random.pick(host.guarded);
  tryIp(host, "address", "add", address, "dev", "eth0", ...(address.includes(":") ? ["nodad"] : []));
  await idle(deps.random.pick([0, 30, 700]));
  unbind(host, address);
}

/** Removes an address of a VIP, whoever has bound it. */
function unbind(host: ChaosHost, address: string): void {
  const [ip = ""] = address.split("/");
  for (const line of tryIp(host, "-o", "address", "show").split("\n")) {
    const [, link = "", , cidr = ""] = line.split(/\s+/u);
    if (cidr.startsWith(`${ip}/`)) tryIp(host, "address", "delete", cidr, "dev", link);
  }
}

function breakDevice({ random }: FaultDeps, host: ChaosHost): void {
  const devices = [...tryIp(host, "-o", "link").matchAll(/ (vipd\S+?)@/gu)].map(([, name = ""]) => name);
  if (devices.length === 0) return;
  const device = random.pick(devices);
  tryIp(host, "link", ...random.pick([["delete"], ["set", "down", "dev"], ["set", "up", "dev"]]), device);
}

async function vipctl({ random, fleet, wanted }: FaultDeps, { station, isFrozen }: ChaosHost): Promise<void> {
  const vip = nameOf(random.pick(wanted.vips));
  const commands = [["step-down", vip], ["maintenance"], ["maintenance", vip], ["resume"], ["resume", vip]];
  if (!isFrozen) await fleet.vipctl(station, [...random.pick(commands), "--socket", fleet.socketOf(station)]);
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "kills its daemon": (deps, host) => restart(deps, host, "SIGKILL"),
  "stops its daemon": (deps, host) => restart(deps, host, "SIGTERM"),
  "restarts its daemon": (deps, host) => restart(deps, host, "SIGUSR2"),
  "freezes its daemon": freeze,
  "freezes its daemon once more": freeze,
  "changes the configuration": reload,
  "changes the configuration once more": reload,
  "pulls its cable": (deps, host) =>
    during(deps, host, "cable", () => {
      host.station.pullCable();
      return () => host.station.plugCable();
    }),
  "has it not hear the store": (deps, host) =>
    during(deps, host, "hears", () => cut(host.station, "hears", [deps.store])),
  "has the store not hear it": (deps, host) =>
    during(deps, host, "says", () => cut(host.station, "says", [deps.store])),
  "removes an address": (deps, host) => unbind(host, deps.random.pick(ADDRESSES)),
  "binds an address": bindByHand,
  "breaks a device of a virtual MAC": breakDevice,
  "removes its routes": (_deps, host) => void tryIp(host, "route", "flush", "table", "main", "proto", "118"),
  "asks vipctl for something": vipctl,
};

/** Does one fault to one host. */
export async function doOne(deps: FaultDeps): Promise<void> {
  const { random, hosts, note } = deps;
  const [what, host] = [random.pick(Object.keys(FAULTS)), random.pick(hosts)];
  note(`${host.station.name}: ${what}`);
  await FAULTS[what]?.(deps, host);
}

/** Ends all that lasts. */
export function endFaults(hosts: readonly ChaosHost[]): void {
  for (const host of hosts) {
    for (const what of [...host.undo.keys()]) undo(host, what);
    thaw(host);
    tryIp(host, "link", "set", "eth0", "up");
    tryIp(host, "-6", "address", "replace", `${host.station.ip6}/64`, "dev", "eth0", "nodad");
  }
}

/** The addresses of VIPs without their prefixes. */
export const IPS: readonly string[] = ADDRESSES.map((address) => address.split("/")[0] ?? "");
