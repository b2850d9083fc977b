// Opens a host as the user who runs it, and tells what it could do: one line of JSON.

import { execFileSync } from "node:child_process";
import { createLinuxHost, probeAddress } from "../../adapters/linux/index.ts";
import { isVipdError } from "../../src/base/errors.ts";
import { later } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";

const VIPS: readonly VipAddress[] = [
  { family: 4, ip: "10.88.0.100", prefix: 24, interface: "eth0" },
  { family: 6, ip: "2001:db8:88::100", prefix: 64, interface: "eth0" },
];

/** In a new user and network namespace there is nothing yet. */
function addCable(): void {
  const ip = (...args: readonly string[]): unknown =>
    execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
  ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
  ip("address", "add", "10.88.0.1/24", "dev", "eth0");
  ip("link", "set", "eth0", "up");
  ip("link", "set", "far0", "up");
}

async function useHost(): Promise<unknown> {
  const host = createLinuxHost();
  try {
    host.fence.protect(VIPS);
    host.addresses.bind(VIPS, 30_000);
    const bound = host.addresses.addresses().filter(({ ours }) => ours);
    const closed = VIPS.map((vip) => host.packets.announce(vip));
    const opened = host.fence.open(VIPS, 1, later(host.clock.now(), 10_000));
    const open = VIPS.map((vip) => host.packets.announce(vip));
    const monitor = host.monitor(() => undefined);
    monitor.close();
    const [first] = VIPS;
    const answers = first === undefined ? [] : await host.packets.probe(first, 30, new AbortController().signal);
    return { kind: host.fence.info.kind, bound: bound.map(({ ip }) => ip), closed, opened: opened.kind, open, answers };
  } finally {
    host.close();
  }
}

async function main(what: string | undefined): Promise<unknown> {
  if (what === "cable") addCable();
  if (what !== "probe") return useHost();
  const vip: VipAddress = { family: 4, ip: "10.88.0.100", prefix: 32, interface: "lo" };
  return probeAddress(vip, 30, new AbortController().signal);
}

try {
  process.stdout.write(`${JSON.stringify(await main(process.argv[2]))}\n`);
} catch (error) {
  const told = isVipdError(error)
    ? { code: error.code, message: error.message, ...error.context }
    : { message: String(error) };
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
