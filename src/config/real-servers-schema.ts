// `realServers`: the VIPs of which this host is a real server. A director, the holder of the VIP, sends it the packets
// (LVS, direct routing).

import * as z from "zod";
import { MAX_ADDRESSES_PER_VIP, MAX_REAL_SERVER_INTERFACES } from "../base/bounds.ts";
import type { RealServer } from "../ports/real-server.ts";
import { parseIp } from "../wire/ip.ts";
import { interfaceName } from "./address.ts";
import { hostAddress, whyNotServed } from "./host-address.ts";
import { name } from "./leaf.ts";

const server = z.strictObject({
  addresses: z.array(hostAddress("Address of the VIP", whyNotServed)).meta({
    description: "Addresses of the VIP, without prefix lengths: each is put on lo alone",
    minItems: 1,
    maxItems: MAX_ADDRESSES_PER_VIP,
  }),
  interfaces: z.array(interfaceName).meta({
    description: "Interfaces on which the director's packets arrive",
    minItems: 1,
    maxItems: MAX_REAL_SERVER_INTERFACES,
  }),
});

/** The group. */
export const realServers = z.record(name("Name of the VIP, as on its directors"), server);

/** The group as it is read. */
export type FileRealServers = z.infer<typeof realServers>;

/** The real servers of a file, in its order. */
export function buildRealServers(file: FileRealServers | undefined): readonly RealServer[] {
  return Object.entries(file ?? {}).map(([name, { addresses, interfaces }]) => ({
    name,
    addresses: addresses.flatMap((ip) => {
      const parsed = parseIp(ip);
      return parsed === undefined ? [] : [{ family: parsed.family, ip: parsed.ip }];
    }),
    interfaces: [...new Set(interfaces)],
  }));
}
