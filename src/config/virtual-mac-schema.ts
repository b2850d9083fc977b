// `vips.<name>.virtualMac`: the MAC of a virtual router for a VIP, whoever holds it, as keepalived's use_vmac.

import type { z } from "zod";
import {
  MAX_VIRTUAL_ROUTER_ID,
  MIN_VIRTUAL_ROUTER_ID,
  virtualDeviceName,
  virtualRouterMac,
} from "../base/virtual-mac.ts";
import type { VipAddress } from "../base/vip.ts";
import { leaf, meantBoolean, notThat } from "./leaf.ts";

/** What the key says of the id; `null`: it is that of the virtual router. */
interface WrittenMac {
  readonly id: number | null;
}

const EXAMPLE = "true, or { id: 51 }";

/** The key; `null`: no virtual MAC. */
export const virtualMac: z.ZodType<WrittenMac | null, unknown> = leaf<WrittenMac | null>(
  {
    anyOf: [
      { type: "boolean" },
      {
        type: "object",
        properties: { id: { type: "integer", minimum: MIN_VIRTUAL_ROUTER_ID, maximum: MAX_VIRTUAL_ROUTER_ID } },
        required: ["id"],
        additionalProperties: false,
      },
    ],
    description:
      "Whether the VIP has the MAC of a virtual router, 00-00-5E-00-01-id, on whichever node it is (keepalived: use_vmac); true takes the id of vrrp",
  },
  (input) => {
    if (input === false) return { value: null };
    if (input === true) return { value: { id: null } };
    const meant = meantBoolean(input);
    if (meant !== undefined) return { problem: notThat(input, EXAMPLE).problem, fix: `write ${meant}` };
    if (typeof input === "number") return { problem: `is the number ${input}`, fix: `write { id: ${input} }` };
    if (typeof input !== "object" || input === null || Array.isArray(input)) return notThat(input, EXAMPLE);
    const other = Object.keys(input).find((key) => key !== "id");
    if (other !== undefined)
      return { problem: `has the key ${other}, which is not known there`, fix: `use ${EXAMPLE}` };
    const id: unknown = Object.values(input)[0];
    if (typeof id === "number" && isId(id)) return { value: { id } };
    const range = `a whole number from ${MIN_VIRTUAL_ROUTER_ID} to ${MAX_VIRTUAL_ROUTER_ID}`;
    return { problem: `has an id that is not ${range}`, fix: `use ${range} as its id, such as { id: 51 }` };
  },
);

function isId(id: number): boolean {
  return Number.isInteger(id) && id >= MIN_VIRTUAL_ROUTER_ID && id <= MAX_VIRTUAL_ROUTER_ID;
}

/**
 * Puts the addresses of a VIP on devices with the MAC of the virtual router `id`, one for each family and interface. They get
 * no network of their own: the way to their neighbours stays that of the interface below.
 */
export function onVirtualDevices(addresses: readonly VipAddress[], id: number): readonly VipAddress[] {
  const parents = [...new Set(addresses.map((address) => address.interface))];
  return addresses.map((address) => {
    const { family, interface: parent } = address;
    const place = parents.indexOf(parent) + 1;
    return {
      ...address,
      prefix: family === 4 ? 32 : 128,
      interface: virtualDeviceName(family, id, place),
      virtualMac: { mac: virtualRouterMac(family, id), parent },
    };
  });
}
