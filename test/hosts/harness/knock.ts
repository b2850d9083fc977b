// Whether a host lets traffic through: a port at which nobody listens refuses at once, a fence keeps silent.

import type { Station } from "./lan.ts";

/** Asks for a TCP connection; the answer says "refused" when the host has answered, and nothing when none came in 2 s. */
export function knock(from: Station, ip: string): string {
  return from.namespace.exec("bash", "-c", `timeout 2 bash -c 'echo > /dev/tcp/${ip}/9' 2>&1 || true`);
}
