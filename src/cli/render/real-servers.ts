// A real server in one line, for status, doctor and realserver show.

import type { RealServerState } from "../../ports/real-server.ts";
import { escapeControl, type Style } from "./text.ts";

/** `web: 10.0.0.50 from eth0, up`, and what is wrong. */
export function describeRealServer(server: RealServerState, style: Style): string {
  const line = escapeControl(realServerText(server));
  return server.trouble === null ? line : style.bad(line);
}

/** The same without colours. */
export function realServerText({ name, addresses, interfaces, by, state, trouble }: RealServerState): string {
  const ips = addresses.map(({ ip }) => ip).join(" ");
  const from = interfaces.length === 0 ? "" : ` from ${interfaces.join(", ")}`;
  const who = by === "hand" ? ", by hand" : state === "down" && trouble === null ? " by hand" : "";
  return `real server of ${name}: ${ips}${from}, ${state}${who}${trouble === null ? "" : `: ${trouble}`}`;
}
