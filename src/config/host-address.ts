// An address of a host without a prefix length, as the file writes it.

import type * as z from "zod";
import { isLoopback, isMulticast, isUnspecified, parseIp } from "../wire/ip.ts";
import { leaf, notThat } from "./leaf.ts";

const HOST_ADDRESS = "an address without a prefix length, such as 10.0.0.2";

/** An address of a host, in canonical text. */
export function hostAddress(description: string): z.ZodType<string, unknown> {
  return leaf({ type: "string", pattern: "^[0-9A-Fa-f:.]+$", description }, (input) => {
    if (typeof input !== "string") return notThat(input, HOST_ADDRESS);
    const parsed = parseIp(input.trim());
    const fix = `use ${HOST_ADDRESS}`;
    if (parsed === undefined) return { problem: `${JSON.stringify(input.slice(0, 64))} is not an address`, fix };
    const wrong = isMulticast(parsed) || isUnspecified(parsed) || isLoopback(parsed);
    return wrong ? { problem: `${parsed.ip} is not the address of a host on the network`, fix } : { value: parsed.ip };
  });
}
