// The host: whether its kernel can fence, and whether its network fits the VIPs.

import { contains, parseCidr, parseIp } from "../../wire/ip.ts";
import { arpTroubles, wireInterface } from "../../base/virtual-mac.ts";
import type { VipAddress } from "../../base/vip.ts";
import type { Config, VipConfig } from "../../config/types.ts";
import type { HostReport } from "../deps.ts";
import { failure, fine, type Finding, warning } from "./finding.ts";

const SINGLE: Readonly<Record<4 | 6, number>> = { 4: 32, 6: 128 };

/** Judges what was found of the kernel. */
export function judgeKernel({ fence, trouble }: HostReport): readonly Finding[] {
  if (fence === null) {
    const fix =
      "run vipd and vipctl doctor as root, or with CAP_NET_ADMIN and CAP_NET_RAW; the fence needs nf_tables in the kernel";
    return [failure("kernel", trouble ?? "the fence cannot be put up", fix)];
  }
  const best = fence.kind === "netdev" && fence.flushProof;
  const text = `${fence.kind} fence${fence.flushProof ? ", which stands through a flush of the ruleset" : ""}`;
  const fix = "a kernel of 6.9 or newer fences better: until then let nobody flush the ruleset";
  return [best ? fine("kernel", text) : warning("kernel", text, fix)];
}

/** Judges how the configured VIPs fit the host's interfaces and addresses. */
export function judgeNetwork(config: Config, report: HostReport): readonly Finding[] {
  return config.vips.flatMap((vip) => [
    ...vip.addresses.flatMap((address) => judgeAddress(vip.name, address, report)),
    ...judgeArp(vip, report),
  ]);
}

function judgeArp({ name, addresses }: VipConfig, { arpOfAll }: HostReport): readonly Finding[] {
  if (!addresses.some(({ family, virtualMac }) => family === 4 && virtualMac !== undefined)) return [];
  const wrong = arpTroubles(arpOfAll);
  if (wrong.length === 0) return [];
  const text = `${name}: with ${wrong.join(" and ")} this kernel does not answer ARP with the virtual MAC: this node stands back`;
  return [
    warning("network", text, "set arp_filter of all to 0, and its arp_ignore to 0 or 1; interfaces have their own"),
  ];
}

function judgeAddress(vip: string, address: VipAddress, { links, addresses }: HostReport): readonly Finding[] {
  const { ip, prefix, family, virtualMac } = address;
  const name = wireInterface(address);
  const link = links.find((other) => other.name === name);
  // Checking the configuration has told it.
  if (link === undefined) return [];
  if (!link.up) return [warning("network", `${vip}: ${name} is down`, "this node stands back until it is up")];
  const own = addresses.filter((other) => other.interface === name && other.family === family && other.ip !== ip);
  const target = parseIp(ip);
  const fits = own.some((other) => {
    const network = parseCidr(`${other.ip}/${other.prefix}`);
    return target !== undefined && network !== undefined && contains(network, target);
  });
  if (fits || (prefix === SINGLE[family] && virtualMac === undefined))
    return [fine("network", `${vip}: ${name} is up, and ${ip} fits it`)];
  if (virtualMac !== undefined) {
    const text = `${vip}: ${name} has no address of its own in a network of ${ip}, through which its neighbours would be reached`;
    return [warning("network", text, `give ${name} one: the device with the virtual MAC has no network`)];
  }
  const fix = `give ${name} an address of that network, or look at the prefix`;
  return [warning("network", `${vip}: ${name} has no other address in the network of ${ip}/${prefix}`, fix)];
}
