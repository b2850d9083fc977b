// What to try from another terminal while the fleet of the demo runs on.

import process from "node:process";
import { type Fleet, VIP } from "../hosts/harness/fleet.ts";
import type { Station } from "../hosts/harness/lan.ts";
import { INSIDE } from "./surroundings.ts";

/** A command line each, after a word on what it is for. */
export function hints(fleet: Fleet, host: Station): readonly string[] {
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
