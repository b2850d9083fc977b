// Services behind a VIP: whether they can start where the VIP is not bound, and whether checks look at this node's own.

import type { Family } from "../../base/vip.ts";
import type { CheckOptions } from "../../config/check-options.ts";
import type { Config, VipConfig } from "../../config/types.ts";
import { parseIp } from "../../wire/ip.ts";
import type { ServicesReport } from "../deps.ts";
import { fine, type Finding, warning } from "./finding.ts";

const SYSCTL: Readonly<Record<Family, string>> = { 4: "net.ipv4.ip_nonlocal_bind", 6: "net.ipv6.ip_nonlocal_bind" };

/** So many ports of an address are named. */
const MAX_PORTS = 5;

/** Judges what was found of the services of this host. */
export function judgeServices(config: Config, services: ServicesReport): readonly Finding[] {
  return config.vips.flatMap((vip) => [...unbindable(vip, services), ...askedByChecks(vip, config)]);
}

/** Whatever listens on the address of a VIP itself, and not on all addresses, cannot start without it. */
function unbindable(vip: VipConfig, { nonlocalBind, listeners }: ServicesReport): readonly Finding[] {
  return vip.addresses.flatMap(({ ip, family }) => {
    const ports = [...new Set(listeners.filter((listener) => listener.ip === ip).map(({ port }) => port))];
    if (ports.length === 0) return [];
    const named = ports.slice(0, MAX_PORTS).join(", ");
    const what = `${vip.name}: a service listens on ${ip} itself (port ${named}${ports.length > MAX_PORTS ? ", ..." : ""})`;
    if (nonlocalBind[family])
      return [fine("network", `${what}; ${SYSCTL[family]} is 1, so that it starts without the VIP, too`)];
    const text = `${what}: it cannot start on a node that does not hold the VIP`;
    if (vip.hooks.some(({ on }) => on === "onMaster" || on === "notify"))
      return [fine("network", `${text}, and is left to the hooks`)];
    const fix = `set ${SYSCTL[family]} to 1 on all nodes (/etc/sysctl.d), or let it listen on all addresses, or start it in onMaster`;
    return [warning("network", text, fix)];
  });
}

/** What answers there is the service of the node that holds the VIP. */
function askedByChecks(vip: VipConfig, { checks }: Config): readonly Finding[] {
  const ips = new Set(vip.addresses.map(({ ip }) => ip));
  const names = new Set(vip.checks.map(({ check }) => check));
  return checks.flatMap(({ name, options }) => {
    const asked = askedIp(options);
    if (!names.has(name) || asked === undefined || !ips.has(asked)) return [];
    const text = `${vip.name}: its check ${name} asks ${asked}, an address of the VIP: where the VIP is not held it does not look at this node's service`;
    return [warning("check", text, "let it ask 127.0.0.1, ::1 or an address of the node's own")];
  });
}

function askedIp(options: CheckOptions): string | undefined {
  if (options.kind === "tcp") return parseIp(options.host)?.ip;
  if (options.kind !== "http") return undefined;
  const host = options.connectTo ?? new URL(options.url).hostname;
  return parseIp(host.replaceAll(/^\[|\]$/gu, ""))?.ip;
}
