// What to try from another terminal while the fleet of the demo runs on.

import process from "node:process";
import { type DaemonProcess, type Fleet, VIP } from "../hosts/harness/fleet.ts";
import { INSIDE } from "./surroundings.ts";

/** Who holds it, by its own word. */
export async function holderOf(daemons: Iterable<DaemonProcess>): Promise<DaemonProcess> {
  for (const daemon of daemons) {
    if (!daemon.running) continue;
    const status = await daemon.admin.status({ timeoutMs: 2_000 });
    if (status.elections[0]?.role === "holder") return daemon;
  }
  throw new Error("nobody holds the VIP");
}

/** A command line each, after a word on what it is for; all of them for the host of the holder, which alone can hand over. */
export async function hints(fleet: Fleet, daemons: Iterable<DaemonProcess>): Promise<readonly string[]> {
  const { host } = await holderOf(daemons);
  // The names of network namespaces are the demo's own where a plain user plays root.
  const enter = process.env[INSIDE] === undefined ? "" : `nsenter --target ${process.pid} --user --mount `;
  const vipctl = fleet.program("vipctl").join(" ");
  const there = `${enter}ip netns exec ${host.namespace.name}`;
  return [
    "From another terminal:",
    `  who has it?    ${vipctl} who-owns web --watch --socket ${fleet.socketOf(host)}`,
    `  hand it over:  ${vipctl} step-down web --socket ${fleet.socketOf(host)}`,
    `  ping it:       ${there} ping ${VIP}`,
  ];
}
