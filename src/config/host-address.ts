// An address of a host without a prefix length, as the file writes it.

import type * as z from "zod";
import {
  isLimitedBroadcast,
  isLinkLocal,
  isLoopback,
  isMappedIpv4,
  isMulticast,
  isReserved,
  isUnspecified,
  type ParsedIp,
  parseIp,
} from "../wire/ip.ts";
import { leaf, notThat } from "./leaf.ts";

const HOST_ADDRESS = "an address without a prefix length, such as 10.0.0.2";

const UNSUITABLE = [isUnspecified, isLoopback, isMulticast, isLimitedBroadcast, isReserved, isMappedIpv4] as const;

/** What keeps an address from being that of a host; `undefined`: nothing. */
function whyNoHost(address: ParsedIp): string | undefined {
  const isWrong = UNSUITABLE.some((test) => test(address));
  return isWrong ? `${address.ip} is not the address of a host on the network` : undefined;
}

/** What keeps an address from being one of a real server, on lo; `undefined`: nothing. */
export function whyNotServed(address: ParsedIp): string | undefined {
  const isOfLink = address.family === 6 && isLinkLocal(address);
  return (
    whyNoHost(address) ?? (isOfLink ? `${address.ip} is valid on one link only, and lo is another one` : undefined)
  );
}

/** An address of a host, in canonical text; `wrong` tells what keeps one from its use. */
export function hostAddress(
  description: string,
  wrong: (address: ParsedIp) => string | undefined = whyNoHost,
): z.ZodType<string, unknown> {
  return leaf({ type: "string", pattern: "^[0-9A-Fa-f:.]+$", description }, (input) => {
    if (typeof input !== "string") return notThat(input, HOST_ADDRESS);
    const parsed = parseIp(input.trim());
    const fix = `use ${HOST_ADDRESS}`;
    if (parsed === undefined) return { problem: `${JSON.stringify(input.slice(0, 64))} is not an address`, fix };
    const problem = wrong(parsed);
    return problem === undefined ? { value: parsed.ip } : { problem, fix };
  });
}
