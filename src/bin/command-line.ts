// vipctl's program: hands its surroundings to the command line, each part loaded only when it is needed.

import { hostname } from "node:os";
import type { VipAddress } from "../base/vip.ts";
import type { VrrpReceived } from "../base/vrrp.ts";
import type { AdvertReceiver } from "../ports/vrrp.ts";
import { messageOf } from "../base/errors.ts";
import type { HostReport, OnVrrp, Output, StoreWriter, WireReport } from "../cli/deps.ts";
import type { FenceChoice } from "../config/types.ts";
import { runVipctl } from "../cli/vipctl.ts";
import { openStore, STORE_ADAPTERS } from "../stores/index.ts";
import { procClock, systemTimers } from "../runtime/timers.ts";
import { hostLook, readConfigFile } from "./host-look.ts";
import { realServersOf } from "./real-servers.ts";
import { readVersion } from "./version.ts";

/** How long an answer from the wire is waited for, in milliseconds. */
const PROBE_MS = 150;

const timers = systemTimers(procClock());

async function probeWire(addresses: readonly VipAddress[], signal: AbortSignal): Promise<WireReport> {
  const [{ probeAddress }, { KernelAddresses }] = await Promise.all([
    import("../../adapters/linux/index.ts"),
    import("../../adapters/linux/addresses.ts"),
  ]);
  const table = new KernelAddresses();
  try {
    const bound = table.addresses();
    const asked = addresses.map(async (address) =>
      (await probeAddress(address, PROBE_MS, signal)).map(({ mac }) => ({ ip: address.ip, mac })),
    );
    const answers = (await Promise.all(asked)).flat();
    const here = addresses.filter(({ ip }) => bound.some((other) => other.ip === ip));
    return { answers, boundHere: here.map(({ ip }) => ip) };
  } finally {
    table.close();
  }
}

/** A fence under a name of its own shows what the kernel takes, without touching the daemon's. */
async function examineHost(fence: FenceChoice): Promise<HostReport> {
  const [{ createLinuxHost }, { KernelAddresses }, { readArpOfAll }] = await Promise.all([
    import("../../adapters/linux/index.ts"),
    import("../../adapters/linux/addresses.ts"),
    import("./doctor-host.ts"),
  ]);
  const table = new KernelAddresses();
  try {
    const seen = { links: table.links(), addresses: table.addresses(), arpOfAll: await readArpOfAll() };
    try {
      const host = createLinuxHost({ fence, table: `vipd-doctor-${process.pid}` });
      const { kind, flushProof } = host.fence.info;
      host.fence.remove();
      host.close();
      return { ...seen, fence: { kind, flushProof }, trouble: null };
    } catch (error) {
      return { ...seen, fence: null, trouble: messageOf(error) };
    }
  } finally {
    table.close();
  }
}

/** A socket for the group and one for each address of this host, on each interface. */
async function listenVrrp(link: string | undefined, onReceived: OnVrrp): Promise<() => void> {
  const [{ openReceiver }, { KernelAddresses }] = await Promise.all([
    import("../../adapters/linux/vrrp-receiver.ts"),
    import("../../adapters/linux/addresses.ts"),
  ]);
  const table = new KernelAddresses();
  const receivers: AdvertReceiver[] = [];
  const close = (): void => {
    for (const receiver of receivers.splice(0)) receiver.close();
  };
  try {
    const names = table.links().flatMap(({ name, ethernet, up }) => (ethernet && up ? [name] : []));
    for (const name of link === undefined ? names : [link]) {
      const own = table.addresses().filter((address) => address.interface === name);
      const hear = (multicast: boolean) => (received: VrrpReceived) => onReceived(name, multicast, received);
      for (const family of [4, 6] as const)
        receivers.push(openReceiver({ interface: name, family, unicast: null }, hear(true)));
      for (const { family, ip } of own)
        receivers.push(openReceiver({ interface: name, family, unicast: ip }, hear(false)));
    }
    return close;
  } catch (error) {
    close();
    throw error;
  } finally {
    table.close();
  }
}

async function openFleet(url: string, fleet: string, readOnly: boolean): Promise<StoreWriter> {
  const { storeFleet } = await import("../cli/store-fleet.ts");
  return storeFleet(await openStore(url, { readOnly }), { fleet, url }, timers);
}

function outputTo(stream: NodeJS.WriteStream): Output {
  return { write: (text) => void stream.write(text), isTerminal: stream.isTTY };
}

/** Runs vipctl with the arguments of this process, to its end. */
export async function main(): Promise<void> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort()).once("SIGTERM", () => interrupted.abort());
  // `vipctl status --watch | head` is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });

  process.exitCode = await runVipctl(process.argv.slice(2), {
    version: readVersion(),
    env: process.env,
    hostName: hostname(),
    out: outputTo(process.stdout),
    err: outputTo(process.stderr),
    timers,
    signal: interrupted.signal,
    stores: STORE_ADAPTERS,
    readFile: readConfigFile,
    look: hostLook,
    adminClient: async (socket) => (await import("../admin/client.ts")).adminClient(socket),
    openFleet: (url, fleet) => openFleet(url, fleet, true),
    openFleetToWrite: (url, fleet) => openFleet(url, fleet, false),
    probeWire,
    listenVrrp,
    openRealServers: (stateDir, signal) => realServersOf(stateDir, timers, signal),
    examineHost,
    readServices: async () => (await import("./doctor-host.ts")).readServices(),
    runChecks: async (checks, signal) => (await import("./doctor-host.ts")).runChecks(checks, timers, signal),
  });
}
