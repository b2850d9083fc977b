// What the fence's tests share: the addresses, a fence in the host's namespace, and questions to all addresses.

import { KernelAddresses } from "../../adapters/linux/addresses.ts";
import { bootClock } from "../../adapters/linux/clock.ts";
import type { FenceDeps, FenceOptions } from "../../adapters/linux/fence/fence.ts";
import { createFence } from "../../adapters/linux/fence/fence.ts";
import { dumpLinks } from "../../adapters/linux/links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../adapters/linux/netlink.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import { later } from "../../src/base/time.ts";
import type { Fence, FenceInfo, OpenResult } from "../../src/ports/host.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import type { Namespace, Wire } from "./namespaces.ts";
import type { Stream } from "./traffic.ts";
import { askArp, askNeighbour, askUdp, echo } from "./traffic.ts";

export const VIP4: VipAddress = { family: 4, ip: "10.77.0.100", prefix: 32, interface: "eth0" };
export const VIP6: VipAddress = { family: 6, ip: "2001:db8:77::100", prefix: 128, interface: "eth0" };
export const VIPS: readonly VipAddress[] = [VIP4, VIP6];

export const KINDS: readonly FenceInfo["kind"][] = ["netdev", "inet"];

export const clock = bootClock();

/** What to vary of a fence. */
export interface FenceChoice extends Partial<FenceOptions> {
  readonly pause?: FenceDeps["pause"];
  readonly ownable?: boolean;
  /** Links that are told besides the true ones. */
  readonly links?: readonly LinkRecord[];
}

/** A fence in the host's namespace, or another; released when the wire closes. */
export function openFence(
  wire: Wire,
  { pause, ownable = true, mode = "auto", table = "vipd", links = [] }: FenceChoice = {},
  namespace: Namespace = wire.host,
): Fence {
  return namespace.inside(() => {
    const questions = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");
    wire.onClose(() => questions.close());
    const deps = {
      clock,
      ownable,
      links: () => [...dumpLinks(questions), ...links],
      ...(pause === undefined ? {} : { pause }),
    };
    const fence = createFence({ mode, table }, deps);
    wire.onClose(() => fence.release());
    return fence;
  });
}

/** Puts the addresses on the host, with echo servers on them. */
export function bindAll(wire: Wire, vips: readonly VipAddress[] = VIPS): void {
  const addresses = wire.host.inside(() => new KernelAddresses());
  addresses.bind(vips, 60_000);
  for (const { ip } of vips) echo(wire, wire.host, ip);
  addresses.close();
}

/** The deadline under which the tests open, unless they need two. */
export const DEADLINE = 1;

/** Opens for `ms` from now. */
export function openFor(
  fence: Fence,
  ms: number,
  vips: readonly VipAddress[] = VIPS,
  deadline: number = DEADLINE,
): OpenResult {
  return fence.open(vips, deadline, later(clock.now(), ms));
}

/**
 * Questions of every kind to both addresses. The peer knows where they are, so that UDP is asked whether or not ARP and
 * neighbour discovery are answered.
 */
export function askAll(wire: Wire): readonly Stream[] {
  const { mac } = wire.hostLink();
  for (const { ip } of VIPS)
    wire.peer.exec("ip", "neighbour", "replace", ip, "lladdr", mac, "dev", "eth0", "nud", "permanent");
  return [askArp(wire, VIP4.ip), askUdp(wire, VIP4.ip), askNeighbour(wire, VIP6.ip), askUdp(wire, VIP6.ip)];
}
