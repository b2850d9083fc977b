// The check of a neighbour: whether somebody on the wire answers for an address, by ARP or neighbour discovery. A router that
// drops echo requests answers these.

import { isVipdError, messageOf } from "../base/errors.ts";
import { checkResult } from "../health/result.ts";
import type { PacketLink } from "../ports/host.ts";
import type { GatewayCheckOptions } from "../config/check-options.ts";
import type { Performer } from "./performer.ts";

/** What the check needs. */
export interface GatewayCheckDeps {
  readonly packets: PacketLink;
}

/** A check of these options. */
export function gatewayPerformer(options: GatewayCheckOptions, { packets }: GatewayCheckDeps): Performer {
  const { address: ip, interface: link, waitMs } = options;
  const isIpv6 = ip.includes(":");
  const target = { family: isIpv6 ? 6 : 4, ip, prefix: isIpv6 ? 128 : 32, interface: link } as const;
  return {
    run: async (signal) => {
      try {
        const [first] = await packets.probe(target, waitMs, signal);
        if (first !== undefined) return checkResult("ok", `${ip} is ${first.mac}`);
        return checkResult("failed", `${ip} does not answer on ${link}`);
      } catch (error) {
        const outcome = isVipdError(error, "interface") ? "failed" : "could-not-run";
        return checkResult(outcome, messageOf(error));
      }
    },
  };
}
